package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// control is the URL of the nodes' control port; "": there is none, and every call does nothing.
type control string

type count struct {
	PID      int   `json:"pid"`
	Requests int64 `json:"requests"`
}

// behave sets every node's behaviour, then what single nodes have of their own.
func (c control) behave(all json.RawMessage, each []json.RawMessage) error {
	if len(all) > 0 {
		if err := c.put(0, all); err != nil {
			return err
		}
	}
	for i, b := range each {
		if err := c.put(i+1, b); err != nil {
			return err
		}
	}
	return nil
}

// put merges a behaviour into that of a node, counted from 1, or of all (0).
func (c control) put(node int, behaviour json.RawMessage) error {
	if c == "" {
		return nil
	}
	url := string(c) + "/nodes"
	if node > 0 {
		url = fmt.Sprintf("%s/%d", url, node)
	}
	request, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(behaviour))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("nodes: %s", text)
	}
	return nil
}

func (c control) counts() ([]count, error) {
	if c == "" {
		return nil, nil
	}
	response, err := http.Get(string(c) + "/counts")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var list []count
	return list, json.NewDecoder(response.Body).Decode(&list)
}

// pids are the processes that the nodes run in.
func (c control) pids() []int {
	list, err := c.counts()
	if err != nil || len(list) == 0 {
		return nil
	}
	return []int{list[0].PID}
}

// shares are the parts of the requests that each node got.
func shares(before, after []count) []float64 {
	total, list := int64(0), make([]float64, len(after))
	for i := range after {
		total += after[i].Requests - before[i].Requests
	}
	for i := range list {
		if total > 0 {
			list[i] = float64(after[i].Requests-before[i].Requests) / float64(total)
		}
	}
	return list
}
