package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

const origin = "log.example/sukashi"

func seed(s string) ed25519.PrivateKey {
	h := sha256.Sum256([]byte(s))
	return ed25519.NewKeyFromSeed(h[:])
}

// testLog is a log in memory.
type testLog struct {
	signer note.Signer
	vkey   string
	hashes []tlog.Hash
	n      int64
}

func newLog(t testing.TB, keySeed string) *testLog {
	t.Helper()
	h := sha256.Sum256([]byte(keySeed))
	skey, vkey, err := note.GenerateKey(bytes.NewReader(append(h[:], h[:]...)), origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return &testLog{signer: s, vkey: vkey}
}

func (l *testLog) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(is []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(is))
		for i, x := range is {
			out[i] = l.hashes[x]
		}
		return out, nil
	})
}

func (l *testLog) grow(t testing.TB, n int, what string) *testLog {
	t.Helper()
	for range n {
		hs, err := tlog.StoredHashes(l.n, fmt.Appendf(nil, "%s %d", what, l.n), l.reader())
		if err != nil {
			t.Fatal(err)
		}
		l.hashes = append(l.hashes, hs...)
		l.n++
	}
	return l
}

func (l *testLog) root(size int64) tlog.Hash {
	if size == 0 {
		return sha256.Sum256(nil)
	}
	h, err := tlog.TreeHash(size, l.reader())
	if err != nil {
		panic(err)
	}
	return h
}

