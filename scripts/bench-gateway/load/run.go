package main

import (
	"math/rand"
	"net/url"
	"os"
	"sync"
	"time"
)

// run makes the nodes behave as the plan wants, drives the target, and measures between the end of the warm-up and the
// end of the time. Requests that run then are waited for.
func run(p *Plan) (*Result, error) {
	requests, addresses := make([][]byte, len(p.Target.URLs)), make([]string, len(p.Target.URLs))
	for i, text := range p.Target.URLs {
		u, err := url.Parse(text)
		if err != nil {
			return nil, err
		}
		addresses[i] = u.Host
		if requests[i], err = request(p, u.Host); err != nil {
			return nil, err
		}
	}
	nodes := control(p.Control)
	if err := nodes.behave(p.Behaviour, p.Each); err != nil {
		return nil, err
	}
	start := time.Now()
	begin := start.Add(ms(p.WarmMs))
	end := begin.Add(ms(p.ForMs))
	t := &tally{beginNs: begin.UnixNano(), endNs: end.UnixNano(), stream: p.Stream, wanted: p.Tokens,
		result: Result{Errors: map[string]int{}}}
	dial := func(i int) *client {
		return &client{address: addresses[i%len(addresses)], request: requests[i%len(requests)], timeout: ms(p.TimeoutMs)}
	}
	var done sync.WaitGroup
	if p.PerSecond > 0 {
		done.Add(1)
		go func() {
			defer done.Done()
			offered(p, t, start, end, dial)
		}()
	} else {
		for i := 0; i < p.Connections; i++ {
			done.Add(1)
			go func(i int) {
				defer done.Done()
				inTurn(p, t, begin, end, dial(i))
			}(i)
		}
	}
	cpu, err := measure(p, nodes, t, begin, end)
	done.Wait()
	if err != nil {
		return nil, err
	}
	return t.finish(end.Sub(begin).Seconds(), cpu), nil
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// inTurn sends one request after the other over one connection. Streams begin spread out, so that they do not all want
// their tokens at the same moment.
func inTurn(p *Plan, t *tally, begin, end time.Time, c *client) {
	defer c.close()
	if p.Stream {
		time.Sleep(time.Duration(rand.Float64() * 0.7 * float64(time.Until(begin))))
	}
	for due := time.Now(); due.Before(end); due = time.Now() {
		one := t.begin(due)
		err := c.ask(p.Stream, &one)
		one.end(err)
		if err != nil {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// offered sends requests at a constant rate, whatever the pace of the answers, each over a connection that is free. A
// request that finds the most connections busy fails.
func offered(p *Plan, t *tally, start, end time.Time, dial func(int) *client) {
	free := make(chan *client, p.Connections)
	var running sync.WaitGroup
	opened, gap := 0, time.Duration(float64(time.Second)/p.PerSecond)
	for due := start; due.Before(end); due = due.Add(gap) {
		time.Sleep(time.Until(due))
		one := t.begin(due)
		var c *client
		select {
		case c = <-free:
		default:
			if opened == p.Connections {
				one.end(failure("all connections busy"))
				continue
			}
			c = dial(opened)
			opened++
		}
		running.Add(1)
		go func() {
			defer running.Done()
			one.end(c.ask(p.Stream, &one))
			free <- c
		}()
	}
	running.Wait()
	for ; opened > 0; opened-- {
		(<-free).close()
	}
}

// measure reads the clocks of the processes at both edges of the measured time and lets the plan's events happen in it.
// It returns the target's CPU seconds.
func measure(p *Plan, nodes control, t *tally, begin, end time.Time) (float64, error) {
	time.Sleep(time.Until(begin))
	before, err := nodes.counts()
	if err != nil {
		return 0, err
	}
	targets, own := tree(p.Target.PIDs), append(nodes.pids(), os.Getpid())
	cpu0, own0, busy0 := cpuSeconds(targets), cpuSeconds(own), busySeconds()
	for _, e := range p.Events {
		time.Sleep(time.Until(begin.Add(ms(e.AtMs))))
		if err := nodes.put(e.Node, e.Behaviour); err != nil {
			return 0, err
		}
	}
	time.Sleep(time.Until(end))
	seconds := end.Sub(begin).Seconds()
	cpu, mine := cpuSeconds(targets)-cpu0, cpuSeconds(own)-own0
	others := busySeconds() - busy0 - cpu - mine
	if others < 0 { // the clocks tick in steps
		others = 0
	}
	pss, rss := memoryMb(targets)
	after, err := nodes.counts()
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	r := &t.result
	r.PssMb, r.RssMb, r.Shares = pss, rss, shares(before, after)
	r.OwnCores, r.OthersCores = mine/seconds, others/seconds
	t.mu.Unlock()
	return cpu, nil
}
