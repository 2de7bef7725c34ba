package pad

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestSizes(t *testing.T) {
	for n, want := range map[int]int{0: 2048, 1: 2048, 68: 2048, 2047: 2048, 2048: 4096} {
		if got := Size(Fixed, n); got != want {
			t.Errorf("%d bytes: %d", n, got)
		}
	}
	if Size(List, 4095) != 4096 || Size(List, 4096) != 8192 || Size(List, 1<<20) != 1<<21 {
		t.Error("sizes of lists")
	}
}

// Notices of every length look alike.
func TestLengthTellsNothing(t *testing.T) {
	for _, ordinal := range []int{0, 12, 999_999_999} {
		if n := len(Wire(fmt.Appendf(nil, `{"ordinal":%d}`, ordinal), Fixed)); n != Fixed {
			t.Errorf("%d bytes", n)
		}
	}
}

func TestThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SliceOfN(rapid.SampledFrom([]byte(" \n{}\"x\x00")), 0, 300).Draw(t, "message")
		floor := rapid.SampledFrom([]int{16, 64, Fixed}).Draw(t, "floor")
		w := Wire(m, floor)
		got, ok := Message(w, floor)
		if !ok || !bytes.Equal(got, m) || len(w) != Size(floor, len(m)) {
			t.Fatalf("%q came back as %q (%t)", m, got, ok)
		}
	})
}

// Of all bytes that differ from the wire form in one place of the padding, or
// in length, none gives the message back: the padding carries 0 bits.
func TestPaddingCarriesNothing(t *testing.T) {
	m := []byte(`{"basis":"juki-30-8-3","mode":"reference","ordinal":5,"seq":0,"v":1}`)
	w := Wire(m, Fixed)
	tried := 0
	for at := len(m); at < len(w); at++ {
		others := []byte{0, '\t', '\n', '\r', ' ', 0xa0, '0'}
		for bit := range 8 {
			others = append(others, w[at]^1<<bit)
		}
		for _, c := range others {
			if c == w[at] {
				continue
			}
			b := bytes.Clone(w)
			b[at] = c
			tried++
			if got, ok := Message(b, Fixed); ok && bytes.Equal(got, m) {
				t.Fatalf("byte %d may be %d as well", at, c)
			}
		}
	}
	for n := range 3 * Fixed {
		if n == len(w) {
			continue
		}
		b := append(bytes.Clone(m), '\n')
		for len(b) < n {
			b = append(b, ' ')
		}
		b = b[:n]
		tried++
		if _, ok := Message(b, Fixed); ok && bytes.HasPrefix(b, m) {
			t.Fatalf("%d bytes are taken too", n)
		}
	}
	t.Logf("%d others tried", tried)
}

func FuzzMessage(f *testing.F) {
	f.Add(Wire([]byte(`{"v":1}`), 16), 16)
	f.Add([]byte("\n               "), 16)
	f.Add([]byte("   "), 16)
	f.Fuzz(func(t *testing.T, wire []byte, floor int) {
		if floor < 1 || floor > 1<<16 || len(wire) > 1<<16 {
			t.Skip()
		}
		if m, ok := Message(wire, floor); ok && !bytes.Equal(Wire(m, floor), wire) {
			t.Errorf("%q is a second wire form", wire)
		}
	})
}
