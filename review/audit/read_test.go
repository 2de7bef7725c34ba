package audit

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// corpus is one entry of every frequent kind, as bytes.
func corpus(t testing.TB) [][]byte {
	w := newWorld(t)
	story(w)
	n, _ := w.send(4, entry.ModeEcho)
	w.refuse(n, "N101", "N103")
	der, h := w.certificate(nagano, nil)
	w.add(entry.ByCA, w.intent(der, &h))
	w.add(entry.ByCA, &entry.CertAborted{Ordinal: 6, Reason: entry.AbortSign})
	w.publish()
	var out [][]byte
	for i := range w.entries {
		out = append(out, w.leaf(i))
	}
	return out
}

// agree holds the fast reader against entry.Parse.
func agree(t *testing.T, r *reader, b []byte) (fast bool) {
	t.Helper()
	got, ok := r.fast(b)
	if !ok {
		return false
	}
	want, err := entry.Parse(b)
	if err != nil {
		t.Errorf("fast reader takes %q, which entry.Parse refuses: %v", b, err)
		return true
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("readings of %q differ", b)
	}
	return true
}

func TestFastReader(t *testing.T) {
	r := &reader{}
	fast := map[entry.Kind]bool{}
	for _, b := range corpus(t) {
		if agree(t, r, b) {
			e, _ := entry.Parse(b)
			fast[e.Body.Kind()] = true
		}
	}
	for _, k := range []entry.Kind{entry.KindCertIntent, entry.KindCertIssued, entry.KindCertAborted, entry.KindNoticeSent, entry.KindNoticeReceived,
		entry.KindNoticeRefused, entry.KindRevocationRequested, entry.KindRevocation, entry.KindStatusRoot, entry.KindCRLPublished} {
		if !fast[k] {
			t.Errorf("%s is not read fast", k)
		}
	}
}

// TestFastReaderRefuses changes each byte of each entry to a few others: the
// two readers must agree about every one.
func TestFastReaderRefuses(t *testing.T) {
	r := &reader{}
	seen := map[entry.Kind]bool{}
	for _, b := range corpus(t) {
		e, err := entry.Parse(b)
		if err != nil || seen[e.Body.Kind()] {
			continue
		}
		seen[e.Body.Kind()] = true
		for i := range b {
			for _, c := range []byte(`09az" ,}\x`) {
				bad := bytes.Clone(b)
				bad[i] = c
				agree(t, r, bad)
			}
			agree(t, r, append(bytes.Clone(b[:i]), b[i+1:]...))
			agree(t, r, append(append(bytes.Clone(b[:i]), '0'), b[i:]...))
			agree(t, r, b[:i])
		}
		agree(t, r, append(bytes.Clone(b), b...))
	}
}

func FuzzFastReader(f *testing.F) {
	for _, b := range corpus(f) {
		f.Add(b)
	}
	r := &reader{}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, r, b) })
}

func BenchmarkFastReader(b *testing.B) {
	var all [][]byte
	r := &reader{}
	for _, e := range corpus(b) {
		if _, ok := r.fast(e); ok {
			all = append(all, e)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok := r.fast(all[i%len(all)]); !ok {
			b.Fatal("not read")
		}
	}
}
