package keystore

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	encasn1 "encoding/asn1"
	"encoding/hex"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/internal/token"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var noon = time.Date(2026, 4, 1, 3, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

var pass = []byte("correct horse")

func config(t testing.TB, l *keystoretest.Log, alg string) SoftwareConfig {
	dir := t.TempDir()
	return SoftwareConfig{Path: filepath.Join(dir, "issuer.key"), Passphrase: pass, Algorithm: alg,
		Gate: GateConfig{Log: l.Policy(), Journal: filepath.Join(dir, "journal"), Now: clock}}
}

func create(t testing.TB, c SoftwareConfig) Key {
	t.Helper()
	k, err := CreateSoftware(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// newLog has a first entry, so that indices and counts differ.
func newLog(t testing.TB) *keystoretest.Log {
	t.Helper()
	l := keystoretest.NewLog("log.example/keystore")
	if _, err := l.Append(entry.ByLog, &entry.Genesis{Key: l.VKey(), Origin: "log.example/keystore", Rules: "sukashi-1"}); err != nil {
		t.Fatal(err)
	}
	return l
}

// tbsCertificate is the least that has the form of one.
func tbsCertificate(serial uint64, spki []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
		b.AddASN1Uint64(serial)
		for range 4 {
			b.AddASN1(asn1.SEQUENCE, func(*cryptobyte.Builder) {})
		}
		b.AddBytes(spki)
	})
	return b.BytesOrPanic()
}

// tbsList is the least that has the form of a list: base 0 is a complete one,
// entries is the size of what stands between head and extensions.
func tbsList(number, base uint64, entries int) []byte {
	var b cryptobyte.Builder
	ext := func(b *cryptobyte.Builder, id encasn1.ObjectIdentifier, n uint64) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(id)
			b.AddASN1Boolean(true)
			b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1Uint64(n) })
		})
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(asn1.SEQUENCE, func(*cryptobyte.Builder) {})
		b.AddASN1(asn1.SEQUENCE, func(*cryptobyte.Builder) {})
		b.AddASN1UTCTime(noon)
		if number%2 == 1 {
			b.AddASN1GeneralizedTime(noon.AddDate(30, 0, 0))
		}
		if entries > 0 {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(make([]byte, entries)) })
		}
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if base != 0 {
					ext(b, oidDelta, base)
				}
				ext(b, oidCRLNumber, number)
			})
		})
	})
	return b.BytesOrPanic()
}

var cardSPKI = sync.OnceValue(func() []byte { return []byte{0x30, 0x03, 0x02, 0x01, 0x05} })

func serialHex(n uint64) string {
	b := []byte{byte(n >> 56), byte(n >> 48), byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	return hex.EncodeToString(b)
}

const serialBase = 0x1122334455000000

// intent logs a cert.intent for the n-th certificate and returns its TBS.
func intent(t testing.TB, l *keystoretest.Log, issuer entry.Digest, n uint64) ([]byte, *keystoretest.Logged) {
	t.Helper()
	tbs := tbsCertificate(serialBase+n, cardSPKI())
	logged, err := l.Append(entry.ByCA, intentBody(issuer, n, tbs))
	if err != nil {
		t.Fatal(err)
	}
	return tbs, logged
}

func intentBody(issuer entry.Digest, n uint64, tbs []byte) *entry.CertIntent {
	return &entry.CertIntent{Decision: keystoretest.Decision("issue"), Issuer: issuer, Municipality: "202029", Ordinal: n,
		Profile: entry.Sum([]byte("profile")), Serial: serialHex(serialBase + n), Subject: entry.Sum([]byte("subject")), TBS: entry.Sum(tbs)}
}

func checkSignature(t testing.TB, k Key, tbs, sig []byte) {
	t.Helper()
	d := entry.Sum(tbs)
	if !token.Verifies(k.Public(), crypto.SHA256, d[:], sig) {
		t.Fatal("signature does not verify")
	}
}

// rsaKey is one key for all tests that don't need a file.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// counting counts what gets through to the key.
type counting struct {
	software
	mu     sync.Mutex
	n      int
	random bool
	bad    bool
}

func (c *counting) sign(ctx context.Context, digest []byte, h crypto.Hash) ([]byte, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	sig, err := c.software.sign(ctx, digest, h)
	if c.bad && err == nil {
		sig[7] ^= 1
	}
	return sig, err
}

func (c *counting) deterministic() bool { return !c.random }

func (c *counting) uses() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func countingKey(t testing.TB, l *keystoretest.Log, dir string) (*gated, *counting) {
	t.Helper()
	c := &counting{software: software{rsaKey()}}
	g, err := newGated(GateConfig{Log: l.Policy(), Journal: dir, Now: clock}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g, c
}
