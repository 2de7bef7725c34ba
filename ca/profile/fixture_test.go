package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
)

// keys are made once: RSA keys are slow to make on a small machine.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	out := map[string]crypto.Signer{}
	for _, n := range []string{"root", "card"} {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		out[n] = k
	}
	for n, c := range map[string]elliptic.Curve{"ec": elliptic.P256(), "ec384": elliptic.P384(), "ocsp": elliptic.P256()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		out[n] = k
	}
	return out
})

var (
	day      = time.Date(2026, 4, 1, 0, 30, 15, 0, time.UTC)
	matumoto = Place{Code: "202029", Prefecture: "Nagano-ken", Municipality: "Matsumoto-shi"}
	invented = attr.Certified{
		Name: "透見　花子", NameMap: "00000", BirthDate: "320000229", Sex: "2",
		Address: "長野県松本市架空町１丁目２－３", AddressMap: "000000000000000",
	}
)

const base = "http://127.0.0.1:8080"

func shippedProfile(t testing.TB, r Role) *Profile {
	t.Helper()
	p, err := Shipped(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sign(t testing.TB, k crypto.Signer, tbs []byte) []byte {
	t.Helper()
	a, err := AlgFor(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	h := a.Hash().New()
	h.Write(tbs)
	sig, err := k.Sign(rand.Reader, h.Sum(nil), a.Hash())
	if err != nil {
		t.Fatal(err)
	}
	der, err := Assemble(tbs, a, sig)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func rootRequest(k crypto.Signer) Request {
	return Request{Serial: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, PublicKey: k.Public(), NotBefore: day.AddDate(-1, 0, 0), BaseURL: base}
}

func makeRoot(t testing.TB, k crypto.Signer) (der []byte, issuer *Issuer) {
	t.Helper()
	tbs, err := shippedProfile(t, Root).BuildCertificateTBS(rootRequest(k))
	if err != nil {
		t.Fatal(err)
	}
	der = sign(t, k, tbs)
	issuer, err = NewIssuer(der)
	if err != nil {
		t.Fatal(err)
	}
	return der, issuer
}

func residentRequest(t testing.TB, issuer *Issuer) Request {
	t.Helper()
	cn, err := CommonName(day, 7, "202029A01")
	if err != nil {
		t.Fatal(err)
	}
	return Request{
		Serial: []byte{0x11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, PublicKey: keys()["card"].Public(),
		NotBefore: day, NotAfter: EndOfDay(time.Date(2031, 2, 28, 0, 0, 0, 0, JST), 0), BaseURL: base, Issuer: issuer,
		Ordinal: 4711, Place: matumoto, CommonName: cn, Subject: invented,
	}
}

func ocspRequest(issuer *Issuer) Request {
	return Request{Serial: []byte{0x21, 2, 3, 4, 5, 6, 7, 8}, PublicKey: keys()["ocsp"].Public(),
		NotBefore: day, NotAfter: day.AddDate(0, 3, 0), BaseURL: base, Issuer: issuer}
}

// openssl runs the tool and returns what it printed. A machine without it
// skips the test and says so.
func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("skipped: openssl is not installed")
	}
	out, err := exec.Command("openssl", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// bridgeName is another CA's name, with the string types of that CA.
func bridgeName() []byte {
	der, err := Name{{"C", "JP"}, {"O", "Example Bridge"}, {"OU", "Bridge CA"}}.DER()
	if err != nil {
		panic(err)
	}
	return der
}

func linkRequest(issuer *Issuer) Request {
	return Request{Serial: []byte{0x31, 2, 3, 4, 5, 6, 7, 8}, PublicKey: keys()["ocsp"].Public(), Name: issuer.Subject,
		NotBefore: day, NotAfter: EndOfDay(day, 9), BaseURL: base, Issuer: issuer}
}

func crossRequest(issuer *Issuer) Request {
	r := linkRequest(issuer)
	r.Name, r.NotAfter = bridgeName(), EndOfDay(day, 5)
	return r
}
