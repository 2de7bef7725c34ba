package witness

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/say"
)

// liteModule is the witness that others run, for interoperation.
const liteModule = "filippo.io/torchwood/cmd/litewitness@v0.9.0"

// liteWitness installs litewitness, gives it a log and an SSH agent with a
// key, and starts it on loopback. It skips the test where that can't be done.
func liteWitness(t *testing.T, l *testLog) (url, vkey string) {
	t.Helper()
	skip := func(why string, args ...any) {
		t.Helper()
		t.Skip("interoperation with litewitness not tested: " + fmt.Sprintf(why, args...))
	}
	if testing.Short() {
		skip("-short")
	}
	sqlite, err := exec.LookPath("sqlite3")
	if err != nil {
		skip("there is no sqlite3 command to configure it with (Debian: apt install sqlite3)")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	install := exec.CommandContext(ctx, "go", "install", liteModule)
	install.Env = append(os.Environ(), "GOBIN="+dir)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		skip("go install: %v: %s", err, lastLine(out))
	}

	db := filepath.Join(dir, "w.db")
	empty := l.root(0)
	sql := fmt.Sprintf(`CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);
CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));
INSERT INTO log VALUES ('%s', 0, '%s'); INSERT INTO key VALUES ('%s', '%s');`,
		origin, base64.StdEncoding.EncodeToString(empty[:]), origin, l.vkey)
	if out, err := exec.CommandContext(ctx, sqlite, db, sql).CombinedOutput(); err != nil {
		t.Fatalf("sqlite3: %v: %s", err, out)
	}

	key := seed("litewitness")
	sock := serveAgent(t, key)
	pub, err := ssh.NewPublicKey(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "litewitness"), "-name", "lite.example", "-db", db,
		"-ssh-agent", sock, "-key", ssh.FingerprintSHA256(pub), "-listen", addr)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	sc := bufio.NewScanner(stderr)
	for sc.Scan() {
		line := sc.Text()
		if _, v, ok := strings.Cut(line, "vkey="); ok {
			vkey = strings.Trim(strings.Fields(v)[0], `"`)
		}
		if strings.Contains(line, "msg=listening") {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			awaitPort(t, addr)
			return "http://" + addr, vkey
		}
	}
	t.Fatal("litewitness ended before it listened")
	return "", ""
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// awaitPort dials until somebody answers.
func awaitPort(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
	}
	t.Fatal("litewitness doesn't listen")
}

// serveAgent is an SSH agent with one key on a socket.
func serveAgent(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "w") // socket paths are limited to 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(dir, "a")
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, c); c.Close() }()
		}
	}()
	return sock
}

// TestLiteWitness: our client gets cosignatures from litewitness, and our
// server answers the same requests with the same statuses.
func TestLiteWitness(t *testing.T) {
	l := newLog(t, "a").grow(t, 40, "entry")
	fork := newLog(t, "a").grow(t, 9, "entry").grow(t, 31, "forked")
	other := newLog(t, "b").grow(t, 40, "entry")
	url, vkey := liteWitness(t, l)
	ours := open(t, t.TempDir(), "ours.example", l.vkey)
	h := httptest.NewServer(ours)
	t.Cleanup(h.Close)

	changed := bytes.Replace(l.checkpoint(t, 20), []byte("\n20\n"), []byte("\n21\n"), 1)
	unknown := bytes.ReplaceAll(l.checkpoint(t, 20), []byte(origin), []byte("unknown.example"))
	for _, s := range []struct {
		name   string
		body   []byte
		status int
	}{
		{"size that it doesn't have", marshalRequest(3, nil, l.checkpoint(t, 5)), 409},
		{"first", marshalRequest(0, nil, l.checkpoint(t, 10)), 200},
		{"same again", marshalRequest(10, nil, l.checkpoint(t, 10)), 200},
		{"same size, other root", marshalRequest(10, nil, fork.checkpoint(t, 10)), 422},
		{"from 0 again", marshalRequest(0, nil, l.checkpoint(t, 20)), 409},
		{"next", marshalRequest(10, l.prove(t, 10, 20), l.checkpoint(t, 20)), 200},
		{"back", marshalRequest(20, nil, l.checkpoint(t, 10)), 400},
		{"fork", marshalRequest(20, fork.prove(t, 20, 30), fork.checkpoint(t, 30)), 422},
		{"wrong proof", marshalRequest(20, l.prove(t, 19, 30), l.checkpoint(t, 30)), 422},
		{"other key", marshalRequest(20, other.prove(t, 20, 30), other.checkpoint(t, 30)), 403},
		{"changed text", marshalRequest(20, nil, changed), 403},
		{"unknown log", marshalRequest(0, nil, unknown), 404},
		{"no blank line", []byte("old 20\n"), 400},
		{"64 hashes", marshalRequest(20, make([]tlog.Hash, 64), l.checkpoint(t, 30)), 400},
	} {
		for who, u := range map[string]string{"litewitness": url, "ours": h.URL} {
			res, err := http.Post(u+"/add-checkpoint", "", bytes.NewReader(s.body))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != s.status {
				t.Errorf("%s: %s answers %d, want %d: %s", s.name, who, res.StatusCode, s.status, b)
			}
		}
	}

	p := policyOf(t, l, "all", map[string]string{"w1": url, "w2": h.URL}, map[string]string{"w1": vkey, "w2": ours.VKey()})
	c, err := NewClient(ClientConfig{Policy: p, HTTP: http.DefaultClient, Timeout: 20 * time.Second, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, size := range []int64{25, 26, 40} {
		b, err := c.Cosign(ctx, l.checkpoint(t, size), func(old uint64) ([]tlog.Hash, error) { return l.prove(t, int64(old), size), nil })
		if err != nil {
			t.Fatal(err)
		}
		if cp, err := p.VerifyCheckpoint(b); err != nil || len(cp.Cosigned) != 2 {
			t.Fatal(cp, err)
		}
	}
	// litewitness serves no checkpoints; the check after a restore works by asking.
	only := policyOf(t, l, "all", map[string]string{"w1": url}, map[string]string{"w1": vkey})
	if c, err = NewClient(ClientConfig{Policy: only, HTTP: http.DefaultClient, Timeout: 20 * time.Second, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		l    *testLog
		size int64
		code string
	}{{l, 39, "witness.ahead"}, {fork, 40, "witness.fork"}, {l, 40, ""}} {
		err := c.CheckSigned(ctx, x.l.checkpoint(t, x.size), func(old uint64) ([]tlog.Hash, error) { return x.l.prove(t, int64(old), x.size), nil })
		if (err == nil) != (x.code == "") || err != nil && say.Code(err) != x.code {
			t.Errorf("head of %d: want %q, got %v", x.size, x.code, err)
		}
	}
}
