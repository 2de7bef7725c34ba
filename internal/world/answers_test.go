package world_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
	"github.com/sukashi-project/sukashi/policy/pad"
)

// scale is a wire that counts what comes back over it.
type scale struct {
	net.Listener
	back atomic.Int64
}

// weigh puts a wire in front of a server and returns the address of its end.
func weigh(t *testing.T, url string) (*scale, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scale{Listener: ln}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", strings.TrimPrefix(url, "https://"))
			if err != nil {
				near.Close()
				return
			}
			go func() { io.Copy(far, near); far.Close() }()
			go func() { io.Copy(near, io.TeeReader(far, s)); near.Close() }()
		}
	}()
	return s, "https://" + ln.Addr().String()
}

func (s *scale) Write(b []byte) (int, error) { s.back.Add(int64(len(b))); return len(b), nil }

// weighed is one case: what is asked, what the answer says, and how many
// encrypted bytes it took.
type weighed struct {
	t      *testing.T
	c      *http.Client
	wire   *scale
	base   string
	heard  map[policy.Answer]int
	weight map[int64]int
}

func newWeighed(t *testing.T, c *http.Client, url string) *weighed {
	w := &weighed{t: t, c: c, heard: map[policy.Answer]int{}, weight: map[int64]int{}}
	w.wire, w.base = weigh(t, url)
	// The first exchange carries the handshake.
	if _, err := policy.Ask(context.Background(), c, w.base, "/elsewhere", nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// do makes one exchange with any body in the place of the padded message.
func (w *weighed) do(name, method, path string, wire []byte, change func(http.Header)) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.base+path, bytes.NewReader(wire))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header = policy.LinkHeader()
	if change != nil {
		change(req.Header)
	}
	before := w.wire.back.Load()
	resp, err := w.c.Do(req)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	defer resp.Body.Close()
	a, err := policy.ReadAnswer(resp)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	n := w.wire.back.Load() - before
	w.heard[a]++
	w.weight[n]++
	w.t.Logf("%-34s %v %d bytes", name, a, n)
}

func (w *weighed) message(name, path string, m []byte) {
	w.t.Helper()
	w.do(name, http.MethodPost, path, policy.Padded(path, m), nil)
}

// verdict: many answers, one weight.
func (w *weighed) verdict(words int) {
	w.t.Helper()
	if len(w.heard) < words {
		w.t.Errorf("only %d different answers: %v", len(w.heard), w.heard)
	}
	if len(w.weight) != 1 {
		w.t.Errorf("answers weigh %v", w.weight)
	}
	w.c.CloseIdleConnections()
}

// Both real link servers over mutual TLS, every kind of answer that they have:
// an eavesdropper on the wire counts the same encrypted bytes for each.
func TestAnswersWeighTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a world of its own takes a second; package policy tries the form of answers")
	}
	ctx := context.Background()
	w, clk := open(t, entry.ModeReference)
	rs := moveIn(t, w, 3, 20)
	var ordinal uint64
	for _, r := range rs[:3] {
		c, err := world.NewCard(card.P256)
		if err != nil {
			t.Fatal(err)
		}
		d, err := w.Apply(ctx, r, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		ordinal = d.Ordinal
	}
	lists(t, w)
	clk.Jump(24 * time.Hour)
	notices(t, w, rs[2], ordinal)
}

