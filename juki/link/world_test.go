package link_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

const nagano = "202011"

var base = attr.Attributes{Name: "総務　太郎", BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市大字鶴賀１６１３番地"}

// memLog is a ledger in memory that can fail before or after it took entries.
type memLog struct {
	mu      sync.Mutex
	entries [][]byte
	at      map[string][]int // positions by writer
	before  func() error     // consulted before entries are taken
	after   func() error     // consulted after
	down    bool
	gate    *sync.Mutex // held while entries are taken, where not nil
}

var errOutage = errors.New("outage")

func newLog() *memLog { return &memLog{at: map[string][]int{}} }

func (l *memLog) Append(_ context.Context, es ...[]byte) ([]*proof.Receipt, error) {
	if l.gate != nil {
		l.gate.Lock()
		defer l.gate.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errOutage
	}
	if l.before != nil {
		if err := l.before(); err != nil {
			return nil, err
		}
	}
	old := len(l.entries)
	undo := func(err error) ([]*proof.Receipt, error) {
		for by, ps := range l.at {
			for len(ps) > 0 && ps[len(ps)-1] >= old {
				ps = ps[:len(ps)-1]
			}
			l.at[by] = ps
		}
		l.entries = l.entries[:old]
		return nil, err
	}
	var out []*proof.Receipt
	for _, b := range es {
		e, err := entry.Parse(b)
		if err != nil {
			return undo(ledger.ErrInvalid.Because(err))
		}
		ps := l.at[e.By]
		switch {
		case e.Seq < uint64(len(ps)):
			if !bytes.Equal(l.entries[ps[e.Seq]], b) {
				return undo(ledger.ErrConflict)
			}
			out = append(out, &proof.Receipt{Index: uint64(ps[e.Seq])})
			continue
		case e.Seq > uint64(len(ps)):
			return undo(ledger.ErrGap)
		}
		l.at[e.By] = append(ps, len(l.entries))
		out = append(out, &proof.Receipt{Index: uint64(len(l.entries))})
		l.entries = append(l.entries, bytes.Clone(b))
	}
	if l.after != nil {
		if err := l.after(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (l *memLog) NextSeq(_ context.Context, by string) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return 0, errOutage
	}
	return uint64(len(l.at[by])), nil
}

func (l *memLog) Lookup(_ context.Context, by string, seq uint64) (uint64, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return 0, nil, errOutage
	}
	if ps := l.at[by]; seq < uint64(len(ps)) {
		return uint64(ps[seq]), l.entries[ps[seq]], nil
	}
	return 0, nil, ledger.ErrNotFound
}

// of returns the bodies of one kind, in order.
func (l *memLog) of(k entry.Kind) []entry.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []entry.Entry
	for _, b := range l.entries {
		if e, err := entry.Parse(b); err == nil && e.Body.Kind() == k {
			out = append(out, e)
		}
	}
	return out
}

// caSide is a CA's link server: it takes notices by sequence, each once, and
// only what the ledger has.
type caSide struct {
	t       testing.TB
	log     ledger.Log
	mu      sync.Mutex
	keys    map[uint64]holders.Holder // by ordinal
	taken   [][]byte
	copies  int                    // duplicates that arrived
	answer  func(seq uint64) error // nil: take it
	refused map[uint64]string
	passing func() error // a refusal that does not use up the number
	lose    func() bool  // after taking: the answer gets lost
	down    bool
	headers []http.Header
	gate    *sync.Mutex // held while a notice is taken, where not nil
}

