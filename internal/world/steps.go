package world

import (
	"context"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
)

// Import brings the generator's residents into the register.
func (w *World) Import(rs []people.Resident) error {
	in := make([]register.Resident, len(rs))
	for i, r := range rs {
		in[i] = register.Resident{Code: r.Code, Municipality: r.Municipality, Attr: r.Attr}
	}
	_, err := w.Juki.Office.Register.Import(in)
	return err
}

// kinds maps the generator's changes to the register's.
var kinds = map[people.Kind]register.Kind{
	people.MoveWithin: register.MoveWithin, people.NameChange: register.NameChange, people.Death: register.Death,
	people.Merger: register.Merger, people.BirthDateCorrection: register.BirthDateCorrection,
	people.ExOfficioDeletion: register.ExOfficioDeletion, people.MoveAbroad: register.MoveAbroad,
	people.ClericalCorrection: register.Correction,
}

// Happen brings one change of the generator into the register (M2) on the
// story's present day and matches it. A move to another municipality is two
// events: the old town hall deletes, the new one records. What the register
// has already deleted is skipped and reported as not done.
func (w *World) Happen(ctx context.Context, c people.Change) (done bool, err error) {
	rec, err := w.Juki.Office.Register.Record(c.Before.Code)
	if err != nil {
		return false, err
	}
	if rec.Live() == nil {
		return false, nil
	}
	e := register.Event{Code: c.Before.Code, Municipality: c.After.Municipality, Attr: c.After.Attr}
	switch c.Kind {
	case people.MoveOut:
		out := register.Event{Kind: register.MoveOut, Code: c.Before.Code, Municipality: c.Before.Municipality}
		e.Kind = register.MoveIn
		err = w.report(ctx, out, e)
	case people.ClericalCorrectionReverted:
		var last uint64
		if last, err = w.lastChange(c.Before.Code); err != nil {
			return false, err
		}
		e.Kind, e.Reverts = register.Reversal, last
		err = w.report(ctx, e)
	default:
		e.Kind = kinds[c.Kind]
		if c.Kind.Deletes() {
			e.Attr, e.Municipality = people.Resident{}.Attr, c.Before.Municipality
		}
		err = w.report(ctx, e)
	}
	if err != nil {
		return false, fmt.Errorf("couldn't take in a %s: %w", c.Kind, err)
	}
	return true, nil
}

// lastChange is the position of a record's newest change.
func (w *World) lastChange(code string) (uint64, error) {
	r := w.Juki.Office.Register
	for pos := r.Size(); pos > 0; pos-- {
		c, err := r.Change(pos - 1)
		if err != nil {
			return 0, err
		}
		if c.Code == code {
			return pos - 1, nil
		}
	}
	return 0, fmt.Errorf("the record has no change to take back")
}

// SendHolders makes today's list of holders (M1) and sends it.
func (w *World) SendHolders(ctx context.Context) (*ca.HolderList, error) {
	l, err := w.CA.Authority.DailyHolders(ctx, ca.Today(w.Now()))
	if err != nil {
		return nil, err
	}
	return l, w.CA.Sender.Flush(ctx)
}

// SendNotices logs and sends the notices that are due (M3).
func (w *World) SendNotices(ctx context.Context) (link.Sent, error) { return w.Juki.Link.Flush(ctx) }

// Publish publishes a checkpoint with its status root, cosigned by witnesses.
func (w *World) Publish(ctx context.Context) ([]byte, error) { return w.Ledger.Engine.Publish(ctx) }

// RawNotice posts bytes to the CA's link server as the register's link server
// would, without the register's sender: what a tampered sender could do. It
// returns the server's refusal, nil if the bytes were received.
func (w *World) RawNotice(ctx context.Context, body []byte) error {
	return w.rawPost(ctx, policy.PathNotices, body)
}

// RawCounts is RawNotice for a statement of the daily counts.
func (w *World) RawCounts(ctx context.Context, body []byte) error {
	return w.rawPost(ctx, policy.PathCounts, body)
}

func (w *World) rawPost(ctx context.Context, path string, body []byte) error {
	cert, err := w.roots[zone.Juki].Issue(entry.ByRegisterLink, w.Now(), w.Rand)
	if err != nil {
		return err
	}
	c := zone.Peers{w.roots[zone.LGWAN]}.Client(cert, time.Minute)
	defer c.CloseIdleConnections()
	a, err := policy.Ask(ctx, c, w.CA.LinkURL, path, body)
	if err != nil {
		return fmt.Errorf("couldn't ask the CA's link server: %w", err)
	}
	return a.Err()
}

// CAWriter is the CA's own door to the ledger, for a story in which an insider
// takes it over. The authority must be closed: a role has one writer.
func (w *World) CAWriter(ctx context.Context) (*ledger.Writer, error) {
	log, err := w.ledgerClient(zone.LGWAN, entry.ByCA)
	if err != nil {
		return nil, err
	}
	return ledger.NewWriter(ctx, log, entry.ByCA, w.Now)
}

// OperatorWriter is the operator's own door to the ledger: announced tests and
// what the intrusion detection of the network operation centres reports.
func (w *World) OperatorWriter(ctx context.Context) (*ledger.Writer, error) {
	log, err := w.ledgerClient(zone.Open, nameOperator)
	if err != nil {
		return nil, err
	}
	return ledger.NewWriter(ctx, log, entry.ByOperator, w.Now)
}
