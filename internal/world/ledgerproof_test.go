package world_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"io"
	"net/http"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/review/pki"
)

// ledgerProof asks the OCSP responder for an answer with a ledger proof and
// checks the receipt in it as an agency does: offline, by the trust policy.
func ledgerProof(t *testing.T, w *world.World, der []byte) (answer int, state status.State) {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ocsp.CreateRequest(cert, w.CA.Issuer, &ocsp.RequestOptions{Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(w.Ledger.PublicURL+"/ocsp", "application/ocsp-request", bytes.NewReader(wishForProof(t, plain)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ocsp.ParseResponseForCert(b, cert, w.CA.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	file, ok := pki.LedgerProof(r)
	if !ok {
		t.Fatal("no ledger proof in the answer")
	}
	s, err := proof.ParseStatusReceipt(file)
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.Ledger.Policy.VerifyStatus(s, der)
	if err != nil {
		t.Fatal(err)
	}
	return r.Status, res.State
}

// wishForProof adds the request extension of docs/formats.md to a request.
func wishForProof(t *testing.T, request []byte) []byte {
	t.Helper()
	in := cryptobyte.String(request)
	var outer, tbs cryptobyte.String
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !outer.ReadASN1(&tbs, asn1.SEQUENCE) {
		t.Fatal("not a request")
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(tbs)
			b.AddASN1(asn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { profile.AddExtension(b, profile.OIDLedgerProof, false, []byte{5, 0}) })
			})
		})
	})
	return b.BytesOrPanic()
}
