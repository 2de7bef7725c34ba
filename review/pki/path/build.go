package path

import "slices"

// verifier is the state of one call of Verify.
type verifier struct {
	s          *settings
	budget     budget
	signatures map[sigKey]error    // of certificates, by who would have signed
	made       map[listKey]bool    // of lists: did this key sign it?
	signers    map[signerKey]error // of lists: is this certificate a valid CRL issuer?
}

// sigKey is one question: did this key sign this certificate?
type sigKey struct {
	digest [32]byte
	key    string // the SubjectPublicKeyInfo
	params string // inherited DSA parameters: which key they came from
}

// chain is a valid path and its policies. certs begins with the target and
// ends with the anchor.
type chain struct {
	certs    []*Certificate
	policies []oid
}

// search looks for a valid path depth first, likeliest issuers first. outer is
// the stack of lists whose signer is being validated.
func (v *verifier) search(target *Certificate, anchors []*Certificate, s *settings, check Check, outer *pending) (*chain, error) {
	f := &finder{v: v, anchors: anchors, s: s, check: check, outer: outer, worst: refuse(NoPath, 0, "no chain of issuers leads to a trust anchor")}
	found := f.extend([]*Certificate{target})
	if v.budget.spent {
		return nil, refuse(Limit, 0, "the search was given up: too many candidates")
	}
	if found == nil {
		return nil, f.worst
	}
	return found, nil
}

type finder struct {
	v       *verifier
	anchors []*Certificate
	s       *settings
	check   Check
	outer   *pending
	worst   *Error // of the candidate that got furthest
	got     int    // how far that was
}

// extend tries every issuer of the last certificate of path.
func (f *finder) extend(path []*Certificate) *chain {
	last := path[len(path)-1]
	for _, a := range f.anchors {
		if !f.step() {
			return nil
		}
		if a.Digest == last.Digest || last.issuerKey != a.subjectKey || !f.couldSign(a, last) {
			continue
		}
		if c := f.try(append(slices.Clone(path), a)); c != nil {
			return c
		}
	}
	if len(path) >= f.s.Limits.Depth {
		return nil
	}
	for _, issuer := range f.candidates(last) {
		if !f.step() {
			return nil
		}
		if again(path, issuer) || !f.couldSign(issuer, last) {
			continue
		}
		if c := f.extend(append(slices.Clone(path), issuer)); c != nil {
			return c
		}
	}
	return nil
}

func (f *finder) step() bool { return f.v.budget.spend(&f.v.budget.steps, 1) }

// candidates returns the pool's issuers by name, those that the key identifier
// points at and that are in force first.
func (f *finder) candidates(c *Certificate) []*Certificate {
	list := slices.Clone(f.s.Pool.bySubject[c.issuerKey])
	rank := func(i *Certificate) int {
		n := 0
		if c.ext.authority.keyID == "" || c.ext.authority.keyID != i.ext.subjectKeyID {
			n += 2
		}
		if f.s.Time.Before(i.NotBefore) || f.s.Time.After(i.NotAfter) {
			n++
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b *Certificate) int { return rank(a) - rank(b) })
	return list
}

// again reports whether name and key are in the path already: going round adds
// nothing.
func again(path []*Certificate, c *Certificate) bool {
	return slices.ContainsFunc(path, func(p *Certificate) bool {
		return p.Digest == c.Digest || p.subjectKey == c.subjectKey && p.key.raw == c.key.raw
	})
}

// couldSign prunes an issuer of the right name and another key. A key that
// inherits its parameters, or an algorithm that is not accepted, is decided
// from above, in validate, so that the refusal says the right thing.
func (f *finder) couldSign(issuer, c *Certificate) bool {
	if !c.mayBeIssuedBy(issuer) {
		return false
	}
	if issuer.key.inherits() {
		return true
	}
	err := f.v.signature(c, &issuer.key, "")
	if err != nil {
		f.note(0, signatureError(err, 0))
	}
	return err != errSignature
}

// signature checks a certificate's signature once for each key.
func (v *verifier) signature(c *Certificate, key *publicKey, params string) error {
	k := sigKey{c.Digest, key.raw, params}
	if err, known := v.signatures[k]; known {
		return err
	}
	if !v.budget.spend(&v.budget.signatures, 1) {
		return errSignature
	}
	err := key.verify(&c.signed, v.s.Legacy)
	v.signatures[k] = err
	return err
}

// note keeps the refusal of the candidate that got furthest.
func (f *finder) note(got int, err *Error) {
	if got >= f.got {
		f.got, f.worst = got, err
	}
}

// try validates one complete candidate.
func (f *finder) try(path []*Certificate) *chain {
	if !f.v.budget.spend(&f.v.budget.paths, 1) {
		return nil
	}
	policies, done, err := f.v.validate(path, f.s, f.check, f.outer)
	if err != nil {
		f.note(1+done, err)
		return nil
	}
	return &chain{certs: path, policies: policies}
}
