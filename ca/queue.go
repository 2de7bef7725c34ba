package ca

import (
	"context"
	"crypto"
	"errors"
	"runtime"

	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/parallel"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// job is one application on its way through.
type job struct {
	app   *counter.Application
	valid bool   // app.Validate found nothing
	from  string // authenticated name of the counter terminal, "" if none
	key   crypto.PublicKey
	spki  entry.Digest
	done  chan struct{}
	out   *Certificate
	err   error

	// settled is the count of settlements before the application was looked for
	// in the registry; after another one it must be looked for again.
	settled uint64
	found   standing
	rec     *registry.Record
	body    *entry.CertIntent
	intent  *ledger.Logged
	der     []byte // once signed
	landed  func() // counts the issuance out, once it has its end
}

func (j *job) end(out *Certificate, err error) {
	j.out, j.err = out, err
	close(j.done)
}

// enter makes sure that one application id is worked on once at a time: a
// second caller with the same content waits for the first one's result.
func (a *Authority) enter(j *job) (_ *job, mine bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.quit:
		return nil, false, ErrClosed
	default:
	}
	if other, ok := a.pending[j.app.ID]; ok {
		if other.app.Certified != j.app.Certified || other.spki != j.spki {
			return nil, false, ErrConflict
		}
		return other, false, nil
	}
	if len(a.pending) >= queueLength {
		return nil, false, ErrBusy
	}
	a.pending[j.app.ID] = j
	a.senders.Add(1)
	return j, true, nil
}

func (a *Authority) push(j *job) {
	defer a.senders.Done()
	j.settled = a.settled.Load()
	out, err := a.earlier(j)
	if out != nil || err != nil {
		a.leave(j)
		j.end(out, err)
		return
	}
	select {
	case a.jobs <- j:
	case <-a.quit:
		a.fail(j, ErrClosed)
	}
}

func (a *Authority) leave(j *job) {
	a.mu.Lock()
	delete(a.pending, j.app.ID)
	a.mu.Unlock()
}

// earlier looks for a certificate that this application led to before.
func (a *Authority) earlier(j *job) (*Certificate, error) {
	ordinal, err := a.reg.ByApplication(j.app.ID)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rec, err := a.reg.Get(ordinal)
	if err != nil {
		return nil, err
	}
	switch rec.State {
	case registry.Aborted:
		return nil, nil // never came to be: the same application may try again
	case registry.Issued, registry.Revoked:
		if rec.SPKI != j.spki || !rec.Erased && rec.Certified != j.app.Certified {
			return nil, ErrConflict
		}
		return certificate(rec), nil
	}
	a.unsure.Store(true) // open, but nobody works on it: to be resolved before the next group
	return nil, nil
}

// maxGroup bounds how many intents go into one append.
const maxGroup = 256

// sequence is the one place where ordinals are given out: it takes what waits,
// decides on it and launches it. Announcing and signing go on in parallel while
// the next group is prepared.
func (a *Authority) sequence() {
	defer a.loop.Done()
	ctx := context.Background()
	for {
		group, ok := a.gather()
		if !ok {
			return
		}
		a.group(ctx, group)
		a.moveCursors(ctx)
		a.logTally(ctx, false)
	}
}

func (a *Authority) gather() ([]*job, bool) {
	var group []*job
	select {
	case j := <-a.jobs:
		group = append(group, j)
	case <-a.quit:
		a.drain()
		return nil, false
	}
	for len(group) < maxGroup {
		select {
		case j := <-a.jobs:
			group = append(group, j)
		default:
			return group, true
		}
	}
	return group, true
}

// drain answers what was still waiting when the authority was closed.
func (a *Authority) drain() {
	a.senders.Wait()
	for {
		select {
		case j := <-a.jobs:
			a.fail(j, ErrClosed)
		default:
			return
		}
	}
}

func (a *Authority) fail(j *job, err error) {
	a.leave(j)
	j.end(nil, err)
}

// group takes applications through decision, TBS and registry.
func (a *Authority) group(ctx context.Context, group []*job) {
	a.issueMu.Lock()
	defer a.issueMu.Unlock()
	err := a.settleHeld(ctx)
	if err == nil {
		if group = a.unsettled(group); len(group) == 0 {
			return
		}
		err = a.mayIssue() // only what is still to be issued needs the key
	}
	if err != nil {
		for _, j := range group {
			a.fail(j, err)
		}
		return
	}
	for len(group) > 0 {
		var later []*job
		group, later = apart(group)
		if ready := a.prepare(ctx, group); len(ready) > 0 {
			a.launch(ready)
		}
		group = later
	}
}

// unsettled answers the jobs whose application was brought to an end by a
// settlement since they were queued, and returns the others.
func (a *Authority) unsettled(group []*job) []*job {
	rest := group[:0]
	for _, j := range group {
		if j.settled != a.settled.Load() {
			if out, err := a.earlier(j); out != nil || err != nil {
				a.leave(j)
				j.end(out, err)
				continue
			}
		}
		rest = append(rest, j)
	}
	return rest
}

// apart takes out of a group who must wait for another member of it, because
// both state the same four attributes, have the same key, or name the same
// certificate to be replaced: whether the later one may be issued depends on
// the earlier one.
func apart(group []*job) (now, later []*job) {
	attrs, keys, serials := map[attr.Attributes]bool{}, map[entry.Digest]bool{}, map[string]bool{}
	for _, j := range group {
		four := j.app.Certified.Attributes()
		if attrs[four] || keys[j.spki] || j.app.Renews != "" && serials[j.app.Renews] {
			later = append(later, j)
			continue
		}
		attrs[four], keys[j.spki], serials[j.app.Renews] = true, true, true
		now = append(now, j)
	}
	return now, later
}

// each calls fn for every job, on all processors, and returns those for which
// it gave no error, in order; the others are answered.
func (a *Authority) each(group []*job, fn func(i int, j *job) error) []*job {
	errs := make([]error, len(group))
	parallel.Each(len(group), runtime.GOMAXPROCS(0), func(i int) { errs[i] = fn(i, group[i]) })
	rest := make([]*job, 0, len(group))
	for i, j := range group {
		if errs[i] != nil {
			a.fail(j, errs[i])
			continue
		}
		rest = append(rest, j)
	}
	return rest
}

// land ends an issuance that was in flight.
func (a *Authority) land(j *job, out *Certificate, err error) {
	j.landed()
	a.leave(j)
	j.end(out, err)
}