func (c *caSide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.gate != nil {
		c.gate.Lock()
		defer c.gate.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.log.NextSeq(r.Context(), entry.ByCALink); err != nil || c.down {
		problem.Write(w, r, http.StatusServiceUnavailable, errOutage)
		return
	}
	b, err := io.ReadAll(r.Body)
	if err != nil || !policy.RequestMetadata(r).Clean(policy.PathNotices, len(b)) {
		c.t.Errorf("request is not clean: %v %v", r.Header, err)
	}
	c.headers = append(c.headers, r.Header)
	n, err := notice.Parse(b)
	if err != nil {
		c.t.Errorf("notice: %v", err)
		return
	}
	if err := c.take(n, b); err != nil {
		problem.Write(w, r, http.StatusConflict, err)
		return
	}
	if c.lose != nil && c.lose() {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c *caSide) take(n notice.Notice, b []byte) error {
	if code, ok := c.refused[n.Seq]; ok {
		return say.New(code, "拒否", "refused")
	}
	next := uint64(len(c.taken) + len(c.refused))
	if n.Seq < next {
		c.copies++
		return nil
	}
	if n.Seq > next {
		return say.New("N203", "番号", "sequence")
	}
	c.check(n, b)
	if c.passing != nil {
		if err := c.passing(); err != nil {
			return err
		}
	}
	if c.answer != nil {
		if err := c.answer(n.Seq); err != nil {
			c.refused[n.Seq] = say.Code(err)
			return err
		}
	}
	c.taken = append(c.taken, b)
	return nil
}

// check holds the notice against its notice.sent entry.
func (c *caSide) check(n notice.Notice, b []byte) {
	_, raw, err := c.log.Lookup(context.Background(), entry.ByNoticeSender, n.Seq)
	if err != nil {
		c.t.Errorf("notice %d was sent and is not in the ledger: %v", n.Seq, err)
		return
	}
	e, err := entry.Parse(raw)
	if err != nil {
		c.t.Fatal(err)
	}
	sent := e.Body.(*entry.NoticeSent)
	found := false
	for ordinal, h := range c.keys {
		d, err := h.Key.Notice(n.Seq, b)
		if err != nil {
			c.t.Fatal(err)
		}
		hd, err := h.Key.Holder(n.Seq, ordinal)
		if err != nil {
			c.t.Fatal(err)
		}
		if d == sent.Digest && hd == sent.Holder && (n.Mode == notice.Echo || n.Ordinal == ordinal) {
			found = true
		}
	}
	if !found {
		c.t.Errorf("the entry of notice %d is about no holder with these bytes", n.Seq)
	}
}

// ordinals lists what was taken, in reference mode.
func (c *caSide) ordinals() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []uint64
	for _, b := range c.taken {
		n, err := notice.Parse(b)
		if err != nil {
			c.t.Fatal(err)
		}
		out = append(out, n.Ordinal)
	}
	return fmt.Sprint(out)
}

type world struct {
	t    testing.TB
	dir  string
	fs   kv.FS // nil: the disk
	at   time.Time
	mode string
	reg  *register.Register
	eng  *match.Engine
	log  *memLog
	log2 ledger.Log // what the server uses
	ca   *caSide
	http *http.Client
	srv  *link.Server
	dec  link.Decider

	next, list uint64
	live       int
	new        []holders.Holder
	gone       []uint64
}

const caURL = "https://ca.test"

// direct hands requests to a handler without a network; one that aborts loses
// its answer.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil {
			resp, err = nil, errOutage
		}
	}()
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	rec := httptest.NewRecorder()
	d.h.ServeHTTP(rec, in)
	return rec.Result(), nil
}

// deciders are costly to make and hold no state.
var (
	deciderOnce sync.Once
	decider     *policy.Decider
)

func shipped(t testing.TB) *policy.Decider {
	t.Helper()
	deciderOnce.Do(func() {
		d, err := policy.NewDecider(context.Background(), policy.Shipped(), 1)
		if err != nil {
			t.Fatal(err)
		}
		decider = d
	})
	return decider
}

func newWorld(t testing.TB, mode string) *world {
	t.Helper()
	return newWorldOn(t, mode, t.TempDir(), nil)
}

func newWorldOn(t testing.TB, mode, dir string, fs kv.FS) *world {
	t.Helper()
	w := &world{t: t, dir: dir, fs: fs, mode: mode, at: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), log: newLog(), dec: shipped(t)}
	w.log2 = w.log
	w.ca = &caSide{t: t, log: w.log, keys: map[uint64]holders.Holder{}, refused: map[uint64]string{}}
	w.http = &http.Client{Transport: direct{w.ca}}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) now() time.Time { return w.at }

func (w *world) open() {
	w.t.Helper()
	small := kv.Options{CacheBytes: 1 << 20, MemTable: 1 << 20, FS: w.fs}
	var err error
	if w.reg, err = register.Open(w.dir+"/identity", register.Config{Now: w.now, KV: small}); err != nil {
		w.t.Fatal(err)
	}
	if w.eng, err = match.Open(w.dir+"/holders", match.Config{Now: w.now, Register: w.reg, KV: small}); err != nil {
		w.t.Fatal(err)
	}
	w.server()
}

// server starts the link server anew, as after a restart.
func (w *world) server() {
	w.t.Helper()
	var err error
	w.srv, err = link.New(link.Config{Engine: w.eng, Register: w.reg, Log: w.log2, Decider: w.dec, Mode: w.mode,
		Client: w.http, URL: caURL, Now: w.now,
		Peer: func(r *http.Request) (string, bool) { return entry.ByCALink, true }})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	if err := errors.Join(w.eng.Close(), w.reg.Close()); err != nil {
		w.t.Error(err)
	}
}

func (w *world) restart() {
	w.t.Helper()
	w.close()
	w.open()
}

