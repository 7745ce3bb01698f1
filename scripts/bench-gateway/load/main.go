// Command load drives one target with one kind of work for a set time, and prints what it measured. It reads a Plan
// (JSON) from standard input and writes a Result (JSON). The driver calls it for every target in turn.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// Plan is one run.
type Plan struct {
	Target      Target            `json:"target"`
	Control     string            `json:"control"`     // of the nodes; "": leave them as they are
	Behaviour   json.RawMessage   `json:"behaviour"`   // of every node, from the start
	Each        []json.RawMessage `json:"each"`        // merged over it, node by node
	Events      []Event           `json:"events"`      // what nodes do later
	API         string            `json:"api"`         // generate, chat or openai
	Stream      bool              `json:"stream"`      //
	Connections int               `json:"connections"` // at once; with perSecond: at most
	PerSecond   float64           `json:"perSecond"`   // requests offered, whatever the answers' pace; 0: each connection its next at once
	PromptBytes int               `json:"promptBytes"` //
	Tokens      int               `json:"tokens"`      // asked for
	WarmMs      int               `json:"warmMs"`      // before the measured time
	ForMs       int               `json:"forMs"`       // the measured time
	TimeoutMs   int               `json:"timeoutMs"`   // of one request
}

// Target is what is driven.
type Target struct {
	URLs  []string `json:"urls"` // connections are spread over them
	Key   string   `json:"key"`  // sent as a bearer token; "": none
	Model string   `json:"model"`
	PIDs  []int    `json:"pids"` // its processes; their descendants are measured with them
}

// Event is a change of the nodes' behaviour during the measured time.
type Event struct {
	AtMs      int             `json:"atMs"`
	Node      int             `json:"node"` // from 1
	Behaviour json.RawMessage `json:"behaviour"`
}

func main() {
	var plan Plan
	err := json.NewDecoder(os.Stdin).Decode(&plan)
	if err == nil && (plan.ForMs <= 0 || plan.TimeoutMs <= 0 || plan.Connections <= 0 || len(plan.Target.URLs) == 0) {
		err = fmt.Errorf("the plan lacks forMs, timeoutMs, connections or the target's urls")
	}
	var result *Result
	if err == nil {
		result, err = run(&plan)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}
