package match

import (
	"encoding/binary"
	"errors"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// matches reports whether a record with these attributes may be the one that a
// certificate was issued from: equal everywhere, and a substitute stands for
// any one character (with its variation selectors) of the record.
func matches(c attr.Certified, a attr.Attributes) bool {
	return c.BirthDate == a.BirthDate && c.Sex == a.Sex &&
		jtext.MatchesCertified(c.Name, c.NameMap, a.Name) && jtext.MatchesCertified(c.Address, c.AddressMap, a.Address)
}

// anyMatches reports whether the certificate carries one of these spellings.
func anyMatches(c attr.Certified, run []register.Version) bool {
	for _, v := range run {
		if !v.Deleted && matches(c, v.Attr) {
			return true
		}
	}
	return false
}

// forward decides what one change leads to: which holders carry what the
// record said before it. Nothing of this step but t.noticed is read back, so
// the order inside a step does not matter otherwise.
func (t *tx) forward(c register.Change) (Outcome, error) {
	o := Outcome{Pos: c.Pos, At: t.at}
	if c.Minor {
		o.Reason = Minor
		return o, nil
	}
	if c.Before == nil {
		o.Reason = NewRecord
		return o, nil
	}
	rec, err := t.e.reg.Record(c.Code)
	if err != nil {
		return o, err
	}
	before, ok := rec.AsOf(c.Pos)
	if !ok {
		return o, errors.New("the record has no state before the change")
	}
	hits, noticed, err := t.hits(before.Live())
	if err != nil {
		return o, err
	}
	switch len(hits) {
	case 0:
		return t.noHit(o, c, before, noticed)
	case 1:
		return t.oneHit(o, c, hits[0])
	}
	return t.unclear(o, Case{Why: SeveralCertificates, Change: &c.Pos, Ordinals: ordinals(hits), Records: []string{c.Code}})
}

// noHit: nobody holds a certificate with the old values. A near miss is a
// person's matter: notation may differ where the person is the same.
func (t *tx) noHit(o Outcome, c register.Change, before register.Record, noticed int) (Outcome, error) {
	if noticed > 0 {
		o.Reason = AlreadyNotified
		return o, nil
	}
	near, err := t.nearHolders(before.Live())
	if err != nil {
		return o, err
	}
	if len(near) > 0 {
		return t.unclear(o, Case{Why: NearMiss, Change: &c.Pos, Ordinals: near, Records: []string{c.Code}})
	}
	o.Reason = NoCertificate
	return o, nil
}

// oneHit: one certificate carries the old values; it is this person's unless
// another record in force says the same.
func (t *tx) oneHit(o Outcome, c register.Change, h holders.Holder) (Outcome, error) {
	twins, err := t.inForce(h.Certified, c.Pos+1, c.Code)
	if err != nil {
		return o, err
	}
	if len(twins) > 0 {
		return t.unclear(o, Case{Why: Twins, Change: &c.Pos, Ordinals: []uint64{h.Ordinal}, Records: append([]string{c.Code}, twins...)})
	}
	id, err := t.intend(h, Cause{Change: &c.Pos, Records: []string{c.Code}})
	if err != nil {
		return o, err
	}
	o.Reason, o.Intent = Notice, &id
	return o, nil
}

func (t *tx) unclear(o Outcome, c Case) (Outcome, error) {
	id, err := t.open(c)
	if err != nil {
		return o, err
	}
	o.Reason, o.Case = Person, &id
	return o, nil
}

// hits returns the holders in force that carry one of the spellings and have
// no notice yet, and how many have.
func (t *tx) hits(run []register.Version) (hits []holders.Holder, noticed int, err error) {
	seen := map[string]bool{}
	for _, v := range run {
		bucket := register.Bucket(v.Attr)
		if seen[bucket] {
			continue
		}
		seen[bucket] = true
		hs, err := t.e.bucket(bucket)
		if err != nil {
			return nil, 0, err
		}
		for _, h := range hs {
			if !anyMatches(h.Certified, run) {
				continue
			}
			has, err := t.hasNotice(h.Ordinal)
			if err != nil {
				return nil, 0, err
			}
			if has {
				noticed++
			} else {
				hits = append(hits, h)
			}
		}
	}
	return hits, noticed, nil
}

func (t *tx) hasNotice(ordinal uint64) (bool, error) {
	if t.noticed[ordinal] {
		return true, nil
	}
	return t.e.has(key("n", ordinal))
}

// inForce returns the resident codes of the records, except one, that were in
// force when the change sequence had this size and match the certificate.
func (t *tx) inForce(c attr.Certified, size uint64, except string) ([]string, error) {
	var codes []string
	err := t.e.reg.ByBucket(register.Bucket(c.Attributes()), func(r register.Record) error {
		if r.Code == except {
			return nil
		}
		if was, ok := r.AsOf(size); ok && anyMatches(c, was.Live()) {
			codes = append(codes, r.Code)
		}
		return nil
	})
	return codes, err
}

// bucket loads the holders in force whose bucket begins with this prefix.
func (e *Engine) bucket(prefix string) ([]holders.Holder, error) {
	var ords []uint64
	from, to := kv.Prefix([]byte("b" + prefix))
	err := e.kv.Scan(from, to, func(k, _ []byte) error {
		ords = append(ords, binary.BigEndian.Uint64(k[len(k)-8:]))
		return nil
	})
	if err != nil {
		return nil, err
	}
	hs := make([]holders.Holder, 0, len(ords))
	for _, n := range ords {
		h, err := e.holder(n)
		if err != nil {
			return nil, err
		}
		hs = append(hs, h)
	}
	return hs, nil
}

func ordinals(hs []holders.Holder) []uint64 {
	out := make([]uint64, len(hs))
	for i, h := range hs {
		out[i] = h.Ordinal
	}
	return out
}
