package revocation

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"golang.org/x/crypto/ocsp"
)

// Two generations of the CA have one name and different keys (DOMAIN 6.1,
// scenario 24). Lists and responders of one know nothing of the other's
// certificates, even with the same serial.
func TestGenerationsAreToldApartByKey(t *testing.T) {
	old, young := bareIssuer(), newBare("the second")
	if !bytes.Equal(old.issuer.Subject, young.issuer.Subject) {
		t.Fatal("the generations have different names")
	}
	w := &world{t: t, dir: t.TempDir()}
	s := NewState()
	index, ordinal := uint64(0), uint64(0)
	apply := func(b entry.Body) {
		t.Helper()
		if err := s.Apply(index, entry.Entry{Body: b}); err != nil {
			t.Fatal(err)
		}
		index++
	}
	serial := []byte{0x11, 2, 3, 4, 5, 6, 7, 8}
	issue := func(b *bare, name string, serial []byte, revoked bool) {
		body := intentEntry(ordinal, serial, "202029")
		body.Issuer = b.issuer.Key
		apply(body)
		apply(&entry.CertIssued{Ordinal: ordinal})
		if revoked {
			apply(&entry.Revocation{Ground: entry.GroundRequest, Ordinal: ordinal, Recorded: entry.At(start), Serial: hex.EncodeToString(serial)})
		}
		w.pem(name, "CERTIFICATE", b.leaf(t, serial, ordinal))
		ordinal++
	}
	issue(old, "old", serial, true)
	issue(young, "young", serial, false)

	var roots, crls []byte
	for _, b := range []*bare{old, young} {
		l, err := b.lists(t, s, false).Build(Full, start)
		w.check(err)
		der, err := l.Assemble(b.sign(l.TBS()))
		w.check(err)
		crl, err := x509.ParseRevocationList(der)
		w.check(err)
		if want := map[*bare]int{old: 1, young: 0}[b]; len(crl.RevokedCertificateEntries) != want {
			t.Errorf("%d entries, want %d", len(crl.RevokedCertificateEntries), want)
		}
		roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.root.Raw})...)
		crls = append(crls, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
		r, err := NewResponder(ResponderConfig{State: s, Issuer: b.issuer, Certificate: b.ocspDER, Key: plainSigner{b.ocspKey}, Now: atStart, Validity: 15 * time.Minute})
		w.check(err)
		for _, asked := range []*bare{old, young} {
			answer := r.Respond(t.Context(), ocspRequestFor(asked.issuer, crypto.SHA256, serial))
			if asked != b {
				if !bytes.Equal(answer, errorResponse(statusForbidden)) {
					t.Errorf("an answer for another generation: %x", answer)
				}
				continue
			}
			resp, err := ocsp.ParseResponse(answer, b.root)
			w.check(err)
			if want := map[*bare]int{old: ocsp.Revoked, young: ocsp.Good}[b]; resp.Status != want {
				t.Errorf("OCSP says %d, want %d", resp.Status, want)
			}
		}
	}
	w.check(os.WriteFile(w.path("roots.pem"), roots, 0o600))
	w.check(os.WriteFile(w.path("crls.pem"), crls, 0o600))
	verify := func(ok bool, contains, leaf string) {
		t.Helper()
		w.want(ok, contains, "openssl", "verify", "-x509_strict", "-attime", "1775005200", "-CAfile", "roots.pem", "-CRLfile", "crls.pem", "-crl_check", leaf+".pem")
	}
	verify(false, "certificate revoked", "old")
	verify(true, "young.pem: OK", "young")
}

// leaf is a resident's certificate by a bare issuer.
func (b *bare) leaf(t testing.TB, serial []byte, ordinal uint64) []byte {
	t.Helper()
	p, err := profile.Shipped(profile.Resident)
	if err != nil {
		t.Fatal(err)
	}
	cn, err := profile.CommonName(start, 1, "202029A01")
	if err != nil {
		t.Fatal(err)
	}
	tbs, err := p.BuildCertificateTBS(profile.Request{Serial: serial, PublicKey: card(), NotBefore: start, NotAfter: profile.EndOfDay(start, 5),
		BaseURL: base, Issuer: b.issuer, Ordinal: ordinal, Place: places["202029"], CommonName: cn, Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	der, err := profile.Assemble(tbs, b.issuer.Alg, b.sign(tbs))
	if err != nil {
		t.Fatal(err)
	}
	return der
}
