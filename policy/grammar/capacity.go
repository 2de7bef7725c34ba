package grammar

import (
	"fmt"
	"math"
	"math/big"
)

// Capacity is how much a mode's notices can say.
type Capacity struct {
	Expressible *big.Int // number of byte strings that the grammar accepts
	Bits        float64  // log2 of it
	Free        *big.Int // number of them once the certificate and the sequence are fixed
	FreeBits    float64  // log2 of it: what a sender can choose; 0 for a grammar without free slots
	States      int      // of the automaton
	DigitRun    int      // longest run of digits in any accepted string, at most 11
	OutsideRun  int      // the same, outside bound slots
}

// RunLimit is the run of digits that no notice may hold: a resident code has
// eleven digits.
const RunLimit = 11

// Capacity computes the mode's exact capacity.
func (g Grammar) Capacity() (Capacity, error) {
	a, err := g.Automaton()
	if err != nil {
		return Capacity{}, err
	}
	n, err := a.Count()
	if err != nil {
		return Capacity{}, err
	}
	fixed, err := g.given().Automaton()
	if err != nil {
		return Capacity{}, err
	}
	free, err := fixed.Count()
	if err != nil {
		return Capacity{}, err
	}
	return Capacity{
		Expressible: n, Bits: log2(n), Free: free, FreeBits: log2(free), States: a.States(),
		DigitRun: a.LongestDigits(RunLimit, false), OutsideRun: a.LongestDigits(RunLimit, true),
	}, nil
}

// given is the grammar once the certificate and the sequence are fixed: every
// bound slot is then one value, and which one doesn't matter for the count.
func (g Grammar) given() Grammar {
	var out Grammar
	for _, p := range g.Parts {
		if p.Bound != "" {
			p = Part{Lit: sample(p)}
		}
		out.Parts = append(out.Parts, p)
	}
	return out
}

func sample(p Part) string {
	switch p.Type {
	case TypeUint:
		return "0"
	case TypeBirth:
		return `"000000000"`
	case TypeSex:
		return `"3"`
	}
	return `"x"`
}

// log2 of a positive integer; exact 0 for 1.
func log2(n *big.Int) float64 {
	if n.Sign() <= 0 {
		return 0
	}
	shift := max(0, n.BitLen()-60)
	top := new(big.Int).Rsh(n, uint(shift))
	f, _ := new(big.Float).SetInt(top).Float64()
	return float64(shift) + math.Log2(f)
}

// WithinBudget reports whether a mode exists, leaves its sender no more than
// the budget, and has no room for an 11-digit run outside bound slots.
func (f File) WithinBudget(mode string) (bool, error) {
	g, ok := f.Modes[mode]
	if !ok {
		return false, nil
	}
	c, err := g.Capacity()
	if err != nil {
		return false, fmt.Errorf("couldn't compute the capacity of a notice: %w", err)
	}
	limit := new(big.Int).Lsh(big.NewInt(1), uint(min(f.BudgetBits, 4096)))
	return c.Free.Cmp(limit) <= 0 && c.OutsideRun < RunLimit, nil
}
