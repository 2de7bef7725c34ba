package ceremony

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// officerKey is an officer's key by name.
func officerKey(id string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("officer " + id))
	return ed25519.NewKeyFromSeed(seed[:])
}

func officers(ids ...string) (out []Officer) {
	for _, id := range ids {
		out = append(out, Officer{ID: id, Key: base64.StdEncoding.EncodeToString(officerKey(id).Public().(ed25519.PublicKey))})
	}
	return out
}

// room is where ceremonies are held: a real log engine and real keys.
type room struct {
	t      testing.TB
	dir    string
	cfg    *Config
	engine *trillianlog.Engine
	host   Host
	now    time.Time
}

// newRoom has software keys of the algorithm, or ones on a token.
func newRoom(t testing.TB, alg string, onToken bool) *room {
	t.Helper()
	// An hour ago: acts move the clock on, and openssl and Java go by the real one.
	r := &room{t: t, dir: t.TempDir(), now: time.Now().UTC().Truncate(time.Second).Add(-time.Hour)}
	skey, vkey, err := note.GenerateKey(rand.Reader, "log.test/ceremony")
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	r.engine, err = trillianlog.Open(t.Context(), trillianlog.Config{Dir: "/ledger", HeadDir: "/head", Origin: "log.test/ceremony", Signer: signer, VKey: vkey,
		Now: func() time.Time { return r.now }, CacheBytes: 1 << 20, FS: kv.NewCrashableFS()})
	must(t, err)
	t.Cleanup(func() { r.engine.Close() })
	r.cfg = &Config{Format: 1, Dir: filepath.Join(r.dir, "ca"), Journals: filepath.Join(r.dir, "journals"), Base: "http://127.0.0.1:8080", Threshold: 2,
		Officers: officers("officer-a", "officer-b", "officer-c"), Issuer: KeyKind{alg}, Responder: KeyKind{"p256"}, Log: LogConfig{VKey: vkey, Store: "x", Head: "x", KeyFile: "x"}}
	secret := filepath.Join(r.dir, "secret")
	if onToken {
		r.useToken(keystoretest.Tokens(t, "ceremony")[0])
	} else {
		must(t, os.WriteFile(secret, []byte("demo passphrase\n"), 0o600))
		r.cfg.Software, r.cfg.Demo = &Software{Dir: filepath.Join(r.dir, "keys"), PassphraseFile: secret}, true
	}
	must(t, r.cfg.validate())
	if onToken {
		return r
	}
	host, closeHost, err := OpenHost(r.cfg)
	must(t, err)
	t.Cleanup(func() { must(t, closeHost()) })
	r.host = host
	return r
}

// useToken puts the keys of a room on a token.
func (r *room) useToken(tok keystore.Token) {
	r.cfg.Token = &Token{Module: "/usr/lib/softhsm/libsofthsm2.so", Label: tok.Label, PINFile: filepath.Join(r.dir, "pin")}
	r.cfg.Software, r.cfg.Demo = nil, false
	r.host = &tokenHost{tok}
}

func (r *room) ceremony() *Ceremony {
	r.t.Helper()
	c, err := New(r.cfg, Env{Log: r.engine, Reader: r.engine, Host: r.host, Now: func() time.Time { return r.now }, Rand: rand.Reader})
	must(r.t, err)
	return c
}

// approve lets officers approve a plan.
func (r *room) approve(p *Plan, ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		a, err := p.Approve(officerKey(id))
		must(r.t, err)
		must(r.t, r.ceremony().KeepApproval(a))
	}
}

// hold approves a plan with two officers and runs it.
func (r *room) hold(p *Plan, err error) *Result {
	r.t.Helper()
	return r.holdWith(p, err, nil)
}

func (r *room) holdWith(p *Plan, err error, other []byte) *Result {
	r.t.Helper()
	must(r.t, err)
	r.approve(p, "officer-a", "officer-c")
	out, err := r.ceremony().Run(r.t.Context(), p, other)
	must(r.t, err)
	r.now = r.now.Add(time.Second)
	return out
}

// bodies returns the operator's entries of the log.
func (r *room) bodies() (out []entry.Body) {
	r.t.Helper()
	size, err := r.engine.Size(r.t.Context())
	must(r.t, err)
	must(r.t, r.engine.Entries(r.t.Context(), 0, size, func(_ uint64, b []byte) error {
		e, err := entry.Parse(b)
		if err == nil && e.By == entry.ByOperator {
			out = append(out, e.Body)
		}
		return err
	}))
	return out
}

func (r *room) generations() []Generation {
	r.t.Helper()
	gs, err := Generations(r.cfg)
	must(r.t, err)
	return gs
}

func kinds(bodies []entry.Body) string {
	var s []string
	for _, b := range bodies {
		s = append(s, string(b.Kind()))
	}
	return strings.Join(s, " ")
}

// pem writes a file for other programs and returns its name.
func (r *room) pem(name, typ string, ders ...[]byte) string {
	r.t.Helper()
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})...)
	}
	path := filepath.Join(r.dir, name)
	must(r.t, os.WriteFile(path, out, 0o600))
	return path
}

func (r *room) file(parts ...string) []byte {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	must(r.t, err)
	return b
}

// tool runs another program; a machine without it skips the test.
func (r *room) tool(ok bool, contains, name string, args ...string) {
	r.t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		r.t.Skipf("skipped: %s is not installed", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	if (err == nil) != ok || !strings.Contains(string(out), contains) {
		r.t.Errorf("%s %s: wanted success %v and %q, got %v:\n%s", name, strings.Join(args, " "), ok, contains, err, out)
	}
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	must(t, err)
	return c
}

var errCrash = errors.New("crash")

// crasher makes the n-th step and all after it fail, as a killed process does.
type crasher struct {
	mu    sync.Mutex
	left  int
	steps []string
}

func (c *crasher) at(step string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps = append(c.steps, step)
	if c.left == 0 {
		return fmt.Errorf("%w at %s", errCrash, step)
	}
	c.left--
	return nil
}
