package wire

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestStampsComeBackAsTheyWereWritten(t *testing.T) {
	const sent, read = int64(1795540108509232805), int64(1795540108509207488)
	first := AppendStamp([]byte(`{"content":"`), sent, read)
	if s, r := Stamps(append(first, `"}`...)); s != sent || r != read {
		t.Errorf("first token: %d %d", s, r)
	}
	if s, r := Stamps(AppendStamp(nil, sent, 0)); s != sent || r != 0 {
		t.Errorf("later token: %d %d", s, r)
	}
	for _, other := range []string{"", "@", "me@example.org", "@179554010850923280", "@17955401085092328x5"} {
		if s, r := Stamps([]byte(other)); s != 0 || r != 0 {
			t.Errorf("%q: %d %d", other, s, r)
		}
	}
}

// Whatever pieces a message comes in, it is the same message, and what follows it is left.
func TestMessagesAreReadToTheirEndAndNoFurther(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, message := range map[string]string{
		"length":  "POST /a HTTP/1.1\r\ncontent-LENGTH: 5\r\n\r\nhello",
		"chunked": "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
		"trailer": "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
		"none":    "POST /a HTTP/1.1\r\nHost: b\r\n\r\n",
		"large":   "POST /a HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + long,
	} {
		want := map[string]string{"none": "", "large": long}
		for kind, reader := range map[string]io.Reader{
			"whole":    strings.NewReader(message + "next"),
			"by bytes": iotest.OneByteReader(strings.NewReader(message + "next")),
		} {
			br := bufio.NewReaderSize(reader, 4096)
			var h Head
			if err := ReadHead(br, &h); err != nil {
				t.Fatalf("%s %s: %v", name, kind, err)
			}
			if string(h.Start) != "POST /a HTTP/1.1" || h.Close || h.Old {
				t.Errorf("%s %s: head %+v", name, kind, h)
			}
			body, err := ReadBody(br, &h, nil)
			expected, special := want[name]
			if !special {
				expected = "hello"
			}
			if err != nil || string(body) != expected {
				t.Errorf("%s %s: body of %d bytes, %v", name, kind, len(body), err)
			}
			if rest, _ := io.ReadAll(br); string(rest) != "next" {
				t.Errorf("%s %s: left %q", name, kind, rest)
			}
		}
	}
}

func TestHeadsThatCannotBeTrustedAreErrors(t *testing.T) {
	for _, message := range []string{
		"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n",
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost",
	} {
		var h Head
		if err := ReadHead(bufio.NewReaderSize(strings.NewReader(message), 4096), &h); err == nil {
			t.Errorf("%.60q was taken", message)
		}
	}
}
