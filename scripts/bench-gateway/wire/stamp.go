package wire

import (
	"bytes"
	"strconv"
)

// A node writes "@SENT" into the text of every token, and "@SENT!READ" into that of the first: when it wrote the token
// and when it had read the request, in Unix nanoseconds (19 digits until the year 2286). From these the load generator
// takes what a gateway added, whatever the node itself took. Both run on the same machine, so on the same clock.
const digits = 19

// AppendStamp appends the stamp of a token; read is 0 for all but the first.
func AppendStamp(b []byte, sentNs, readNs int64) []byte {
	b = strconv.AppendInt(append(b, '@'), sentNs, 10)
	if readNs != 0 {
		b = strconv.AppendInt(append(b, '!'), readNs, 10)
	}
	return b
}

// Stamps finds the first stamp in b: 0, 0 where there is none, and read is 0 where it is not the first token's.
func Stamps(b []byte) (sentNs, readNs int64) {
	i := bytes.IndexByte(b, '@')
	if i < 0 {
		return 0, 0
	}
	b = b[i+1:]
	sentNs = number(b)
	if sentNs != 0 && len(b) > digits && b[digits] == '!' {
		readNs = number(b[digits+1:])
	}
	return sentNs, readNs
}

func number(b []byte) int64 {
	if len(b) < digits {
		return 0
	}
	n := int64(0)
	for _, c := range b[:digits] {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
