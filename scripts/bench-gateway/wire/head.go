// Package wire is what the stand-in nodes and the load generator share: HTTP/1.1 heads read by hand, and the time
// stamps in the answers' text. net/http would cost more CPU per request than the proxies that are measured, and so hide
// what sets them apart.
package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"strconv"
)

// Head is what a request or a response says before its body.
type Head struct {
	Start   []byte // the first line; valid until the reader is used again
	Length  int    // of the body in bytes; -1: not said
	Chunked bool
	Close   bool // the sender closes the connection after this message
	Old     bool // HTTP/1.0
}

// MaxBody is the longest body that ReadBody takes, in bytes.
const MaxBody = 64 << 20

var (
	errLength = errors.New("bad or too large Content-Length")
	crlf      = []byte("\r\n")
	blank     = []byte("\r\n\r\n")
	colon     = []byte(":")
)

// ReadHead waits for a whole head and consumes it. A head longer than br's buffer is bufio.ErrBufferFull.
func ReadHead(br *bufio.Reader, h *Head) error {
	for seen := 0; ; {
		if _, err := br.Peek(seen + 1); err != nil {
			return err
		}
		buffered, _ := br.Peek(br.Buffered())
		if i := bytes.Index(buffered, blank); i >= 0 {
			err := h.parse(buffered[:i])
			_, _ = br.Discard(i + len(blank))
			return err
		}
		seen = len(buffered)
	}
}

func (h *Head) parse(head []byte) error {
	start, rest, _ := bytes.Cut(head, crlf)
	old := bytes.Contains(start, []byte("HTTP/1.0"))
	*h = Head{Start: start, Length: -1, Old: old, Close: old}
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, crlf)
		name, value, _ := bytes.Cut(line, colon)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || n < 0 || n > MaxBody {
				return errLength
			}
			h.Length = n
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			h.Chunked = bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked"))
		case bytes.EqualFold(name, []byte("connection")):
			h.Close = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
	return nil
}

// ReadBody reads the whole body that h announces into buf, which grows as needed, and returns it. A body that has
// neither length nor chunks is empty, as it is in a request.
func ReadBody(br *bufio.Reader, h *Head, buf []byte) ([]byte, error) {
	if h.Chunked {
		body, err := io.ReadAll(io.LimitReader(httputil.NewChunkedReader(br), MaxBody))
		if err != nil {
			return nil, err
		}
		return body, SkipTrailer(br)
	}
	if h.Length <= 0 {
		return buf[:0], nil
	}
	if cap(buf) < h.Length {
		buf = make([]byte, h.Length)
	}
	buf = buf[:h.Length]
	_, err := io.ReadFull(br, buf)
	return buf, err
}

// SkipTrailer consumes what stands between the last chunk and the end of a chunked message.
func SkipTrailer(br *bufio.Reader) error {
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return nil
		}
	}
}
