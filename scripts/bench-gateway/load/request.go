package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

type object map[string]any

const sentence = "A balancer asks which machine will be \"done\" first,\nand not which one looks idle at the moment. "

func text(bytes int) string {
	return strings.Repeat(sentence, bytes/len(sentence)+1)[:bytes]
}

// turn is the length of one message of a long conversation, in bytes.
const turn = 2 << 10

// request builds the bytes of the request that a plan repeats.
func request(p *Plan, host string) ([]byte, error) {
	var path, body string
	quote := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	model := quote(p.Target.Model)
	var messages []object
	for left := p.PromptBytes; left > 0; left -= turn {
		n := turn
		if left < n {
			n = left
		}
		messages = append(messages, object{"role": [2]string{"user", "assistant"}[len(messages)%2], "content": text(n)})
	}
	switch p.API {
	case "generate":
		path = "/api/generate"
		body = fmt.Sprintf(`{"model":%s,"prompt":%s,"stream":%t,"options":{"num_predict":%d}}`, model, quote(text(p.PromptBytes)), p.Stream, p.Tokens)
	case "chat":
		path = "/api/chat"
		body = fmt.Sprintf(`{"model":%s,"messages":%s,"stream":%t,"options":{"num_predict":%d}}`, model, quote(messages), p.Stream, p.Tokens)
	case "openai":
		path = "/v1/chat/completions"
		body = fmt.Sprintf(`{"model":%s,"messages":%s,"stream":%t,"max_tokens":%d}`, model, quote(messages), p.Stream, p.Tokens)
	default:
		return nil, fmt.Errorf("api %q is none of generate, chat, openai", p.API)
	}
	key := ""
	if p.Target.Key != "" {
		key = "Authorization: Bearer " + p.Target.Key + "\r\n"
	}
	return []byte(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, host, key, len(body), body)), nil
}
