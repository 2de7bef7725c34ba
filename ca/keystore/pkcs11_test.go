//go:build cgo

package keystore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

const pin = "1234"

// hsm is a SoftHSM of a test's own with freshly made tokens.
type hsm struct {
	t   testing.TB
	mod *Module
	dir string
}

func newHSM(t testing.TB, tokens ...string) *hsm {
	t.Helper()
	if _, err := os.Stat(softHSM); err != nil {
		t.Skip("skipped: softhsm2 is not installed")
	}
	util, err := exec.LookPath("softhsm2-util")
	if err != nil {
		t.Skip("skipped: softhsm2-util is not installed")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	store := filepath.Join(dir, "tokens")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	text := "directories.tokendir = " + store + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	for _, label := range tokens {
		out, err := exec.Command(util, "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "5678").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	mod, err := OpenModule(softHSM, "")
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

func (h *hsm) token(label string) Token { return Token{Module: h.mod, Label: label, PIN: pin} }

func (h *hsm) generate(token, label, alg string) {
	h.t.Helper()
	if err := GenerateToken(h.token(token), label, alg); err != nil {
		h.t.Fatal(err)
	}
}

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

func TestTokenSigns(t *testing.T) {
	h := newHSM(t, "one")
	for _, alg := range []string{RSA2048, P256} {
		t.Run(alg, func(t *testing.T) {
			l := newLog(t)
			label := LabelIssuer + "-" + alg
			h.generate("one", label, alg)
			c := TokenConfig{Tokens: []Token{h.token("one")}, Label: label, Gate: GateConfig{Log: l.Policy(), Journal: t.TempDir(), Now: clock}}
			k, err := OpenToken(c)
			if err != nil {
				t.Fatal(err)
			}
			if k.Demo() {
				t.Error("a token's key says that it is a demo key")
			}
			tbs, logged := intent(t, l, k.KeyID(), 0)
			sig, err := k.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt)
			if err != nil {
				t.Fatal(err)
			}
			checkSignature(t, k, tbs, sig)
			again, err := k.Resume(t.Context(), tbs, logged.Bytes, logged.Receipt)
			if alg == RSA2048 && (err != nil || !bytes.Equal(sig, again)) {
				t.Errorf("RSA is deterministic: %v", err)
			}
			if alg == P256 && !errors.Is(err, ErrNotDeterministic) {
				t.Errorf("a token's ECDSA is not: %v", err)
			}
			id := k.KeyID()
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			c.KeyID = id
			k, err = OpenToken(c)
			if err != nil {
				t.Fatal(err)
			}
			k.Close()
			c.KeyID = entry.Sum([]byte("another"))
			if _, err := OpenToken(c); say.Code(err) != "keystore.otherkey" {
				t.Errorf("another key was expected: %v", err)
			}
			if err := GenerateToken(h.token("one"), label, alg); err == nil {
				t.Error("two keys under one label")
			}
		})
	}
}

func TestTokenResponder(t *testing.T) {
	h := newHSM(t, "one")
	h.generate("one", LabelOCSP, P256)
	c := TokenConfig{Tokens: []Token{h.token("one")}, Label: LabelOCSP, Gate: GateConfig{Journal: t.TempDir(), Now: clock}}
	r, err := OpenTokenResponder(c)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.SignResponse(t.Context(), response); err != nil || r.Demo() {
		t.Errorf("%v", err)
	}
	if _, err := OpenToken(c); err == nil {
		t.Error("a responder's key opened as an issuer's")
	}
	c.Label = LabelIssuer
	if _, err := OpenTokenResponder(c); err == nil {
		t.Error("an issuer's key opened as a responder's")
	}
}

// tokenKey is an RSA key on the first token and, as a copy, on the others.
func tokenKey(t testing.TB, h *hsm, now func() time.Time, tokens ...string) *gated {
	t.Helper()
	c := TokenConfig{Label: LabelIssuer, Sessions: 4, Gate: GateConfig{Log: newLog(t).Policy(), Journal: t.TempDir(), Now: now}}
	for _, n := range tokens {
		h.load(n, LabelIssuer, rsaKey(), false)
		c.Tokens = append(c.Tokens, h.token(n))
	}
	k, err := OpenToken(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k.(*gated)
}

// Sessions die again and again under load: no wrong answer, and after each loss
// the next signature works.
func TestLostSessionsUnderLoad(t *testing.T) {
	h := newHSM(t, "one")
	k := tokenKey(t, h, time.Now, "one")
	digest := entry.Sum([]byte("digest"))
	const losses = 60
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
				sig, err := k.b.sign(context.Background(), digest[:], crypto.SHA256)
				between.RUnlock()
				switch {
				case err != nil:
					failed.Add(1)
				case !verifies(k.Public(), crypto.SHA256, digest[:], sig):
					t.Error("a wrong signature")
				default:
					signed.Add(1)
				}
			}
		})
	}
	var worst time.Duration
	for range losses {
		between.Lock()
		before := signed.Load()
		h.lose("one")
		start := time.Now()
		between.Unlock()
		for signed.Load() < before+2 && time.Since(start) < 5*time.Second {
			time.Sleep(50 * time.Microsecond) // let the others sign
		}
		if signed.Load() < before+2 {
			t.Fatal("no signature within five seconds after a loss")
		}
		worst = max(worst, time.Since(start))
	}
	stop()
	wg.Wait()
	t.Logf("%d losses, %d signatures, %d failures, slowest recovery %s", losses, signed.Load(), failed.Load(), worst)
}

