package keystore

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"
)

// pieces writes its bytes in pieces of random size, as a list's stream may come.
type pieces struct {
	b []byte
	r *rand.Rand
}

func (p pieces) WriteTo(w io.Writer) (int64, error) {
	for rest := p.b; len(rest) > 0; {
		n := min(len(rest), 1+p.r.IntN(1<<p.r.IntN(16)))
		if _, err := w.Write(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return int64(len(p.b)), nil
}

// However long a list is and in whatever pieces it comes, the gate reads its
// numbers; and none of a list that is cut short.
func TestListsNumbersAreRead(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 3000 {
		number, base := 1+r.Uint64N(1<<(1+i%63)), uint64(0)
		if i%2 == 1 {
			base = 1 + r.Uint64N(1<<(1+i%61))
		}
		b := tbsList(number, base, r.IntN(1<<(i%18)))
		m, err := measure(pieces{b, r}, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if n, d, ok := crlForm(m); !ok || n != number || d != base {
			t.Fatalf("%d bytes of list %d on %d: read as %d on %d, %v", len(b), number, base, n, d, ok)
		}
		if m, err = measure(pieces{b[:r.IntN(len(b))], r}, crypto.SHA256); err != nil {
			t.Fatal(err)
		}
		if _, _, ok := crlForm(m); ok {
			t.Fatal("read a list that is cut short")
		}
	}
}

// A number that stands twice, is zero or negative, or not alone in its value is
// none: two readers could take two things from it.
func TestOddNumbersAreNone(t *testing.T) {
	good := tbsList(0x1111, 0x2222, 50)
	change := func(old, new []byte) []byte {
		if bytes.Count(good, old) != 1 {
			t.Fatalf("% x is not there once", old)
		}
		return bytes.Replace(bytes.Clone(good), old, new, 1)
	}
	two := func(n uint16) []byte { return binary.BigEndian.AppendUint16([]byte{2, 2}, n) }
	for name, b := range map[string][]byte{
		"zero":             change(two(0x1111), []byte{2, 1, 0, 0}),
		"negative":         change(two(0x1111), two(0x8111)),
		"two of them":      change([]byte{0x55, 0x1d, 27}, []byte{0x55, 0x1d, 20}),
		"two bases":        change([]byte{0x55, 0x1d, 20}, []byte{0x55, 0x1d, 27}),
		"something beside": change(two(0x2222), []byte{2, 1, 0x22, 5}),
	} {
		m, err := measure(bytes.NewReader(b), crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if n, d, ok := crlForm(m); ok {
			t.Errorf("%s: read as %d on %d", name, n, d)
		}
	}
}

// Nothing is both a list and a certificate, a list that is read has a number, and
// no bytes end the process.
func FuzzCRLForm(f *testing.F) {
	for _, b := range [][]byte{tbsList(1, 0, 0), tbsList(2, 1, 0), tbsList(9, 3, 40), tbsCertificate(5, cardSPKI())} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := measure(bytes.NewReader(b), crypto.SHA256)
		if err != nil {
			return
		}
		number, _, ok := crlForm(m)
		if ok && number == 0 {
			t.Fatal("a list without a number was read")
		}
		if _, _, cert := certificateForm(m); ok && cert {
			t.Fatal("read as both a list and a certificate")
		}
	})
}
