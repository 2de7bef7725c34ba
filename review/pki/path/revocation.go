package path

import "slices"

// pending is a list whose signer is being validated right now, and the lists
// around it.
type pending struct {
	list   *CRL
	signer *Certificate
	outer  *pending
}

// maxPending bounds lists whose signers' lists' signers' … are looked up.
const maxPending = 4

// signerKey is one question: may this certificate sign this list?
type signerKey struct {
	list   *CRL
	signer [32]byte
	anchor [32]byte
}

// listKey is one question: did this key sign this list?
type listKey struct {
	list        *CRL
	key, params string
}

// lookup settles the status of one certificate (RFC 5280 6.3).
type lookup struct {
	v       *verifier
	s       *settings
	c       *Certificate
	above   []*Certificate // issuer first, anchor last: validated already
	key     publicKey      // the issuer's working key
	outer   *pending
	reasons uint16 // reasons_mask
	revoked *revoked
}

// status returns nil when the lists say that c is not revoked for any reason.
func (v *verifier) status(c *Certificate, above []*Certificate, key publicKey, s *settings, outer *pending, depth int) *Error {
	l := &lookup{v: v, s: s, c: c, above: above, key: key, outer: outer}
	for _, p := range c.ext.points {
		l.point(p)
	}
	// Lists that no distribution point names, as if there were one with the
	// issuer's name (6.3.3, after (l)).
	l.point(point{name: pointName{has: true, full: []generalName{directory(c.issuer)}}, reasons: allReasons})
	switch {
	case l.revoked != nil:
		e := refuse(Revoked, depth, "a certificate is revoked")
		e.Reason, e.At = l.revoked.reason, l.revoked.at
		return e
	case l.reasons != allReasons:
		return refuse(RevocationUnknown, depth, "no usable revocation list settles a certificate's status")
	}
	return nil
}

// point tries the lists that can belong to one distribution point.
func (l *lookup) point(p point) {
	issuers := directories(p.crlIssuer)
	if len(p.crlIssuer) == 0 {
		issuers = []name{l.c.issuer}
	}
	for _, issuer := range issuers {
		for _, list := range l.ordered(l.s.Pool.lists[issuer.key()]) {
			if l.revoked != nil || l.reasons == allReasons || !l.v.budget.spend(&l.v.budget.list, 1) {
				return
			}
			if !list.isDelta {
				l.list(p, issuers, list)
			}
		}
	}
}

// ordered puts lists first whose key identifier is that of the certificate's
// own issuer, then newer ones: where several keys of one name have lists, the
// key that signed the certificate is asked first.
func (l *lookup) ordered(lists []*CRL) []*CRL {
	own := l.above[0].ext.subjectKeyID
	lists = slices.Clone(lists)
	slices.SortStableFunc(lists, func(a, b *CRL) int {
		if x, y := a.authority.keyID == own, b.authority.keyID == own; x != y {
			return map[bool]int{true: -1, false: 1}[x]
		}
		return b.ThisUpdate.Compare(a.ThisUpdate)
	})
	return lists
}

// list applies one complete list (6.3.3 (b) to (l)).
func (l *lookup) list(p point, issuers []name, list *CRL) {
	if !list.current(l.s.Time, l.s.Skew) || !l.inScope(p, issuers, list) {
		return
	}
	interim := p.reasons & list.scope.reasons
	if interim&^l.reasons == 0 {
		return
	}
	key, ok := l.signer(list)
	if !ok {
		return
	}
	if r, found := l.find(list, key); found {
		l.revoked = &r
	}
	l.reasons |= interim
}

// inScope is 6.3.3 (b): whose list it is and what it covers.
func (l *lookup) inScope(p point, issuers []name, list *CRL) bool {
	s := &list.scope
	if len(p.crlIssuer) > 0 && !s.indirect {
		return false
	}
	if !s.has {
		return true
	}
	if s.name.has {
		from := s.name.names([]name{list.issuer})
		of := p.name.names(issuers)
		if !p.name.has {
			of = p.crlIssuer
		}
		if !shareOne(from, of) {
			return false
		}
	}
	return !s.onlyAttrs && !(s.onlyUsers && l.c.ext.isCA) && !(s.onlyCAs && !l.c.ext.isCA)
}

