package link_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// memLog is a ledger in memory that can fail before or after it took entries.
type memLog struct {
	mu      sync.Mutex
	entries [][]byte
	at      map[string][]int // positions by writer
	before  func() error     // consulted before entries are taken
	after   func() error     // consulted after
	down    bool
	gate    *sync.Mutex // held while entries are taken, where not nil
}

var errOutage = errors.New("outage")

func newLog() *memLog { return &memLog{at: map[string][]int{}} }

func (l *memLog) Append(_ context.Context, es ...[]byte) ([]*proof.Receipt, error) {
	if l.gate != nil {
		l.gate.Lock()
		defer l.gate.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errOutage
	}
	if l.before != nil {
		if err := l.before(); err != nil {
			return nil, err
		}
	}
	old := len(l.entries)
	undo := func(err error) ([]*proof.Receipt, error) {
		for by, ps := range l.at {
			for len(ps) > 0 && ps[len(ps)-1] >= old {
				ps = ps[:len(ps)-1]
			}
			l.at[by] = ps
		}
		l.entries = l.entries[:old]
		return nil, err
	}
	var out []*proof.Receipt
	for _, b := range es {
		e, err := entry.Parse(b)
		if err != nil {
			return undo(ledger.ErrInvalid.Because(err))
		}
		ps := l.at[e.By]
		switch {
		case e.Seq < uint64(len(ps)):
			if !bytes.Equal(l.entries[ps[e.Seq]], b) {
				return undo(ledger.ErrConflict)
			}
			out = append(out, &proof.Receipt{Index: uint64(ps[e.Seq])})
			continue
		case e.Seq > uint64(len(ps)):
			return undo(ledger.ErrGap)
		}
		l.at[e.By] = append(ps, len(l.entries))
		out = append(out, &proof.Receipt{Index: uint64(len(l.entries))})
		l.entries = append(l.entries, bytes.Clone(b))
	}
	if l.after != nil {
		if err := l.after(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (l *memLog) NextSeq(_ context.Context, by string) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return 0, errOutage
	}
	return uint64(len(l.at[by])), nil
}

func (l *memLog) Lookup(_ context.Context, by string, seq uint64) (uint64, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return 0, nil, errOutage
	}
	if ps := l.at[by]; seq < uint64(len(ps)) {
		return uint64(ps[seq]), l.entries[ps[seq]], nil
	}
	return 0, nil, ledger.ErrNotFound
}

// of returns the bodies of one kind, in order.
func (l *memLog) of(k entry.Kind) []entry.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []entry.Entry
	for _, b := range l.entries {
		if e, err := entry.Parse(b); err == nil && e.Body.Kind() == k {
			out = append(out, e)
		}
	}
	return out
}

// caSide is a CA's link server: it takes notices by sequence, each once, and
// only what the ledger has.
type caSide struct {
	t       testing.TB
	log     ledger.Log
	mu      sync.Mutex
	keys    map[uint64]holders.Holder // by ordinal
	taken   [][]byte
	copies  int                    // duplicates that arrived
	answer  func(seq uint64) error // nil: take it
	refused map[uint64]string
	passing func() error // a refusal that does not use up the number
	lose    func() bool  // after taking: the answer gets lost
	down    bool
	headers []http.Header

	unchecked bool        // do not hold each notice against its entry
	gate      *sync.Mutex // held while a notice is taken, where not nil
}

func (c *caSide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.gate != nil {
		c.gate.Lock()
		defer c.gate.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.log.NextSeq(r.Context(), entry.ByCALink); err != nil || c.down {
		policy.Status(http.StatusServiceUnavailable).Write(w)
		return
	}
	b, err := io.ReadAll(r.Body)
	b, meta := policy.Arrived(r, b)
	if err != nil || len(b) == 0 || !meta.Clean(policy.PathNotices, len(b)) {
		c.t.Errorf("request is not clean: %v %v", r.Header, err)
	}
	c.headers = append(c.headers, r.Header)
	n, err := notice.Parse(b)
	if err != nil {
		c.t.Errorf("notice: %v", err)
		return
	}
	if err := c.take(n, b); err != nil {
		policy.Refusal(err).Write(w)
		return
	}
	if c.lose != nil && c.lose() {
		panic(http.ErrAbortHandler)
	}
	policy.Taken.Write(w)
}

func (c *caSide) take(n notice.Notice, b []byte) error {
	if code, ok := c.refused[n.Seq]; ok {
		return say.New(code, "拒否", "refused")
	}
	next := uint64(len(c.taken) + len(c.refused))
	if n.Seq < next {
		c.copies++
		return nil
	}
	if n.Seq > next {
		return say.New("N203", "番号", "sequence")
	}
	if !c.unchecked {
		c.check(n, b)
	}
	if c.passing != nil {
		if err := c.passing(); err != nil {
			return err
		}
	}
	if c.answer != nil {
		if err := c.answer(n.Seq); err != nil {
			c.refused[n.Seq] = say.Code(err)
			return err
		}
	}
	c.taken = append(c.taken, b)
	return nil
}

// check holds the notice against its notice.sent entry.
func (c *caSide) check(n notice.Notice, b []byte) {
	_, raw, err := c.log.Lookup(context.Background(), entry.ByNoticeSender, n.Seq)
	if err != nil {
		c.t.Errorf("notice %d was sent and is not in the ledger: %v", n.Seq, err)
		return
	}
	e, err := entry.Parse(raw)
	if err != nil {
		c.t.Fatal(err)
	}
	sent := e.Body.(*entry.NoticeSent)
	found := false
	for ordinal, h := range c.keys {
		d, err := h.Key.Notice(n.Seq, b)
		if err != nil {
			c.t.Fatal(err)
		}
		hd, err := h.Key.Holder(n.Seq, ordinal)
		if err != nil {
			c.t.Fatal(err)
		}
		if d == sent.Digest && hd == sent.Holder && (n.Mode == notice.Echo || n.Ordinal == ordinal) {
			found = true
		}
	}
	if !found {
		c.t.Errorf("the entry of notice %d is about no holder with these bytes", n.Seq)
	}
}

// ordinals lists what was taken, in reference mode.
func (c *caSide) ordinals() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []uint64
	for _, b := range c.taken {
		n, err := notice.Parse(b)
		if err != nil {
			c.t.Fatal(err)
		}
		out = append(out, n.Ordinal)
	}
	return fmt.Sprint(out)
}