// A token whose key is gone is left alone after some failures, the next one
// signs, and after the cooldown the first one is asked again.
func TestFailover(t *testing.T) {
	h := newHSM(t, "one", "two")
	now := noon
	k := tokenKey(t, h, func() time.Time { return now }, "one", "two")
	pools := k.b.(*tokens).pools
	digest := entry.Sum([]byte("digest"))
	sign := func() {
		t.Helper()
		sig, err := k.b.sign(t.Context(), digest[:], crypto.SHA256)
		if err != nil || !verifies(k.Public(), crypto.SHA256, digest[:], sig) {
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
	h.load("one", LabelIssuer, rsaKey(), false)
	now = now.Add(2 * time.Second)
	pools[1].last = false
	sign()
	if pools[0].resting() || pools[1].usedLast() {
		t.Error("the repaired token is not asked")
	}
	destroy(t, h, "one")
	destroy(t, h, "two")
	if _, err := k.b.sign(t.Context(), digest[:], crypto.SHA256); !errors.Is(err, errNoToken) {
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
	k := tokenKey(t, h, clock, "one")
	destroy(t, h, "one")
	h.generate("one", LabelIssuer, RSA2048)
	digest := entry.Sum([]byte("digest"))
	if sig, err := k.b.sign(t.Context(), digest[:], crypto.SHA256); err == nil {
		t.Errorf("signed with another key: %x", sig[:4])
	}
}

func TestExtractableKeyIsRefused(t *testing.T) {
	h := newHSM(t, "one")
	h.load("one", LabelIssuer, rsaKey(), true)
	_, err := OpenToken(TokenConfig{Tokens: []Token{h.token("one")}, Label: LabelIssuer,
		Gate: GateConfig{Log: newLog(t).Policy(), Journal: t.TempDir(), Now: clock}})
	if say.Code(err) != "keystore.token" {
		t.Errorf("%v", err)
	}
}

// A wrong PIN is tried once and never again.
func TestWrongPINIsTriedOnce(t *testing.T) {
	h := newHSM(t, "one")
	k := tokenKey(t, h, clock, "one")
	p := k.b.(*tokens).pools[0]
	p.tok.PIN = "9999"
	h.lose("one") // logs out too
	p.evict()
	digest := entry.Sum([]byte("digest"))
	for range 5 {
		if _, err := k.b.sign(t.Context(), digest[:], crypto.SHA256); err == nil {
			t.Fatal("signed with a wrong PIN")
		}
	}
	p.tok.PIN = pin // even the right one: an operator has to look
	if _, err := k.b.sign(t.Context(), digest[:], crypto.SHA256); err == nil {
		t.Error("the PIN was tried again")
	}
	if p.pin == nil {
		t.Error("the refusal was forgotten")
	}
}

func TestTokenConfigRefuses(t *testing.T) {
	h := newHSM(t, "one")
	good := func() TokenConfig {
		return TokenConfig{Tokens: []Token{h.token("one")}, Label: LabelIssuer, Gate: GateConfig{Log: newLog(t).Policy(), Journal: t.TempDir(), Now: clock}}
	}
	for name, change := range map[string]func(*TokenConfig){
		"no token":       func(c *TokenConfig) { c.Tokens = nil },
		"no module":      func(c *TokenConfig) { c.Tokens[0].Module = nil },
		"no PIN":         func(c *TokenConfig) { c.Tokens[0].PIN = "" },
		"label":          func(c *TokenConfig) { c.Label = "key" },
		"many sessions":  func(c *TokenConfig) { c.Sessions = 1000 },
		"no clock":       func(c *TokenConfig) { c.Gate.Now = nil },
		"no log":         func(c *TokenConfig) { c.Gate.Log = nil },
		"no such token":  func(c *TokenConfig) { c.Tokens[0].Label = "two" },
		"no such key":    func(c *TokenConfig) { c.Label = LabelIssuer + "-other" },
		"no such key id": func(c *TokenConfig) { c.KeyID = entry.Sum(nil) },
	} {
		c := good()
		change(&c)
		if _, err := OpenToken(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := OpenModule(filepath.Join(h.dir, "nothing.so"), ""); err == nil {
		t.Error("a library that is not there")
	}
	if err := GenerateToken(h.token("one"), LabelIssuer, "rsa1024"); err == nil {
		t.Error("a weak key")
	}
	if err := GenerateToken(h.token("one"), "key", P256); err == nil {
		t.Error("a label without a role")
	}
}

func BenchmarkTokenSign(b *testing.B) {
	for _, alg := range []string{RSA2048, P256} {
		b.Run(alg, func(b *testing.B) {
			h := newHSM(b, "one")
			h.generate("one", LabelIssuer, alg)
			t, err := openTokens(TokenConfig{Tokens: []Token{h.token("one")}, Label: LabelIssuer, Sessions: 8, Failures: 3, Gate: GateConfig{Now: clock}})
			if err != nil {
				b.Fatal(err)
			}
			defer t.close()
			digest := entry.Sum([]byte("digest"))
			b.SetParallelism(4)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := t.sign(context.Background(), digest[:], crypto.SHA256); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sign/s")
		})
	}
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
	h.load("one", LabelIssuer, rsaKey(), false)
	second.load(nss.Label, LabelIssuer, rsaKey(), false)
	l := newLog(t)
	k, err := OpenToken(TokenConfig{Tokens: []Token{h.token("one"), nss}, Label: LabelIssuer, Gate: GateConfig{Log: l.Policy(), Journal: t.TempDir(), Now: clock}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	pools := k.(*gated).b.(*tokens).pools
	var sigs [2][]byte
	tbs, logged := intent(t, l, k.KeyID(), 0)
	if sigs[0], err = k.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt); err != nil || !pools[0].usedLast() {
		t.Fatalf("first token: %v", err)
	}
	destroy(t, h, "one")
	if sigs[1], err = k.Resume(t.Context(), tbs, logged.Bytes, logged.Receipt); err != nil || !pools[1].usedLast() {
		t.Fatalf("second token: %v", err)
	}
	if !bytes.Equal(sigs[0], sigs[1]) {
		t.Error("the tokens do not agree")
	}
}
