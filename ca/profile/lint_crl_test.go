package profile

import (
	"slices"
	"testing"
	"time"

	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// listParts are the pieces of a revocation list that the lints look at.
type listParts struct {
	version    int64
	alg        []byte
	issuer     Name
	this, next time.Time
	entries    [][]byte
	empty      bool // write revokedCertificates even without entries
	exts       []testExt
}

type testExt struct {
	last     int // 2.5.29.last
	critical bool
	value    []byte
}

func der(f func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	f(&b)
	return b.BytesOrPanic()
}

func integer(n int64) []byte { return der(func(b *cryptobyte.Builder) { b.AddASN1Int64(n) }) }

func revokedEntry(serial int64, at time.Time, ext []byte) []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(serial)
			AddTime(b, at)
			b.AddBytes(ext)
		})
	})
}

func reasonExt(reason byte, critical bool) []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			AddExtension(b, encasn1.ObjectIdentifier{2, 5, 29, 21}, critical, []byte{10, 1, reason})
		})
	})
}

func goodList() listParts {
	return listParts{version: 1, alg: SHA256WithRSA.DER(), issuer: Name{{"C", "JP"}}, this: day, next: day.AddDate(0, 0, 1),
		entries: [][]byte{revokedEntry(5, day, reasonExt(3, false)), revokedEntry(6, day.Add(-time.Hour), nil)},
		exts: []testExt{
			{35, false, der(func(b *cryptobyte.Builder) { AddAuthorityKeyID(b, []byte{1, 2, 3, 4}) })},
			{20, false, integer(7)},
			{28, true, []byte{0x30, 0x08, 0xa0, 0x06, 0xa0, 0x04, 0x86, 0x02, 'a', 'b'}},
		}}
}

func (p listParts) encode() []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(p.version)
			b.AddBytes(p.alg)
			if len(p.issuer) > 0 {
				n, _ := p.issuer.DER()
				b.AddBytes(n)
			} else {
				b.AddASN1(asn1.SEQUENCE, func(*cryptobyte.Builder) {})
			}
			AddTime(b, p.this)
			AddTime(b, p.next)
			if len(p.entries) > 0 || p.empty {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(p.entries...)) })
			}
			b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, e := range p.exts {
						AddExtension(b, encasn1.ObjectIdentifier{2, 5, 29, e.last}, e.critical, e.value)
					}
				})
			})
		})
	})
}

func TestEachCRLLint(t *testing.T) {
	without := func(last int) func(*listParts) {
		return func(p *listParts) {
			p.exts = slices.DeleteFunc(p.exts, func(e testExt) bool { return e.last == last })
		}
	}
	with := func(e testExt) func(*listParts) {
		return func(p *listParts) { without(e.last)(p); p.exts = append(p.exts, e) }
	}
	entries := func(e ...[]byte) func(*listParts) { return func(p *listParts) { p.entries = e } }
	for _, c := range []struct {
		code, name string
		change     func(*listParts)
	}{
		{"L00", "version 1", func(p *listParts) { p.version = 0 }},
		{"L01", "SHA-1", func(p *listParts) { p.alg[12] = 5 }},
		{"L02", "no issuer", func(p *listParts) { p.issuer = nil }},
		{"L03", "ends at once", func(p *listParts) { p.next = p.this }},
		{"L03", "two years", func(p *listParts) { p.next = p.this.AddDate(2, 0, 0) }},
		{"L04", "empty list", func(p *listParts) { p.entries, p.empty = nil, true }},
		{"L05", "serial twice", entries(revokedEntry(5, day, nil), revokedEntry(5, day, nil))},
		{"L05", "revoked tomorrow", entries(revokedEntry(5, day.AddDate(0, 0, 1), nil))},
		{"L05", "hold", entries(revokedEntry(5, day, reasonExt(6, false)))},
		{"L05", "unspecified written out", entries(revokedEntry(5, day, reasonExt(0, false)))},
		{"L05", "critical reason", entries(revokedEntry(5, day, reasonExt(3, true)))},
		{"L05", "noise", entries([]byte{0x30, 0x03, 1, 2, 3})},
		{"L06", "no authority key", without(35)},
		{"L07", "no number", without(20)},
		{"L07", "number 0", with(testExt{20, false, integer(0)})},
		{"L07", "critical number", with(testExt{20, true, integer(7)})},
		{"L08", "point not critical", func(p *listParts) { p.exts[2].critical = false }},
		{"L08", "point without names", with(testExt{28, true, []byte{0x30, 0x00}})},
		{"L09", "delta not critical", with(testExt{27, false, integer(3)})},
		{"L09", "delta of itself", with(testExt{27, true, integer(7)})},
		{"L09", "delta of a delta", func(p *listParts) {
			with(testExt{27, true, integer(3)})(p)
			with(testExt{46, false, []byte{0x30, 0}})(p)
		}},
		{"L10", "unknown extension", with(testExt{99, false, []byte{5, 0}})},
		{"L10", "number twice", func(p *listParts) { p.exts = append(p.exts, testExt{20, false, integer(7)}) }},
	} {
		p := goodList()
		c.change(&p)
		got := LintCRL(p.encode())
		if !slices.ContainsFunc(got, func(f Finding) bool { return f.Code == c.code }) {
			t.Errorf("%s %s: findings %v", c.code, c.name, got)
		}
	}
	if f := LintCRL(goodList().encode()); len(f) > 0 {
		t.Errorf("clean list: %v", f)
	}
	if f := LintCRL([]byte("noise")); len(f) != 1 || f[0].Code != "L00" {
		t.Errorf("noise: %v", f)
	}
}

