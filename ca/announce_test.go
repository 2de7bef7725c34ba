package ca

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/proof"
)

// heldLog is a lossy log whose appends wait until open is closed.
type heldLog struct {
	*lossyLog
	entered chan struct{} // one token for each append that came
	open    chan struct{}
}

func (l heldLog) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	select {
	case l.entered <- struct{}{}:
	default:
	}
	<-l.open
	return l.lossyLog.Append(ctx, entries...)
}

// A group is decided on, and its records written, while the one before is still
// being announced. When that one comes to no certain end, the group behind is
// not announced: its ordinals may be wrong by then. Asked again, both are issued
// once.
func TestGroupBehindOneWithoutAnEnd(t *testing.T) {
	for _, taken := range []bool{true, false} {
		w := newWorld(t, worldOptions{})
		must(t, w.ca.Close())
		l := heldLog{&lossyLog{Log: w.engine}, make(chan struct{}, 1), make(chan struct{})}
		w.log = l
		w.open()
		l.lose(1, taken)
		first, second := w.application(certifiedOf("総務　太郎")), w.application(certifiedOf("総務　花子"))
		ends := make(chan error, 2)
		go func() {
			_, err := w.ca.Issue(ctx, first, "counter-terminal")
			ends <- err
		}()
		<-l.entered
		go func() {
			_, err := w.ca.Issue(ctx, second, "counter-terminal")
			ends <- err
		}()
		for n := uint64(0); n < 2; {
			var err error
			n, err = w.reg.Size()
			must(t, err)
			time.Sleep(time.Millisecond)
		}
		before := len(w.entries())
		close(l.open)
		for range 2 {
			if err := <-ends; !errors.Is(err, ErrUncertain) {
				t.Errorf("taken %t: %v", taken, err)
			}
		}
		if n := len(w.entries()) - before; taken && n != 1 || !taken && n != 0 {
			t.Errorf("taken %t: %d entries were logged", taken, n)
		}
		l.lose(0, false)
		a, err := w.ca.Issue(ctx, second, "counter-terminal")
		must(t, err)
		b, err := w.ca.Issue(ctx, first, "counter-terminal")
		must(t, err)
		if a.Ordinal == b.Ordinal {
			t.Error("two certificates with one ordinal")
		}
		w.check()
	}
}
