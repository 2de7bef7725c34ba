package link_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
)

const nagano = "202011"

var base = attr.Attributes{Name: "総務　太郎", BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市大字鶴賀１６１３番地"}

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
	return newWorldOn(t, mode, "/juki", kv.NewMemFS())
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

func postTo(t testing.TB, c *http.Client, base string, b []byte) policy.Answer {
	t.Helper()
	a, err := policy.Ask(context.Background(), c, base, policy.PathHolders, b)
	if err != nil {
		t.Fatal(err)
	}
	return a
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

// post hands M1 bytes to the handler and returns the status and the code of
// the answer.
func (w *world) post(b []byte) (int, string) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, policy.PathHolders, bytes.NewReader(policy.Padded(policy.PathHolders, b)))
	r.Header = policy.LinkHeader()
	rec := httptest.NewRecorder()
	w.srv.Handler().ServeHTTP(rec, r)
	a, err := policy.ReadAnswer(rec.Result())
	if err != nil {
		w.t.Fatal(err)
	}
	return a.Status, a.Code
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
