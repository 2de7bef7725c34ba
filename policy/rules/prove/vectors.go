package prove

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/oracle"
)

// enumerate decides vectors with the allow rule and counts those allowed: all
// of them, or the one with every fact true, all with up to three facts false,
// and the one with every fact false.
func enumerate(ctx context.Context, a *rules.Analysis, rs catalogue.Ruleset, k int, all bool) (n, allowed int, err error) {
	if !all {
		return count(ctx, a, rs, structured(k))
	}
	workers := runtime.GOMAXPROCS(0)
	counts, errs := make([]int, workers), make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			counts[w], errs[w] = a.CountAllowed(ctx, rs, uint64(w), uint64(workers))
		}()
	}
	wg.Wait()
	for w := range workers {
		if errs[w] != nil {
			return 0, 0, errs[w]
		}
		allowed += counts[w]
	}
	return 1 << k, allowed, nil
}

func count(ctx context.Context, a *rules.Analysis, rs catalogue.Ruleset, vectors [][]bool) (n, allowed int, err error) {
	for _, v := range vectors {
		ok, err := a.Allows(ctx, rs, v)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			allowed++
		}
	}
	return len(vectors), allowed, nil
}

// structured returns the vectors with up to three facts false, and none true.
func structured(k int) [][]bool {
	base := slices.Repeat([]bool{true}, k)
	out := [][]bool{slices.Clone(base), make([]bool, k)}
	without := func(ix ...int) {
		v := slices.Clone(base)
		for _, i := range ix {
			v[i] = false
		}
		out = append(out, v)
	}
	for i := range k {
		without(i)
		for j := range i {
			without(i, j)
			for l := range j {
				without(i, j, l)
			}
		}
	}
	return out
}

// wrong are values that a fact may have when something went wrong before OPA;
// the first is the fact's absence.
func wrong() []any { return []any{nil, "true", 1, "", map[string]any{}, []any{true}} }

// illTyped puts absent and wrongly typed facts in place of one or two true
// ones, and returns what is allowed although it must not be.
func illTyped(ctx context.Context, a *rules.Analysis, rs catalogue.Ruleset, facts []catalogue.Fact) (n int, bad string, err error) {
	try := func(set map[string]any) (string, error) {
		n++
		ok, err := a.AllowsRaw(ctx, rs, set)
		if err != nil || !ok {
			return "", err
		}
		return "a fact is absent or of another type", nil
	}
	for i, f := range facts {
		for w, value := range wrong() {
			in := allTrue(facts)
			in[f.Name] = value
			if w == 0 {
				delete(in, f.Name)
			}
			if bad, err := try(in); bad != "" || err != nil {
				return n, bad + ": " + f.Name, err
			}
		}
		for _, g := range facts[:i] {
			in := allTrue(facts)
			delete(in, f.Name)
			delete(in, g.Name)
			if bad, err := try(in); bad != "" || err != nil {
				return n, bad, err
			}
		}
	}
	for _, in := range []map[string]any{{}, {"facts": allTrue(facts)}} {
		if bad, err := try(in); bad != "" || err != nil {
			return n, bad, err
		}
	}
	return n, "", nil
}

func allTrue(facts []catalogue.Fact) map[string]any {
	in := make(map[string]any, len(facts))
	for _, f := range facts {
		in[f.Name] = true
	}
	return in
}

// randomVectors is how many generated vectors are compared for each rule set.
const randomVectors = 1000

// compare sends vectors through OPA, Cedar and Go and returns the first
// disagreement.
func (p *proof) compare(ctx context.Context, a *rules.Analysis, rs catalogue.Ruleset, k int) (n int, bad string, err error) {
	base := slices.Repeat([]bool{true}, k)
	vectors := [][]bool{base, make([]bool, k)}
	for i := range k {
		for j := range i + 1 {
			v := slices.Clone(base)
			v[i], v[j] = false, false
			vectors = append(vectors, v)
		}
	}
	rng := rand.New(rand.NewPCG(uint64(k), 7)) // fixed, so that the proof repeats
	for range randomVectors {
		v := make([]bool, k)
		for i := range v {
			v[i] = rng.IntN(5) > 0
		}
		vectors = append(vectors, v)
	}
	for i, v := range vectors {
		same, err := p.agree(ctx, a, rs, v)
		if err != nil {
			if ctx.Err() != nil {
				return i, "", ctx.Err()
			}
			return i, fmt.Sprintf("an engine gives no decision on vector %d", i), nil
		}
		if !same {
			return i, fmt.Sprintf("OPA, Cedar and Go disagree on vector %d", i), nil
		}
	}
	return len(vectors), "", nil
}

// agree reports whether the three engines give the same outcome and codes.
func (p *proof) agree(ctx context.Context, a *rules.Analysis, rs catalogue.Ruleset, v []bool) (bool, error) {
	allow, codes, err := a.Eval(ctx, rs, v)
	if err != nil {
		return false, err
	}
	allowGo, codesGo, err := oracle.Go(rs, v)
	if err != nil {
		return false, err
	}
	allowCedar, codesCedar, err := p.oracle.Cedar(rs, v)
	if err != nil {
		return false, err
	}
	return allow == allowGo && allow == allowCedar &&
		equal(codes, codesGo) && equal(codes, codesCedar), nil
}

func equal(a, b []string) bool { return len(a) == len(b) && slices.Equal(a, b) }
