package publish

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// who is a caller: the role identifiers that its certificate would allow.
func who(r *http.Request) []string { return strings.Fields(r.Header.Get("Test-Who")) }

func council(r *http.Request) bool { return r.Header.Get("Test-Who") == entry.ByCouncil }

func get(h http.Handler, caller, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Test-Who", caller)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The public gets hashes, checkpoints, proofs and the kinds that are public;
// a writer also its own entries; the council everything.
func TestRestrictedEntries(t *testing.T) {
	e, _ := engine(t)
	var batch [][]byte
	for i := range uint64(300) {
		batch = append(batch, event(t, entry.ByCA, i))
	}
	if _, err := e.Append(ctx, batch...); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Publish(ctx); err != nil { // 0 genesis, 1…300 events, 301 status.root
		t.Fatal(err)
	}
	h := Handler(Config{Source: e, Log: e, Authorize: who, Restrict: &Restriction{
		Public: []entry.Kind{entry.KindGenesis, entry.KindStatusRoot}, All: council}})
	const public, writer, other = "", entry.ByCA, entry.ByOperator
	for _, tc := range []struct {
		path                           string
		public, writer, other, council int
	}{
		{"/ledger/checkpoint", 200, 200, 200, 200},
		{"/ledger/size", 200, 200, 200, 200},
		{"/ledger/tile/0/000", 200, 200, 200, 200},
		{"/ledger/tile/0/001.p/46", 200, 200, 200, 200},
		{"/ledger/tile/1/000.p/1", 200, 200, 200, 200},
		{"/ledger/proof/7", 200, 200, 200, 200},
		{"/ledger/entry/0", 200, 200, 200, 200},
		{"/ledger/entry/301", 200, 200, 200, 200},
		{"/ledger/entry/7", 403, 403, 403, 200},
		{"/ledger/tile/entries/000", 403, 403, 403, 200},
		{"/ledger/tile/entries/001.p/46", 403, 403, 403, 200},
		{"/ledger/entries?from=0&to=9", 403, 403, 403, 200},
		{"/ledger/lookup?by=ca-server&seq=4", 403, 200, 403, 200},
		{"/ledger/next?by=ca-server", 403, 200, 403, 200},
	} {
		for caller, want := range map[string]int{public: tc.public, writer: tc.writer, other: tc.other, entry.ByCouncil: tc.council} {
			w := get(h, caller, tc.path)
			if w.Code != want {
				t.Errorf("%q asks for %s: status %d, want %d", caller, tc.path, w.Code, want)
			}
			if w.Code == 403 && (!strings.Contains(w.Body.String(), `"ledger.restricted"`) || w.Header().Get("Cache-Control") != "no-store") {
				t.Errorf("%q asks for %s: %v %s", caller, tc.path, w.Header(), w.Body)
			}
			if c := w.Header().Get("Cache-Control"); w.Code == 200 && strings.Contains(tc.path, "entr") && strings.Contains(c, "public") {
				t.Errorf("%q asks for %s: a shared cache may keep it: %s", caller, tc.path, c)
			}
		}
	}
	// Nobody reads all where the configuration names nobody.
	if w := get(Handler(Config{Source: e, Restrict: &Restriction{}}), entry.ByCouncil, "/ledger/entry/0"); w.Code != 403 {
		t.Errorf("an entry without anyone who may read it: %d", w.Code)
	}
	// The public's static files have no bundle, and lead to the same root.
	dir := t.TempDir()
	if err := ExportTree(ctx, e, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tile", "entries")); !os.IsNotExist(err) {
		t.Errorf("the public's files hold entries: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "tile", "0", "000")); err != nil || len(b) != 8192 {
		t.Errorf("the public's tile: %d bytes, %v", len(b), err)
	}
}

// What may be kept, and for how long (C2SP tlog-tiles: checkpoints hardly,
// tiles and bundles of any width for ever), and errors never.
func TestCaching(t *testing.T) {
	e, _ := engine(t)
	var batch [][]byte
	for i := range uint64(300) {
		batch = append(batch, event(t, entry.ByCA, i))
	}
	if _, err := e.Append(ctx, batch...); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	h := Handler(Config{Source: e})
	for path, want := range map[string]string{
		"/ledger/checkpoint":            "no-cache",
		"/ledger/size":                  "no-cache",
		"/ledger/proof/3":               "no-cache",
		"/ledger/tile/0/000":            immutable,
		"/ledger/tile/0/001.p/46":       immutable,
		"/ledger/tile/entries/000":      immutable,
		"/ledger/tile/entries/001.p/46": immutable,
		"/ledger/entry/5":               immutable,
		"/ledger/tile/0/001.p/47":       "no-store", // 404 today, a tile tomorrow
		"/ledger/tile/0/001":            "no-store",
		"/ledger/entry/999":             "no-store",
		"/ledger/tile/x":                "no-store",
	} {
		if got := get(h, "", path).Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, want)
		}
	}
	if w := get(h, "", "/ledger/checkpoint"); w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("checkpoint: %s", w.Header().Get("Content-Type"))
	}
	plain := get(h, "", "/ledger/tile/entries/000").Body.Bytes()
	for accept, zipped := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "*": true, "gzip;q=0": false, "gzip; q=0.000": false,
		"identity": false, "xgzip": false, "": false, "gzip;q=no": false} {
		w := get(h, "", "/ledger/tile/entries/000", "Accept-Encoding", accept)
		body := io.Reader(w.Body)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != zipped {
			t.Errorf("Accept-Encoding %q: gzip %v", accept, got)
			continue
		}
		if zipped {
			gz, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = gz
		}
		if b, err := io.ReadAll(body); err != nil || string(b) != string(plain) {
			t.Errorf("Accept-Encoding %q: another bundle, %v", accept, err)
		}
		if w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: no Vary", accept)
		}
	}
}

