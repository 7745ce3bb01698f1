package main

import (
	"encoding/json"
	"strings"
)

type object map[string]any

var details = object{"parent_model": "", "format": "gguf", "family": "llama", "families": []string{"llama"},
	"parameter_size": "3.2B", "quantization_level": "Q4_K_M"}

// other answers what asks for no text; false: the connection is of no more use.
func (c *conn) other(path string, headOnly bool) bool {
	names := c.node.behaviour.Load().Models
	status := 200
	var body any
	switch path {
	case "/":
		body = "Ollama is running"
	case "/api/version":
		body = object{"version": "0.33.0"}
	case "/api/tags":
		body = object{"models": each(names, func(m object) {
			m["modified_at"] = "2026-10-01T12:00:00.123456789Z"
		})}
	case "/api/ps":
		body = object{"models": each(names, func(m object) {
			m["expires_at"], m["size_vram"], m["context_length"] = "2096-01-01T00:00:00Z", m["size"], 4096
		})}
	case "/api/show":
		body = object{"details": details, "capabilities": []string{"completion", "tools"}, "template": "{{ .Prompt }}",
			"model_info": object{"general.architecture": "llama", "llama.context_length": 131072, "llama.embedding_length": 4}}
	case "/api/embed":
		body = c.embed()
	case "/v1/models":
		list := []object{}
		for _, name := range names {
			list = append(list, object{"id": name, "object": "model", "created": 1760000000, "owned_by": "library"})
		}
		body = object{"object": "list", "data": list}
	default:
		status, body = 404, object{"error": "not found"}
	}
	text, _ := json.Marshal(body)
	if path == "/" {
		text = []byte(body.(string))
	}
	if !headOnly {
		return c.whole(status, text)
	}
	c.writeHead(status, len(text))
	_, err := c.Write(c.out)
	return err == nil
}

// each lists the models, all of one size and all loaded.
func each(names []string, more func(object)) []object {
	list := []object{}
	for _, name := range names {
		m := object{"name": name, "model": name, "size": 2019393189, "digest": strings.Repeat("a80c4f17", 8), "details": details}
		more(m)
		list = append(list, m)
	}
	return list
}

// embed gives one short vector for each input.
func (c *conn) embed() object {
	var request struct {
		Model string `json:"model"`
		Input any    `json:"input"`
	}
	_ = json.Unmarshal(c.body, &request)
	vectors := [][]float64{{0.5, 0.5, 0.5, 0.5}}
	if list, ok := request.Input.([]any); ok {
		vectors = vectors[:0]
		for range list {
			vectors = append(vectors, []float64{0.5, 0.5, 0.5, 0.5})
		}
	}
	return object{"model": request.Model, "embeddings": vectors, "total_duration": 14143917, "load_duration": 1019500,
		"prompt_eval_count": 8 * len(vectors)}
}