// ocspParts are the pieces of a response that the lints look at.
type ocspParts struct {
	key        []byte
	produced   time.Time
	this, next time.Time
	ids        []int64
	statuses   [][]byte
	exts       []testExt
	nonce      []byte
}

var (
	statusGood    = []byte{0x80, 0}
	statusUnknown = []byte{0x82, 0}
)

func statusRevoked(at time.Time, reason int64) []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1GeneralizedTime(at)
			if reason >= 0 {
				b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Enum(reason) })
			}
		})
	})
}

func (p ocspParts) encode() []byte {
	zero := asn1.Tag(0).ContextSpecific().Constructed()
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(zero+2, func(b *cryptobyte.Builder) { b.AddASN1OctetString(p.key) })
			b.AddASN1GeneralizedTime(p.produced)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for i, s := range p.statuses {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(p.ids[i]) })
						b.AddBytes(s)
						b.AddASN1GeneralizedTime(p.this)
						b.AddASN1(zero, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(p.next) })
					})
				}
			})
			if p.nonce != nil {
				b.AddASN1(zero+1, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						AddExtension(b, encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, len(p.exts) > 0,
							der(func(b *cryptobyte.Builder) { b.AddASN1OctetString(p.nonce) }))
					})
				})
			}
		})
	})
}

func TestEachOCSPLint(t *testing.T) {
	good := func() ocspParts {
		return ocspParts{key: make([]byte, 20), produced: day, this: day, next: day.Add(time.Hour), ids: []int64{1, 2, 3},
			statuses: [][]byte{statusGood, statusRevoked(day, 3), statusUnknown}, nonce: []byte{1}}
	}
	for _, c := range []struct {
		code, name string
		change     func(*ocspParts)
	}{
		{"O00", "status of no kind", func(p *ocspParts) { p.statuses[0] = []byte{0x83, 0} }},
		{"O01", "long key hash", func(p *ocspParts) { p.key = make([]byte, 32) }},
		{"O02", "out of date", func(p *ocspParts) { p.next = p.produced }},
		{"O02", "from the future", func(p *ocspParts) { p.this = p.produced.Add(time.Second) }},
		{"O02", "a month", func(p *ocspParts) { p.next = p.this.AddDate(0, 1, 0) }},
		{"O02", "revoked tomorrow", func(p *ocspParts) { p.statuses[1] = statusRevoked(day.AddDate(0, 0, 1), -1) }},
		{"O03", "no answer", func(p *ocspParts) { p.statuses = nil }},
		{"O03", "good and revoked", func(p *ocspParts) { p.ids[1] = 1 }},
		{"O04", "hold", func(p *ocspParts) { p.statuses[1] = statusRevoked(day, 6) }},
		{"O05", "empty nonce", func(p *ocspParts) { p.nonce = []byte{} }},
		{"O05", "long nonce", func(p *ocspParts) { p.nonce = make([]byte, 129) }},
		{"O05", "critical nonce", func(p *ocspParts) { p.exts = []testExt{{}} }},
	} {
		p := good()
		c.change(&p)
		got := LintOCSP(p.encode())
		if !slices.ContainsFunc(got, func(f Finding) bool { return f.Code == c.code }) {
			t.Errorf("%s %s: findings %v", c.code, c.name, got)
		}
	}
	if f := LintOCSP(good().encode()); len(f) > 0 {
		t.Errorf("clean response: %v", f)
	}
}
