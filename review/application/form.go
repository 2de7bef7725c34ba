// Package application makes and reads a signed application: the form that a
// resident fills in, signed with the key on their card (DOMAIN 4.5).
//
// A form is one JSON object in RFC 8785 canonical form (JCS) with a closed set
// of members, so that equal forms are equal bytes. Its signature is CMS
// SignedData (RFC 5652) with the form attached and the resident's certificate
// included: what DOMAIN 4.5 sends, application form + signature + certificate,
// in one file that `openssl cms -verify` reads as well.
//
//	raw, err := application.Sign(form, card, certDER)
//	…
//	a, err := application.Parse(raw)   // strict reading; no trust yet
//	err = a.Verify()                   // step (a): the signature over the form
//
// Whether the certificate is genuine, whose it is and whether it is revoked is
// asked in package agency. The package does no I/O; its errors never quote a
// value of the form.
package application

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/gowebpki/jcs"

	"github.com/sukashi-project/sukashi/internal/attr"
)

// MaxForm is the largest form in bytes.
const MaxForm = 8 << 10

// Form is an application to an agency: which procedure, and who applies, by
// the four basic attributes as the applicant writes them.
type Form struct {
	Procedure string // name of the procedure, such as 納税証明書交付請求; 1 to 60 characters
	Name      string
	BirthDate string // EYYYYMMDD as in the certificate
	Sex       string // "1", "2" or "3" as in the certificate
	Address   string
	Date      string // day of the application in Japan, 2026-11-23
}

// formWire has its members in JCS order.
type formWire struct {
	Address   string `json:"address"`
	BirthDate string `json:"birth_date"`
	Date      string `json:"date"`
	Name      string `json:"name"`
	Procedure string `json:"procedure"`
	Sex       string `json:"sex"`
	V         int    `json:"v"`
}

// Attributes returns the four basic attributes of the form.
func (f Form) Attributes() attr.Attributes {
	return attr.Attributes{Name: f.Name, BirthDate: f.BirthDate, Sex: f.Sex, Address: f.Address}
}

// Validate checks the form's values. It never quotes one.
func (f Form) Validate() error {
	n := utf8.RuneCountInString(f.Procedure)
	if n == 0 || n > 60 || !plain(f.Procedure) {
		return errors.New("procedure must have 1 to 60 characters without control characters")
	}
	if !plain(f.Name) || !plain(f.Address) {
		return errors.New("name or address holds control characters or is not UTF-8")
	}
	if d, err := time.Parse("2006-01-02", f.Date); err != nil || d.Year() < 2003 || d.Year() > 2199 {
		return errors.New("date is not a day of the form 2026-11-23")
	}
	return f.Attributes().Validate()
}

func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		// U+FFFD is what a broken decoder leaves; U+2028/9 and U+FEFF are
		// invisible and have no place in a form.
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffd {
			return false
		}
	}
	return true
}

// Marshal returns the form's canonical bytes: what is signed.
func (f Form) Marshal() ([]byte, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(formWire{Address: f.Address, BirthDate: f.BirthDate, Date: f.Date,
		Name: f.Name, Procedure: f.Procedure, Sex: f.Sex, V: 1})
	if err != nil {
		return nil, errors.New("couldn't encode the form")
	}
	b, err = jcs.Transform(b)
	if err != nil {
		return nil, errors.New("couldn't bring the form into canonical order")
	}
	if len(b) > MaxForm {
		return nil, fmt.Errorf("form has more than %d bytes", MaxForm)
	}
	return b, nil
}

// ParseForm reads a form from its exact canonical bytes and refuses
// everything else: other members, doubles, spaces, another order.
func ParseForm(b []byte) (Form, error) {
	if len(b) > MaxForm {
		return Form{}, fmt.Errorf("form has more than %d bytes", MaxForm)
	}
	var w formWire
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil || dec.More() {
		return Form{}, errors.New("form is not one JSON object with the members of an application")
	}
	if w.V != 1 {
		return Form{}, fmt.Errorf("form has version %d, this program reads 1", w.V)
	}
	f := Form{Procedure: w.Procedure, Name: w.Name, BirthDate: w.BirthDate, Sex: w.Sex, Address: w.Address, Date: w.Date}
	again, err := f.Marshal()
	if err != nil {
		return Form{}, err
	}
	if !bytes.Equal(again, b) {
		return Form{}, errors.New("form is not in canonical form")
	}
	return f, nil
}
