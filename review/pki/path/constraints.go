package path

import (
	"net/netip"
	"net/url"
	"strings"
)

// constraints is the name constraint state of section 6.1. A name must lie in
// every set of permitted subtrees that says something about its kind, and in
// no excluded one.
type constraints struct {
	permitted [][]generalName
	excluded  []generalName
}

func (s *constraints) add(e *extensions) {
	if len(e.permitted) > 0 {
		s.permitted = append(s.permitted, e.permitted)
	}
	s.excluded = append(s.excluded, e.excluded...)
}

func (s *constraints) empty() bool { return len(s.permitted) == 0 && len(s.excluded) == 0 }

// allow checks the names of a certificate (6.1.3 (b), (c)). An e-mail address
// in the subject counts as one in subjectAltName, whether or not there is such
// an extension: what is excluded stays so in either place.
func (s *constraints) allow(c *Certificate, b *budget) bool {
	if s.empty() {
		return true
	}
	names := c.ext.altNames
	if len(c.subject) > 0 {
		names = append([]generalName{directory(c.subject)}, names...)
	}
	for _, m := range c.mails {
		names = append(names, generalName{kind: kindEmail, value: m})
	}
	for _, n := range names {
		for _, set := range s.permitted {
			if !b.spend(&b.names, len(set)) || !inPermitted(n, set) {
				return false
			}
		}
		if !b.spend(&b.names, len(s.excluded)) || inExcluded(n, s.excluded) {
			return false
		}
	}
	return true
}

func inPermitted(n generalName, set []generalName) bool {
	any := false
	for _, base := range set {
		if base.kind != n.kind {
			continue
		}
		any = true
		if in, known := inSubtree(n, base); known && in {
			return true
		}
	}
	return !any
}

// inExcluded is also true when it can't tell.
func inExcluded(n generalName, set []generalName) bool {
	for _, base := range set {
		if base.kind != n.kind {
			continue
		}
		if in, known := inSubtree(n, base); in || !known {
			return true
		}
	}
	return false
}

// inSubtree reports whether n lies in the subtree of base, which has the same
// kind; known is false for kinds and forms that this package can't compare.
func inSubtree(n, base generalName) (in, known bool) {
	switch n.kind {
	case kindDirectory:
		return n.dir.within(base.dir), true
	case kindDNS:
		return dnsWithin(n.value, base.value), true
	case kindEmail:
		return mailWithin(n.value, base.value)
	case kindURI:
		return uriWithin(n.value, base.value)
	case kindIP:
		return ipWithin(n.value, base.value)
	}
	return false, false
}

// dnsWithin: labels may be added on the left (4.2.1.10). A base that begins
// with a dot, which the standard does not know, asks for at least one label.
func dnsWithin(host, base string) bool {
	host, base = strings.ToLower(strings.TrimSuffix(host, ".")), strings.ToLower(strings.TrimSuffix(base, "."))
	return base == "" || host == base || strings.HasSuffix(host, "."+strings.TrimPrefix(base, "."))
}

// hostWithin is the rule for hosts of e-mail and URI: a base with a leading
// dot takes hosts below it, one without takes that host alone.
func hostWithin(host, base string) bool {
	host, base = strings.ToLower(host), strings.ToLower(base)
	if strings.HasPrefix(base, ".") {
		return strings.HasSuffix(host, base)
	}
	return host == base
}

func mailWithin(mail, base string) (in, known bool) {
	at := strings.LastIndexByte(mail, '@')
	if at < 0 {
		return false, false
	}
	local, host := mail[:at], mail[at+1:]
	if baseAt := strings.LastIndexByte(base, '@'); baseAt >= 0 {
		return local == base[:baseAt] && strings.EqualFold(host, base[baseAt+1:]), true
	}
	return hostWithin(host, base), true
}

func uriWithin(uri, base string) (in, known bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" {
		return false, false
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return false, false // the rule is for names (4.2.1.10)
	}
	return hostWithin(u.Hostname(), base), true
}

func ipWithin(ip, base string) (in, known bool) {
	if len(ip) != 4 && len(ip) != 16 || len(base) != 8 && len(base) != 32 {
		return false, false
	}
	if len(base) != 2*len(ip) {
		return false, true
	}
	for i := range len(ip) {
		if mask := base[len(ip)+i]; ip[i]&mask != base[i]&mask {
			return false, true
		}
	}
	return true, true
}
