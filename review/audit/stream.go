package audit

import (
	"context"
	"errors"
	"sync"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// batchSize is how many entries travel together: large enough that channels
// cost nothing, small enough that a few batches fit in cache.
const batchSize = 512

// batch is a run of entries on its way through the pipeline: read in order,
// parsed and hashed in parallel, examined in order.
type batch struct {
	from   uint64
	buf    []byte
	ends   []int
	leaves [][]byte
	items  []item
	done   chan struct{}
}

// item is one entry after parsing.
type item struct {
	index uint64
	e     entry.Entry
	err   error
}

// stream reads entries [0, size) once and gives them to the state machine.
func (a *auditor) stream(ctx context.Context, size uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan *batch, a.o.Workers)
	order := make(chan *batch, 4*a.o.Workers)
	var workers sync.WaitGroup
	for range a.o.Workers {
		workers.Go(func() {
			r := &reader{}
			for b := range work {
				b.parse(r)
				close(b.done)
			}
		})
	}
	var readErr error
	go func() {
		defer close(order)
		defer close(work)
		readErr = a.read(ctx, size, work, order)
	}()
	err := a.consume(order)
	if err != nil {
		cancel()
		for range order { // let the reader end
		}
	}
	workers.Wait()
	return errors.Join(err, readErr)
}

// read fills batches from the source.
func (a *auditor) read(ctx context.Context, size uint64, work, order chan<- *batch) error {
	b := &batch{done: make(chan struct{})}
	flush := func() error {
		if len(b.ends) == 0 {
			return nil
		}
		for _, ch := range []chan<- *batch{order, work} {
			select {
			case ch <- b:
			case <-ctx.Done():
				close(b.done)
				return ctx.Err()
			}
		}
		b = &batch{from: b.from + uint64(len(b.ends)), buf: make([]byte, 0, len(b.buf)), done: make(chan struct{})}
		return nil
	}
	err := a.src.Log.Entries(ctx, 0, size, func(index uint64, e []byte) error {
		if want := b.from + uint64(len(b.ends)); index != want || index >= size {
			return errors.New("the source gave entries out of order")
		}
		b.buf = append(b.buf, e...)
		b.ends = append(b.ends, len(b.buf))
		if len(b.ends) == batchSize {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// parse hashes and parses the batch's entries.
func (b *batch) parse(r *reader) {
	b.items = make([]item, len(b.ends))
	b.leaves = make([][]byte, len(b.ends))
	start := 0
	for i, end := range b.ends {
		raw := b.buf[start:end]
		b.leaves[i] = rfc6962.DefaultHasher.HashLeaf(raw)
		it := &b.items[i]
		it.index = b.from + uint64(i)
		it.e, it.err = r.entryOf(raw)
		start = end
	}
}

// consume examines the batches in order.
func (a *auditor) consume(order <-chan *batch) error {
	for b := range order {
		<-b.done
		for i := range b.items {
			if err := a.tree.append(b.leaves[i]); err != nil {
				return err
			}
			a.earlierAt(b.from + uint64(i) + 1)
			a.entry(&b.items[i])
		}
	}
	return nil
}

// merkle is the log's tree while it is recomputed.
type merkle struct {
	factory compact.RangeFactory
	rng     *compact.Range
}

func newMerkle() *merkle {
	m := &merkle{factory: compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}}
	m.rng = m.factory.NewEmptyRange(0)
	return m
}

func (m *merkle) append(leaf []byte) error { return m.rng.Append(leaf, nil) }

func (m *merkle) size() uint64 { return m.rng.End() }

func (m *merkle) root() (entry.Digest, error) {
	if m.rng.End() == 0 {
		return entry.Digest(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	h, err := m.rng.GetRootHash(nil)
	if err != nil {
		return entry.Digest{}, err
	}
	return entry.Digest(h), nil
}

// entry is the state machine's step for one entry.
func (a *auditor) entry(it *item) {
	a.size = it.index + 1
	a.count(ckCanonical)
	if it.err != nil {
		a.fail(ckCanonical, text("記録 %d は、定められた形ではありません。", "Entry %d is not in the prescribed form.", it.index), it.index)
		return
	}
	a.frame(it)
	switch b := it.e.Body.(type) {
	case *entry.Genesis:
		a.genesis(it, b)
	case *entry.KeyCreated:
		a.keyCreated(it, b)
	case *entry.KeyRetired:
		a.keyRetired(it, b)
	case *entry.KeySucceeded:
		a.keySucceeded(it, b)
	case *entry.KeyLeaked:
		a.keyLeaked(it, b)
	case *entry.CrossIntent:
		a.crossIntent(it, b)
	case *entry.CrossRevoked:
		a.crossRevoked(it, b)
	case *entry.PolicyApproved:
		a.policyApproved(it, b)
	case *entry.CertIntent:
		a.certIntent(it, b)
	case *entry.CertIssued:
		a.certIssued(it, b)
	case *entry.CertAborted:
		a.certAborted(it, b)
	case *entry.HoldersSent:
		a.holdersSent(it, b)
	case *entry.HoldersReceived:
		a.holdersReceived(it, b)
	case *entry.OperatorAct:
		a.operatorAct(it, b)
	case *entry.CountsSent:
		a.countsSent(it, b)
	case *entry.CountsReceived:
		a.countsReceived(it, b)
	case *entry.NoticeSent:
		a.noticeSent(it, b)
	case *entry.NoticeReceived:
		a.noticeReceived(it, b)
	case *entry.NoticeRefused:
		a.noticeRefused(it, b)
	case *entry.RevocationRequested:
		a.revocationRequested(it, b)
	case *entry.Revocation:
		a.revocation(it, b)
	case *entry.StatusRoot:
		a.statusRoot(it, b)
	case *entry.CRLPublished:
		a.crlPublished(it, b)
	default:
		a.review(it)
	}
}

// withheld reports entries that the source did not give although the
// checkpoint says that they exist.
func (a *auditor) withheld(size uint64) bool {
	if a.tree.size() == size {
		return false
	}
	a.fail(ckRoot, say.Text{
		JA: "公開された値にある件数の記録を、ログが出しませんでした。記録が隠されているか、失われています。",
		EN: "The log did not hand over as many entries as its published hash covers: entries are withheld or lost.",
	}, a.tree.size())
	return true
}
