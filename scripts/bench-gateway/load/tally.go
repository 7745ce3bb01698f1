package main

import (
	"sort"
	"sync"
	"time"
)

// Result is what one run measured. Times are in microseconds. "Added" is what is left of a time when the node's own is
// taken off: what the gateway and the way to it took.
type Result struct {
	Answered          int            `json:"answered"` // requests due in the measured time and answered to their end
	Failed            int            `json:"failed"`   // ... that were not
	Errors            map[string]int `json:"errors"`   // why, and how often
	RequestsPerSecond float64        `json:"requestsPerSecond"`
	TokensPerSecond   float64        `json:"tokensPerSecond"`
	MbPerSecond       float64        `json:"mbPerSecond"`
	Whole             *Spread        `json:"wholeUs,omitempty"`      // from when the request was due to its end
	Added             *Spread        `json:"addedUs,omitempty"`      // of whole answers
	FirstAdded        *Spread        `json:"firstAddedUs,omitempty"` // to the first token of streams
	Delay             *Spread        `json:"delayUs,omitempty"`      // of each token, from the node's write
	TokensLost        int            `json:"tokensLost"`             // by streams that ended well
	TokensLate        int            `json:"tokensLate"`             // delayed by lateNs or more
	CPUPerRequestUs   float64        `json:"cpuPerRequestUs,omitempty"`
	CPUPerTokenUs     float64        `json:"cpuPerTokenUs,omitempty"`
	PssMb             float64        `json:"pssMb,omitempty"`
	RssMb             float64        `json:"rssMb,omitempty"`
	OwnCores          float64        `json:"ownCores"`    // what the nodes and this program used; near 1: they are the limit
	OthersCores       float64        `json:"othersCores"` // what processes that do not belong to the bench used
	Shares            []float64      `json:"shares,omitempty"`
}

// Spread is a distribution of times in microseconds.
type Spread struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

const lateNs = int64(50 * time.Millisecond)

// tally gathers what all connections see.
type tally struct {
	beginNs, endNs int64 // the measured time
	stream         bool
	wanted         int // tokens of a stream

	mu                               sync.Mutex
	result                           Result
	ended, tokens, moved             int // in the measured time
	whole, added, firstAdded, delays []int64
}

// call is one request; it is the sink of its answer.
type call struct {
	*tally
	dueNs   int64
	counted bool // it was due in the measured time
	seen    int  // tokens
	lagNs   int64
}

func (t *tally) begin(due time.Time) call {
	ns := due.UnixNano()
	return call{tally: t, dueNs: ns, counted: ns >= t.beginNs && ns < t.endNs}
}

func (t *tally) inWindow(ns int64) bool { return ns >= t.beginNs && ns < t.endNs }

func (c *call) piece(now int64, bytes int, sentNs, readNs int64) {
	if readNs != 0 {
		c.lagNs = now - c.dueNs - (sentNs - readNs)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	inside := c.inWindow(now)
	if inside {
		c.moved += bytes
	}
	if sentNs == 0 || !c.stream {
		return
	}
	c.seen++
	if inside {
		c.tokens++
	}
	if !c.counted {
		return
	}
	c.delays = append(c.delays, now-sentNs)
	if now-sentNs >= lateNs {
		c.result.TokensLate++
	}
	if readNs != 0 {
		c.firstAdded = append(c.firstAdded, c.lagNs)
	}
}

// end counts how the request ended.
func (c *call) end(err error) {
	now := time.Now().UnixNano()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.inWindow(now) {
		c.ended++
	}
	if !c.counted {
		return
	}
	if err != nil {
		c.result.Failed++
		c.result.Errors[err.Error()]++
		return
	}
	c.result.Answered++
	c.whole = append(c.whole, now-c.dueNs)
	if !c.stream {
		c.added = append(c.added, c.lagNs)
	} else if c.seen < c.wanted {
		c.result.TokensLost += c.wanted - c.seen
	}
}

// finish sums up; seconds is the measured time's length and cpu what the target used in it.
func (t *tally) finish(seconds, cpu float64) *Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.result
	r.Whole, r.Added, r.FirstAdded, r.Delay = spread(t.whole), spread(t.added), spread(t.firstAdded), spread(t.delays)
	r.RequestsPerSecond = float64(t.ended) / seconds
	r.TokensPerSecond = float64(t.tokens) / seconds
	r.MbPerSecond = float64(t.moved) / seconds / 1e6
	if t.ended > 0 {
		r.CPUPerRequestUs = cpu * 1e6 / float64(t.ended)
	}
	if t.tokens > 0 {
		r.CPUPerTokenUs = cpu * 1e6 / float64(t.tokens)
	}
	return r
}

func spread(ns []int64) *Spread {
	if len(ns) == 0 {
		return nil
	}
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	at := func(share float64) float64 { return float64(ns[int(share*float64(len(ns)-1))]) / 1000 }
	return &Spread{at(.50), at(.95), at(.99), at(1)}
}
