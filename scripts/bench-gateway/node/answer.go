package main

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"benchgateway/wire"
)

// dialect is how one route writes its answers. Each piece is what stands between the model's name, the text and the
// end. In it %T becomes the time of day, %N the number of tokens, %P that of the prompt, %S both together, and %t, %p
// and %e what the whole, the prompt and the text took, in nanoseconds.
type dialect struct {
	tokensKey  string // of the request: how many tokens are wanted
	streams    bool   // where the request does not say
	streamType string
	whole      [3]string // before the model, between model and text, after the text
	token      [3]string
	final      [3]string
}

const stats = `"done":true,"done_reason":"stop","total_duration":%t,"load_duration":1000,` +
	`"prompt_eval_count":%P,"prompt_eval_duration":%p,"eval_count":%N,"eval_duration":%e}`

var chat = &dialect{"num_predict", true, "application/x-ndjson",
	[3]string{`{"model":"`, `","created_at":"%T","message":{"role":"assistant","content":"`, `"},` + stats},
	[3]string{`{"model":"`, `","created_at":"%T","message":{"role":"assistant","content":"`, "\"},\"done\":false}\n"},
	[3]string{`{"model":"`, `","created_at":"%T","message":{"role":"assistant","content":"`, `"},` + stats + "\n"},
}

var generate = &dialect{"num_predict", true, "application/x-ndjson",
	[3]string{`{"model":"`, `","created_at":"%T","response":"`, `",` + stats},
	[3]string{`{"model":"`, `","created_at":"%T","response":"`, "\",\"done\":false}\n"},
	[3]string{`{"model":"`, `","created_at":"%T","response":"`, `",` + stats + "\n"},
}

const completion = `{"id":"chatcmpl-1","created":1760000000,"system_fingerprint":"fp_ollama","model":"`

var openai = &dialect{"max_tokens", false, "text/event-stream",
	[3]string{completion, `","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"`,
		`"}}],"usage":{"prompt_tokens":%P,"completion_tokens":%N,"total_tokens":%S}}`},
	[3]string{"data: " + completion, `","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"`,
		"\"},\"finish_reason\":null}]}\n\n"},
	[3]string{"data: " + completion, `","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"`,
		"\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"},
}

var dialects = map[string]*dialect{"/api/chat": chat, "/api/generate": generate, "/v1/chat/completions": openai}

// answer is one answer being made.
type answer struct {
	*dialect
	model  string
	prompt int // tokens of the prompt: four bytes each, as is usual
	tokens int
	readNs int64 // when the request had been read
	slotNs int64 // when a slot was free for it
	first  time.Duration
	pad    int
	buf    []byte
}

// edge is how much of a body's beginning and end is looked at: what decides about an answer stands before or after a
// long history, and a node must not cost what a gateway is measured by.
const edge = 2 << 10

// readRequest takes from a request's body what the answer depends on, and tells whether it is to be streamed.
func (a *answer) readRequest(body []byte, b *Behaviour) (stream bool) {
	first, last := body, body
	if len(body) > 2*edge {
		first, last = body[:edge], body[len(body)-edge:]
	}
	find := func(key string) string {
		if value := field(first, key); value != "" {
			return value
		}
		return field(last, key)
	}
	a.model = strings.Trim(find("model"), `"`)
	a.prompt = len(body)/4 + 1
	a.tokens = b.Tokens
	if n, err := strconv.Atoi(find(a.tokensKey)); err == nil && n > 0 && n < 1e6 {
		a.tokens = n
	}
	switch find("stream") {
	case "true":
		return true
	case "false":
		return false
	}
	return a.streams
}

// field is the raw value of the first key of that name at any depth, "" where there is none; only for values that hold
// no comma, bracket or blank. Within a JSON text quotes are escaped, so that no text can look like a key.
func field(body []byte, key string) string {
	i := bytes.Index(body, []byte(`"`+key+`"`))
	if i < 0 {
		return ""
	}
	rest := bytes.TrimLeft(body[i+len(key)+2:], " \n\r\t")
	if len(rest) == 0 || rest[0] != ':' {
		return ""
	}
	rest = bytes.TrimLeft(rest[1:], " \n\r\t")
	if end := bytes.IndexAny(rest, ",}] \n\r\t"); end >= 0 {
		rest = rest[:end]
	}
	return string(rest)
}

func (a *answer) whole(b []byte) []byte {
	b = a.open(b, &a.dialect.whole)
	b = wire.AppendStamp(b, time.Now().UnixNano(), a.readNs)
	for i := 1; i < a.tokens; i++ {
		b = append(b, " token"...)
	}
	return a.close(b, &a.dialect.whole)
}

func (a *answer) token(b []byte, first bool) []byte {
	readNs := int64(0)
	if first {
		readNs = a.readNs
	}
	b = a.open(b, &a.dialect.token)
	b = wire.AppendStamp(b, time.Now().UnixNano(), readNs)
	return a.close(b, &a.dialect.token)
}

func (a *answer) final(b []byte) []byte {
	pad := a.pad
	a.pad = 0
	b = a.close(a.open(b, &a.dialect.final), &a.dialect.final)
	a.pad = pad
	return b
}

func (a *answer) open(b []byte, parts *[3]string) []byte {
	return a.fill(append(append(b, parts[0]...), a.model...), parts[1])
}

func (a *answer) close(b []byte, parts *[3]string) []byte {
	for left := a.pad; left > 0; left -= len(padding) {
		n := left
		if n > len(padding) {
			n = len(padding)
		}
		b = append(b, padding[:n]...)
	}
	return a.fill(b, parts[2])
}

// fill appends a template with its marks replaced.
func (a *answer) fill(b []byte, template string) []byte {
	for {
		i := strings.IndexByte(template, '%')
		if i < 0 {
			return append(b, template...)
		}
		b = append(b, template[:i]...)
		now := time.Now()
		switch template[i+1] {
		case 'T':
			b = now.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000000Z")
		case 'N':
			b = strconv.AppendInt(b, int64(a.tokens), 10)
		case 'P':
			b = strconv.AppendInt(b, int64(a.prompt), 10)
		case 'S':
			b = strconv.AppendInt(b, int64(a.prompt+a.tokens), 10)
		case 't':
			b = strconv.AppendInt(b, now.UnixNano()-a.readNs, 10)
		case 'p':
			b = strconv.AppendInt(b, int64(a.first)+1, 10)
		case 'e':
			b = strconv.AppendInt(b, now.UnixNano()-a.slotNs-int64(a.first)+1, 10)
		}
		template = template[i+2:]
	}
}

var padding = strings.Repeat(".", 1024)
