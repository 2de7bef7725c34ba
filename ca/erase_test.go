package ca

import (
	"errors"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Cabinet Order 408 of 2003: ten years after the day following the end of
// validity, counted in Japan.
func TestRetentionOver(t *testing.T) {
	for _, c := range []struct{ last, over string }{
		{"2031-06-16", "2041-06-18"},
		{"2030-12-31", "2041-01-02"},
		{"2031-02-28", "2041-03-02"}, // no leap year: the next day is 1 March
		{"2032-02-27", "2042-03-01"}, // the next day is 28 February 2032
		{"2032-02-28", "2042-03-01"}, // the next day is 29 February: 2042 has none, the month's last day counts
		{"2032-02-29", "2042-03-02"},
		{"2034-02-28", "2044-03-02"},
	} {
		day, err := time.ParseInLocation(time.DateOnly, c.last, jtext.JST())
		must(t, err)
		want, err := time.ParseInLocation(time.DateOnly, c.over, jtext.JST())
		must(t, err)
		if got := RetentionOver(day.Add(24*time.Hour - time.Second).UTC()); !got.Equal(want) {
			t.Errorf("valid through %s: over from %v, want %v", c.last, got, want)
		}
	}
}

// To the second: refused in the last second of the retention, erased in the
// next; and what was erased can't be read back.
func TestRetentionBoundary(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	rec, err := w.reg.Get(0)
	must(t, err)
	over := RetentionOver(rec.NotAfter)
	w.clock.set(over.Add(-time.Second))
	if err := w.ca.Erase(ctx, entry.BasisRetentionEnd, 0); !errors.Is(err, ErrRetention) {
		t.Fatalf("one second early: %v", err)
	}
	w.clock.set(over)
	must(t, w.ca.Erase(ctx, entry.BasisRetentionEnd, 0))
	if doomed, err := w.reg.Doomed(); err != nil || doomed {
		t.Errorf("the key is still to be destroyed: %v", err)
	}
	w.restart()
	w.check()
}
