package profile

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Role says what a certificate is for.
type Role string

// The roles that a profile can have.
const (
	Root     Role = "root"     // self-signed issuer, DOMAIN 6.1
	Resident Role = "resident" // signing certificate of a resident, DOMAIN 6.2
	OCSP     Role = "ocsp"     // delegated OCSP responder, RFC 6960 4.2.2.2
	Link     Role = "link"     // another generation's key under the same name, RFC 4210 4.4
	Cross    Role = "cross"    // another CA's key, such as a bridge's
)

// MaxYAML is the largest profile file in bytes.
const MaxYAML = 64 << 10

// Profile is a certificate profile, read once and not changed after. It is safe
// for concurrent use.
type Profile struct {
	file   file
	source []byte
	digest entry.Digest
	frames frames
}

// file is the YAML shape, closed: unknown or repeated members are refused.
type file struct {
	Format     int         `json:"format" yaml:"format"`
	ID         string      `json:"id" yaml:"id"`
	Role       Role        `json:"role" yaml:"role"`
	Subject    Name        `json:"subject,omitempty" yaml:"subject"`
	Validity   validity    `json:"validity" yaml:"validity"`
	Extensions []extension `json:"extensions" yaml:"extensions"`
}

// ca reports whether certificates of the role are of CAs.
func (r Role) ca() bool { return r == Root || r == Link || r == Cross }

// named reports whether the subject comes with the request: the name of the key
// that is certified, byte for byte.
func (r Role) named() bool { return r == Link || r == Cross }

// validity has exactly one member set.
type validity struct {
	Years   int `json:"years,omitempty" yaml:"years"`     // ends at 23:59:59 JST of the day this many years after NotBefore
	MaxDays int `json:"maxDays,omitempty" yaml:"maxDays"` // NotAfter comes with the request and is at most this far away
}

//go:embed profiles/*.yaml
var shipped embed.FS

// Shipped returns the profile of a role that comes with the program.
func Shipped(r Role) (*Profile, error) {
	b, err := shipped.ReadFile("profiles/" + string(r) + ".yaml")
	if err != nil {
		return nil, errors.New("there is no shipped profile for this role")
	}
	return Load(b)
}

// Load reads a profile from YAML, strictly: one document, no unknown and no
// repeated members, every name, template and OID checked now and not at the
// first certificate.
func Load(b []byte) (*Profile, error) {
	if len(b) > MaxYAML {
		return nil, fmt.Errorf("profile of %d bytes is larger than %d", len(b), MaxYAML)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	var f file
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("couldn't read the profile: %w", err)
	}
	if err := dec.Decode(new(file)); !errors.Is(err, io.EOF) {
		return nil, errors.New("profile file holds more than one document")
	}
	if err := f.validate(); err != nil {
		return nil, fmt.Errorf("profile is not valid: %w", err)
	}
	return &Profile{file: f, source: bytes.Clone(b), digest: entry.Sum(b)}, nil
}

// ID is the profile's name, such as "sukashi-resident-signing-1".
func (p *Profile) ID() string { return p.file.ID }

// Role is the profile's role.
func (p *Profile) Role() Role { return p.file.Role }

// Source returns the bytes of the file that the profile was read from.
func (p *Profile) Source() []byte { return bytes.Clone(p.source) }

// Digest is the SHA-256 of Source, as in cert.intent: sha256sum of the file shows
// it, without this program.
func (p *Profile) Digest() entry.Digest { return p.digest }

// known says which template variables a role's requests fill.
var known = map[Role]string{
	Root:     "base",
	Resident: "base prefecture municipality municipalityCode commonName",
	OCSP:     "base",
	Link:     "base",
	Cross:    "base",
}

func (f *file) validate() error {
	if f.Format != 1 {
		return fmt.Errorf("format is %d, this program reads 1", f.Format)
	}
	if len(f.ID) == 0 || len(f.ID) > 64 {
		return errors.New("id must have 1 to 64 bytes")
	}
	if known[f.Role] == "" {
		return errors.New("role is none of root, resident, ocsp, link, cross")
	}
	if v := f.Validity; (v.Years > 0) == (v.MaxDays > 0) || v.Years < 0 || v.MaxDays < 0 || v.Years > 30 || v.MaxDays > 11000 {
		return errors.New("validity needs either years (at most 30) or maxDays (at most 11000)")
	}
	if f.Role.named() {
		if len(f.Subject) > 0 || f.Validity.Years > 0 {
			return errors.New("the subject and the end of a link or cross certificate come with the request")
		}
	} else if err := f.Role.checkName(f.Subject); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	if len(f.Extensions) == 0 || len(f.Extensions) > 32 {
		return errors.New("a profile needs 1 to 32 extensions")
	}
	seen := map[string]bool{}
	for i := range f.Extensions {
		kind, err := f.Extensions[i].validate(f.Role)
		if err != nil {
			return fmt.Errorf("extension %d: %w", i+1, err)
		}
		if seen[kind] {
			return fmt.Errorf("extension %s is there twice", kind)
		}
		seen[kind] = true
	}
	return nil
}

// checkName proves that a name is well formed once its variables are filled.
func (r Role) checkName(n Name) error {
	sample := vars{}
	for _, v := range strings.Fields(known[r]) {
		sample[v] = "x"
	}
	filled, err := sample.name(n)
	if err != nil {
		return err
	}
	_, err = filled.DER()
	return err
}

// checkText proves that a template uses only variables that the role fills.
func (r Role) checkText(s string) error {
	for _, v := range variables(s) {
		if !strings.Contains(" "+known[r]+" ", " "+v+" ") {
			return fmt.Errorf("template variable %q is not one of a %s certificate", v, r)
		}
	}
	return nil
}
