package serve

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

const origin = "log.example/serve/1"

// site is a directory with everything that the roles of a small site need.
type site struct {
	t     *testing.T
	dir   string
	vkey  string
	roots map[zone.Zone]*zone.Root
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), roots: map[zone.Zone]*zone.Root{}}
	k, err := logkey.CreateFile(s.at("log.key"), origin, rand.Reader)
	s.must(err)
	s.vkey = k.VKey()
	for _, z := range []zone.Zone{zone.Juki, zone.LGWAN, zone.Open} {
		r, err := zone.NewRoot(z, time.Now(), rand.Reader)
		s.must(err)
		s.roots[z] = r
		s.write(string(z)+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Cert.Raw})), 0o644)
	}
	cert, err := s.roots[zone.Open].Issue("ledger", time.Now(), rand.Reader)
	s.must(err)
	s.must(zone.WritePEM(s.dir, "ledger", cert))
	return s
}

func (s *site) at(name string) string { return filepath.Join(s.dir, name) }

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) write(name, text string, mode os.FileMode) string {
	s.t.Helper()
	s.must(os.WriteFile(s.at(name), []byte(text), mode))
	return s.at(name)
}

// start runs a configuration until the returned function is called.
func (s *site) start(name, text string) (addresses map[string]string, stop func() error) {
	s.t.Helper()
	c, err := Load(s.write(name, text, 0o644))
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan map[string]string, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, c, Options{Ready: func(_ string, a map[string]string) error { ready <- a; return nil }})
	}()
	select {
	case a := <-ready:
		once := false
		stop = func() error {
			cancel()
			if once {
				return nil
			}
			once = true
			return <-ended
		}
		s.t.Cleanup(func() { _ = stop() })
		return a, stop
	case err := <-ended:
		cancel()
		return nil, func() error { return err }
	}
}

func (s *site) witness(n int) (url, vkey string) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	s.must(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	s.must(err)
	s.write(fmt.Sprintf("w%d.key", n), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), 0o600)
	a, stop := s.start(fmt.Sprintf("w%d.yaml", n), fmt.Sprintf(
		"format: 1\nrole: witness\nlisten: 127.0.0.1:0\nwitness:\n  dir: w%d\n  name: w%d.example\n  key: w%d.key\n  logs: [%q]\n", n, n, n, s.vkey))
	if a == nil {
		s.t.Fatal(stop())
	}
	return a["witness"], a["vkey"]
}

const ledgerYAML = `
format: 1
role: ledger
listen: 127.0.0.1:0
public: 127.0.0.1:0
tls:
  cert: ledger.pem
  key: ledger.key
  roots: {juki: juki.pem, lgwan: lgwan.pem, open: open.pem}
ledger:
  dir: store
  head: head
  origin: log.example/serve/1
  key: {file: log.key}
  policy: witness.policy
  publishEvery: 100ms
  writers:
    - {zone: lgwan, name: ca-server, by: [ca-server]}
  readers:
    - {zone: open, name: council}
  publicKinds: [log.genesis, status.root]
`

func (s *site) client(z zone.Zone, name, url string) *publish.Client {
	cert, err := s.roots[z].Issue(name, time.Now(), rand.Reader)
	s.must(err)
	c, err := publish.NewClient(url, zone.Peers{s.roots[zone.Open]}.Client(cert, 10*time.Second))
	s.must(err)
	return c
}

