//go:build cgo

package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/token/tokentest"
)

const (
	pin   = tokentest.PIN
	label = "key"
)

var digest = sha256.Sum256([]byte("digest"))

// rsaKey is one key for all tests that load one.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// hsm is a SoftHSM of a test's own with freshly made tokens.
type hsm struct {
	t   testing.TB
	mod *Module
	dir string
}

func newHSM(t testing.TB, labels ...string) *hsm {
	t.Helper()
	dir := tokentest.SoftHSM(t, labels...)
	mod, err := OpenModule(tokentest.Library, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mod.Close(); err != nil {
			t.Error(err)
		}
	})
	return &hsm{t, mod, dir}
}

func (h *hsm) generate(token, label, alg string) {
	h.t.Helper()
	if err := Generate(h.token(token), label, alg); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hsm) token(label string) Token { return Token{Module: h.mod, Label: label, PIN: pin} }

// lose ends all sessions behind the pool's back, as a restarted token does.
func (h *hsm) lose(token string) {
	slot, err := h.token(token).slot()
	if err != nil {
		h.t.Error(err)
		return
	}
	if err := h.mod.ctx.CloseAllSessions(slot); err != nil {
		h.t.Error(err)
	}
}

// load puts a copy of a key on a token, as a token's backup does.
func (h *hsm) load(token, label string, k *rsa.PrivateKey, extractable bool) {
	h.t.Helper()
	s, err := h.token(token).login(pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION)
	if err != nil {
		h.t.Fatal(err)
	}
	defer h.mod.ctx.CloseSession(s)
	a := pkcs11.NewAttribute
	e := big.NewInt(int64(k.E)).Bytes()
	for _, object := range [][]*pkcs11.Attribute{
		{a(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), a(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA), a(pkcs11.CKA_TOKEN, true), a(pkcs11.CKA_LABEL, label),
			a(pkcs11.CKA_ID, []byte{7}), a(pkcs11.CKA_MODULUS, k.N.Bytes()), a(pkcs11.CKA_PUBLIC_EXPONENT, e)},
		{a(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), a(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA), a(pkcs11.CKA_TOKEN, true), a(pkcs11.CKA_LABEL, label),
			a(pkcs11.CKA_ID, []byte{7}), a(pkcs11.CKA_PRIVATE, true), a(pkcs11.CKA_SENSITIVE, !extractable), a(pkcs11.CKA_EXTRACTABLE, extractable), a(pkcs11.CKA_SIGN, true),
			a(pkcs11.CKA_MODULUS, k.N.Bytes()), a(pkcs11.CKA_PUBLIC_EXPONENT, e), a(pkcs11.CKA_PRIVATE_EXPONENT, k.D.Bytes()),
			a(pkcs11.CKA_PRIME_1, k.Primes[0].Bytes()), a(pkcs11.CKA_PRIME_2, k.Primes[1].Bytes()),
			a(pkcs11.CKA_EXPONENT_1, k.Precomputed.Dp.Bytes()), a(pkcs11.CKA_EXPONENT_2, k.Precomputed.Dq.Bytes()), a(pkcs11.CKA_COEFFICIENT, k.Precomputed.Qinv.Bytes())},
	} {
		if _, err := h.mod.ctx.CreateObject(s, object); err != nil {
			h.t.Fatal(err)
		}
	}
}

