package clock_test

import (
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/clock"
)

func TestStory(t *testing.T) {
	real := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	c := clock.New(48*time.Hour, func() time.Time { return real })
	if got := c.Now(); !got.Equal(real.Add(-48 * time.Hour)) {
		t.Fatalf("start: %v", got)
	}
	c.Jump(24 * time.Hour)
	c.Jump(-time.Hour) // never back
	if got := c.Now(); !got.Equal(real.Add(-24 * time.Hour)) {
		t.Fatalf("after a jump: %v", got)
	}
	c.JumpTo(real.Add(-time.Hour))
	if got := c.Now(); !got.Equal(real.Add(-time.Hour)) {
		t.Fatalf("after JumpTo: %v", got)
	}
	c.JumpTo(real.Add(time.Hour)) // never past the real time
	if got := c.Now(); !got.Equal(real) {
		t.Fatalf("past the present: %v", got)
	}
	c = clock.New(time.Hour, func() time.Time { return real })
	c.Present()
	if !c.Now().Equal(real) {
		t.Fatal("Present is not the real time")
	}
}
