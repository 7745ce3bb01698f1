// Command node serves stand-ins for Ollama, several in one process: the API that a gateway needs, answered at a set
// pace and with set faults. It generates nothing; it is there to measure gateways in front of it.
//
//	node -nodes 3
//
// It listens on free loopback ports, or on those of -ports (1,2,3), prints one line of JSON, {"control": URL, "nodes": [URL, ...]}, and ends when its
// standard input does. Control:
//
//	GET /counts      an array, one object per node
//	PUT /nodes       merges a Behaviour (JSON) into every node's
//	PUT /nodes/1     ... into that of the first
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

func main() {
	count := flag.Int("nodes", 3, "how many nodes")
	ports := flag.String("ports", "", "their ports; by default any that are free")
	flag.Parse()
	var fixed []string
	if *ports != "" {
		fixed = strings.Split(*ports, ",")
	}
	for len(fixed) < *count {
		fixed = append(fixed, "0")
	}
	if err := serve(fixed); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

func serve(ports []string) error {
	count := len(ports)
	nodes := make([]*Node, count)
	urls := make([]string, count)
	for i := range nodes {
		nodes[i] = newNode("127.0.0.1:" + ports[i])
		if err := nodes[i].behave(&Behaviour{Models: []string{"bench:latest"}, Tokens: 16, Speed: 1}); err != nil {
			return err
		}
		urls[i] = "http://" + nodes[i].address
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control := "http://" + listener.Addr().String()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"control": control, "nodes": urls}); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whoever started us is gone
		os.Exit(0)
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("/counts", func(w http.ResponseWriter, _ *http.Request) { report(w, nodes) })
	mux.HandleFunc("/nodes", func(w http.ResponseWriter, r *http.Request) { change(w, r, nodes) })
	mux.HandleFunc("/nodes/", func(w http.ResponseWriter, r *http.Request) {
		i, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/nodes/"))
		if err != nil || i < 1 || i > count {
			http.Error(w, "no such node", http.StatusNotFound)
			return
		}
		change(w, r, nodes[i-1:i])
	})
	return http.Serve(listener, mux)
}

func report(w http.ResponseWriter, nodes []*Node) {
	type state struct {
		Counts
		PID         int `json:"pid"`
		Active      int `json:"active"`
		Waiting     int `json:"waiting"`
		Connections int `json:"connections"`
	}
	out := make([]state, len(nodes))
	for i, n := range nodes {
		c := &n.counts
		out[i].PID = os.Getpid()
		for to, from := range map[*int64]*int64{
			&out[i].Requests: &c.Requests, &out[i].Answered: &c.Answered, &out[i].Left: &c.Left,
			&out[i].Faulted: &c.Faulted, &out[i].Busy: &c.Busy, &out[i].Tokens: &c.Tokens, &out[i].Others: &c.Others,
		} {
			*to = atomic.LoadInt64(from)
		}
		out[i].Active, out[i].Waiting = n.slots.state()
		n.mu.Lock()
		out[i].Connections = len(n.conns)
		n.mu.Unlock()
	}
	_ = json.NewEncoder(w).Encode(out)
}

func change(w http.ResponseWriter, r *http.Request, nodes []*Node) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	for _, n := range nodes {
		b := *n.behaviour.Load()
		if err == nil {
			err = json.Unmarshal(body, &b)
		}
		if err == nil {
			err = n.behave(&b)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}
