package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"benchgateway/wire"
)

// drive measures a server that answers each request by answer, for a short time over two connections.
func drive(t *testing.T, stream bool, answer http.HandlerFunc) *Result {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	result, err := run(&Plan{Target: Target{URLs: []string{server.URL}, Model: "m", Key: "secret"}, API: "chat", Stream: stream,
		Connections: 2, PromptBytes: 5000, Tokens: 3, WarmMs: 20, ForMs: 150, TimeoutMs: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func token(w http.ResponseWriter, sent time.Time, read int64) {
	fmt.Fprintf(w, "{\"content\":\"%s\"}\n", wire.AppendStamp(nil, sent.UnixNano(), read))
	w.(http.Flusher).Flush()
}

func TestGoodStreamsAreCountedWhole(t *testing.T) {
	r := drive(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(401)
			return
		}
		read := time.Now().UnixNano()
		time.Sleep(20 * time.Millisecond)
		token(w, time.Now(), read)
		token(w, time.Now(), 0)
		token(w, time.Now(), 0)
		fmt.Fprintln(w, `{"done":true}`)
	})
	if r.Answered == 0 || r.Failed != 0 || r.TokensLost != 0 || r.TokensPerSecond == 0 {
		t.Errorf("%+v", r)
	}
	if r.Whole.P50 < 20_000 || r.FirstAdded.P50 > 15_000 {
		t.Errorf("the node's own 20 ms: whole %v, added %v", r.Whole, r.FirstAdded)
	}
}

func TestWhatIsWrongWithAnAnswerIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		wrong  func(*Result) int
	}{
		"no last line": {func(w http.ResponseWriter, _ *http.Request) { token(w, time.Now(), 1e18) },
			func(r *Result) int { return r.Errors["cut in the answer"] }},
		"an error as a line": {func(w http.ResponseWriter, _ *http.Request) {
			token(w, time.Now(), 1e18)
			fmt.Fprintln(w, `{"error":"x"}`)
		}, func(r *Result) int { return r.Errors["error in the answer"] }},
		"aborted": {func(w http.ResponseWriter, _ *http.Request) {
			token(w, time.Now(), 1e18)
			panic(http.ErrAbortHandler)
		}, func(r *Result) int { return r.Errors["cut in the answer"] }},
		"status": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
			func(r *Result) int { return r.Errors["status 503"] }},
		"a token less": {func(w http.ResponseWriter, _ *http.Request) {
			token(w, time.Now(), 1e18)
			token(w, time.Now(), 0)
			fmt.Fprintln(w, `{"done":true}`)
		}, func(r *Result) int { return r.TokensLost }},
		"a token held back": {func(w http.ResponseWriter, _ *http.Request) {
			token(w, time.Now(), 1e18)
			token(w, time.Now().Add(-60*time.Millisecond), 0)
			token(w, time.Now(), 0)
			fmt.Fprintln(w, `{"done":true}`)
		}, func(r *Result) int { return r.TokensLate }},
	} {
		if r := drive(t, true, c.answer); c.wrong(r) == 0 {
			t.Errorf("%s: not seen: %+v", name, r)
		}
	}
	whole := drive(t, false, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"content":"made up"}`) })
	if whole.Errors["no answer of a node"] == 0 {
		t.Errorf("an answer that no node gave: %+v", whole)
	}
}
