package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// fake is a log that keeps the rules of ledger.Log in memory and can lose
// answers on purpose. The real engines have tests of their own with a Writer.
type fake struct {
	mu       sync.Mutex
	entries  [][]byte
	next     map[string]uint64
	requests int

	lose    int           // answers to lose after logging
	busy    int           // appends to turn away
	fail    error         // answer to all appends
	failSeq error         // answer to NextSeq
	refuse  string        // code of a security.event that is refused
	block   chan struct{} // appends wait for it
	started chan struct{} // gets a token at each append
}

var errLost = errors.New("connection lost")

func (f *fake) Append(_ context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	if f.started != nil {
		f.started <- struct{}{}
	}
	if f.block != nil {
		<-f.block
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if f.busy > 0 {
		f.busy--
		return nil, ledger.ErrBusy
	}
	if f.fail != nil {
		return nil, f.fail
	}
	if f.next == nil {
		f.next = map[string]uint64{}
	}
	var out []*proof.Receipt
	next := f.next[entry.ByCA]
	fresh := f.entries
	for _, b := range entries {
		e, err := entry.Parse(b)
		if err != nil {
			return nil, ledger.ErrInvalid
		}
		if s := e.Body.(*entry.SecurityEvent); f.refuse != "" && s.Code == f.refuse {
			return nil, ledger.ErrImpossible
		}
		switch {
		case e.Seq > next:
			return nil, ledger.ErrGap
		case e.Seq < next:
			if string(fresh[e.Seq]) != string(b) {
				return nil, ledger.ErrConflict
			}
		default:
			fresh = append(fresh, b)
			next++
		}
		out = append(out, &proof.Receipt{Index: e.Seq})
	}
	f.entries, f.next[entry.ByCA] = fresh, next
	if f.lose > 0 {
		f.lose--
		return nil, errLost
	}
	return out, nil
}

func (f *fake) NextSeq(context.Context, string) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next[entry.ByCA], f.failSeq
}

func (f *fake) Lookup(context.Context, string, uint64) (uint64, []byte, error) {
	return 0, nil, ledger.ErrNotFound
}

var ctx = context.Background()

