package counter

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"sync"
	"testing"
)

// requestKeys are made once.
var requestKeys = sync.OnceValue(func() map[string]crypto.Signer {
	out := map[string]crypto.Signer{}
	for n, bits := range map[string]int{"RSA": 2048, "small RSA": 1024} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		out[n] = k
	}
	for n, c := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		out[n] = k
	}
	return out
})

func makeRequest(t testing.TB, key string, template x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, requestKeys()[key])
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// byX509 is PublicKey by another reader, crypto/x509.
func byX509(der []byte) crypto.PublicKey {
	r, err := x509.ParseCertificateRequest(der)
	//lint:ignore SA1019 nothing is parsed here: a request with any attribute at all is refused
	if err != nil || len(r.Subject.Names) != 0 || len(r.Extensions) != 0 || len(r.Attributes) != 0 || r.CheckSignature() != nil {
		return nil
	}
	return r.PublicKey
}

// Requests that other programs may make, accepted or refused.
func TestRequests(t *testing.T) {
	for _, c := range []struct {
		name, key string
		accepted  bool
		template  x509.CertificateRequest
	}{
		{"as the card makes it", "P-256", true, x509.CertificateRequest{SignatureAlgorithm: x509.ECDSAWithSHA256}},
		{"P-256 with SHA-384", "P-256", true, x509.CertificateRequest{SignatureAlgorithm: x509.ECDSAWithSHA384}},
		{"P-256 with SHA-512", "P-256", true, x509.CertificateRequest{SignatureAlgorithm: x509.ECDSAWithSHA512}},
		{"RSA", "RSA", true, x509.CertificateRequest{SignatureAlgorithm: x509.SHA256WithRSA}},
		{"RSA with SHA-384", "RSA", true, x509.CertificateRequest{SignatureAlgorithm: x509.SHA384WithRSA}},
		{"RSA with SHA-512", "RSA", true, x509.CertificateRequest{SignatureAlgorithm: x509.SHA512WithRSA}},
		{"RSA-PSS", "RSA", false, x509.CertificateRequest{SignatureAlgorithm: x509.SHA256WithRSAPSS}},
		{"small RSA", "small RSA", false, x509.CertificateRequest{SignatureAlgorithm: x509.SHA256WithRSA}},
		{"P-384", "P-384", false, x509.CertificateRequest{SignatureAlgorithm: x509.ECDSAWithSHA384}},
		{"with a subject", "P-256", false, x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}},
		{"with a wish", "P-256", false, x509.CertificateRequest{DNSNames: []string{"x.example"}}},
	} {
		der := makeRequest(t, c.key, c.template)
		key, err := (&Application{Request: der}).PublicKey()
		if (err == nil) != c.accepted {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.accepted && !requestKeys()[c.key].Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key) {
			t.Errorf("%s: another key", c.name)
		}
	}
}

// FuzzRequest: what is accepted, crypto/x509 accepts with the same key.
func FuzzRequest(f *testing.F) {
	for _, k := range []string{"P-256", "RSA", "P-384"} {
		der := makeRequest(f, k, x509.CertificateRequest{})
		f.Add(der)
		for i := range der { // every byte changed, doubled and left out
			for _, b := range [][]byte{flip(der, i), append(append(der[:i:i], der[i]), der[i:]...), append(der[:i:i], der[i+1:]...)} {
				if i%7 == 0 || i < 64 {
					f.Add(b)
				}
			}
		}
	}
	f.Add(makeRequest(f, "P-256", x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}))
	f.Add(makeRequest(f, "P-256", x509.CertificateRequest{DNSNames: []string{"x.example"}}))
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := (&Application{Request: der}).PublicKey()
		if err != nil {
			return
		}
		if theirs := byX509(der); theirs == nil || !key.(interface{ Equal(crypto.PublicKey) bool }).Equal(theirs) {
			t.Fatal("crypto/x509 refuses the request or reads another key")
		}
	})
}

func flip(b []byte, i int) []byte {
	out := append([]byte(nil), b...)
	out[i] ^= 1 << (i % 8)
	return out
}

// BenchmarkPublicKey is the whole check of a card's request; its signature alone
// is BenchmarkRequestSignature.
func BenchmarkPublicKey(b *testing.B) {
	a := &Application{Request: makeRequest(b, "P-256", x509.CertificateRequest{})}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.PublicKey(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequestSignature(b *testing.B) {
	r, err := parseRequest(makeRequest(b, "P-256", x509.CertificateRequest{}))
	if err != nil {
		b.Fatal(err)
	}
	key := requestKeys()["P-256"].Public().(*ecdsa.PublicKey)
	sum := digest(crypto.SHA256, r.signed)
	b.ReportAllocs()
	for b.Loop() {
		if !ecdsa.VerifyASN1(key, sum, r.signature) {
			b.Fatal("not signed by its key")
		}
	}
}
