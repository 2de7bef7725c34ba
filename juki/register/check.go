package register

import (
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/municipality"
)

// next checks an event against the record it is about (nil: none exists) and
// returns the version that it makes.
func next(e Event, r *Record) (Version, error) {
	if !jtext.ValidResidentCode(e.Code) {
		return Version{}, errCode
	}
	if !municipality.ValidCode(e.Municipality) {
		return Version{}, errTown
	}
	v := Version{Kind: e.Kind, Minor: e.Kind.Minor(), Municipality: e.Municipality, Attr: e.Attr}
	if e.Kind == Entry {
		if r != nil {
			return Version{}, errExists
		}
		return v, form(e.Attr)
	}
	if !known(e.Kind) {
		return Version{}, errKind
	}
	if r == nil {
		return Version{}, errUnknown
	}
	if e.Kind == Reversal {
		return reverse(e, *r)
	}
	cur := r.Current()
	if cur.Deleted {
		return arrival(v, *r)
	}
	if e.Kind.Deletes() {
		return deletion(v, cur)
	}
	if err := form(e.Attr); err != nil {
		return Version{}, err
	}
	return v, content(e, cur)
}

func known(k Kind) bool {
	for _, x := range Kinds {
		if x == k {
			return true
		}
	}
	return false
}

func form(a attr.Attributes) error {
	if err := a.Validate(); err != nil {
		return errForm(err)
	}
	return nil
}

// arrival is the only change that a deleted record takes, besides a reversal:
// the person is recorded again. The dead are not.
func arrival(v Version, r Record) (Version, error) {
	if v.Kind != MoveIn || r.Current().Kind == Death {
		return Version{}, errDeleted
	}
	if err := form(v.Attr); err != nil {
		return Version{}, err
	}
	var was attr.Attributes
	for _, old := range r.Versions {
		if !old.Deleted {
			was = old.Attr
		}
	}
	if v.Attr.Name != was.Name || v.Attr.BirthDate != was.BirthDate || v.Attr.Sex != was.Sex {
		return Version{}, errContent(v.Kind, "住所以外は変えられません", "only the address may differ")
	}
	return v, nil
}

func deletion(v Version, cur Version) (Version, error) {
	if v.Attr != (attr.Attributes{}) {
		return Version{}, errContent(v.Kind, "消除に新しい値はありません", "a deletion has no new values")
	}
	if v.Municipality != cur.Municipality {
		return Version{}, errTown
	}
	v.Deleted = true
	return v, nil
}

// content checks that exactly the attributes that the kind is about differ.
func content(e Event, cur Version) error {
	a, b := e.Attr, cur.Attr
	name, birth, sex, address := a.Name != b.Name, a.BirthDate != b.BirthDate, a.Sex != b.Sex, a.Address != b.Address
	town := e.Municipality != cur.Municipality
	ok := false
	switch e.Kind {
	case MoveWithin:
		ok = address && !name && !birth && !sex && !town
	case MoveIn:
		ok = address && !name && !birth && !sex && town
	case NameChange:
		ok = name && !address && !birth && !sex && !town
	case Correction:
		ok = (name || address) && !birth && !sex && !town
	case BirthDateCorrection:
		ok = birth && !name && !address && !sex && !town
	case SexCorrection:
		ok = sex && !name && !address && !birth && !town
	case Merger:
		ok = (address || town) && !name && !birth && !sex
	}
	if !ok {
		return errContent(e.Kind, "種類どおりの項目だけが、実際に変わらなければなりません",
			"exactly the items that this kind is about must differ")
	}
	return nil
}

// reverse checks that a reversal takes the record back to exactly the state
// before its last change.
func reverse(e Event, r Record) (Version, error) {
	n := len(r.Versions)
	if n < 2 || r.Versions[n-1].Since != e.Reverts+1 {
		return Version{}, errReverts
	}
	old := r.Versions[n-2]
	if e.Attr != old.Attr || e.Municipality != old.Municipality {
		return Version{}, errReverts
	}
	return Version{Kind: Reversal, Minor: r.Versions[n-1].Minor, Municipality: old.Municipality, Deleted: old.Deleted, Attr: old.Attr}, nil
}
