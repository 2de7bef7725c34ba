package publish

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

var (
	ctx = context.Background()
	at  = entry.At(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
)

func event(t testing.TB, by string, seq uint64) []byte {
	t.Helper()
	b, err := entry.Entry{At: at, By: by, Seq: seq, Body: &entry.SecurityEvent{Code: "test", Count: seq, From: at, To: at}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func engine(t testing.TB) (*trillianlog.Engine, *proof.Policy) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "log.test/1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	e, err := trillianlog.Open(ctx, trillianlog.Config{Dir: "/store", HeadDir: "/head", Origin: "log.test/1", Signer: s, VKey: vkey,
		Now: time.Now, FS: kv.NewMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	p, err := proof.LogOnly(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return e, p
}

// serve starts a server whose callers may write as allowed.
func serve(t testing.TB, e *trillianlog.Engine, allowed ...string) *Client {
	t.Helper()
	srv := httptest.NewServer(Handler(Config{Source: e, Log: e, Authorize: func(*http.Request) []string { return allowed }}))
	t.Cleanup(srv.Close)
	c, err := NewClient(srv.URL+"/", srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientIsALedger(t *testing.T) {
	e, policy := engine(t)
	c := serve(t, e, entry.ByCA)
	if _, err := c.Checkpoint(ctx); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("checkpoint before the first: %v", err)
	}
	a, b := event(t, entry.ByCA, 0), event(t, entry.ByCA, 1)
	rs, err := c.Append(ctx, a, b)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]byte{a, b} {
		if _, err := policy.VerifyReceipt(rs[i], want); err != nil {
			t.Errorf("receipt %d: %v", i, err)
		}
	}
	if n, err := c.NextSeq(ctx, entry.ByCA); err != nil || n != 2 {
		t.Errorf("NextSeq = %d %v", n, err)
	}
	if i, got, err := c.Lookup(ctx, entry.ByCA, 1); err != nil || i != 2 || !bytes.Equal(got, b) {
		t.Errorf("Lookup = %d %s %v", i, got, err)
	}
	if n, err := c.Size(ctx); err != nil || n != 3 {
		t.Errorf("Size = %d %v", n, err)
	}
	if got, err := c.Entry(ctx, 1); err != nil || !bytes.Equal(got, a) {
		t.Errorf("Entry = %s %v", got, err)
	}
	note, err := e.Publish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Checkpoint(ctx); err != nil || !bytes.Equal(got, note) {
		t.Errorf("Checkpoint: %v", err)
	}
	p, err := c.Proof(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.VerifyReceipt(p, b); err != nil {
		t.Errorf("proof: %v", err)
	}
	if rs, err := c.Append(ctx); rs != nil || err != nil {
		t.Errorf("appending nothing: %v %v", rs, err)
	}
}

func TestErrorsCrossTheWire(t *testing.T) {
	e, _ := engine(t)
	c := serve(t, e, entry.ByCA)
	if _, err := c.Append(ctx, event(t, entry.ByCA, 0)); err != nil {
		t.Fatal(err)
	}
	other, err := entry.Entry{At: at, By: entry.ByCA, Seq: 0, Body: &entry.SecurityEvent{Code: "other", From: at, To: at}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	issued, err := entry.Entry{At: at, By: entry.ByCA, Seq: 1, Body: &entry.CertIssued{Certificate: entry.Sum(nil)}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		entry []byte
		want  error
	}{
		"conflict":     {other, ledger.ErrConflict},
		"gap":          {event(t, entry.ByCA, 5), ledger.ErrGap},
		"other writer": {event(t, entry.ByOperator, 0), ledger.ErrWriter},
		"no entry":     {[]byte(`{}`), ledger.ErrInvalid},
		"forged by":    {[]byte(`{"x":1,"by":"ca-server"}`), ledger.ErrInvalid},
		"impossible":   {issued, ledger.ErrImpossible},
		"too large":    {make([]byte, entry.MaxSize+1), ledger.ErrTooLarge},
		"empty":        {nil, ledger.ErrInvalid},
	} {
		if _, err := c.Append(ctx, tc.entry); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Append(ctx, make([][]byte, ledger.MaxAppendEntries+1)...); !errors.Is(err, ledger.ErrTooLarge) {
		t.Errorf("too many: %v", err)
	}
	_, _, lookup := c.Lookup(ctx, entry.ByCA, 9)
	_, entryErr := c.Entry(ctx, 99)
	_, proofErr := c.Proof(ctx, 0)
	_, statusErr := c.Status(ctx, 0)
	for i, err := range []error{lookup, entryErr, proofErr, statusErr, c.Entries(ctx, 0, 99, nil)} {
		if !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("not found %d: %v", i, err)
		}
	}
	if _, err := c.NextSeq(ctx, "nobody"); !errors.Is(err, ledger.ErrWriter) {
		t.Errorf("next of nobody: %v", err)
	}
}

func TestNobodyWritesWithoutLeave(t *testing.T) {
	e, _ := engine(t)
	if _, err := serve(t, e).Append(ctx, event(t, entry.ByCA, 0)); !errors.Is(err, ledger.ErrWriter) {
		t.Errorf("writer without roles: %v", err)
	}
	srv := httptest.NewServer(Handler(Config{Source: e}))
	defer srv.Close()
	c, _ := NewClient(srv.URL, srv.Client())
	if _, err := c.Append(ctx, event(t, entry.ByCA, 0)); !errors.Is(err, ledger.ErrWriter) {
		t.Errorf("read-only server: %v", err)
	}
}

// stuck is a log whose appends wait.
type stuck struct {
	*trillianlog.Engine
	started, release chan struct{}
}

func (s stuck) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	s.started <- struct{}{}
	<-s.release
	return s.Engine.Append(ctx, entries...)
}

func TestTooManyAppendsAreToldToWait(t *testing.T) {
	e, _ := engine(t)
	l := stuck{e, make(chan struct{}, 9), make(chan struct{})}
	srv := httptest.NewServer(Handler(Config{Source: e, Log: l, MaxAppends: 1, Authorize: func(*http.Request) []string { return []string{entry.ByCA} }}))
	defer srv.Close()
	c, err := NewClient(srv.URL, srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan error)
	go func() {
		_, err := c.Append(ctx, event(t, entry.ByCA, 0))
		first <- err
	}()
	<-l.started
	if _, err := c.Append(ctx, event(t, entry.ByCA, 1)); !errors.Is(err, ledger.ErrBusy) {
		t.Errorf("second append: %v", err)
	}
	close(l.release)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := c.Append(ctx, event(t, entry.ByCA, 1)); err != nil {
		t.Errorf("after waiting: %v", err)
	}
}

func TestStatusOverHTTP(t *testing.T) {
	e, policy := engine(t)
	c := serve(t, e, entry.ByCA)
	w, err := ledger.NewWriter(ctx, c, entry.ByCA, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	d := entry.Sum([]byte("x"))
	_, err = w.AppendAll(ctx,
		&entry.CertIntent{Decision: entry.Decision{Allow: true, Bundle: d, Codes: []string{}, Engine: "e", Facts: "ff", Ruleset: "issue"},
			Issuer: d, Municipality: "202011", Profile: d, Serial: "0a", Subject: d, TBS: d},
		&entry.CertIssued{Certificate: d})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := c.Status(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := policy.VerifyStatus(s, nil)
	if err != nil || r.State != status.Valid {
		t.Errorf("%+v %v", r, err)
	}
}

// tileReader reads the log as an outsider with x/mod's tile client would.
type tileReader struct{ c *Client }

func (r tileReader) Height() int { return 8 }

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		p := tilePath{level: uint(t.L), index: uint64(t.N), width: uint64(t.W)}
		b, _, err := r.c.get(ctx, "/ledger/tile/"+p.String(), 8192)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func (r tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func TestTilesServeAnOutsider(t *testing.T) {
	e, policy := engine(t)
	c := serve(t, e, entry.ByCA)
	var batch [][]byte
	for i := range uint64(700) {
		batch = append(batch, event(t, entry.ByCA, i))
	}
	if _, err := c.Append(ctx, batch...); err != nil {
		t.Fatal(err)
	}
	note, err := e.Publish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := policy.VerifyCheckpoint(note)
	if err != nil {
		t.Fatal(err)
	}
	hr := tlog.TileHashReader(tlog.Tree{N: int64(cp.Size), Hash: cp.Root}, tileReader{c})
	for _, i := range []int64{0, 255, 256, 699, int64(cp.Size) - 1} {
		p, err := tlog.ProveRecord(int64(cp.Size), i, hr)
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.Entry(ctx, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, int64(cp.Size), cp.Root, i, tlog.RecordHash(b)); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	// Entry bundles, full and partial, hold the entries.
	for path, want := range map[string][2]uint64{"entries/000": {0, 256}, "entries/002.p/100": {512, 612}} {
		b, _, err := c.get(ctx, "/ledger/tile/"+path, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		frames, err := parseFrames(b)
		if err != nil || uint64(len(frames)) != want[1]-want[0] {
			t.Fatalf("%s: %d entries, %v", path, len(frames), err)
		}
		if first, _ := e.Entry(ctx, want[0]); !bytes.Equal(frames[0], first) {
			t.Errorf("%s starts with another entry", path)
		}
	}
	// Nothing that is committed but not published is served as a tile.
	if _, err := c.Append(ctx, event(t, entry.ByCA, 700)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.get(ctx, fmt.Sprintf("/ledger/tile/0/002.p/%d", cp.Size-512+1), 8192); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("unpublished hash: %v", err)
	}
	n := uint64(0)
	if err := c.Entries(ctx, 1, 701, func(i uint64, b []byte) error {
		if i != n+1 || !bytes.Equal(b, batch[n]) {
			return fmt.Errorf("entry %d is another", i)
		}
		n++
		return nil
	}); err != nil || n != 700 {
		t.Errorf("Entries gave %d, %v", n, err)
	}
}

func TestPlainRequests(t *testing.T) {
	e, _ := engine(t)
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	h := Handler(Config{Source: e, Log: e, Authorize: func(*http.Request) []string { return []string{entry.ByCA} }})
	for _, tc := range []struct {
		method, path, kind, body string
		status                   int
	}{
		{"GET", "/ledger/proof/01", "", "", 400},
		{"GET", "/ledger/proof/-1", "", "", 400},
		{"GET", "/ledger/entry/99999999999999999999", "", "", 400},
		{"GET", "/ledger/tile/9/000", "", "", 404},
		{"GET", "/ledger/tile/63/000.p/1", "", "", 404},
		{"GET", "/ledger/tile/64/000", "", "", 400},
		{"GET", "/ledger/tile/00/000", "", "", 400},
		{"GET", "/ledger/tile/0/000.p/0", "", "", 400},
		{"GET", "/ledger/tile/0/000.p/256", "", "", 400},
		{"GET", "/ledger/tile/0/x000/000", "", "", 400},
		{"GET", "/ledger/tile/0/0", "", "", 400},
		{"GET", "/ledger/tile/0/..%2f..%2fetc", "", "", 400},
		{"GET", "/ledger/tile/0/000", "", "", 404},
		{"GET", "/ledger/tile/0/000.p/2", "", "", 200},
		{"GET", "/ledger/entries?from=2&to=1", "", "", 400},
		{"GET", "/ledger/lookup?by=ca-server&seq=x", "", "", 400},
		{"GET", "/ledger/append", "", "", 405},
		{"GET", "/nowhere", "", "", 404},
		{"POST", "/ledger/append", "text/plain", "x", 415},
		{"POST", "/ledger/append", framesType, "", 400},
		{"POST", "/ledger/append", framesType, "\x00\x05ab", 400},
		{"POST", "/ledger/append", framesType, strings.Repeat("\x00\x01a", ledger.MaxAppendEntries+1), 413},
		{"POST", "/ledger/append", framesType, strings.Repeat("a", ledger.MaxAppendBytes+1), 413},
	} {
		r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
		r.Header.Set("Content-Type", tc.kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.status {
			t.Errorf("%s %s: status %d, want %d: %s", tc.method, tc.path, w.Code, tc.status, w.Body)
		}
		if w.Code >= 400 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: error is no problem document", tc.method, tc.path)
		}
	}
}

func TestWriterCertificateOverMTLS(t *testing.T) {
	e, policy := engine(t)
	root, err := zone.NewRoot(zone.LGWAN, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string) tls.Certificate {
		c, err := root.Issue(name, time.Now(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	peers := zone.Peers{root}
	srv := httptest.NewUnstartedServer(Handler(Config{Source: e, Log: e, Authorize: func(r *http.Request) []string {
		if id, ok := peers.Identify(r); ok {
			return []string{id.Name}
		}
		return nil
	}}))
	srv.TLS = peers.Server(issue("ledger"))
	srv.StartTLS()
	defer srv.Close()
	for name, want := range map[string]error{"ca-server": nil, "operator": ledger.ErrWriter} {
		hc := peers.Client(issue(name), 10*time.Second)
		c, err := NewClient(srv.URL, hc)
		if err != nil {
			t.Fatal(err)
		}
		b := event(t, entry.ByCA, 0)
		rs, err := c.Append(ctx, b)
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v", name, err)
		}
		if want == nil {
			if _, err := policy.VerifyReceipt(rs[0], b); err != nil {
				t.Error(err)
			}
		}
		hc.CloseIdleConnections()
	}
}

func TestExportIsCheckableOffline(t *testing.T) {
	e, policy := engine(t)
	b := event(t, entry.ByCA, 0)
	if _, err := e.Append(ctx, b); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "entries")
	if err := Export(ctx, e, dir, 0, 1); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "1.tlog-proof"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := proof.ParseReceipt(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "1.json"))
	if err != nil || !bytes.Equal(got, b) {
		t.Fatalf("exported entry: %v", err)
	}
	if _, err := policy.VerifyReceipt(r, got); err != nil {
		t.Error(err)
	}
	if err := Export(ctx, e, dir, 99); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("export of a missing entry: %v", err)
	}
	if err := Export(ctx, e, filepath.Join(dir, "1.json", "x")); err == nil {
		t.Error("export into a file")
	}
}

func TestClientDoesNotBelieveOddServers(t *testing.T) {
	answers := map[string]string{"not http": "", "garbage": "\x00\x00\x00\x04abc", "short": "\x00\x00\x00\x00\x00"}
	for name, body := range answers {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) }))
		c, _ := NewClient(srv.URL, srv.Client())
		if _, err := c.Append(ctx, event(t, entry.ByCA, 0)); err == nil || say.Code(err) != "internal" {
			t.Errorf("%s: append: %v", name, err)
		}
		if _, err := c.Size(ctx); err == nil {
			t.Errorf("%s: size: no error", name)
		}
		if err := c.Entries(ctx, 0, 1, func(uint64, []byte) error { return nil }); err == nil {
			t.Errorf("%s: entries: no error", name)
		}
		srv.Close()
		if _, err := c.Size(ctx); err == nil {
			t.Errorf("%s: a server that is gone answered", name)
		}
	}
	for _, base := range []string{"", "ftp://x", "https://", "http://x?y", "::"} {
		if _, err := NewClient(base, http.DefaultClient); err == nil {
			t.Errorf("address %q accepted", base)
		}
	}
	if _, err := NewClient("http://x", nil); err == nil {
		t.Error("no HTTP client accepted")
	}
}
