package path

import (
	"maps"
	"slices"
)

// policies is the policy state of section 6.1: three counters and the valid
// policy graph of RFC 9618, which merges the nodes of a tree level that have
// the same policy. graph[i] is depth i; nil means the graph is NULL.
type policies struct {
	n          int // certificates in the path
	explicit   int
	mapping    int
	inhibitAny int
	graph      []map[oid]*node
	initial    []oid // user-initial-policy-set; nil: anyPolicy
}

// node is one policy at one depth.
type node struct {
	policy   oid
	expected map[oid]bool
	parents  map[oid]bool // at the depth above
}

func newPolicies(n int, o *settings) *policies {
	start := func(zero bool) int {
		if zero {
			return 0
		}
		return n + 1
	}
	return &policies{
		n: n, explicit: start(o.requireExplicit), mapping: start(o.inhibitMapping), inhibitAny: start(o.inhibitAny),
		initial: o.policies,
		graph:   []map[oid]*node{{anyPolicy: {policy: anyPolicy, expected: set(anyPolicy)}}},
	}
}

func set(ids ...oid) map[oid]bool {
	m := map[oid]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// process is 6.1.3 (d) to (f) for certificate i of n; false: refused.
func (p *policies) process(i int, c *Certificate) bool {
	switch {
	case !c.ext.hasPolicies:
		p.graph = nil
	case p.graph != nil:
		p.grow(i, c)
	}
	return p.explicit > 0 || p.graph != nil
}

// grow adds depth i (RFC 9618 5.1, (d)(1) to (d)(3)).
func (p *policies) grow(i int, c *Certificate) {
	above := p.graph[i-1]
	level := map[oid]*node{}
	hasAny := false
	for _, id := range c.ext.policies {
		if id == anyPolicy {
			hasAny = true
			continue
		}
		parents := expecting(above, id)
		if len(parents) == 0 && above[anyPolicy] != nil {
			parents = set(anyPolicy)
		}
		if len(parents) > 0 {
			level[id] = &node{policy: id, expected: set(id), parents: parents}
		}
	}
	if hasAny && (p.inhibitAny > 0 || i < p.n && c.selfIssued()) {
		for _, up := range above {
			for id := range up.expected {
				if level[id] == nil {
					level[id] = &node{policy: id, expected: set(id), parents: expecting(above, id)}
				}
			}
		}
	}
	p.graph = append(p.graph, level)
	p.prune()
}

func expecting(level map[oid]*node, id oid) map[oid]bool {
	out := map[oid]bool{}
	for _, n := range level {
		if n.expected[id] {
			out[n.policy] = true
		}
	}
	return out
}

// prune drops the nodes without children above the last depth, and the graph
// when nothing is left.
func (p *policies) prune() {
	for i := len(p.graph) - 1; i > 0; i-- {
		used := map[oid]bool{}
		for _, n := range p.graph[i] {
			maps.Copy(used, n.parents)
		}
		maps.DeleteFunc(p.graph[i-1], func(id oid, _ *node) bool { return !used[id] })
	}
	if len(p.graph[0]) == 0 || len(p.graph[len(p.graph)-1]) == 0 {
		p.graph = nil
	}
}

// prepare is 6.1.4 (a), (b), (h) to (j) after certificate i, an issuer; false: refused.
func (p *policies) prepare(i int, c *Certificate) bool {
	to := map[oid]map[oid]bool{}
	for _, m := range c.ext.mappings {
		if m[0] == anyPolicy || m[1] == anyPolicy {
			return false
		}
		if to[m[0]] == nil {
			to[m[0]] = map[oid]bool{}
		}
		to[m[0]][m[1]] = true
	}
	if p.graph != nil && len(to) > 0 {
		p.mapPolicies(i, to)
	}
	if !c.selfIssued() {
		p.explicit, p.mapping, p.inhibitAny = max(0, p.explicit-1), max(0, p.mapping-1), max(0, p.inhibitAny-1)
	}
	lower(&p.explicit, c.ext.requireExplicit)
	lower(&p.mapping, c.ext.inhibitMapping)
	lower(&p.inhibitAny, c.ext.inhibitAny)
	return true
}

func lower(counter *int, to int) {
	if to >= 0 && to < *counter {
		*counter = to
	}
}

func (p *policies) mapPolicies(i int, to map[oid]map[oid]bool) {
	level := p.graph[i]
	for _, from := range slices.Sorted(maps.Keys(to)) {
		n := level[from]
		switch {
		case p.mapping == 0:
			delete(level, from)
		case n != nil:
			n.expected = to[from]
		case level[anyPolicy] != nil:
			// The parent is anyPolicy's: one depth up (6.1.4 (b)(1)).
			level[from] = &node{policy: from, expected: to[from], parents: set(anyPolicy)}
		}
	}
	p.prune()
}

// finish is 6.1.5 (a), (b), (g): the user-constrained policy set, and false
// when the path is refused.
func (p *policies) finish(c *Certificate) ([]oid, bool) {
	p.explicit = max(0, p.explicit-1)
	if c.ext.requireExplicit == 0 {
		p.explicit = 0
	}
	valid := p.constrained()
	return valid, p.explicit > 0 || len(valid) > 0
}

// constrained intersects what the path's authorities allow with what the user
// asked for.
func (p *policies) constrained() []oid {
	if p.graph == nil {
		return nil
	}
	allowed := map[oid]bool{}
	for i, level := range p.graph {
		for id, n := range level {
			if i > 0 && id != anyPolicy && n.parents[anyPolicy] {
				allowed[id] = true
			}
		}
	}
	last := p.graph[len(p.graph)-1]
	if len(p.initial) == 0 {
		if last[anyPolicy] != nil {
			allowed[anyPolicy] = true
		}
		return slices.Sorted(maps.Keys(allowed))
	}
	var out []oid
	for _, id := range p.initial {
		if allowed[id] || last[anyPolicy] != nil {
			out = append(out, id)
		}
	}
	return out
}