// Each refusal of an append has its status, its code and a document that says
// so; whoever has to wait is told how long.
func TestAppendRefusals(t *testing.T) {
	e, _ := engine(t)
	if _, err := e.Append(ctx, event(t, entry.ByCA, 0)); err != nil {
		t.Fatal(err)
	}
	other, err := entry.Entry{At: at, By: entry.ByCA, Seq: 0, Body: &entry.SecurityEvent{Code: "other", From: at, To: at}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	report, err := entry.Entry{At: at, By: entry.ByOperator, Seq: 0, Body: &entry.CertIssued{Certificate: entry.Sum(nil)}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	unknown := strings.Replace(string(event(t, entry.ByCA, 1)), `"code"`, `"colour":"x","code"`, 1)
	h := Handler(Config{Source: e, Log: e, Authorize: who})
	for name, tc := range map[string]struct {
		caller string
		entry  string
		status int
		code   string
	}{
		"nobody":                 {"", string(event(t, entry.ByCA, 1)), 403, "ledger.writer"},
		"somebody else":          {entry.ByOperator, string(event(t, entry.ByCA, 1)), 403, "ledger.writer"},
		"not this writer's kind": {entry.ByOperator, string(report), 403, "ledger.writer"},
		"the log itself":         {"log", string(event(t, entry.ByLog, 9)), 403, "ledger.writer"},
		"another under a number": {entry.ByCA, string(other), 409, "ledger.conflict"},
		"a gap":                  {entry.ByCA, string(event(t, entry.ByCA, 7)), 409, "ledger.gap"},
		"not in the schema":      {entry.ByCA, unknown, 422, "ledger.invalid"},
		"not canonical":          {entry.ByCA, " " + string(event(t, entry.ByCA, 1)), 422, "ledger.invalid"},
		"good":                   {entry.ByCA, string(event(t, entry.ByCA, 1)), 200, ""},
	} {
		r := httptest.NewRequest("POST", "/ledger/append", strings.NewReader(string(appendFrame(nil, []byte(tc.entry)))))
		r.Header.Set("Content-Type", framesType)
		r.Header.Set("Test-Who", tc.caller)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var d problem.Document
		if w.Code != tc.status || w.Code != 200 && (json.Unmarshal(w.Body.Bytes(), &d) != nil || d.Code != tc.code || d.Status != tc.status || d.JA == "" ||
			w.Header().Get("Content-Type") != problem.ContentType) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// A client that appends more than its share waits; the others don't.
func TestRatePerClient(t *testing.T) {
	e, _ := engine(t)
	h := Handler(Config{Source: e, Log: e, Authorize: who, EntriesPerSecond: 100})
	send := func(caller string, from, n uint64) *httptest.ResponseRecorder {
		var body []byte
		for i := range n {
			body = appendFrame(body, event(t, caller, from+i))
		}
		r := httptest.NewRequest("POST", "/ledger/append", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", framesType)
		r.Header.Set("Test-Who", caller)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := send(entry.ByCA, 0, ledger.MaxAppendEntries); w.Code != 200 {
		t.Fatalf("a full request: %d %s", w.Code, w.Body)
	}
	w := send(entry.ByCA, ledger.MaxAppendEntries, 2000)
	if wait, err := strconv.Atoi(w.Header().Get("Retry-After")); w.Code != 429 || err != nil || wait < 1 || wait > 20 ||
		!strings.Contains(w.Body.String(), `"ledger.busy"`) {
		t.Errorf("beyond the share: %d, Retry-After %q, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	if w := send(entry.ByOperator, 0, 10); w.Code != 200 {
		t.Errorf("another client: %d %s", w.Code, w.Body)
	}
	l := limiter{perSecond: 10, burst: 20}
	l.clients = map[string]*rate.Limiter{}
	now := time.Unix(1, 0)
	for i, tc := range []struct {
		after time.Duration
		n     int
		ok    bool
	}{{0, 20, true}, {0, 1, false}, {100 * time.Millisecond, 1, true}, {0, 1, false}, {time.Hour, 20, true}, {0, 1, false}, {0, 21, false}} {
		now = now.Add(tc.after)
		if _, ok := l.take([]string{"x"}, tc.n, now); ok != tc.ok {
			t.Errorf("step %d: %v", i, ok)
		}
	}
}