func event(seq uint64) []byte {
	at := entry.At(time.Now())
	b, err := entry.Entry{At: at, By: entry.ByCA, Seq: seq, Body: &entry.SecurityEvent{Code: "probe", Count: 1, From: at, To: at}}.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// A ledger and its witnesses as roles of their own: appends by those who may,
// cosigned checkpoints, entries kept from the public, a restart, and a backup
// that the witnesses don't let sign.
func TestLedgerAndWitnesses(t *testing.T) {
	s, ctx := newSite(t), context.Background()
	text, members := "log "+s.vkey+"\n", ""
	for n := 1; n <= 3; n++ {
		url, vkey := s.witness(n)
		text += fmt.Sprintf("witness w%d %s %s\n", n, vkey, url)
		members += fmt.Sprintf(" w%d", n)
	}
	text += "group g 2" + members + "\nquorum g\n"
	s.write("witness.policy", text, 0o644)
	policy, err := proof.ParsePolicy([]byte(text))
	s.must(err)

	a, stop := s.start("ledger.yaml", ledgerYAML)
	if a == nil {
		t.Fatal(stop())
	}
	ca := s.client(zone.LGWAN, entry.ByCA, a["append"])
	receipts, err := ca.Append(ctx, event(0))
	s.must(err)
	if len(receipts) != 1 {
		t.Fatalf("%d receipts", len(receipts))
	}
	for _, stranger := range []*publish.Client{s.client(zone.Juki, entry.ByCA, a["append"]), s.client(zone.LGWAN, "ca-link-server", a["append"])} {
		if _, err := stranger.Append(ctx, event(1)); !errors.Is(err, ledger.ErrWriter) {
			t.Errorf("a stranger's append: %v", err)
		}
	}
	published := func() uint64 {
		_, b := get(t, a["public"]+"/ledger/checkpoint")
		cp, err := policy.VerifyCheckpoint([]byte(b))
		if err != nil {
			return 0
		}
		return cp.Size
	}
	for deadline := time.Now().Add(20 * time.Second); published() < 2; {
		if time.Now().After(deadline) {
			t.Fatal("no checkpoint with a quorum was published")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if status, _ := get(t, a["public"]+"/ledger/entry/0"); status != http.StatusOK {
		t.Errorf("a public kind: %d", status)
	}
	if status, _ := get(t, fmt.Sprintf("%s/ledger/entry/%d", a["public"], receipts[0].Index)); status != http.StatusForbidden {
		t.Errorf("an entry that is not public: %d", status)
	}
	if _, err := s.client(zone.Open, "council", a["append"]).Entry(ctx, receipts[0].Index); err != nil {
		t.Errorf("the council can't read: %v", err)
	}
	if status, b := get(t, a["public"]+"/healthz"); status != http.StatusOK || b != "ok\n" {
		t.Errorf("healthz: %d %q", status, b)
	}
	if _, b := get(t, a["public"]+"/metrics"); !strings.Contains(b, "sukashi_ledger_entries ") || !strings.Contains(b, `service="read"`) {
		t.Errorf("metrics: %s", b)
	}
	s.must(stop())
	s.must(os.CopyFS(s.at("backup"), os.DirFS(s.at("store"))))
	s.must(os.CopyFS(s.at("backup-head"), os.DirFS(s.at("head"))))

	a, stop = s.start("ledger.yaml", ledgerYAML)
	if a == nil {
		t.Fatal(stop())
	}
	before := published()
	_, err = s.client(zone.LGWAN, entry.ByCA, a["append"]).Append(ctx, event(1))
	s.must(err)
	for deadline := time.Now().Add(20 * time.Second); published() <= before; {
		if time.Now().After(deadline) {
			t.Fatal("nothing was published after the restart")
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.must(stop())

	// The backup with its head: only the witnesses know better.
	a, stop = s.start("restored.yaml", strings.NewReplacer("dir: store", "dir: backup", "head: head", "head: backup-head").Replace(ledgerYAML))
	if a != nil {
		t.Fatal("a restored backup may sign")
	}
	if err := stop(); !strings.HasPrefix(say.Code(err), "witness.") {
		t.Errorf("refused with %s: %v", say.Code(err), err)
	}
}

func TestConfigIsStrict(t *testing.T) {
	s := newSite(t)
	good := s.write("good.yaml", ledgerYAML, 0o644)
	if _, err := Load(good); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string][2]string{
		"unknown member":      {"format: 1", "format: 1\nfromat: 1"},
		"member twice":        {"format: 1", "format: 1\nformat: 1"},
		"another format":      {"format: 1", "format: 2"},
		"another role":        {"role: ledger", "role: council"},
		"everywhere unasked":  {"listen: 127.0.0.1:0", "listen: ':8443'"},
		"no TLS":              {"  cert: ledger.pem\n", ""},
		"zone of no network":  {"lgwan: lgwan.pem", "internet: lgwan.pem"},
		"writer without root": {"zone: lgwan, name: ca-server", "zone: home, name: ca-server"},
		"writer as the log":   {"by: [ca-server]", "by: [log]"},
		"unknown kind":        {"status.root]", "status.toor]"},
		"head in the store":   {"head: head", "head: store/head"},
		"head is the store":   {"head: head", "head: ./store"},
		"two kinds of key":    {"key: {file: log.key}", "key: {file: log.key, label: x}"},
		"half a token":        {"key: {file: log.key}", "key: {module: m, label: x}"},
		"too often":           {"publishEvery: 100ms", "publishEvery: 1ms"},
		"no policy":           {"  policy: witness.policy\n", ""},
		"another section":     {"ledger:\n", "witness: {dir: a, name: b, key: c, logs: [d]}\nledger:\n"},
	} {
		text := strings.Replace(ledgerYAML, r[0], r[1], 1)
		if text == ledgerYAML {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := Load(s.write("bad.yaml", text, 0o644)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	s.must(os.Chmod(s.at("log.key"), 0o644))
	s.write("witness.policy", "log "+s.vkey+"\nquorum none\n", 0o644)
	if a, stop := s.start("ledger.yaml", ledgerYAML); a != nil || say.Code(stop()) != "logkey.mode" {
		t.Error("a key that others can read is used")
	}
}
