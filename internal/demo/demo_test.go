package demo

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/canary"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/world"
)

// recorder keeps every byte that a server took.
type recorder struct {
	mu  sync.Mutex
	got map[string]*bytes.Buffer
}

func (r *recorder) tap(server string, req *http.Request, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.got[server]
	if b == nil {
		b = new(bytes.Buffer)
		r.got[server] = b
	}
	fmt.Fprintf(b, "%s %s %v\n", req.Method, req.URL, req.Header)
	b.Write(body)
	b.WriteByte('\n')
}

// tell runs a story and returns its directory, what it printed, and what its
// servers took.
func tell(t *testing.T, residents int, mode string) (string, string, *recorder) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "story")
	rec := &recorder{got: map[string]*bytes.Buffer{}}
	var out bytes.Buffer
	err := Run(context.Background(), Options{Dir: dir, Residents: residents, Seed: 3, NoticeMode: mode, CardKey: "p256",
		Lang: say.English, Out: &out, tap: rec.tap})
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	return dir, out.String(), rec
}

// The canary test: in a demo of 1,000 residents nothing outside the register's
// zone holds a resident code, or a new name or address that no certificate
// ever carried; neither in any file or store, nor in the registry with its
// seals opened, nor in anything that a server outside that zone ever took.
func TestCanary(t *testing.T) {
	residents := 1000
	if testing.Short() {
		residents = 60
	}
	dir, _, rec := tell(t, residents, "reference")
	lines := canaryLines(t, dir)
	if len(lines) < residents {
		t.Fatalf("only %d canaries for %d residents", len(lines), residents)
	}
	net := canary.NewNet(lines)
	res, err := canary.Tree(dir, []string{"juki"}, net)
	if err != nil {
		t.Fatal(err)
	}
	hits := res.Hits
	if b := rec.got["business-subsystem"]; b == nil || len(net.Scan("M2", b.Bytes())) == 0 {
		t.Error("no change came from a terminal to the business subsystem: the search would find nothing anywhere")
	}
	for server, b := range rec.got {
		if server != "ca-link-server" && server != "business-subsystem" { // the register's own servers
			hits = append(hits, net.Scan("taken by "+server, b.Bytes())...)
		}
	}
	hits = append(hits, opened(t, dir, net)...)
	for _, h := range hits {
		t.Error(h)
	}
	t.Logf("%d canaries in %d forms; %d files, %d stores, %d bytes, %d servers: %d hits", len(lines), net.Patterns(), res.Files, res.Stores, res.Bytes, len(rec.got), len(hits))
	if res.Stores < 2 || res.Files < 100 || len(rec.got) < 5 {
		t.Errorf("the search was not complete: %d stores, %d files, %d servers", res.Stores, res.Files, len(rec.got))
	}
	plant(t, dir, lines, net)
}

// plant puts each form of a canary into a file and expects to find it: a
// search that finds nothing proves nothing by itself.
func plant(t *testing.T, dir string, lines []string, net *canary.Net) {
	for _, line := range []string{lines[0], lines[len(lines)-1]} {
		for _, f := range canary.Forms(line) {
			if len(f.Bytes) < canary.MinBytes {
				continue
			}
			path := filepath.Join(dir, "out", "planted")
			if err := os.WriteFile(path, append([]byte("leak: "), f.Bytes...), 0o644); err != nil {
				t.Fatal(err)
			}
			res, err := canary.Tree(filepath.Join(dir, "out"), []string{"entries", "certs", "receipts", "crl"}, net)
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Hits) == 0 {
				t.Errorf("a planted leak as %s is not found", f.Name)
			}
			os.Remove(path)
		}
	}
}

func canaryLines(t *testing.T, dir string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "juki", "canaries.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return canary.Lines(b)
}

// opened searches the registry's records with their seals opened: encryption
// must not be what keeps a canary out of sight.
func opened(t *testing.T, dir string, net *canary.Net) (hits []canary.Hit) {
	t.Helper()
	ca := filepath.Join(dir, "ca")
	h, err := os.ReadFile(world.RegistryKeyFile(ca))
	if err != nil {
		t.Fatal(err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(h)))
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(filepath.Join(ca, "registry"), registry.Config{Key: key, Rand: strings.NewReader("")})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	size, err := reg.Size()
	if err != nil || size == 0 {
		t.Fatalf("registry of %d records: %v", size, err)
	}
	for o := range size {
		r, err := reg.Get(o)
		if err != nil {
			t.Fatal(err)
		}
		hits = append(hits, net.Scan(fmt.Sprintf("registry record %d", o), fmt.Appendf(nil, "%+v\n%s\n%s", r, r.TBS, r.DER))...)
	}
	return hits
}

// The story holds in echo mode too, and leaves what outsiders need.
func TestEchoStory(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a quick run tells the story once, in TestCanary")
	}
	dir, out, _ := tell(t, 40, "echo")
	for _, want := range []string{"detected", "sukashi verify"} {
		if !strings.Contains(out, want) {
			t.Errorf("the story doesn't say %q", want)
		}
	}
	for _, f := range []string{"log.vkey", "witness.policy", "issuer.pem", "certs/0.pem", "crl/full.crl", "receipts/0.status", "report.json",
		"report.html", "endpoints.json", "entries/1.json", "entries/1.tlog-proof", "applications/live.p7m"} {
		if _, err := os.Stat(filepath.Join(dir, "out", f)); err != nil {
			t.Error(err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	used := t.TempDir()
	os.WriteFile(filepath.Join(used, "x"), []byte("mine"), 0o644)
	other := t.TempDir()
	os.WriteFile(filepath.Join(other, "format"), []byte("sukashi demo 0\n"), 0o644)
	foreign := t.TempDir()
	os.WriteFile(filepath.Join(foreign, "format"), []byte("png"), 0o644)
	same := t.TempDir()
	os.WriteFile(filepath.Join(same, "format"), []byte(formatLine), 0o644)
	for code, o := range map[string]Options{
		"demo.residents":     {Residents: 3},
		"demo.notice":        {NoticeMode: "postcard"},
		"demo.cardkey":       {NoticeMode: "echo", CardKey: "dsa"},
		"demo.addr":          {NoticeMode: "echo", CardKey: "p256", Addr: "nowhere"},
		"demo.addr.loopback": {NoticeMode: "echo", CardKey: "p256", Addr: "0.0.0.0:80"},
		"demo.dir.notempty":  {NoticeMode: "echo", CardKey: "p256", Dir: used},
		"demo.dir.version":   {NoticeMode: "echo", CardKey: "p256", Dir: other},
		"demo.dir.foreign":   {NoticeMode: "echo", CardKey: "p256", Dir: foreign},
		"demo.dir.used":      {NoticeMode: "echo", CardKey: "p256", Dir: same},
	} {
		err := Run(context.Background(), o)
		var e *say.Error
		if !errors.As(err, &e) || e.Code != code || e.Hints.JA == "" && !strings.HasPrefix(code, "demo.notice") && !strings.HasPrefix(code, "demo.cardkey") && code != "demo.addr" {
			t.Errorf("%s: got %v", code, err)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(used, "x")); string(b) != "mine" {
		t.Error("a foreign directory was changed")
	}
}