func (l *testLog) sign(t testing.TB, text string) []byte {
	t.Helper()
	b, err := note.Sign(&note.Note{Text: text}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (l *testLog) checkpoint(t testing.TB, size int64) []byte {
	return l.sign(t, fmt.Sprintf("%s\n%d\n%s\n", origin, size, l.root(size)))
}

func (l *testLog) prove(t testing.TB, old, size int64) []tlog.Hash {
	t.Helper()
	if old == 0 || old == size {
		return nil
	}
	p, err := tlog.ProveTree(size, old, l.reader())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var noon = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func open(t testing.TB, dir, name string, logs ...string) *Server {
	t.Helper()
	s, err := Open(Config{Dir: dir, Name: name, Key: seed(name), Logs: logs, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// post makes a raw request to a witness's handler.
func post(t testing.TB, s http.Handler, body []byte) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/any/prefix/add-checkpoint", bytes.NewReader(body)))
	return w.Result()
}

// policyOf is a trust policy over witnesses with their URLs.
func policyOf(t testing.TB, l *testLog, threshold string, ws map[string]string, vkeys map[string]string) *proof.Policy {
	t.Helper()
	text := "log " + l.vkey + "\n"
	names := ""
	for _, n := range []string{"w1", "w2", "w3"} {
		if v, ok := vkeys[n]; ok {
			text += "witness " + n + " " + v + " " + ws[n] + "\n"
			names += " " + n
		}
	}
	text += "group g " + threshold + names + "\nquorum g\n"
	p, err := proof.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAddCheckpointStatuses(t *testing.T) {
	l := newLog(t, "a").grow(t, 10, "entry")
	fork := newLog(t, "a").grow(t, 5, "entry").grow(t, 5, "forked")
	other := newLog(t, "b").grow(t, 10, "entry")
	s := open(t, t.TempDir(), "w.example", l.vkey)
	request := func(old int64, hs []tlog.Hash, cp []byte) []byte { return marshalRequest(uint64(old), hs, cp) }

	steps := []struct {
		name   string
		body   []byte
		status int
		answer string // "sig", "" or the exact body
	}{
		{"size before any", request(3, nil, l.checkpoint(t, 5)), 409, "0\n"},
		{"first, with a proof", request(0, l.prove(t, 3, 5), l.checkpoint(t, 5)), 422, ""},
		{"empty tree, wrong root", request(0, nil, l.sign(t, fmt.Sprintf("%s\n0\n%s\n", origin, l.root(3)))), 422, ""},
		{"empty tree", request(0, nil, l.checkpoint(t, 0)), 200, "sig"},
		{"first", request(0, nil, l.checkpoint(t, 5)), 200, "sig"},
		{"same again", request(5, nil, l.checkpoint(t, 5)), 200, "sig"},
		{"same size, other root", request(5, nil, fork.sign(t, fmt.Sprintf("%s\n5\n%s\n", origin, fork.root(6)))), 422, ""},
		{"same size, with a proof", request(5, l.prove(t, 3, 5), l.checkpoint(t, 5)), 422, ""},
		{"from 0 again", request(0, nil, l.checkpoint(t, 7)), 409, "5\n"},
		{"back", request(5, nil, l.checkpoint(t, 3)), 400, ""},
		{"back from there", request(3, nil, l.checkpoint(t, 3)), 409, "5\n"},
		{"next", request(5, l.prove(t, 5, 8), l.checkpoint(t, 8)), 200, "sig"},
		{"fork", request(8, fork.prove(t, 8, 10), fork.checkpoint(t, 10)), 422, ""},
		{"no proof", request(8, nil, l.checkpoint(t, 10)), 422, ""},
		{"wrong proof", request(8, l.prove(t, 7, 10), l.checkpoint(t, 10)), 422, ""},
		{"other key", request(8, other.prove(t, 8, 10), other.checkpoint(t, 10)), 403, ""},
		{"unknown log", request(0, nil, bytes.ReplaceAll(l.checkpoint(t, 5), []byte(origin), []byte("x.example"))), 404, ""},
		{"changed text", request(8, nil, bytes.Replace(l.checkpoint(t, 10), []byte("\n10\n"), []byte("\n11\n"), 1)), 403, ""},
		{"extension line", request(8, l.prove(t, 8, 9), l.sign(t, fmt.Sprintf("%s\n9\n%s\nextension\n", origin, l.root(9)))), 200, "sig"},
		{"no old line", []byte("size 8\n\n" + string(l.checkpoint(t, 10))), 400, ""},
		{"old with a zero", []byte("old 08\n\n" + string(l.checkpoint(t, 10))), 400, ""},
		{"hash too short", []byte("old 8\nAAAA\n\n" + string(l.checkpoint(t, 10))), 400, ""},
		{"64 hashes", request(8, make([]tlog.Hash, 64), l.checkpoint(t, 10)), 400, ""},
		{"no blank line", []byte("old 8\n"), 400, ""},
		{"no signature", []byte("old 8\n\n" + origin + "\n10\n"), 400, ""},
		{"size with a sign", request(8, nil, l.sign(t, fmt.Sprintf("%s\n+10\n%s\n", origin, l.root(10)))), 400, ""},
		{"two lines of text", request(8, nil, l.sign(t, origin+"\n10\n")), 400, ""},
		{"empty extension line", request(8, nil, l.sign(t, fmt.Sprintf("%s\n10\n%s\n\nx\n", origin, l.root(10)))), 400, ""},
		{"too large", make([]byte, maxRequest+1), 413, ""},
	}
	for _, st := range steps {
		before := string(s.Newest(origin))
		res := post(t, s, st.body)
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode != st.status {
			t.Errorf("%s: status %d, want %d: %s", st.name, res.StatusCode, st.status, b)
			continue
		}
		after := string(s.Newest(origin))
		switch {
		case st.answer == "sig":
			if !strings.HasPrefix(string(b), "— w.example ") || strings.Count(string(b), "\n") != 1 || !strings.HasSuffix(after, string(b)) {
				t.Errorf("%s: answered %q", st.name, b)
			}
		case before != after:
			t.Errorf("%s: a refused request changed the state", st.name)
		case st.answer != "" && string(b) != st.answer:
			t.Errorf("%s: answered %q", st.name, b)
		}
		if st.status == 409 && res.Header.Get("Content-Type") != "text/x.tlog.size" {
			t.Errorf("%s: content type %q", st.name, res.Header.Get("Content-Type"))
		}
	}
}

func TestUnknownSignaturesAreIgnored(t *testing.T) {
	l := newLog(t, "a").grow(t, 4, "entry")
	other := newLog(t, "b")
	s := open(t, t.TempDir(), "w.example", l.vkey)
	cp := l.checkpoint(t, 4)
	alien := other.sign(t, string(cp[:bytes.Index(cp, []byte("\n\n"))+1]))
	alien = alien[bytes.Index(alien, []byte("\n\n"))+2:]
	if res := post(t, s, marshalRequest(0, nil, append(cp, alien...))); res.StatusCode != 200 {
		t.Fatal(res.Status)
	}
	if strings.Contains(string(s.Newest(origin)), string(alien)) {
		t.Error("the unknown signature was stored")
	}
}

func TestMonitoring(t *testing.T) {
	l := newLog(t, "a").grow(t, 4, "entry")
	s := open(t, t.TempDir(), "w.example", l.vkey)
	get := func(path, method string) (int, string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	h := sha256.Sum256([]byte(origin))
	path := "/w/" + hex.EncodeToString(h[:]) + "/checkpoint"
	if code, _ := get(path, "GET"); code != 404 {
		t.Error("before the first: ", code)
	}
	post(t, s, marshalRequest(0, nil, l.checkpoint(t, 4)))
	code, body := get(path, "GET")
	p := policyOf(t, l, "all", map[string]string{}, map[string]string{"w1": s.VKey()})
	cp, err := p.VerifyCheckpoint([]byte(body))
	if code != 200 || err != nil || cp.Size != 4 || !cp.Witnessed.Equal(noon) {
		t.Error(code, err, cp)
	}
	for path, want := range map[string]int{"/checkpoint": 404, "/x/checkpoint": 404, "/": 404, "/other": 404} {
		if code, _ := get(path, "GET"); code != want {
			t.Errorf("%s: %d", path, code)
		}
	}
	if code, _ := get(path, "POST"); code != 405 {
		t.Error("POST:", code)
	}
	if code, _ := get("/add-checkpoint", "GET"); code != 405 {
		t.Error("GET:", code)
	}
}

func TestStateSurvives(t *testing.T) {
	l := newLog(t, "a").grow(t, 9, "entry")
	dir := t.TempDir()
	s := open(t, dir, "w.example", l.vkey)
	ctx := context.Background()
	if _, err := s.AddCheckpoint(ctx, 0, nil, l.checkpoint(t, 6)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir, Name: "w.example", Key: seed("w.example"), Logs: []string{l.vkey}, Now: time.Now}); say.Code(err) != "witness.dir" {
		t.Errorf("two witnesses in one directory: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.AddCheckpoint(ctx, 6, l.prove(t, 6, 9), l.checkpoint(t, 9)); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed witness cosigned: %v", err)
	}
	if res := post(t, s, marshalRequest(6, l.prove(t, 6, 9), l.checkpoint(t, 9))); res.StatusCode != 503 {
		t.Errorf("a closed witness answers %d", res.StatusCode)
	}
	// Restarted with a clock that went back an hour.
	s, err := Open(Config{Dir: dir, Name: "w.example", Key: seed("w.example"), Logs: []string{l.vkey}, Now: func() time.Time { return noon.Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var conflict ConflictError
	if _, err := s.AddCheckpoint(ctx, 0, nil, l.checkpoint(t, 9)); !errors.As(err, &conflict) || conflict.Size != 6 {
		t.Fatalf("forgot its size: %v", err)
	}
	if _, err := s.AddCheckpoint(ctx, 6, l.prove(t, 6, 9), l.checkpoint(t, 9)); err != nil {
		t.Fatal(err)
	}
	p := policyOf(t, l, "all", map[string]string{}, map[string]string{"w1": s.VKey()})
	cp, err := p.VerifyCheckpoint(s.Newest(origin))
	if err != nil || cp.Witnessed.Before(noon) {
		t.Errorf("time of the cosignature went back: %v, %v", cp, err)
	}
}

func TestDamagedStateIsRefused(t *testing.T) {
	l := newLog(t, "a").grow(t, 9, "entry")
	dir := t.TempDir()
	s := open(t, dir, "w.example", l.vkey)
	if _, err := s.AddCheckpoint(context.Background(), 0, nil, l.checkpoint(t, 6)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	h := sha256.Sum256([]byte(origin))
	file := filepath.Join(dir, hex.EncodeToString(h[:]))
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	reopen := func(name, key string) error {
		s, err := Open(Config{Dir: dir, Name: name, Key: seed(key), Logs: []string{l.vkey}, Now: time.Now})
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := reopen("w.example", "w.example"); err != nil {
		t.Fatal(err)
	}
	if err := reopen("w.example", "another"); say.Code(err) != "witness.state" {
		t.Errorf("with another key: %v", err)
	}
	harmless := 0
	for i := range good {
		for _, bit := range []byte{1, 0x20, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= bit
			if err := os.WriteFile(file, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := reopen("w.example", "w.example"); err == nil {
				// Only a spare bit of base64 can go unnoticed by the note package.
				if harmless++; harmless > 4 {
					t.Fatalf("byte %d flipped and the state accepted", i)
				}
			}
		}
	}
	for _, b := range [][]byte{{}, good[:len(good)-1], good[:len(good)/2], bytes.Repeat([]byte("x"), proof.MaxFile+1)} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := reopen("w.example", "w.example"); say.Code(err) != "witness.state" {
			t.Errorf("record of %d bytes: %v", len(b), err)
		}
	}
}

// TestRacingRequests: of many checkpoints sent at once with one old size,
// exactly one wins, and the state is the winner's.
func TestRacingRequests(t *testing.T) {
	l := newLog(t, "a").grow(t, 40, "entry")
	s := open(t, t.TempDir(), "w.example", l.vkey)
	ctx := context.Background()
	if _, err := s.AddCheckpoint(ctx, 0, nil, l.checkpoint(t, 10)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	won := make(chan int64, 30)
	for i := int64(11); i <= 40; i++ {
		hs, cp := l.prove(t, 10, i), l.checkpoint(t, i)
		wg.Go(func() {
			if _, err := s.AddCheckpoint(ctx, 10, hs, cp); err == nil {
				won <- i
			}
		})
	}
	wg.Wait()
	if len(won) != 1 || s.logs[origin].size != uint64(<-won) {
		t.Fatal("more than one of the racing checkpoints was cosigned")
	}
}

func TestOpenRefuses(t *testing.T) {
	l := newLog(t, "a")
	ok := Config{Name: "w.example", Key: seed("w"), Logs: []string{l.vkey}, Now: time.Now}
	for name, change := range map[string]func(*Config){
		"no clock":       func(c *Config) { c.Now = nil },
		"no key":         func(c *Config) { c.Key = nil },
		"no logs":        func(c *Config) { c.Logs = nil },
		"no name":        func(c *Config) { c.Name = "" },
		"space":          func(c *Config) { c.Name = "a b" },
		"plus":           func(c *Config) { c.Name = "a+b" },
		"bad log key":    func(c *Config) { c.Logs = []string{"x"} },
		"log twice":      func(c *Config) { c.Logs = append(c.Logs, l.vkey) },
		"file as folder": func(c *Config) { c.Dir = filepath.Join(c.Dir, "f"); os.WriteFile(c.Dir, nil, 0o600) },
	} {
		c := ok
		c.Dir = t.TempDir()
		change(&c)
		if _, err := Open(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	l := newLog(f, "a").grow(f, 9, "entry")
	f.Add(marshalRequest(4, l.prove(f, 4, 9), l.checkpoint(f, 9)))
	f.Add([]byte("old 0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		old, hs, cp, err := parseRequest(b)
		if err == nil && !bytes.Equal(marshalRequest(old, hs, cp), b) {
			t.Fatal("not canonical")
		}
	})
}

func FuzzParseText(f *testing.F) {
	l := newLog(f, "a").grow(f, 9, "entry")
	f.Add(fmt.Sprintf("%s\n9\n%s\n", origin, l.root(9)))
	f.Add(fmt.Sprintf("%s\n9\n%s\nextension line\n", origin, l.root(9)))
	f.Add("x\n-1\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		cp, err := parseText(s)
		if err == nil && !strings.HasPrefix(s, fmt.Sprintf("%s\n%d\n%s\n", cp.origin, cp.size, cp.root)) {
			t.Fatalf("%q was read as size %d", s, cp.size)
		}
	})
}
