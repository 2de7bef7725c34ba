// Package clock gives the roles of a simulated world one common time.
//
// A story of several days must run in seconds, yet end in the real present, so
// that every certificate, list and proof it leaves behind is valid for real
// clients. A Story clock starts some days ago and runs at real speed; Jump
// moves it forward, never back; after the last jump it is the real time.
package clock

import (
	"sync"
	"time"
)

// Story is a clock that is behind the real time by an offset that can only
// shrink. It is safe for concurrent use.
type Story struct {
	mu   sync.Mutex
	back time.Duration
	real func() time.Time
}

// New returns a clock that is behind the real time by back (0 or more).
func New(back time.Duration, real func() time.Time) *Story {
	return &Story{back: max(back, 0), real: real}
}

// Now is the story's time. It never goes back while the real clock does not.
func (s *Story) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.real().Add(-s.back)
}

// Jump moves the clock forward by d, at most to the real time.
func (s *Story) Jump(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d > 0 {
		s.back = max(s.back-d, 0)
	}
}

// JumpTo moves the clock to t if t is ahead of it, at most to the real time.
func (s *Story) JumpTo(t time.Time) { s.Jump(t.Sub(s.Now())) }

// Present ends the story: from now on the clock shows the real time.
func (s *Story) Present() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.back = 0
}
