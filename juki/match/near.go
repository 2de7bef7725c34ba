package match

import (
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// A near miss is equal in birth date and sex, and in name and address but for
// notation (DOMAIN 10.7). It never leads to a notice by itself: it only keeps
// a mismatch of notation from passing as "no certificate".

// near reports whether two sets of attributes differ in notation only.
func near(a, b attr.Attributes) bool {
	return a.BirthDate == b.BirthDate && a.Sex == b.Sex &&
		jtext.NameKey(a.Name) == jtext.NameKey(b.Name) && jtext.AddressKey(a.Address) == jtext.AddressKey(b.Address)
}

// nearHolders returns the holders in force, without a notice, that nearly
// carry one of the spellings.
func (t *tx) nearHolders(run []register.Version) ([]uint64, error) {
	if len(run) == 0 {
		return nil, nil
	}
	hs, err := t.e.bucket(register.Person(run[0].Attr))
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, h := range hs {
		if !nearRun(h, run) {
			continue
		}
		if has, err := t.hasNotice(h.Ordinal); err != nil {
			return nil, err
		} else if !has {
			out = append(out, h.Ordinal)
		}
	}
	return out, nil
}

func nearRun(h holders.Holder, run []register.Version) bool {
	for _, v := range run {
		if !v.Deleted && near(h.Certified.Attributes(), v.Attr) {
			return true
		}
	}
	return false
}

// nearRecords returns the resident codes of records that now or once nearly
// said what the certificate says.
func (t *tx) nearRecords(h holders.Holder) ([]string, error) {
	var out []string
	err := t.e.reg.ByBucket(register.Person(h.Certified.Attributes()), func(r register.Record) error {
		if was, ok := r.AsOf(t.m.Cursor); ok && nearRun(h, was.Versions) {
			out = append(out, r.Code)
		}
		return nil
	})
	return out, err
}
