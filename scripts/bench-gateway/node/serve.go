package main

import (
	"bufio"
	"bytes"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"benchgateway/wire"
)

// conn is one connection of a client, served by one goroutine.
type conn struct {
	net.Conn
	node *Node
	br   *bufio.Reader
	head wire.Head
	body []byte
	out  []byte
}

func (c *conn) serve() {
	defer c.node.forget(c)
	for {
		if wire.ReadHead(c.br, &c.head) != nil {
			return
		}
		method, rest, _ := bytes.Cut(c.head.Start, []byte(" "))
		target, _, _ := bytes.Cut(rest, []byte(" "))
		path, _, _ := bytes.Cut(target, []byte("?"))
		headOnly, route := string(method) == "HEAD", string(path)
		body, err := wire.ReadBody(c.br, &c.head, c.body)
		if err != nil {
			return
		}
		c.body = body
		if d, ok := dialects[route]; ok {
			if !c.generate(d, time.Now().UnixNano()) {
				return
			}
		} else {
			atomic.AddInt64(&c.node.counts.Others, 1)
			if !c.other(route, headOnly) {
				return
			}
		}
		if c.head.Close {
			return
		}
	}
}

// generate answers one request for text; false: the connection is of no more use.
func (c *conn) generate(d *dialect, readNs int64) bool {
	n, b := c.node, c.node.behaviour.Load()
	atomic.AddInt64(&n.counts.Requests, 1)
	a := answer{dialect: d, readNs: readNs, pad: b.AnswerBytes}
	stream := a.readRequest(c.body, b)
	if !has(b.Models, a.model) {
		return c.whole(404, []byte(`{"error":"model '`+a.model+`' not found"}`))
	}
	if c.head.Old && stream {
		return c.whole(505, []byte(`{"error":"no streams over HTTP/1.0 here"}`))
	}
	turn, ok := n.slots.enter()
	if !ok {
		atomic.AddInt64(&n.counts.Busy, 1)
		return c.whole(503, []byte(`{"error":"server busy, please try again.  maximum pending requests exceeded"}`))
	}
	if turn != nil && !c.hold(-1, turn) {
		n.slots.abandon(turn)
		atomic.AddInt64(&n.counts.Left, 1)
		return false
	}
	defer n.slots.leave()
	if b.Fault != "" && (b.FaultAfter == 0 || !stream) {
		return c.fault(b.Fault, false)
	}
	a.slotNs, a.first = time.Now().UnixNano(), b.first()
	wait := a.first
	if !stream {
		wait += time.Duration(a.tokens-1) * b.gap()
	}
	if wait > 0 && !c.hold(wait, nil) {
		atomic.AddInt64(&n.counts.Left, 1)
		return false
	}
	if stream {
		return c.stream(&a, b)
	}
	a.buf = a.whole(a.buf[:0])
	return c.end(c.whole(200, a.buf))
}

func (c *conn) stream(a *answer, b *Behaviour) bool {
	due, gap := time.Now(), b.gap()
	c.out = append(c.out[:0], "HTTP/1.1 200 OK\r\nContent-Type: "...)
	c.out = append(c.out, a.streamType...)
	c.out = append(c.out, "\r\nTransfer-Encoding: chunked\r\n\r\n"...)
	for i := 0; i < a.tokens; i++ {
		if i > 0 && gap > 0 {
			due = due.Add(gap)
			time.Sleep(time.Until(due))
		}
		if b.Fault != "" && i == b.FaultAfter {
			return c.fault(b.Fault, true)
		}
		a.buf = a.token(a.buf[:0], i == 0)
		if !c.chunk(a.buf) {
			return c.end(false)
		}
		atomic.AddInt64(&c.node.counts.Tokens, 1)
	}
	a.buf = a.final(a.buf[:0])
	if !c.chunk(a.buf) {
		return c.end(false)
	}
	_, err := c.Write([]byte("0\r\n\r\n"))
	return c.end(err == nil)
}

// end counts how an answer ended and passes that on.
func (c *conn) end(ok bool) bool {
	if ok {
		atomic.AddInt64(&c.node.counts.Answered, 1)
	} else {
		atomic.AddInt64(&c.node.counts.Left, 1)
	}
	return ok
}

// fault does what the behaviour's fault says, in the middle of a stream or before any answer.
func (c *conn) fault(kind string, streaming bool) bool {
	atomic.AddInt64(&c.node.counts.Faulted, 1)
	const text = `{"error":"llama runner process has terminated: exit status 2"}`
	switch {
	case kind == "500" && streaming:
		_ = c.chunk([]byte(text + "\n"))
		_, err := c.Write([]byte("0\r\n\r\n"))
		return err == nil
	case kind == "500":
		return c.whole(500, []byte(text))
	case kind == "hang":
		c.hold(-1, c.node.change())
	}
	c.reset()
	return false
}

// hold waits for d (below 0: for ever) or until wake is closed (nil: never), and tells whether the client is still
// there.
func (c *conn) hold(d time.Duration, wake <-chan struct{}) bool {
	var due <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	stopped, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		if _, err := c.br.Peek(1); err != nil {
			if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
				close(gone)
			}
		}
	}()
	there := true
	select {
	case <-due:
	case <-wake:
	case <-gone:
		there = false
	}
	_ = c.SetReadDeadline(time.Unix(1, 0))
	<-stopped
	_ = c.SetReadDeadline(time.Time{})
	return there
}

// reset makes the client see a reset, not an orderly end.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

// chunk sends what stands in c.out (the head, before the first chunk) and data as one chunk, in one write, as Ollama
// flushes each token.
func (c *conn) chunk(data []byte) bool {
	c.out = strconv.AppendInt(c.out, int64(len(data)), 16)
	c.out = append(append(append(c.out, "\r\n"...), data...), "\r\n"...)
	_, err := c.Write(c.out)
	c.out = c.out[:0]
	return err == nil
}

var reasons = map[int]string{200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable",
	505: "HTTP Version Not Supported"}

func (c *conn) whole(status int, body []byte) bool {
	c.writeHead(status, len(body))
	c.out = append(c.out, body...)
	_, err := c.Write(c.out)
	return err == nil
}

func (c *conn) writeHead(status, length int) {
	c.out = strconv.AppendInt(append(c.out[:0], "HTTP/1.1 "...), int64(status), 10)
	c.out = append(append(c.out, ' '), reasons[status]...)
	c.out = append(c.out, "\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: "...)
	c.out = strconv.AppendInt(c.out, int64(length), 10)
	if c.head.Close {
		c.out = append(c.out, "\r\nConnection: close"...)
	}
	c.out = append(c.out, "\r\n\r\n"...)
}

func has(list []string, name string) bool {
	for _, other := range list {
		if other == name {
			return true
		}
	}
	return false
}