// tokenKey is an RSA key on the first token and, as a copy, on the others.
func tokenKey(t testing.TB, h *hsm, now func() time.Time, tokens ...string) *Key {
	t.Helper()
	c := Config{Label: label, Sessions: 4, Now: now}
	for _, n := range tokens {
		h.load(n, label, rsaKey(), false)
		c.Tokens = append(c.Tokens, h.token(n))
	}
	k, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// Sessions die a thousand times under load, every tenth time on both tokens at
// once: no wrong answer, no caller without a signature, and the next signature
// within a second of each loss. Then the first token loses its key for good, and
// the second one takes over within a second too.
func TestLostSessionsUnderLoad(t *testing.T) {
	h := newHSM(t, "one", "two")
	k := tokenKey(t, h, time.Now, "one", "two")
	losses := 1000
	if testing.Short() {
		losses = 60
	}
	ctx, stop := context.WithCancel(t.Context())
	var signed, failed atomic.Int64
	var wg sync.WaitGroup
	// A loss comes between signatures: SoftHSM frees a session under the feet of
	// a C_Sign in the same process, and crashes.
	var between sync.RWMutex
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				between.RLock()
				sig, err := k.Sign(context.Background(), digest[:], crypto.SHA256)
				between.RUnlock()
				switch {
				case err != nil:
					failed.Add(1)
				case !Verifies(k.Public(), crypto.SHA256, digest[:], sig):
					t.Error("a wrong signature")
				default:
					signed.Add(1)
				}
			}
		})
	}
	var worst time.Duration
	lose := func(what func()) {
		between.Lock()
		before := signed.Load()
		what()
		start := time.Now()
		between.Unlock()
		for signed.Load() < before+2 && time.Since(start) < 5*time.Second {
			time.Sleep(50 * time.Microsecond) // let the others sign
		}
		worst = max(worst, time.Since(start))
	}
	for i := range losses {
		lose(func() {
			h.lose("one")
			if i%10 == 0 {
				h.lose("two")
			}
		})
	}
	k.pools[1].result(false) // forget who signed last
	lose(func() { destroy(t, h, "one") })
	if !k.pools[1].usedLast() {
		t.Error("the second token did not take over")
	}
	stop()
	wg.Wait()
	t.Logf("%d losses, %d signatures, %d failures, slowest recovery %s", losses, signed.Load(), failed.Load(), worst)
	if worst > time.Second || failed.Load() > 0 {
		t.Errorf("slowest recovery %s, %d callers without a signature", worst, failed.Load())
	}
}

// A token whose key is gone is left alone after some failures, the next one
// signs, and after the cooldown the first one is asked again.
func TestFailover(t *testing.T) {
	h := newHSM(t, "one", "two")
	now := time.Date(2026, 4, 1, 3, 0, 0, 0, time.UTC)
	k := tokenKey(t, h, func() time.Time { return now }, "one", "two")
	pools := k.pools
	sign := func() {
		t.Helper()
		sig, err := k.Sign(t.Context(), digest[:], crypto.SHA256)
		if err != nil || !Verifies(k.Public(), crypto.SHA256, digest[:], sig) {
			t.Fatalf("%v", err)
		}
	}
	sign()
	if !pools[0].usedLast() {
		t.Error("the first token was not preferred")
	}
	destroy(t, h, "one")
	for range 5 {
		sign()
	}
	if !pools[0].resting() || !pools[1].usedLast() {
		t.Error("the broken token is still asked")
	}
	h.load("one", label, rsaKey(), false)
	now = now.Add(2 * time.Second)
	pools[1].last = false
	sign()
	if pools[0].resting() || pools[1].usedLast() {
		t.Error("the repaired token is not asked")
	}
	destroy(t, h, "one")
	destroy(t, h, "two")
	if _, err := k.Sign(t.Context(), digest[:], crypto.SHA256); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
}

