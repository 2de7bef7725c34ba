package clusterlog

import "time"

// pace says when to ask for the cluster's root. Each question costs the log
// server and the database some statements, so it is asked first shortly before
// the answer is expected, going by the batches before, and then often enough to
// be late by an eighth at most.
type pace struct {
	usual time.Duration // from the database's yes to the signer's root
}

const (
	minPace = time.Millisecond
	maxPace = 20 * time.Millisecond
	maxWait = 500 * time.Millisecond // before the first question: a signer gets faster again
)

// next returns how long to wait before the next question about a batch that
// the database has had since; asked: it is not the first one.
func (p *pace) next(since time.Duration, asked bool) time.Duration {
	switch first := min(p.usual*3/4, maxWait); {
	case since < first:
		return first - since
	case !asked:
		return 0
	}
	return min(max(p.usual/8, minPace), maxPace)
}

// done learns from a batch whose root was there since it was added, at the first
// question, which came after wait, or at a later one. At the first, the root may
// have been there for long: the next question comes sooner, or one slow batch
// would slow down all after it.
func (p *pace) done(since, wait time.Duration, asked bool) {
	switch {
	case asked:
		p.usual += (since - p.usual) / 4
	case wait > 0:
		p.usual -= p.usual / 4
	}
}
