package match

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// Why says why a person has to decide.
type Why string

// Reasons for a case.
const (
	SeveralCertificates Why = "several-certificates" // more than one certificate carries the old values
	Twins               Why = "twins"                // another record in force says the same as the certificate
	NearMiss            Why = "near-miss"            // equal but for notation
	NoRecord            Why = "no-record"            // an arrived certificate that no record ever matched
	SomeChanged         Why = "some-changed"         // of the records that match an arrived certificate, some have changed
	WentBack            Why = "went-back"            // the record changed and came back; unclear when the certificate was issued
	Refused             Why = "refused"              // the CA side refused the notice
	Denied              Why = "denied"               // the sender's own policy refused the notice
)

// Basis is a person's ground for a decision, a closed list: a decision has no
// free text.
type Basis string

// Bases of a decision.
const (
	Identified     Basis = "identified"      // established whose certificate it is
	OtherPerson    Basis = "other-person"    // the certificate is not this person's
	NoChange       Basis = "no-change"       // what was certified is still right
	AlreadyRevoked Basis = "already-revoked" // the certificate is revoked or has its notice

	// SentAgain is the link's own: the CA side took the very notice later. A
	// person can't use it.
	SentAgain Basis = "sent-again"
)

// Case waits for a person. It belongs to zone juki: Records are resident codes.
type Case struct {
	ID       uint64     `json:"id"`
	At       entry.Time `json:"at"`
	Why      Why        `json:"why"`
	Change   *uint64    `json:"change,omitempty"`  // position of the change, where one is the cause
	Arrived  bool       `json:"arrived,omitempty"` // an arrived holder is the cause
	Intent   *uint64    `json:"intent,omitempty"`  // Refused, Denied: the notice
	Codes    []string   `json:"codes,omitempty"`   // Refused, Denied: rule codes
	Ordinals []uint64   `json:"ordinals"`          // the certificates that come into question
	Records  []string   `json:"records,omitempty"` // the records that come into question
	Decision *Decision  `json:"decision,omitempty"`
}

// Decision is what a person decided.
type Decision struct {
	Operator string     `json:"operator"` // operator id, see register.CheckOperator
	At       entry.Time `json:"at"`       // set by Decide
	Basis    Basis      `json:"basis"`
	Notify   []uint64   `json:"notify"` // certificates that a notice is due for; may be empty
}

// open puts a case into the queue.
func (t *tx) open(c Case) (uint64, error) {
	c.ID, c.At = t.m.Cases, t.at
	t.m.Cases++
	return c.ID, t.set(key("q", c.ID), c)
}

// Cases lists the queue in order, all of it or only what is open.
func (e *Engine) Cases(openOnly bool) ([]Case, error) {
	var out []Case
	from, to := kv.Prefix([]byte("q"))
	err := e.kv.Scan(from, to, func(_, v []byte) error {
		var c Case
		if err := json.Unmarshal(v, &c); err != nil {
			return errors.New("a case of the queue cannot be read")
		}
		if c.Decision == nil || !openOnly {
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

// Case returns one case.
func (e *Engine) Case(id uint64) (Case, error) {
	var c Case
	err := e.get(key("q", id), &c)
	if errors.Is(err, kv.ErrNotFound) {
		return c, errNoCase
	}
	return c, err
}

// Detail is what a person needs to see in order to decide: full identity
// information, so it never leaves zone juki.
type Detail struct {
	Case    Case
	Change  *register.Change
	Records []register.Record
	Holders []holders.Holder // those of Case.Ordinals that are still in force
}

// Detail returns a case with its records and certificates.
func (e *Engine) Detail(id uint64) (Detail, error) {
	c, err := e.Case(id)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Case: c}
	if c.Change != nil {
		ch, err := e.reg.Change(*c.Change)
		if err != nil {
			return d, err
		}
		d.Change = &ch
	}
	for _, code := range c.Records {
		r, err := e.reg.Record(code)
		if err != nil {
			return d, err
		}
		d.Records = append(d.Records, r)
	}
	for _, n := range c.Ordinals {
		h, err := e.holder(n)
		if errors.Is(err, kv.ErrNotFound) {
			continue
		}
		if err != nil {
			return d, err
		}
		d.Holders = append(d.Holders, h)
	}
	return d, nil
}

var (
	errNoCase = say.New(CodeCase, "この番号の未決の案件はありません。", "There is no open case with this number.").
			Hint("未決一覧を表示し直してください。", "List the open cases again.")
	errBasis = say.New(CodeDecide, "判断の根拠が正しくありません。", "The basis of the decision is not one of the list.")
	errWhich = say.New(CodeDecide, "通知できるのは、この案件の、有効で未通知の電子証明書だけです。",
		"Only certificates of this case that are in force and have no notice yet can be notified.").
		Hint("案件の内容を表示し直してください。", "Show the case again.")
	errFits = say.New(CodeDecide, "根拠と通知の有無が合いません。",
		"A notice needs the basis \"identified\", and that basis needs a notice.")
)

// Decide closes a case: for each of d.Notify a notice goes into the outbox. A
// decision is final.
func (e *Engine) Decide(id uint64, d Decision) error {
	if err := register.CheckOperator(d.Operator); err != nil {
		return err
	}
	if !slices.Contains([]Basis{Identified, OtherPerson, NoChange, AlreadyRevoked}, d.Basis) {
		return errBasis
	}
	if (d.Basis == Identified) != (len(d.Notify) > 0) {
		return errFits
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.Case(id)
	if err != nil {
		return err
	}
	if c.Decision != nil {
		return errNoCase
	}
	t := e.begin()
	defer t.b.Close()
	d.At = t.at
	for _, n := range d.Notify {
		if err := t.notify(c, n); err != nil {
			return err
		}
	}
	c.Decision = &d
	if err := t.set(key("q", c.ID), c); err != nil {
		return err
	}
	return t.commit()
}

// notify puts the notice for one certificate of a case into the outbox. After
// a refusal the same notice goes once more, as long as the CA side has not
// answered a later one; refused again, or too late for that, a new one goes.
// Otherwise a certificate never gets a second one.
func (t *tx) notify(c Case, ordinal uint64) error {
	if !slices.Contains(c.Ordinals, ordinal) || t.noticed[ordinal] {
		return errWhich
	}
	var has uint64
	err := t.e.get(key("n", ordinal), &has)
	if err == nil {
		if c.Intent == nil || has != *c.Intent {
			return errWhich
		}
		i, err := t.e.Intent(has)
		if err != nil {
			return err
		}
		switch {
		case i.State == Rejected && i.Bytes != nil && !i.Again:
			t.noticed[ordinal] = true
			return t.reopen(i.ID, true)
		case i.State != Rejected && i.State != Stopped:
			return errWhich // it is on its way again
		}
	} else if !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	h, err := t.e.holder(ordinal)
	if errors.Is(err, kv.ErrNotFound) {
		return errWhich
	}
	if err != nil {
		return err
	}
	_, err = t.intend(h, Cause{Case: &c.ID, Records: c.Records})
	return err
}
