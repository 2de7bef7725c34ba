package counter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

// Limits of an application as it goes over the wire.
const (
	MaxApplication = 16 << 10 // bytes of the whole message
	MaxRequest     = 4 << 10  // bytes of the PKCS#10 request
)

// Basis is the legal basis that every application names: Article 3 of the JPKI
// Act (PR-10).
const Basis = "jpki-3"

// Document is the kind of document that showed who the applicant is
// (本人性). Only the kind is kept, never a number.
type Document string

// Documents that the identity check accepts.
const (
	DrivingLicence Document = "driving-licence" // 運転免許証
	Passport       Document = "passport"        // 旅券
	ResidentCard   Document = "resident-card"   // 住民基本台帳カード with photograph
	DisabilityCard Document = "disability-card" // 身体障害者手帳
	ResidencePaper Document = "residence-card"  // 在留カード
	InquiryLetter  Document = "inquiry-letter"  // 照会書: letter to the registered address, answered in person
)

var documents = []Document{DrivingLicence, Passport, ResidentCard, DisabilityCard, ResidencePaper, InquiryLetter}

// Check is the record of the identity check (本人確認): two questions, who
// asked them, and no number of any document.
type Check struct {
	Authenticity Document `json:"authenticity"` // 本人性: what was shown
	Existence    bool     `json:"existence"`    // 実在性: the form equals the transfer file
	Officer      string   `json:"officer"`      // operator id of the counter officer (transfer.IsOperator)
}

// Application is what a CounterTerminal sends to the CAFrontServer: the form's
// content as a certificate will state it, and the applicant's public key.
// It has no place for a resident code or a free text, and the reading of the
// name stays at the counter: the certificate doesn't carry it.
type Application struct {
	ID           string         // time of request, sequence, counter: also the certificate's CN (DOMAIN 6.2)
	Municipality string         // 全国地方公共団体コード, 6 digits
	Certified    attr.Certified // the six values to certify
	Request      []byte         // PKCS#10, DER: the public key and the proof that the applicant holds the private one
	Check        Check
	// Twin is an officer's explicit statement, after a person looked into it,
	// that the certificate in force with the same four attributes is another
	// person's. It never opens the way to a second certificate silently.
	Twin bool
	// Renews is the serial of the applicant's certificate in force that this
	// one replaces, in lower-case hex; "" for a first one.
	Renews string
}

// wire has its members in name order: together with the value rules that makes
// encoding/json's output canonical (RFC 8785).
type wire struct {
	Address      string `json:"address"`
	AddressMap   string `json:"address_map"`
	Basis        string `json:"basis"`
	BirthDate    string `json:"birth_date"`
	Check        Check  `json:"check"`
	ID           string `json:"id"`
	Municipality string `json:"municipality"`
	Name         string `json:"name"`
	NameMap      string `json:"name_map"`
	Renews       string `json:"renews"`
	Request      []byte `json:"request"`
	Sex          string `json:"sex"`
	Twin         bool   `json:"twin"`
	V            int    `json:"v"`
}

// Marshal returns the canonical bytes of a valid application.
func (a *Application) Marshal() ([]byte, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	c := a.Certified
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(wire{Address: c.Address, AddressMap: c.AddressMap, Basis: Basis, BirthDate: c.BirthDate, Check: a.Check,
		ID: a.ID, Municipality: a.Municipality, Name: c.Name, NameMap: c.NameMap, Renews: a.Renews, Request: a.Request, Sex: c.Sex, Twin: a.Twin, V: 1})
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the application: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// ErrForm says that bytes are not an application in its one canonical form.
var ErrForm = errors.New("not an application in canonical form")

// Parse reads an application from its exact canonical bytes; unknown, missing
// or repeated members and any other spelling are refused. Its errors never
// quote a value. It does not verify the request's signature: PublicKey does.
func Parse(b []byte) (*Application, error) {
	if len(b) > MaxApplication {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrForm, MaxApplication)
	}
	var w wire
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return nil, fmt.Errorf("%w: not one JSON object of the known members", ErrForm)
	}
	if w.V != 1 || w.Basis != Basis {
		return nil, fmt.Errorf("%w: another version, or no legal basis", ErrForm)
	}
	a := &Application{ID: w.ID, Municipality: w.Municipality, Request: w.Request, Check: w.Check, Twin: w.Twin, Renews: w.Renews,
		Certified: attr.Certified{Name: w.Name, NameMap: w.NameMap, BirthDate: w.BirthDate, Sex: w.Sex, Address: w.Address, AddressMap: w.AddressMap}}
	again, err := a.Marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, ErrForm
	}
	return a, nil
}

// Validate checks form and limits. It does not decide: policy does.
func (a *Application) Validate() error {
	if err := a.Certified.Validate(); err != nil {
		return fmt.Errorf("application: %w", err)
	}
	switch {
	case strings.ContainsAny(a.Certified.Name+a.Certified.Address, "\u2028\u2029"):
		return errors.New("application: a line separator in a value")
	case !validID(a.ID):
		return errors.New("application: id is not time, sequence and counter identifier")
	case !municipality.ValidCode(a.Municipality):
		return errors.New("application: no municipality code")
	case len(a.Request) == 0 || len(a.Request) > MaxRequest:
		return fmt.Errorf("application: the certification request must have 1 to %d bytes", MaxRequest)
	case !transfer.IsOperator(a.Check.Officer):
		return errors.New("application: officer is not an operator id")
	case a.Renews != "" && !validSerial(a.Renews):
		return errors.New("application: renews is not a serial number")
	}
	for _, d := range documents {
		if a.Check.Authenticity == d {
			return nil
		}
	}
	return errors.New("application: unknown kind of document")
}

// Requested returns the time of request, which the id begins with.
func (a *Application) Requested() (time.Time, error) { return requested(a.ID) }

// Counter returns the counter identifier, which the id ends with.
func (a *Application) Counter() string { return a.ID[len(a.ID)-counterLength:] }

const (
	timeLayout     = "20060102150405"
	sequenceLength = 5
	counterLength  = 9
	idLength       = len(timeLayout) + sequenceLength + counterLength
)

var jst = time.FixedZone("JST", 9*60*60)

func requested(id string) (time.Time, error) {
	if len(id) != idLength {
		return time.Time{}, errors.New("application id has the wrong length")
	}
	t, err := time.ParseInLocation(timeLayout, id[:len(timeLayout)], jst)
	if err != nil {
		return time.Time{}, errors.New("application id does not begin with a time")
	}
	return t.UTC(), nil
}

func validID(id string) bool {
	if _, err := requested(id); err != nil {
		return false
	}
	counter := id[len(timeLayout)+sequenceLength:]
	return only(id[len(timeLayout):len(timeLayout)+sequenceLength], "0123456789") && validCounter(counter)
}

func validCounter(s string) bool {
	return len(s) == counterLength && only(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
}

func validSerial(s string) bool {
	return len(s) >= 2 && len(s) <= 40 && len(s)%2 == 0 && only(s, "0123456789abcdef")
}

func only(s, set string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(set, r) }) < 0
}

// readBounded reads at most max bytes; more is an error.
func readBounded(r io.Reader, max int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(max)+1))
	if err == nil && len(b) > max {
		err = fmt.Errorf("more than %d bytes", max)
	}
	return b, err
}
