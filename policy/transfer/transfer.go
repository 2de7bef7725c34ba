// Package transfer is the OfflineTransfer file (FDによる基本4情報の提供): what
// the JukiTerminal writes, a person carries by hand across the counter, and the
// CounterTerminal reads (DOMAIN 3.1, PR-07).
//
// It is a signed note (C2SP signed-note, Ed25519) whose text is one line of
// canonical JSON with the four attributes, the municipality code, the
// operator's identifier, the time and the legal basis, and nothing else:
//
//	{"address":"…","at":"2026-11-23T01:02:03Z","basis":"jpki-3","birthDate":"319620617","municipality":"202011","name":"…","operator":"op-7","sex":"1","v":1}
//
//	— juki-terminal-202011 AAAA…
//
// There is no place for a resident code: numbers outside the attributes are
// the municipality's six digits and at most six digits of an operator
// identifier; whether an attribute itself holds one is a fact of rule set
// transfer (policy.TransferCheck).
//
//	b, err := transfer.Seal(file, signer)
//	file, err := transfer.Open(b, verifier)
//
// The package is pure, and its errors never hold a value.
package transfer

import (
	"bytes"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/internal/canon"
)

// Basis is the legal basis that every file names: JPKI Act, Article 3, under
// which the mayor verifies the applicant's identity (PR-10).
const Basis = "jpki-3"

// Version is the value of v.
const Version = 1

// Limits.
const (
	MaxSize     = 4096 // bytes of a file with its signature
	MaxOperator = 24   // bytes of an operator identifier
	maxDigits   = 6    // digits in an operator identifier: five fewer than a resident code
)

// File is the content of a transfer file.
type File struct {
	Municipality string          // 全国地方公共団体コード, 6 digits
	Operator     string          // operator identifier: a-z, 0-9 and hyphen, at most 6 digits
	At           entry.Time      // when it was written
	Attr         attr.Attributes // the four attributes as on the resident record
}

// The literals of the grammar, in wire order.
const (
	litAddress      = `{"address":`
	litAt           = `,"at":"`
	litBirth        = `","basis":"` + Basis + `","birthDate":`
	litMunicipality = `,"municipality":`
	litName         = `,"name":`
	litOperator     = `,"operator":`
	litSex          = `,"sex":`
	litEnd          = `,"v":1}`
)

// valid reports whether every value is in its domain.
func (f *File) valid() bool {
	y := f.At.Std().Year()
	return len(f.Municipality) == 6 && digits(f.Municipality) == 6 && y >= 1900 && y <= 9999 &&
		IsOperator(f.Operator) && f.Attr.Validate() == nil
}

// IsOperator reports whether s may be an operator identifier: 1 to MaxOperator
// bytes of a-z, 0-9 and hyphen with at most six digits, so that it can't hold
// a resident code.
func IsOperator(s string) bool {
	if len(s) == 0 || len(s) > MaxOperator || digits(s) > maxDigits {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func digits(s string) (n int) {
	for _, c := range []byte(s) {
		if '0' <= c && c <= '9' {
			n++
		}
	}
	return n
}

// body returns the canonical line, or an error with rule code T101.
func (f File) body() ([]byte, error) {
	if !f.valid() {
		return nil, catalogue.Refusal("T101")
	}
	b := canon.AppendString(append(make([]byte, 0, 512), litAddress...), f.Attr.Address)
	b = append(append(b, litAt...), f.At.String()...)
	b = canon.AppendString(append(b, litBirth...), f.Attr.BirthDate)
	b = canon.AppendString(append(b, litMunicipality...), f.Municipality)
	b = canon.AppendString(append(b, litName...), f.Attr.Name)
	b = canon.AppendString(append(b, litOperator...), f.Operator)
	b = canon.AppendString(append(b, litSex...), f.Attr.Sex)
	return append(b, litEnd...), nil
}

// Seal signs f. It fails with rule code T101 when a value is outside its
// domain.
func Seal(f File, s note.Signer) ([]byte, error) {
	b, err := f.body()
	if err != nil {
		return nil, err
	}
	out, err := note.Sign(&note.Note{Text: string(b) + "\n"}, s)
	if err != nil {
		return nil, say.New("transfer.sign", "転送ファイルに署名できませんでした。", "Couldn't sign the transfer file.").Because(err)
	}
	return out, nil
}

// Form says which of the form rules a file keeps; the zero Form refuses
// everything.
type Form struct {
	Grammar   bool // T101
	Canonical bool // T102
	Fields    bool // T103
	Basis     bool // T105
	Signature bool // T106: exactly one signature line, by the given key, and valid
}

// Code returns the first rule code that applies, or "".
func (f Form) Code() string {
	switch {
	case f == Form{true, true, true, true, true}:
		return ""
	case f == Form{}:
		return "T101"
	case !f.Signature:
		return "T106"
	case !f.Fields:
		return "T103"
	case !f.Basis:
		return "T105"
	case !f.Grammar:
		return "T101"
	}
	return "T102"
}

// Open reads a file and verifies its one signature. Everything but the exact
// canonical form is refused with a rule code (say.Code returns it) and a hint,
// never with a value.
func Open(b []byte, v note.Verifier) (File, error) {
	f, form := Examine(b, v)
	if code := form.Code(); code != "" {
		return File{}, catalogue.Refusal(code).
			Hint("住基端末でもう一度書き出してください。", "Export it again at the JukiTerminal.")
	}
	return f, nil
}

// Examine reads a file and says which form rules it keeps. The file is zero
// unless all are kept.
func Examine(b []byte, v note.Verifier) (File, Form) {
	var form Form
	if len(b) > MaxSize {
		return File{}, form
	}
	text, rest, ok := strings.Cut(string(b), "\n\n")
	if !ok {
		return File{}, form
	}
	form.Signature = signed(b, rest, v)
	f, ok := parse([]byte(text))
	if !ok {
		diagnose([]byte(text), &form)
		return File{}, form
	}
	form.Grammar, form.Canonical, form.Fields, form.Basis = true, true, true, true
	if !form.Signature {
		return File{}, form
	}
	return f, form
}

// signed reports whether b is exactly a note's text and one signature line
// that v verifies. note.Open alone would also take lines of unknown keys and
// repeated ones.
func signed(b []byte, rest string, v note.Verifier) bool {
	n, err := note.Open(b, note.VerifierList(v))
	if err != nil || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
		return false
	}
	line := "— " + n.Sigs[0].Name + " " + n.Sigs[0].Base64 + "\n"
	return rest == line && bytes.Equal(b, []byte(n.Text+"\n"+line))
}

// parse reads the canonical line.
func parse(b []byte) (File, bool) {
	r, f := canon.NewReader(b), File{}
	r.Lit(litAddress)
	f.Attr.Address = r.Text(attr.MaxAddress)
	r.Lit(litAt)
	at := r.Raw(20)
	if f.At.UnmarshalText([]byte(at)) != nil || f.At.String() != at {
		r.Fail()
	}
	r.Lit(litBirth)
	f.Attr.BirthDate = r.Text(9)
	r.Lit(litMunicipality)
	f.Municipality = r.Text(6)
	r.Lit(litName)
	f.Attr.Name = r.Text(attr.MaxName)
	r.Lit(litOperator)
	f.Operator = r.Word(MaxOperator, "-")
	r.Lit(litSex)
	f.Attr.Sex = r.Text(1)
	r.Lit(litEnd)
	return f, r.Done() && f.valid()
}
