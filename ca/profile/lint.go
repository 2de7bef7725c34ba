package profile

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Finding is one broken clause. It never quotes a value from the bytes.
type Finding struct {
	Code   string // house code such as "C08", stable
	Clause string // "RFC 5280 4.1.2.2", "DOMAIN 6.2"
	Text   string // what is wrong, one sentence
}

// String is the finding in one line.
func (f Finding) String() string { return f.Code + " (" + f.Clause + "): " + f.Text }

// LintError says that bytes that were to be signed break a clause.
type LintError struct{ Findings []Finding }

// Error lists the findings.
func (e *LintError) Error() string {
	s := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		s[i] = f.String()
	}
	return "house lints: " + strings.Join(s, "; ")
}

// certRule is one clause about certificates: check returns what is wrong, or "".
type certRule struct {
	code, clause string
	check        func(*linted) string
}

// linted is a certificate as the lints see it: parsed again from the bytes, by
// another parser (crypto/x509) than the builder that wrote them.
type linted struct {
	*x509.Certificate
	role  Role
	names *otherNames // once read
}

type otherNames struct {
	fields, values []string
	ok             bool
}

// Lint checks a TBSCertificate against the house rules. Bytes that can't be
// read are one finding, C00.
func Lint(tbs []byte) []Finding {
	c, err := parseTBS(tbs)
	if err != nil {
		return []Finding{{"C00", "RFC 5280 4.1", "the bytes are not a certificate that common parsers read"}}
	}
	var out []Finding
	for _, r := range certRules {
		if text := r.check(c); text != "" {
			out = append(out, Finding{r.code, r.clause, text})
		}
	}
	return out
}

// parseTBS puts a signature of one byte behind the TBSCertificate, because
// crypto/x509 reads whole certificates only; it does not look at it.
func parseTBS(tbs []byte) (*linted, error) {
	alg, err := innerAlgorithm(tbs)
	if err != nil {
		return nil, err
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, len(tbs)+len(alg)+16))
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(alg)
		b.AddASN1BitString([]byte{0})
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("couldn't parse: %w", err)
	}
	l := &linted{Certificate: c, role: Resident}
	switch {
	case c.IsCA && len(c.AuthorityKeyId) == 0:
		l.role = Root
	case c.IsCA && bytes.Equal(c.RawIssuer, c.RawSubject):
		l.role = Link
	case c.IsCA:
		l.role = Cross
	case len(c.ExtKeyUsage) > 0 || len(c.UnknownExtKeyUsage) > 0:
		l.role = OCSP
	}
	return l, nil
}

func innerAlgorithm(tbs []byte) (cryptobyte.String, error) {
	var body, alg cryptobyte.String
	in := cryptobyte.String(tbs)
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() ||
		!body.SkipOptionalASN1(asn1.Tag(0).ContextSpecific().Constructed()) ||
		!body.SkipASN1(asn1.INTEGER) || !body.ReadASN1Element(&alg, asn1.SEQUENCE) {
		return nil, fmt.Errorf("not a TBSCertificate")
	}
	return alg, nil
}