// find looks the certificate up in the newest delta on top of the list, then
// in the list (6.3.3 (i) to (k)).
func (l *lookup) find(list *CRL, key *publicKey) (r revoked, found bool) {
	if d := l.delta(list, key); d != nil {
		if r, found := d.find(l.c.issuerKey, l.c.serial); found {
			return r, r.reason != removeFromCRL
		}
	}
	return list.find(l.c.issuerKey, l.c.serial)
}

// delta returns the newest delta that the list can take: same issuer, scope
// and key, with a base not newer than the list (5.2.4, 6.3.3 (c), (h)).
func (l *lookup) delta(list *CRL, key *publicKey) *CRL {
	var best *CRL
	for _, d := range l.s.Pool.lists[list.issuerKey] {
		if !d.isDelta || list.number == "" || d.number == "" || !d.current(l.s.Time, l.s.Skew) ||
			d.scope.raw != list.scope.raw || d.scope.has != list.scope.has || d.authority.raw != list.authority.raw ||
			lessNumber(list.number, d.base) || lessNumber(d.number, list.number) ||
			best != nil && lessNumber(d.number, best.number) {
			continue
		}
		if l.made(d, key) {
			best = d
		}
	}
	return best
}

// signer finds the key that signed the list and validates whoever holds it
// (6.3.3 (f), (g)): an issuer above in the same path, or another certificate
// of the list's issuer with a path of its own to the same anchor.
func (l *lookup) signer(list *CRL) (*publicKey, bool) {
	issuer := l.above[0]
	if issuer.subjectKey == list.issuerKey && mayCRL(issuer) && list.authority.allows(issuer) && l.made(list, &l.key) {
		return &l.key, true
	}
	anchor := l.above[len(l.above)-1]
	for _, c := range append(slices.Clone(l.above[1:]), l.s.Pool.bySubject[list.issuerKey]...) {
		if c.subjectKey != list.issuerKey || !mayCRL(c) || !list.authority.allows(c) {
			continue
		}
		key := c.key
		if key.inherits() {
			key = key.below(&l.key) // one level only: a CRL issuer right below this issuer
		}
		if l.made(list, &key) && l.valid(list, c, anchor) {
			return &key, true
		}
	}
	return nil, false
}

// mayCRL is 6.3.3 (f): without keyUsage every use is allowed.
func mayCRL(c *Certificate) bool { return !c.ext.hasUsage || c.ext.usage&usageCRLSign != 0 }

// made reports whether the key signed the list; it hashes each list once for
// each key.
func (l *lookup) made(list *CRL, key *publicKey) bool {
	k := listKey{list: list, key: key.raw}
	if key.params != nil {
		k.params = key.params.P.String()
	}
	if yes, known := l.v.made[k]; known {
		return yes
	}
	if !l.v.budget.spend(&l.v.budget.signatures, 1) {
		return false
	}
	yes := key.verify(&list.signed, l.s.Legacy) == nil
	l.v.made[k] = yes
	return yes
}

// valid validates the certificate of a list's signer under the same anchor. A
// signer whose own status stands in the very list that it signs is taken at
// its word, as there is no other: that list can still say that it is revoked.
func (l *lookup) valid(list *CRL, c, anchor *Certificate) bool {
	if c.Digest == anchor.Digest || slices.ContainsFunc(l.above, func(a *Certificate) bool { return a.Digest == c.Digest }) {
		return true
	}
	if l.outer != nil && l.outer.list == list && l.outer.signer.Digest == c.Digest && l.c.Digest == c.Digest {
		return true
	}
	depth := 1
	for p := l.outer; p != nil; p = p.outer {
		if depth++; depth > maxPending || p.list == list && p.signer.Digest == c.Digest {
			return false
		}
	}
	k := signerKey{list, c.Digest, anchor.Digest}
	if err, known := l.v.signers[k]; known {
		return err == nil
	}
	s := *l.s
	s.policies, s.requireExplicit, s.inhibitMapping, s.inhibitAny = nil, false, false, false
	_, err := l.v.search(c, []*Certificate{anchor}, &s, CheckAll, &pending{list: list, signer: c, outer: l.outer})
	if l.outer == nil { // deeper down the answer depends on what is pending
		l.v.signers[k] = err
	}
	return err == nil
}
