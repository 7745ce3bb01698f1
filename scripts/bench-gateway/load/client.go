package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"os"
	"strconv"
	"syscall"
	"time"

	"benchgateway/wire"
)

// client is one connection, opened when it is needed and kept as long as the other side keeps it.
type client struct {
	address string
	request []byte
	timeout time.Duration
	conn    net.Conn
	used    bool // an answer has come over conn
	br      *bufio.Reader
	lines   *bufio.Reader
	head    wire.Head
	body    []byte
}

// failure is why a request failed, in few words, so that equal ones can be counted.
type failure string

func (f failure) Error() string { return string(f) }

// sink is told what comes in. All times are Unix nanoseconds.
type sink interface {
	// piece is a whole answer or a line of a stream; sentNs is 0 where it holds no token
	piece(now int64, bytes int, sentNs, readNs int64)
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// ask sends the request and reads the whole answer. A kept connection that its server closed before it saw the request
// is no failure: the request is sent once more over a new one.
func (c *client) ask(stream bool, s sink) error {
	for {
		kept := c.conn != nil && c.used
		if c.conn == nil {
			conn, err := net.DialTimeout("tcp", c.address, c.timeout)
			if err != nil {
				return classify(err, "connect")
			}
			c.conn, c.used = conn, false
			if c.br == nil {
				c.br, c.lines = bufio.NewReaderSize(conn, 32<<10), bufio.NewReaderSize(nil, 16<<10)
			} else {
				c.br.Reset(conn)
			}
		}
		_ = c.conn.SetDeadline(time.Now().Add(c.timeout))
		_, err := c.conn.Write(c.request)
		if err == nil {
			err = wire.ReadHead(c.br, &c.head)
		}
		if err == nil {
			c.used = true
			err = c.read(stream, s)
			if err != nil || c.head.Close {
				c.close()
			}
			return err
		}
		empty := c.br.Buffered() == 0
		c.close()
		if !kept || !empty || errors.Is(err, os.ErrDeadlineExceeded) {
			return classify(err, "before the answer")
		}
	}
}

func (c *client) read(stream bool, s sink) error {
	status := 0
	if len(c.head.Start) >= 12 {
		status, _ = strconv.Atoi(string(c.head.Start[9:12]))
	}
	if status != 200 || !stream {
		body, err := wire.ReadBody(c.br, &c.head, c.body)
		if err != nil {
			return classify(err, "in the answer")
		}
		c.body = body
		if status != 200 {
			return failure(fmt.Sprintf("status %d", status))
		}
		sentNs, readNs := wire.Stamps(body)
		if readNs == 0 {
			return failure("no answer of a node")
		}
		s.piece(time.Now().UnixNano(), len(body), sentNs, readNs)
		return nil
	}
	if !c.head.Chunked {
		c.head.Close = true
		c.lines.Reset(c.br)
	} else {
		c.lines.Reset(httputil.NewChunkedReader(c.br))
	}
	done, err := scan(c.lines, s)
	switch {
	case err != nil:
		return classify(err, "in the answer")
	case !done:
		return failure("cut in the answer")
	case c.head.Chunked:
		return wire.SkipTrailer(c.br)
	}
	return nil
}

var (
	doneMark  = []byte(`"done":true`)
	sseMark   = []byte("data: [DONE]")
	errorMark = []byte(`"error":`)
)

// scan reads the lines of a stream to its end and tells whether its last line was there.
func scan(lines *bufio.Reader, s sink) (done bool, err error) {
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF {
			return done, nil
		}
		if err != nil {
			return false, err
		}
		sentNs, readNs := wire.Stamps(line)
		s.piece(time.Now().UnixNano(), len(line), sentNs, readNs)
		if sentNs != 0 {
			continue
		}
		if bytes.Contains(line, doneMark) || bytes.HasPrefix(line, sseMark) {
			done = true
		} else if bytes.Contains(line, errorMark) {
			return false, failure("error in the answer")
		}
	}
}

func classify(err error, where string) error {
	var known failure
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, os.ErrDeadlineExceeded):
		return failure("timeout " + where)
	case errors.Is(err, syscall.ECONNREFUSED):
		return failure("refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return failure("reset " + where)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return failure("cut " + where)
	}
	return failure(err.Error())
}
