package profile

import "strings"

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

type otherNames struct {
	fields string
	values []string
	ok     bool
}

// Lint checks a TBSCertificate against the house rules. Bytes that can't be
// read are one finding, C00.
func Lint(tbs []byte) []Finding {
	c, err := parseTBS(tbs)
	if err != nil {
		return []Finding{{"C00", "RFC 5280 4.1", "the bytes are not a TBSCertificate in DER as this CA writes it"}}
	}
	var out []Finding
	for _, r := range certRules {
		if text := r.check(c); text != "" {
			out = append(out, Finding{r.code, r.clause, text})
		}
	}
	return out
}
