package proof

import (
	"bytes"
	"testing"
)

// FuzzCheckpoint: a checkpoint that is read is what its text says, and Strip
// keeps its text and nothing but its lines.
func FuzzCheckpoint(f *testing.F) {
	w := newWorld(2)
	w.add(f, []byte("a"), []byte("b"))
	good := w.sign(w.origin+"\n2\n"+w.root(f, 2).String()+"\n", 0, 1)
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("\n2\n"), []byte("\n02\n"), 1))
	f.Add([]byte("\n\n"))
	p, err := LogOnly(w.logVKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cp, err := ParseUnverified(b)
		if err != nil {
			return
		}
		if !bytes.Equal(cp.Raw, b) {
			t.Fatal("other bytes")
		}
		if _, err := p.VerifyCheckpoint(b); err == nil && !bytes.HasPrefix(good, b[:len(b)-len(b)/2]) {
			t.Fatal("a checkpoint that was never signed holds")
		}
		own, err := p.Strip(b)
		if err != nil {
			t.Fatal(err)
		}
		if text, _, _ := bytes.Cut(b, []byte("\n\n")); !bytes.HasPrefix(own, text) || len(own) > len(b)+1 {
			t.Fatal("Strip changed the text")
		}
	})
}