// lists sends daily lists to the register's end.
func lists(t *testing.T, w *world.World) {
	ctx := context.Background()
	if _, err := w.CA.Authority.DailyHolders(ctx, ca.Today(w.Now())); err != nil {
		t.Fatal(err)
	}
	_, list, ok, err := w.CA.Authority.Outbox(ctx)
	if err != nil || !ok {
		t.Fatal(err)
	}
	c, err := w.LinkClient(zone.LGWAN, zone.Juki, entry.ByCALink, true)
	if err != nil {
		t.Fatal(err)
	}
	x := newWeighed(t, c, w.Juki.URL)
	swap := func(old, new string) []byte { return bytes.Replace(list, []byte(old), []byte(new), 1) }
	x.message("a list too early", policy.PathHolders, swap(`"seq":0`, `"seq":7`))
	x.message("a list with another total", policy.PathHolders, swap(`"total":3`, `"total":4`))
	x.message("another name", policy.PathHolders, swap(`"name":"`, `"name":"鈴木`))
	x.message("the day's list", policy.PathHolders, list)
	x.message("the same again", policy.PathHolders, list)
	x.message("another with its number", policy.PathHolders, swap(`"total":3`, `"total":4`))
	x.message("no list", policy.PathHolders, []byte(`{"code":"12345678902"}`))
	x.message("a long text", policy.PathHolders, bytes.Repeat([]byte("あ"), 20000))
	x.do("no padding", http.MethodPost, policy.PathHolders, list, nil)
	x.do("another header", http.MethodPost, policy.PathHolders, policy.Padded(policy.PathHolders, list), func(h http.Header) { h.Set("X-Code", "12345678902") })
	x.do("another method", http.MethodPut, policy.PathHolders, nil, nil)
	x.message("nowhere", "/link/v1/holders/12345678902", nil)
	x.verdict(5)

	if c, err = w.LinkClient(zone.LGWAN, zone.Juki, "counter-202011", true); err != nil {
		t.Fatal(err)
	}
	y := newWeighed(t, c, w.Juki.URL)
	y.message("a stranger", policy.PathHolders, list)
	y.verdict(1)
	sameWeight(t, x, y)
	if err := w.CA.Sender.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// notices sends notices and counts to the CA's end.
func notices(t *testing.T, w *world.World, r people.Resident, ordinal uint64) {
	ctx := context.Background()
	if done, err := w.Happen(ctx, death(r)); err != nil || !done {
		t.Fatal(done, err)
	}
	if sent, err := w.SendNotices(ctx); err != nil || sent.Delivered != 1 {
		t.Fatal(sent, err)
	}
	c, err := w.LinkClient(zone.Juki, zone.LGWAN, entry.ByRegisterLink, true)
	if err != nil {
		t.Fatal(err)
	}
	x := newWeighed(t, c, w.CA.LinkURL)
	form := func(seq, ordinal uint64) []byte {
		b, err := notice.Notice{Mode: notice.Reference, Seq: seq, Ordinal: ordinal}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	x.message("the notice again", policy.PathNotices, form(0, ordinal))
	aside := func(h http.Header) { h.Set("X-Code", "12345678902") }
	x.do("the same, a code beside it", http.MethodPost, policy.PathNotices, policy.Padded(policy.PathNotices, form(0, ordinal)), aside)
	x.message("a notice that was not logged", policy.PathNotices, form(1, 0))
	x.message("about nobody", policy.PathNotices, form(1, 999_999_999))
	x.message("out of step", policy.PathNotices, form(9, 1))
	x.message("another with its number", policy.PathNotices, form(0, 1))
	x.message("a code in it", policy.PathNotices, []byte(`{"basis":"juki-30-8-3","code":"12345678902","mode":"reference","ordinal":5,"seq":1,"v":1}`))
	x.message("no notice", policy.PathNotices, []byte("x"))
	x.message("a long text", policy.PathNotices, bytes.Repeat([]byte("あ"), 600))
	x.do("no padding", http.MethodPost, policy.PathNotices, form(1, 1), nil)
	x.do("nothing", http.MethodPost, policy.PathNotices, nil, nil)
	x.do("another header", http.MethodPost, policy.PathNotices, policy.Padded(policy.PathNotices, form(1, 1)), aside)
	x.do("another method", http.MethodPut, policy.PathNotices, nil, nil)
	x.message("nowhere", "/link/v1/12345678902", nil)
	x.message("counts of one's own", policy.PathCounts, []byte(`{"v":1}`))
	if _, err := w.CloseDay(ctx); err != nil {
		t.Fatal(err)
	}
	_, counts, err := w.Ledger.Engine.Lookup(ctx, entry.ByRegisterCounts, 0)
	if err != nil {
		t.Fatal(err)
	}
	x.message("the counts again", policy.PathCounts, counts)
	if err := w.CA.Authority.Close(); err != nil {
		t.Fatal(err)
	}
	x.message("to a CA that is closed", policy.PathNotices, form(0, ordinal))
	x.message("counts, closed", policy.PathCounts, counts)
	x.verdict(7)

	if c, err = w.LinkClient(zone.Juki, zone.LGWAN, "juki-terminal-202011", true); err != nil {
		t.Fatal(err)
	}
	y := newWeighed(t, c, w.CA.LinkURL)
	y.message("another's counts", policy.PathCounts, counts)
	y.verdict(1)
	sameWeight(t, x, y)
}

func death(r people.Resident) people.Change { return people.Change{Kind: people.Death, Before: r} }

func sameWeight(t *testing.T, x, y *weighed) {
	t.Helper()
	for n := range x.weight {
		if y.weight[n] == 0 {
			t.Errorf("answers weigh %v here, %v there", x.weight, y.weight)
		}
	}
	for n := range x.weight {
		if n < pad.Fixed || n > pad.Fixed+200 {
			t.Errorf("an answer weighs %d bytes", n)
		}
	}
}
