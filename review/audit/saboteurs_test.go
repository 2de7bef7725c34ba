package audit

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// sabotages are all of them.
func sabotages() []sabotage {
	return slices.Concat(issueSabotages, revocationSabotages, deltaSabotages, countSabotages)
}

// TestSabotage: every way of breaking a promise turns the check red that
// stands for it.
func TestSabotage(t *testing.T) {
	if len(sabotages()) < 100 {
		t.Fatal("sabotages are missing")
	}
	for _, s := range sabotages() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s.do(w)
			src := w.source()
			if s.src != nil {
				s.src(w, &src)
			}
			r, err := Audit(context.Background(), src, Options{Now: w.now.Add(-s.early), Modes: []string{entry.ModeReference}})
			must(t, err)
			c, ok := r.Check(s.want)
			if !ok || c.Verdict != Found || c.Total == 0 || c.Class == ClassA {
				t.Errorf("%s stayed %s", s.want, c.Verdict)
			}
			for _, f := range r.Findings() {
				if f.Text.JA == "" || f.Text.EN == "" || f.Check == "" || f.Class == "" {
					t.Errorf("finding without a sentence: %+v", f)
				}
			}
		})
	}
}

// TestEveryCheckHasASaboteur: no check is there that never turns red.
func TestEveryCheckHasASaboteur(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sabotages() {
		seen[s.want] = true
	}
	for _, r := range rules() {
		if !seen[r.code] {
			t.Errorf("nothing breaks %s", r.code)
		}
	}
}

// cantTell is what review/replay returns for a bundle that is not at hand.
type cantTell struct{}

func (cantTell) Error() string      { return "not at hand" }
func (cantTell) CouldNotTell() bool { return true }

// shorter hands out fewer entries than the log has.
type shorter struct {
	w    *world
	less uint64
}

func (s shorter) Entries(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	return s.w.Entries(ctx, from, min(to, uint64(len(s.w.entries))-s.less), fn)
}

// spoilt is a file with one thing exchanged.
func spoilt(f File, from, to string) File {
	return File{f.Name, bytes.Replace(f.Bytes, []byte(from), []byte(to), 1)}
}