func writer(t *testing.T, f *fake) *ledger.Writer {
	t.Helper()
	w, err := ledger.NewWriter(ctx, f, entry.ByCA, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func event(code string) entry.Body {
	at := entry.At(time.Unix(0, 0))
	return &entry.SecurityEvent{Code: code, From: at, To: at}
}

func codes(t *testing.T, f *fake) []string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for i, b := range f.entries {
		e, err := entry.Parse(b)
		if err != nil || e.Seq != uint64(i) || e.By != entry.ByCA {
			t.Fatalf("entry %d is %+v, %v", i, e, err)
		}
		out = append(out, e.Body.(*entry.SecurityEvent).Code)
	}
	return out
}

func TestWriterNumbersAndGathers(t *testing.T) {
	f := &fake{block: make(chan struct{}), started: make(chan struct{}, 100)}
	w := writer(t, f)
	var wg sync.WaitGroup
	call := func(i int) {
		wg.Go(func() {
			l, err := w.AppendFunc(ctx, func(seq uint64) (entry.Body, error) { return event(fmt.Sprintf("s%d", seq)), nil })
			if err != nil || l.Receipt.Index != l.Index {
				t.Errorf("append %d: %v", i, err)
			}
		})
	}
	call(0)
	<-f.started // the first request is this call's alone, however late the writer's loop wakes
	for i := range 49 {
		call(1 + i)
	}
	for w.Waiting() < 49 {
		runtime.Gosched()
	}
	close(f.block)
	wg.Wait()
	for i, c := range codes(t, f) {
		if c != fmt.Sprintf("s%d", i) {
			t.Fatalf("entry %d was built for %s", i, c)
		}
	}
	if len(f.entries) != 50 || f.requests != 2 {
		t.Errorf("%d entries in %d requests", len(f.entries), f.requests)
	}
}

func TestAppendAllIsConsecutive(t *testing.T) {
	f := &fake{}
	w := writer(t, f)
	out, err := w.AppendAll(ctx, event("a"), event("b"), event("c"))
	if err != nil || len(out) != 3 || out[2].Index != 2 {
		t.Fatalf("%v %v", out, err)
	}
	if out, err := w.AppendAll(ctx); out != nil || err != nil {
		t.Errorf("nothing: %v %v", out, err)
	}
	if _, err := w.AppendAll(ctx, make([]entry.Body, ledger.MaxAppendEntries+1)...); !errors.Is(err, ledger.ErrTooLarge) {
		t.Errorf("too many: %v", err)
	}
}

func TestLostAnswerDoesNotDouble(t *testing.T) {
	f := &fake{lose: 2}
	w := writer(t, f)
	if _, err := w.Append(ctx, event("a")); err != nil {
		t.Fatal(err)
	}
	f.lose = 3 // more than the writer tries
	if _, err := w.Append(ctx, event("b")); !errors.Is(err, ledger.ErrUncertain) || !errors.Is(err, errLost) {
		t.Errorf("answers lost for good: %v", err)
	}
	if _, err := w.Append(ctx, event("c")); err != nil {
		t.Errorf("after it: %v", err)
	}
	if got := codes(t, f); len(got) != 3 || got[1] != "b" || got[2] != "c" {
		t.Errorf("log holds %v", got)
	}
}

func TestBusyLogIsAskedAgain(t *testing.T) {
	f := &fake{busy: 4}
	w := writer(t, f)
	if _, err := w.Append(ctx, event("a")); err != nil || f.requests != 5 {
		t.Errorf("%d requests, %v", f.requests, err)
	}
}

func TestOnlyTheRefusedCallFails(t *testing.T) {
	f := &fake{refuse: "bad", block: make(chan struct{}), started: make(chan struct{}, 100)}
	w := writer(t, f)
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		code := "good"
		if i%5 == 3 {
			code = "bad"
		}
		wg.Go(func() { _, errs[i] = w.Append(ctx, event(code)) })
		if i == 0 {
			<-f.started // alone in its request, so that the others wait together
		}
	}
	for w.Waiting() < 19 {
		runtime.Gosched()
	}
	close(f.block)
	wg.Wait()
	for i, err := range errs {
		if bad := i%5 == 3; bad != errors.Is(err, ledger.ErrImpossible) || !bad && err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if n := len(codes(t, f)); n != 16 {
		t.Errorf("%d entries", n)
	}
}

func TestBuildErrorsStayWithTheirCall(t *testing.T) {
	f := &fake{}
	w := writer(t, f)
	mine := errors.New("mine")
	if _, err := w.AppendFunc(ctx, func(uint64) (entry.Body, error) { return nil, mine }); !errors.Is(err, mine) {
		t.Errorf("%v", err)
	}
	if _, err := w.Append(ctx, event("free text!")); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := w.Append(ctx, event("ok")); err != nil {
		t.Error(err)
	}
}

func TestAnotherWriterIsNoticed(t *testing.T) {
	f := &fake{}
	w := writer(t, f)
	second := writer(t, f)
	if _, err := second.Append(ctx, event("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(ctx, event("b")); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("two writers of one role: %v", err)
	}
	if _, err := w.Append(ctx, event("c")); err != nil {
		t.Errorf("after asking again: %v", err)
	}
}

func TestCancelledAndClosed(t *testing.T) {
	f := &fake{block: make(chan struct{}), started: make(chan struct{}, 100)}
	w := writer(t, f)
	gone, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := w.Append(ctx, event("a")); err != nil {
			t.Errorf("first: %v", err)
		}
	})
	<-f.started
	result := make(chan error)
	go func() {
		_, err := w.Append(gone, event("b"))
		result <- err
	}()
	cancel()
	close(f.block)
	if err := <-result; err == nil {
		// It was queued before the cancellation was seen only if it is logged.
		if n := len(codes(t, f)); n != 2 {
			t.Errorf("acknowledged, but the log has %d entries", n)
		}
	}
	wg.Wait()
	if _, err := w.Append(gone, event("c")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(ctx, event("d")); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestLogThatIsAway(t *testing.T) {
	f := &fake{failSeq: errLost}
	if _, err := ledger.NewWriter(ctx, f, entry.ByCA, time.Now); !errors.Is(err, errLost) {
		t.Errorf("no sequence number: %v", err)
	}
	if _, err := ledger.NewWriter(ctx, f, "nobody", time.Now); !errors.Is(err, ledger.ErrWriter) {
		t.Errorf("unknown role: %v", err)
	}
	f.failSeq = nil
	w := writer(t, f)
	f.fail = ledger.ErrClosed
	if _, err := w.Append(ctx, event("a")); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("closed log: %v", err)
	}
	f.failSeq, f.fail = errLost, nil
	if _, err := w.Append(ctx, event("a")); !errors.Is(err, errLost) {
		t.Errorf("log away: %v", err)
	}
	f.failSeq = nil
	if _, err := w.Append(ctx, event("a")); err != nil {
		t.Errorf("log back: %v", err)
	}
}
