package people

import "math/bits"

// random is SplitMix64: tiny, fast and the same on every machine and in every
// Go version. It is for test data only, never for keys.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// n returns a number from 0 to n−1; n must be positive.
func (r *random) n(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// perMille is true in k of 1,000 draws.
func (r *random) perMille(k int) bool { return r.n(1000) < k }