// destroy removes all objects of a token.
func destroy(t testing.TB, h *hsm, token string) {
	t.Helper()
	s, err := h.token(token).login(pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		found, err := find(h.mod.ctx, s, class, pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range found {
			if err := h.mod.ctx.DestroyObject(s, o); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.lose(token)
}

// A replaced key under the same label is not used: it is not the issuer's.
func TestReplacedKeyIsNotUsed(t *testing.T) {
	h := newHSM(t, "one")
	k := tokenKey(t, h, time.Now, "one")
	destroy(t, h, "one")
	h.generate("one", label, RSA2048)
	if sig, err := k.Sign(t.Context(), digest[:], crypto.SHA256); err == nil {
		t.Errorf("signed with another key: %x", sig[:4])
	}
}

// A token that was restarted, or whose twin is there, is ready; without one that
// gives the key none is.
func TestReady(t *testing.T) {
	h := newHSM(t, "one", "two")
	k := tokenKey(t, h, time.Now, "one", "two")
	for what, change := range map[string]func(){
		"at the start": func() {}, "after a restart": func() { h.lose("one"); h.lose("two") },
	} {
		change()
		if err := k.Ready(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	destroy(t, h, "one")
	if err := k.Ready(); err != nil {
		t.Errorf("with the second token: %v", err)
	}
	destroy(t, h, "two")
	if err := k.Ready(); !errors.Is(err, ErrNone) {
		t.Errorf("without a token: %v", err)
	}
}

func TestExtractableKeyIsRefused(t *testing.T) {
	h := newHSM(t, "one")
	h.load("one", label, rsaKey(), true)
	_, err := Open(Config{Tokens: []Token{h.token("one")}, Label: label, Now: time.Now})
	if say.Code(err) != "token.key" {
		t.Errorf("%v", err)
	}
}

// A wrong PIN is tried once and never again.
func TestWrongPINIsTriedOnce(t *testing.T) {
	h := newHSM(t, "one")
	k := tokenKey(t, h, time.Now, "one")
	p := k.pools[0]
	p.tok.PIN = "9999"
	h.lose("one") // logs out too
	p.evict()
	for range 5 {
		if _, err := k.Sign(t.Context(), digest[:], crypto.SHA256); err == nil {
			t.Fatal("signed with a wrong PIN")
		}
	}
	p.tok.PIN = pin // even the right one: an operator has to look
	if _, err := k.Sign(t.Context(), digest[:], crypto.SHA256); err == nil {
		t.Error("the PIN was tried again")
	}
	if p.pin == nil {
		t.Error("the refusal was forgotten")
	}
}

func BenchmarkTokenSign(b *testing.B) {
	for _, alg := range []string{RSA2048, P256, Ed25519} {
		b.Run(alg, func(b *testing.B) {
			h := newHSM(b, "one")
			h.generate("one", label, alg)
			k, err := Open(Config{Tokens: []Token{h.token("one")}, Label: label, Now: time.Now})
			if err != nil {
				b.Fatal(err)
			}
			defer k.Close()
			hash := crypto.SHA256
			if alg == Ed25519 {
				hash = 0
			}
			b.SetParallelism(4)
			before := cpuTime()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := k.Sign(context.Background(), digest[:], hash); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sign/s")
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/sign")
		})
	}
}

// cpuTime is what this process has used of all processors, kernel included.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const softokn = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"

// newNSS is NSS's software token, another implementation than SoftHSM.
func newNSS(t *testing.T) Token {
	t.Helper()
	if _, err := os.Stat(softokn); err != nil {
		t.Skip("skipped: libnss3 is not installed")
	}
	certutil, err := exec.LookPath("certutil")
	if err != nil {
		t.Skip("skipped: libnss3-tools is not installed")
	}
	dir := t.TempDir()
	pw := filepath.Join(dir, "pw")
	if err := os.WriteFile(pw, []byte(pin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(certutil, "-N", "-d", "sql:"+dir, "-f", pw).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mod, err := OpenModule(softokn, "configdir='sql:"+dir+"' certPrefix='' keyPrefix='' secmod='secmod.db' flags=")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mod.Close() })
	return Token{Module: mod, Label: "NSS Certificate DB", PIN: pin}
}

// Two tokens of different makers with one key: either signs for the other.
func TestFailoverToAnotherMaker(t *testing.T) {
	h := newHSM(t, "one")
	nss := newNSS(t)
	second := &hsm{t: t, mod: nss.Module}
	h.load("one", label, rsaKey(), false)
	second.load(nss.Label, label, rsaKey(), false)
	k, err := Open(Config{Tokens: []Token{h.token("one"), nss}, Label: label, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	var sigs [2][]byte
	if sigs[0], err = k.Sign(t.Context(), digest[:], crypto.SHA256); err != nil || !k.pools[0].usedLast() {
		t.Fatalf("first token: %v", err)
	}
	destroy(t, h, "one")
	if sigs[1], err = k.Sign(t.Context(), digest[:], crypto.SHA256); err != nil || !k.pools[1].usedLast() {
		t.Fatalf("second token: %v", err)
	}
	if !bytes.Equal(sigs[0], sigs[1]) {
		t.Error("the tokens do not agree")
	}
}

// Every kind of key signs what the standard library verifies; the key that was
// made is the one that is found again, and no other.
func TestKinds(t *testing.T) {
	h := newHSM(t, "one")
	for _, alg := range []string{RSA2048, P256, P384, Ed25519} {
		t.Run(alg, func(t *testing.T) {
			h.generate("one", alg, alg)
			c := Config{Tokens: []Token{h.token("one")}, Label: alg, Now: time.Now}
			k, err := Open(c)
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			message, hash := digest[:], crypto.SHA256
			if alg == Ed25519 {
				message, hash = []byte("a message of any length, hashed by the token itself"), 0
			}
			var sigs [2][]byte
			for i := range sigs {
				if sigs[i], err = k.Sign(t.Context(), message, hash); err != nil {
					t.Fatal(err)
				}
				if !Verifies(k.Public(), hash, message, sigs[i]) {
					t.Error("the signature doesn't verify")
				}
			}
			if k.Deterministic() && !bytes.Equal(sigs[0], sigs[1]) {
				t.Error("a deterministic key signed one message twice with different signatures")
			}
			if alg == Ed25519 || alg == RSA2048 {
				if _, err := k.Sign(t.Context(), digest[:], crypto.SHA512); err == nil {
					t.Error("signed a digest of another hash")
				}
			}
			spki, err := x509.MarshalPKIXPublicKey(k.Public())
			if err != nil {
				t.Fatal(err)
			}
			c.SPKI = sha256.Sum256(spki)
			again, err := Open(c)
			if err != nil {
				t.Fatal(err)
			}
			again.Close()
			c.SPKI[0] ^= 1
			if _, err := Open(c); say.Code(err) != "token.otherkey" {
				t.Errorf("another key was expected: %v", err)
			}
			if err := Generate(h.token("one"), alg, alg); err == nil {
				t.Error("two keys under one label")
			}
		})
	}
}

func TestConfigRefuses(t *testing.T) {
	h := newHSM(t, "one")
	h.generate("one", label, P256)
	for name, change := range map[string]func(*Config){
		"":              func(*Config) {},
		"no token":      func(c *Config) { c.Tokens = nil },
		"no module":     func(c *Config) { c.Tokens[0].Module = nil },
		"no PIN":        func(c *Config) { c.Tokens[0].PIN = "" },
		"no label":      func(c *Config) { c.Label = "" },
		"many sessions": func(c *Config) { c.Sessions = 1000 },
		"no clock":      func(c *Config) { c.Now = nil },
		"no such token": func(c *Config) { c.Tokens[0].Label = "two" },
		"no such key":   func(c *Config) { c.Label = "other" },
	} {
		c := Config{Tokens: []Token{h.token("one")}, Label: label, Now: time.Now}
		change(&c)
		k, err := Open(c)
		if (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
		if err == nil {
			k.Close()
		}
	}
	if err := Generate(h.token("one"), "weak", "rsa1024"); err == nil {
		t.Error("a weak key")
	}
	if err := Generate(h.token("one"), "", P256); err == nil {
		t.Error("a key without a label")
	}
}
