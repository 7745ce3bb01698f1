package main

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Behaviour is how a node answers. The control port changes it while the node runs; requests that run already keep the
// one they began with.
type Behaviour struct {
	Models      []string `json:"models"`
	Tokens      int      `json:"tokens"`      // of an answer, where the request does not say
	FirstMs     float64  `json:"firstMs"`     // from the request to the first token
	GapMs       float64  `json:"gapMs"`       // from token to token
	Speed       float64  `json:"speed"`       // divides both; 1 is normal
	AnswerBytes int      `json:"answerBytes"` // added to each whole answer and to each token
	Slots       int      `json:"slots"`       // requests served at once; 0: all
	Queue       int      `json:"queue"`       // requests that may wait for a slot, the others get 503; 0: all
	Fault       string   `json:"fault"`       // "", refuse, 500, hang or reset
	FaultAfter  int      `json:"faultAfter"`  // tokens of a stream before the fault; 0: before the answer's head
}

func (b *Behaviour) check() error {
	switch b.Fault {
	case "", "refuse", "500", "hang", "reset":
	default:
		return fmt.Errorf("fault %q is none of refuse, 500, hang, reset", b.Fault)
	}
	if b.Speed <= 0 || b.Tokens < 1 || b.FirstMs < 0 || b.GapMs < 0 || b.AnswerBytes < 0 || b.Slots < 0 || b.Queue < 0 {
		return fmt.Errorf("tokens and speed must be above 0, the others not below")
	}
	return nil
}

// Counts is what a node saw since it began.
type Counts struct {
	Requests int64 `json:"requests"` // for text: generate, chat, chat/completions
	Answered int64 `json:"answered"` // to the end
	Left     int64 `json:"left"`     // by the client before the end
	Faulted  int64 `json:"faulted"`
	Busy     int64 `json:"busy"` // refused with 503
	Tokens   int64 `json:"tokens"`
	Others   int64 `json:"others"` // tags, ps, version, ...
}

// Node is one stand-in for Ollama on one address.
type Node struct {
	address   string
	behaviour atomic.Pointer[Behaviour]
	slots     slots
	counts    Counts // atomically

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]struct{}
	changed  chan struct{} // closed when the behaviour changes, so that a hang can end
}

func newNode(address string) *Node {
	return &Node{address: address, conns: map[*conn]struct{}{}, changed: make(chan struct{})}
}

// behave changes how the node answers. With the fault "refuse" the port is closed and every connection reset, as a
// process that is killed does; any other opens it again.
func (n *Node) behave(b *Behaviour) error {
	if err := b.check(); err != nil {
		return err
	}
	n.behaviour.Store(b)
	n.slots.resize(b.Slots, b.Queue)
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.changed)
	n.changed = make(chan struct{})
	if b.Fault != "refuse" {
		return n.listen()
	}
	if n.listener != nil {
		n.listener.Close()
		n.listener = nil
	}
	for c := range n.conns {
		c.reset()
	}
	return nil
}

func (n *Node) listen() error {
	if n.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", n.address)
	if err != nil {
		return err
	}
	n.listener = listener
	n.address = listener.Addr().String()
	go func() {
		for {
			socket, err := listener.Accept()
			if err != nil {
				return
			}
			c := &conn{Conn: socket, node: n, br: bufio.NewReaderSize(socket, 16<<10)}
			n.mu.Lock()
			n.conns[c] = struct{}{}
			n.mu.Unlock()
			go c.serve()
		}
	}()
	return nil
}

func (n *Node) forget(c *conn) {
	n.mu.Lock()
	delete(n.conns, c)
	n.mu.Unlock()
	c.Close()
}

// change is closed at the next change of behaviour.
func (n *Node) change() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

func (b *Behaviour) first() time.Duration { return pace(b.FirstMs, b.Speed) }
func (b *Behaviour) gap() time.Duration   { return pace(b.GapMs, b.Speed) }

func pace(ms, speed float64) time.Duration {
	return time.Duration(ms / speed * float64(time.Millisecond))
}
