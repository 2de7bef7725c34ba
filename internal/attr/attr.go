// Package attr holds the four basic attributes (基本4情報: name, birth date,
// sex, address) in their two forms: as they stand on the resident record, and
// as a certificate states them.
//
// Values are never normalised: a stored or hashed value keeps its exact code
// points (DOMAIN 10.6). The package is pure.
package attr

import (
	"errors"
	"unicode/utf8"

	"github.com/sukashi-project/sukashi/ledger/commitment"
)

// Limits of the values, in characters.
const (
	MaxName    = 100
	MaxAddress = 200 // DOMAIN 6.2, otherName .5
)

// Sex codes of the certificate (DOMAIN 6.2, otherName .3).
const (
	Male       = "1"
	Female     = "2"
	SexUnknown = "3"
)

// Attributes are the four basic attributes as on the resident record.
type Attributes struct {
	Name      string // family name, U+3000, given name; exact characters of the record
	BirthDate string // 9 digits EYYYYMMDD: E era (1 Meiji … 5 Reiwa, 0 unknown), YYYY Gregorian, zeros where unknown
	Sex       string // Male, Female or SexUnknown
	Address   string // from the prefecture on, as on the record
}

// Validate checks form and limits, not repertoire. Its errors never quote a value.
func (a Attributes) Validate() error {
	return first(text("name", a.Name, MaxName), birthDate(a.BirthDate), sex(a.Sex), text("address", a.Address, MaxAddress))
}

// Certified are the six otherName values of a certificate (DOMAIN 6.2): the
// four attributes with characters outside the repertoire replaced, and for
// name and address a map of 0 and 1, one digit per character, 1 = replaced.
type Certified struct {
	Name       string
	NameMap    string
	BirthDate  string
	Sex        string
	Address    string
	AddressMap string
}

// Validate checks form, limits and that each map has one digit per character.
func (c Certified) Validate() error {
	return first(c.Attributes().Validate(), subMap("name", c.Name, c.NameMap), subMap("address", c.Address, c.AddressMap))
}

// Attributes returns the four attributes as certified.
func (c Certified) Attributes() Attributes {
	return Attributes{Name: c.Name, BirthDate: c.BirthDate, Sex: c.Sex, Address: c.Address}
}

// Field names of the slots, by otherName suffix.
const (
	FieldName       = "1"
	FieldNameMap    = "2"
	FieldSex        = "3"
	FieldBirthDate  = "4"
	FieldAddress    = "5"
	FieldAddressMap = "6"
)

// Slots lists the certified values in the order observed in certificates
// (.1 .4 .3 .5 .2 .6), which is also the order of the subject commitment.
func (c Certified) Slots() []commitment.Slot {
	return []commitment.Slot{
		{Field: FieldName, Value: c.Name}, {Field: FieldBirthDate, Value: c.BirthDate},
		{Field: FieldSex, Value: c.Sex}, {Field: FieldAddress, Value: c.Address},
		{Field: FieldNameMap, Value: c.NameMap}, {Field: FieldAddressMap, Value: c.AddressMap},
	}
}

func text(what, s string, max int) error {
	if !utf8.ValidString(s) {
		return errors.New(what + " is not valid UTF-8")
	}
	n := utf8.RuneCountInString(s)
	if n == 0 || n > max {
		return errors.New(what + " is empty or too long")
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			return errors.New(what + " holds a control character")
		}
	}
	return nil
}

func birthDate(s string) error {
	if len(s) != 9 {
		return errors.New("birth date must have 9 digits EYYYYMMDD")
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return errors.New("birth date must have 9 digits EYYYYMMDD")
		}
	}
	if s[0] > '5' || s[5:7] > "12" || s[7:] > "31" {
		return errors.New("birth date has an era, month or day that does not exist")
	}
	return nil
}

func sex(s string) error {
	if s != Male && s != Female && s != SexUnknown {
		return errors.New("sex must be 1, 2 or 3")
	}
	return nil
}

func subMap(what, s, m string) error {
	if utf8.RuneCountInString(s) != len(m) {
		return errors.New(what + " map must have one digit per character")
	}
	for _, c := range []byte(m) {
		if c != '0' && c != '1' {
			return errors.New(what + " map must hold only 0 and 1")
		}
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
