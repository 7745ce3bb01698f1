package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// start runs one node with a behaviour, and gives its URL.
func start(t *testing.T, change func(*Behaviour)) (*Node, string) {
	t.Helper()
	n := newNode("127.0.0.1:0")
	b := &Behaviour{Models: []string{"m"}, Tokens: 4, Speed: 1}
	if change != nil {
		change(b)
	}
	if err := n.behave(b); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.behave(&Behaviour{Tokens: 1, Speed: 1, Fault: "refuse"}) })
	return n, "http://" + n.address
}

func post(t *testing.T, url, body string) (int, string, error) {
	t.Helper()
	response, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func TestEveryStreamedLineIsJSONAndTheLastOneCounts(t *testing.T) {
	_, url := start(t, nil)
	for path, body := range map[string]string{
		"/api/chat":            `{"model":"m","options":{"num_predict":3}}`,
		"/api/generate":        `{"model":"m","options":{"num_predict":3}}`,
		"/v1/chat/completions": `{"model":"m","stream": true,"max_tokens":3}`,
	} {
		status, text, err := post(t, url+path, body)
		if status != 200 || err != nil {
			t.Fatalf("%s: %d %v", path, status, err)
		}
		lines, stamps := 0, 0
		for scan := bufio.NewScanner(strings.NewReader(text)); scan.Scan(); {
			line := strings.TrimPrefix(scan.Text(), "data: ")
			if line == "" || line == "[DONE]" {
				continue
			}
			lines++
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: %s", path, line)
			}
			stamps += strings.Count(line, "@")
		}
		if lines != 4 || stamps != 3 {
			t.Errorf("%s: %d lines, %d stamps", path, lines, stamps)
		}
	}
}

func TestWholeAnswersAreJSONWithTruthfulDurations(t *testing.T) {
	_, url := start(t, func(b *Behaviour) { b.FirstMs, b.GapMs, b.Speed = 10, 5, 0.5 })
	_, text, err := post(t, url+"/api/generate", `{"model":"m","stream":false}`)
	var answer struct {
		Total  time.Duration `json:"total_duration"`
		Prompt time.Duration `json:"prompt_eval_duration"`
		Eval   time.Duration `json:"eval_duration"`
		Count  int           `json:"eval_count"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &answer)
	}
	if err != nil || answer.Count != 4 {
		t.Fatalf("%v %s", err, text)
	}
	if answer.Prompt < 20*time.Millisecond || answer.Eval < 30*time.Millisecond || answer.Total < answer.Prompt+answer.Eval-time.Millisecond {
		t.Errorf("half as fast: prompt %v, text %v, total %v", answer.Prompt, answer.Eval, answer.Total)
	}
}

func TestFaultsDoWhatTheySay(t *testing.T) {
	n, url := start(t, func(b *Behaviour) { b.Fault = "500" })
	if status, text, err := post(t, url+"/api/chat", `{"model":"m"}`); status != 500 || err != nil {
		t.Errorf("500: %d %s %v", status, text, err)
	}
	with := func(change func(*Behaviour)) {
		t.Helper()
		b := *n.behaviour.Load()
		change(&b)
		if err := n.behave(&b); err != nil {
			t.Fatal(err)
		}
	}
	with(func(b *Behaviour) { b.Fault, b.FaultAfter = "reset", 2 })
	status, text, err := post(t, url+"/api/chat", `{"model":"m"}`)
	if status != 200 || err == nil || strings.Count(text, "@") > 2 {
		t.Errorf("reset after 2: %d %q %v", status, text, err)
	}
	with(func(b *Behaviour) { b.Fault, b.FaultAfter = "hang", 0 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, "POST", url+"/api/chat", strings.NewReader(`{"model":"m"}`))
	if _, err := http.DefaultClient.Do(request); err == nil {
		t.Error("hang: answered")
	}
	with(func(b *Behaviour) { b.Fault = "refuse" })
	if _, _, err := post(t, url+"/api/chat", `{"model":"m"}`); err == nil {
		t.Error("refuse: answered")
	}
	with(func(b *Behaviour) { b.Fault = "" })
	if status, _, err := post(t, url+"/api/chat", `{"model":"m"}`); status != 200 || err != nil {
		t.Errorf("back again: %d %v", status, err)
	}
}

func TestSlotsAreGivenInTurnAndGivenBack(t *testing.T) {
	s := &slots{limit: 1, queue: 2}
	if turn, ok := s.enter(); turn != nil || !ok {
		t.Fatal("the first waits")
	}
	second, _ := s.enter()
	third, _ := s.enter()
	if _, ok := s.enter(); ok {
		t.Error("the queue is not bounded")
	}
	s.abandon(second)
	s.leave()
	select {
	case <-third:
	default:
		t.Error("the third was not let in after the second gave up")
	}
	s.abandon(third) // its turn has come: the slot is free again
	if active, waiting := s.state(); active != 0 || waiting != 0 {
		t.Errorf("left: %d active, %d waiting", active, waiting)
	}
}

func TestAnUnknownModelIsNotFound(t *testing.T) {
	_, url := start(t, nil)
	if status, _, err := post(t, url+"/api/chat", `{"model":"other"}`); status != 404 || err != nil {
		t.Errorf("%d %v", status, err)
	}
}
