package main

import "sync"

// slots lets so many requests through at once; the others wait in the order in which they came.
type slots struct {
	mu      sync.Mutex
	limit   int // 0: no limit
	queue   int // how many may wait; 0: no limit
	active  int
	waiting []chan struct{}
}

// enter takes a slot. turn is nil where one was free; else it is closed when it is the caller's turn. ok is false where
// no more may wait.
func (s *slots) enter() (turn chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit == 0 || s.active < s.limit {
		s.active++
		return nil, true
	}
	if s.queue > 0 && len(s.waiting) >= s.queue {
		return nil, false
	}
	turn = make(chan struct{})
	s.waiting = append(s.waiting, turn)
	return turn, true
}

// leave gives a slot back, to the one who has waited longest.
func (s *slots) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	s.admit()
}

// abandon gives up a place in the queue, or the slot if the turn came meanwhile.
func (s *slots) abandon(turn chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting {
		if other == turn {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return
		}
	}
	s.active--
	s.admit()
}

func (s *slots) resize(limit, queue int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit, s.queue = limit, queue
	s.admit()
}

func (s *slots) admit() {
	for len(s.waiting) > 0 && (s.limit == 0 || s.active < s.limit) {
		s.active++
		close(s.waiting[0])
		s.waiting = s.waiting[1:]
	}
}

func (s *slots) state() (active, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active, len(s.waiting)
}
