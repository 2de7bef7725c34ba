package path

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Check says whose revocation status is looked up in lists.
type Check int

const (
	// CheckAll looks up every certificate of the path.
	CheckAll Check = iota
	// CheckIssuers leaves out the target, whose status the caller has from
	// elsewhere (a status receipt, an OCSP answer).
	CheckIssuers
	// CheckNone looks up nothing: for a caller that has no lists at all and
	// says so.
	CheckNone
)

// Limits bound the work of one Verify, including the paths of CRL issuers.
type Limits struct {
	Depth      int // certificates between target and anchor, the target included
	Paths      int // complete candidate paths validated
	Steps      int // candidates looked at while building
	Signatures int // signature checks
	Names      int // comparisons of names with constraints
	Lists      int // revocation lists tried
}

// DefaultLimits are generous for any real PKI and end a hostile pool within a
// fraction of a second.
var DefaultLimits = Limits{Depth: 16, Paths: 64, Steps: 4096, Signatures: 256, Names: 1 << 18, Lists: 1024}

// Options say what to trust and what to ask of a path. The zero values of
// RFC 5280 6.1.1 (d) to (g) are those of an ordinary relying party.
type Options struct {
	Anchors []*Certificate // name and key are trusted; nothing else in them is
	Pool    *Pool          // further certificates and lists; may be nil
	Time    time.Time
	Check   Check
	// Skew is how far a list's thisUpdate may lie ahead of Time.
	Skew time.Duration

	Policies        []string // user-initial-policy-set, dotted; nil: any policy
	RequireExplicit bool     // initial-explicit-policy
	InhibitMapping  bool     // initial-policy-mapping-inhibit
	InhibitAny      bool     // initial-any-policy-inhibit

	// Legacy also takes SHA-1, DSA and RSA from 1024 bits. For test suites.
	Legacy bool
	Limits Limits // zero: DefaultLimits
}

// Result is a valid path.
type Result struct {
	// Path begins with the target and ends with the anchor.
	Path []*Certificate
	// Policies is the user-constrained policy set, dotted; 2.5.29.32.0 in it
	// means that any policy is valid.
	Policies []string
}

// settings are checked options.
type settings struct {
	Options
	policies                                    []oid
	requireExplicit, inhibitMapping, inhibitAny bool
}

// Pool holds certificates and revocation lists by name. It may be shared by
// concurrent calls of Verify once it is filled.
type Pool struct {
	bySubject map[string][]*Certificate
	lists     map[string][]*CRL
	seen      map[[32]byte]bool
}

// NewPool returns an empty pool.
func NewPool() *Pool {
	return &Pool{bySubject: map[string][]*Certificate{}, lists: map[string][]*CRL{}, seen: map[[32]byte]bool{}}
}

// AddCertificate adds a certificate once.
func (p *Pool) AddCertificate(c *Certificate) {
	if !p.seen[c.Digest] {
		p.seen[c.Digest] = true
		p.bySubject[c.subjectKey] = append(p.bySubject[c.subjectKey], c)
	}
}

// AddCRL adds a revocation list once.
func (p *Pool) AddCRL(c *CRL) {
	if d := sha256.Sum256(c.raw); !p.seen[d] {
		p.seen[d] = true
		p.lists[c.issuerKey] = append(p.lists[c.issuerKey], c)
	}
}

// Verify finds a valid path from target to one of the anchors. Without one it
// returns an *Error: that of the candidate that got furthest.
func Verify(target *Certificate, o Options) (*Result, error) {
	if target == nil || len(o.Anchors) == 0 || o.Time.IsZero() {
		return nil, errors.New("path.Verify needs a target, an anchor and a time")
	}
	if o.Pool == nil {
		o.Pool = NewPool()
	}
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits
	}
	s := &settings{Options: o, requireExplicit: o.RequireExplicit, inhibitMapping: o.InhibitMapping, inhibitAny: o.InhibitAny}
	for _, p := range o.Policies {
		id, err := parseOID(p)
		if err != nil {
			return nil, fmt.Errorf("path.Verify: policy: %w", err)
		}
		if id == anyPolicy {
			s.policies = nil
			break
		}
		s.policies = append(s.policies, id)
	}
	v := &verifier{s: s, budget: budget{left: o.Limits}, signers: map[signerKey]error{}, signatures: map[sigKey]error{}, made: map[listKey]bool{}}
	c, err := v.search(target, o.Anchors, s, o.Check, nil)
	if err != nil {
		return nil, err
	}
	r := &Result{Path: c.certs}
	for _, id := range c.policies {
		r.Policies = append(r.Policies, id.String())
	}
	return r, nil
}

// budget counts down what Limits allow.
type budget struct {
	left                                  Limits
	paths, steps, signatures, names, list int
	spent                                 bool
}

// spend adds to one of the budget's counters; false: the limit is reached, and
// the whole call of Verify ends with code Limit.
func (b *budget) spend(counter *int, n int) bool {
	*counter += n
	if b.paths > b.left.Paths || b.steps > b.left.Steps || b.signatures > b.left.Signatures ||
		b.names > b.left.Names || b.list > b.left.Lists {
		b.spent = true
	}
	return !b.spent
}
