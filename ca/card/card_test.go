package card

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const pin = "SAMPLE01"

func newTestCard(t *testing.T, alg Algorithm, path string) *Card {
	t.Helper()
	c, err := Generate(Config{Path: path, Algorithm: alg, PIN: pin, Iterations: 10})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func certificateFor(t *testing.T, pub crypto.PublicKey) []byte {
	t.Helper()
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<31, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, pub, ca)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestCardLife(t *testing.T) {
	for _, alg := range []Algorithm{RSA2048, P256} {
		t.Run(string(alg), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "card.json")
			c := newTestCard(t, alg, path)
			d := sha256.Sum256([]byte("document"))
			if _, err := c.Sign(nil, d[:], crypto.SHA256); !errors.Is(err, ErrNotVerified) {
				t.Fatalf("signed without VERIFY: %v", err)
			}
			if _, err := c.Request(); !errors.Is(err, ErrNotVerified) {
				t.Fatalf("request without VERIFY: %v", err)
			}
			if err := c.Verify(pin); err != nil {
				t.Fatal(err)
			}
			der, err := c.Request()
			if err != nil {
				t.Fatal(err)
			}
			csr, err := x509.ParseCertificateRequest(der)
			if err != nil || csr.CheckSignature() != nil || len(csr.Subject.Names) != 0 {
				t.Fatalf("request is not a clean proof of possession: %v", err)
			}
			if _, err := c.Certificate(); !errors.Is(err, ErrNoCertificate) {
				t.Fatalf("certificate before delivery: %v", err)
			}
			cert := certificateFor(t, c.Public())
			if err := c.Install(cert); err != nil {
				t.Fatal(err)
			}
			again, err := Load(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := again.Certificate(); !errors.Is(err, ErrNotVerified) {
				t.Fatalf("certificate readable without VERIFY: %v", err)
			}
			if err := again.Verify(pin); err != nil {
				t.Fatal(err)
			}
			if got, err := again.Certificate(); err != nil || !bytes.Equal(got, cert) {
				t.Fatalf("other certificate after loading: %v", err)
			}
			sig, err := again.Sign(nil, d[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			if !validSignature(c.Public(), d[:], sig) {
				t.Fatal("signature doesn't verify")
			}
			again.Reset()
			if _, err := again.Sign(nil, d[:], crypto.SHA256); !errors.Is(err, ErrNotVerified) {
				t.Fatalf("signed after Reset: %v", err)
			}
		})
	}
}

func validSignature(pub crypto.PublicKey, digest, sig []byte) bool {
	switch p := pub.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(p, crypto.SHA256, digest, sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(p, digest, sig)
	}
	return false
}

func TestFifthWrongPINBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card.json")
	c := newTestCard(t, P256, path)
	if err := c.Verify(pin); err != nil {
		t.Fatal(err)
	}
	for left := 4; left > 0; left-- {
		var wrong *WrongPIN
		if err := c.Verify("WRONG001"); !errors.As(err, &wrong) || wrong.Left != left {
			t.Fatalf("want %d tries left, got %v", left, err)
		}
		if _, err := c.Certificate(); !errors.Is(err, ErrNotVerified) {
			t.Fatal("a wrong PIN must take back the VERIFY")
		}
		// The counter is on disk, not in memory.
		var err error
		if c, err = Load(path, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Verify("short"); !errors.Is(err, ErrBlocked) {
		t.Fatalf("fifth wrong PIN: %v", err)
	}
	if err := c.Verify(pin); !errors.Is(err, ErrBlocked) {
		t.Fatalf("blocked card took the right PIN: %v", err)
	}
	if c.Tries() != 0 {
		t.Fatal("blocked card has tries left")
	}
}

func TestRightPINRestoresTries(t *testing.T) {
	c := newTestCard(t, P256, "")
	for i := 0; i < 3*MaxTries; i++ {
		if err := c.Verify("WRONG001"); err == nil {
			t.Fatal("wrong PIN accepted")
		}
		if err := c.Verify(pin); err != nil {
			t.Fatal(err)
		}
	}
	if c.Tries() != MaxTries {
		t.Fatalf("%d tries left", c.Tries())
	}
}

// The try is spent before the PIN is looked at: when the card can't write, a
// guess tells nothing.
func TestNoGuessWithoutCounting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := newTestCard(t, P256, filepath.Join(dir, "card.json"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(pin); err == nil {
		t.Fatal("VERIFY answered although the try could not be counted")
	}
	if _, err := c.Certificate(); !errors.Is(err, ErrNotVerified) {
		t.Fatal("card is open")
	}
}

func TestFileHoldsNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card.json")
	c := newTestCard(t, P256, path)
	if err := c.Verify(pin); err != nil {
		t.Fatal(err)
	}
	cert := certificateFor(t, c.Public())
	if err := c.Install(cert); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	d, err := c.inside.key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for what, secret := range map[string][]byte{"key": d, "PIN": []byte(pin), "certificate": cert[:64]} {
		for _, blob := range [][]byte{raw, f.Key, f.Certificate} {
			if bytes.Contains(blob, secret) {
				t.Errorf("the file holds the %s in the clear", what)
			}
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode of the card file: %v %v", st.Mode(), err)
	}
	f.Key, f.Certificate = f.Certificate, f.Key
	if _, err := f.open(pin); err == nil {
		t.Error("sealed values can be swapped")
	}
}

func TestRefusals(t *testing.T) {
	for _, p := range []string{"", "ABC12", "ABCDEFGHIJKLMNOPQ", "abcdef", "ABC 12", "ＡＢＣＤＥＦ"} {
		if _, err := Generate(Config{Algorithm: P256, PIN: p, Iterations: 1}); err == nil {
			t.Errorf("PIN of a wrong form accepted (%d bytes)", len(p))
		}
	}
	if _, err := Generate(Config{Algorithm: "ed25519", PIN: pin, Iterations: 1}); err == nil {
		t.Error("unknown algorithm accepted")
	}
	if _, err := Generate(Config{Algorithm: P256, PIN: pin, Iterations: -1}); err == nil {
		t.Error("negative cost accepted")
	}
	c := newTestCard(t, RSA2048, "")
	if err := c.Install(certificateFor(t, c.Public())); !errors.Is(err, ErrNotVerified) {
		t.Errorf("installed without VERIFY: %v", err)
	}
	if err := c.Verify(pin); err != nil {
		t.Fatal(err)
	}
	d := sha256.Sum256(nil)
	if _, err := c.Sign(nil, d[:], &rsa.PSSOptions{Hash: crypto.SHA256}); err == nil {
		t.Error("PSS accepted")
	}
	if _, err := c.Sign(nil, d[:20], crypto.SHA1); err == nil {
		t.Error("SHA-1 accepted")
	}
	if _, err := c.Sign(nil, d[:20], crypto.SHA256); err == nil {
		t.Error("short digest accepted")
	}
	if err := c.Install([]byte("x")); err == nil {
		t.Error("garbage installed")
	}
	if err := c.Install(certificateFor(t, newTestCard(t, P256, "").Public())); err == nil {
		t.Error("another card's certificate installed")
	}
}

func FuzzParse(f *testing.F) {
	c, err := Generate(Config{Algorithm: P256, PIN: pin, Iterations: 1})
	if err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(c.file)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range [][]byte{b, nil, []byte("{}"), bytes.Replace(b, []byte(`"version":1`), []byte(`"version":2`), 1), append(b, ' ', '1')} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if file, pub, err := parse(b); err == nil && (pub == nil || file.Tries > MaxTries) {
			t.Error("accepted a card out of range")
		}
	})
}
