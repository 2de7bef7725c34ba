package path

// validation walks one path from the anchor down to the target (6.1).
type validation struct {
	v        *verifier
	s        *settings
	path     []*Certificate // target first, anchor last
	n        int            // certificates without the anchor
	key      publicKey      // working_public_key with parameters
	keyFrom  string         // whose parameters they are, when inherited
	names    constraints
	policies *policies
	maxPath  int
}

// validate checks one candidate path. done counts the certificates that
// passed, for choosing the most telling refusal.
func (v *verifier) validate(path []*Certificate, s *settings, check Check, outer *pending) (valid []oid, done int, err *Error) {
	n := len(path) - 1
	w := &validation{v: v, s: s, path: path, n: n, key: path[n].key, policies: newPolicies(n, s), maxPath: n}
	for i := 1; i <= n; i++ {
		depth := n - i
		c := path[depth]
		if err := w.basic(i, c, depth); err != nil {
			return nil, i - 1, err
		}
		if check == CheckAll || check == CheckIssuers && depth > 0 {
			if err := v.status(c, path[depth+1:], w.key, s, outer, depth); err != nil {
				return nil, i - 1, err
			}
		}
		if !w.names.empty() && (!c.selfIssued() || i == n) && !w.names.allow(c, &v.budget) {
			return nil, i - 1, refuse(NameConstraints, depth, "a name is outside what an issuer was permitted")
		}
		if !w.policies.process(i, c) {
			return nil, i - 1, refuse(Policy, depth, "no policy is valid for the whole path")
		}
		if i < n {
			if err := w.prepare(i, c, depth); err != nil {
				return nil, i - 1, err
			}
		}
		if len(c.ext.unknown) > 0 {
			return nil, i - 1, refuse(UnknownCritical, depth, "a critical extension is not known")
		}
	}
	valid, ok := w.policies.finish(path[0])
	if !ok {
		return nil, n, refuse(Policy, 0, "none of the policies asked for is valid for the path")
	}
	return valid, n, nil
}

// basic is 6.1.3 (a) without revocation.
func (w *validation) basic(i int, c *Certificate, depth int) *Error {
	if err := w.v.signature(c, &w.key, w.keyFrom); err != nil {
		return signatureError(err, depth)
	}
	switch {
	case w.s.Time.Before(c.NotBefore):
		return refuse(NotYetValid, depth, "a certificate is not valid yet")
	case w.s.Time.After(c.NotAfter):
		return refuse(Expired, depth, "a certificate has expired")
	case c.issuerKey != w.path[depth+1].subjectKey:
		return refuse(NameChaining, depth, "the issuer's name is not the subject above")
	}
	return nil
}

func signatureError(err error, depth int) *Error {
	if err == errAlgorithm {
		return refuse(Algorithm, depth, "a key or signature algorithm is not accepted")
	}
	return refuse(Signature, depth, "a signature does not match")
}

// prepare is 6.1.4: what a certificate must be to issue the next one.
func (w *validation) prepare(i int, c *Certificate, depth int) *Error {
	if !w.policies.prepare(i, c) {
		return refuse(Policy, depth, "a policy mapping names anyPolicy")
	}
	next := c.key.below(&w.key)
	if c.key.inherits() {
		w.keyFrom += w.key.raw
	} else {
		w.keyFrom = ""
	}
	w.key = next
	w.names.add(&c.ext)
	switch {
	case c.version != 2 || !c.ext.isCA:
		return refuse(NotCA, depth, "an issuer's certificate is not that of a CA")
	case !c.selfIssued() && w.maxPath <= 0:
		return refuse(PathLength, depth, "the path is longer than an issuer was permitted")
	case c.ext.hasUsage && c.ext.usage&usageCertSign == 0:
		return refuse(KeyUsage, depth, "an issuer's key is not for signing certificates")
	}
	if !c.selfIssued() {
		w.maxPath--
	}
	lower(&w.maxPath, c.ext.pathLen)
	return nil
}
