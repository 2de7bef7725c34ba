package ca

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/catalogue"
)

// Refused is a request that the policy refused. Its sentence is that of the
// first rule code; it names no value.
type Refused struct {
	Codes []string // rule codes, ascending
	cause error    // sentence of the first code
}

func refused(codes []string) *Refused {
	if len(codes) == 0 {
		codes = []string{catalogue.CodeEngine}
	}
	return &Refused{Codes: codes, cause: catalogue.Refusal(codes[0])}
}

// Error is the sentence of the first rule code with all codes.
func (r *Refused) Error() string { return fmt.Sprintf("%s %v", r.cause.Error(), r.Codes) }

// Unwrap returns the sentence (*say.Error).
func (r *Refused) Unwrap() error { return r.cause }

// Codes that are found before facts can be gathered.
const (
	codeForm       = "A101"
	codePossession = "A207"
)

// eventTwin is the code of the security.event that counts certificates issued
// although one with equal attributes was in force.
const eventTwin = "twin-confirmed"

func (a *Authority) refuseNow(code string, cause error) error {
	a.tally.add(a.cfg.Now(), code)
	return &Refused{Codes: []string{code}, cause: catalogue.Refusal(code).Because(cause)}
}

// standing is what the registry says about an application.
type standing struct {
	live    int              // certificates in force with the same four attributes, without renewed
	renewed *registry.Record // the one that the application replaces, or nil
	keyNew  bool
}

// prepare decides on applications of which none depends on another (apart) and
// makes the records and intents of those that may go on; the others are
// answered. Only the sequencer calls it, so nothing else can issue between the
// look at the registry and the intent.
func (a *Authority) prepare(ctx context.Context, group []*job) []*job {
	now := a.cfg.Now()
	ready := a.each(group, func(_ int, j *job) error { return a.look(j, now) })
	ready = a.decideAll(ctx, ready, now)
	left := ready[:0:0]
	for _, j := range ready {
		if j.found.renewed != nil {
			if _, err := a.revokeRenewed(ctx, j.found.renewed.Ordinal, j.app.Check.Officer); err != nil {
				a.fail(j, err)
				continue
			}
		}
		if j.found.live > 0 {
			// An officer's word that it is another person (twins) set Article 6
			// aside: how often is for everyone to see, who is not.
			a.tally.add(now, eventTwin)
		}
		left = append(left, j)
	}
	return a.decideAll(ctx, left, now)
}

// decideAll gives out ordinals without a gap. When somebody is refused, those
// behind move up, which changes their certificates; so it ends with a round in
// which nobody is.
func (a *Authority) decideAll(ctx context.Context, group []*job, now time.Time) []*job {
	for {
		before := len(group)
		group = a.each(group, func(i int, j *job) error { return a.decide(ctx, j, a.next+uint64(i), now) })
		if len(group) == before {
			return group
		}
	}
}

func (a *Authority) look(j *job, now time.Time) error {
	live, err := a.reg.LiveByAttributes(j.app.Certified.Attributes(), now)
	if err != nil {
		return err
	}
	if j.found.renewed, live, err = a.split(live, j.app); err != nil {
		return err
	}
	j.found.live = len(live)
	_, err = a.reg.ByKey(j.spki)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	j.found.keyNew = err != nil
	return nil
}

// decide makes a job's record and intent for an ordinal and decides on them. A
// job that has them for this ordinal already keeps them.
func (a *Authority) decide(ctx context.Context, j *job, ordinal uint64, now time.Time) error {
	if j.rec != nil && j.rec.Ordinal == ordinal {
		return nil
	}
	buildErr := a.build(j, ordinal, now)
	if buildErr != nil {
		a.log.Warn("certificate can't be built", "error", buildErr.Error())
	}
	alone := (j.found.live == 0 || j.app.Twin) && (j.app.Renews == "" || j.found.renewed != nil)
	d := a.cfg.Decider.Decide(ctx, issueFacts(j, alone, j.found.keyNew, buildErr == nil))
	if !d.Allow {
		a.tally.add(now, d.Codes...)
		return refused(d.Codes)
	}
	j.body.Decision = d
	return nil
}

// split takes the certificate that the application says it replaces out of
// those in force: it must state the same four attributes, else the record
// changed and Article 12 applies, not a renewal.
func (a *Authority) split(live []uint64, app *counter.Application) (*registry.Record, []uint64, error) {
	if app.Renews == "" {
		return nil, live, nil
	}
	ordinal, err := a.reg.BySerial(app.Renews)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, live, nil
	}
	if err != nil {
		return nil, nil, err
	}
	rest := make([]uint64, 0, len(live))
	var found *registry.Record
	for _, o := range live {
		if o != ordinal {
			rest = append(rest, o)
			continue
		}
		if found, err = a.reg.Get(o); err != nil {
			return nil, nil, err
		}
		if found.State != registry.Issued {
			return nil, live, nil
		}
	}
	return found, rest, nil
}

// issueFacts establishes every fact of rule set issue. What the counter
// checked is taken from the application's record of the check, which an
// authenticated counter answers for.
func issueFacts(j *job, alone, keyNew, built bool) *policy.Facts {
	f := policy.NewFacts(policy.Issue)
	c := j.app.Certified
	f.Set("form_grammar", j.valid)
	f.Set("basis_named", true) // counter.Parse takes nothing else
	f.Set("counter_authenticated", j.from != "")
	f.Set("existence_checked", j.app.Check.Existence)
	f.Set("authenticity_checked", j.app.Check.Authenticity != "")
	f.Set("attributes_equal_transfer", j.app.Check.Existence) // 実在性 is this comparison
	f.Set("substitutes_right", jtext.Certifiable(c.Name) && jtext.Certifiable(c.Address))
	f.Set("no_live_certificate", alone)
	f.Set("key_possession", j.key != nil) // counter.PublicKey verified the request's signature
	f.Set("key_new", keyNew)
	f.Set("key_acceptable", j.key != nil)
	f.Set("profile_lints", built)
	f.Set("subject_committed", built && opens(j.rec.Key, c, j.body.Subject))
	f.Set("no_pending_change", true) // the CA side learns of changes only for certificates that it told of
	f.Set("no_free_text", true)      // the closed form has none
	f.SetTextFacts(c.Name, c.Address)
	return f
}

// opens reports whether the commitment opens to exactly these values.
func opens(k commitment.Key, c attr.Certified, want entry.Digest) bool {
	got, err := k.Subject(c.Slots())
	return err == nil && got == want
}