func code(n uint64) string {
	c, err := jtext.MakeResidentCode(n)
	if err != nil {
		panic(err)
	}
	return c
}

// person n has a name of their own.
func person(n uint64) attr.Attributes {
	a := base
	a.Address = fmt.Sprintf("長野県長野市大字鶴賀%d番地", n)
	return a
}

// residents takes over n residents, each with a certificate, and sends the list.
func (w *world) residents(n uint64) {
	w.t.Helper()
	for i := range n {
		if _, err := w.reg.Import([]register.Resident{{Code: code(i), Municipality: nagano, Attr: person(i)}}); err != nil {
			w.t.Fatal(err)
		}
		w.issue(person(i))
	}
	w.mustReceive(w.daily())
}

// import3 takes over three residents with certificates, without a list yet.
func (w *world) import3() {
	w.t.Helper()
	for i := range uint64(3) {
		if _, err := w.reg.Import([]register.Resident{{Code: code(i), Municipality: nagano, Attr: person(i)}}); err != nil {
			w.t.Fatal(err)
		}
		w.issue(person(i))
	}
}

func postTo(t testing.TB, c *http.Client, url string, b []byte) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = policy.LinkHeader()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func (w *world) issue(a attr.Attributes) uint64 {
	zeros := func(s string) string { return string(bytes.Repeat([]byte("0"), len([]rune(s)))) }
	h := holders.Holder{Ordinal: w.next, Key: commitment.Key{7, byte(w.next), byte(w.next >> 8), 1},
		Certified: attr.Certified{Name: a.Name, NameMap: zeros(a.Name), BirthDate: a.BirthDate, Sex: a.Sex,
			Address: a.Address, AddressMap: zeros(a.Address)}}
	w.next++
	w.new = append(w.new, h)
	w.ca.keys[h.Ordinal] = h
	return h.Ordinal
}

// daily makes the day's list and logs it as sent, as the CA side does.
func (w *world) daily() holders.List {
	w.t.Helper()
	w.at = w.at.Add(24 * time.Hour)
	w.live += len(w.new) - len(w.gone)
	l := holders.List{Day: match.DayOf(w.at), Seq: w.list, New: w.new, Gone: w.gone, Total: uint64(w.live)}
	w.list++
	w.new, w.gone = nil, nil
	w.appendAs(entry.ByCALink, &entry.HoldersSent{Holders: l.Entry()})
	return l
}

func (w *world) appendAs(by string, body entry.Body) {
	w.t.Helper()
	seq := uint64(len(w.log.at[by]))
	b, err := entry.Entry{At: entry.At(w.at), By: by, Seq: seq, Body: body}.Marshal()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.log.Append(context.Background(), b); err != nil {
		w.t.Fatal(err)
	}
}

// post hands M1 bytes to the handler and returns the status and the code.
func (w *world) post(b []byte) (int, string) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, policy.PathHolders, bytes.NewReader(b))
	r.Header = policy.LinkHeader()
	rec := httptest.NewRecorder()
	w.srv.Handler().ServeHTTP(rec, r)
	return rec.Code, say.Code(problem.Read(rec.Result()))
}

func (w *world) mustReceive(l holders.List) {
	w.t.Helper()
	b, err := l.Marshal()
	if err != nil {
		w.t.Fatal(err)
	}
	if status, code := w.post(b); status != http.StatusNoContent {
		w.t.Fatalf("list %d: status %d, code %s", l.Seq, status, code)
	}
}

func (w *world) die(n uint64) {
	w.t.Helper()
	if _, err := w.reg.Apply(register.Event{Kind: register.Death, Code: code(n), Municipality: nagano}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.eng.Match(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) flush() (link.Sent, error) {
	w.t.Helper()
	return w.srv.Flush(context.Background())
}

func (w *world) mustFlush() link.Sent {
	w.t.Helper()
	n, err := w.flush()
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) want(got, want any) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("got %v, want %v", got, want)
	}
}

// settled checks that every due notice is delivered or refused exactly once,
// and that the ledger has one entry for each.
func (w *world) settled() {
	w.t.Helper()
	c, err := w.eng.Counts()
	if err != nil {
		w.t.Fatal(err)
	}
	sent := uint64(len(w.log.of(entry.KindNoticeSent)))
	w.want(c.Notices[match.Delivered], uint64(len(w.ca.taken)))
	w.want(c.Notices[match.Rejected], uint64(len(w.ca.refused)))
	w.want(sent, c.Notices[match.Delivered]+c.Notices[match.Rejected])
	w.want(c.Notices[match.Pending]+c.Notices[match.Prepared]+c.Notices[match.Logged], uint64(0))
}
