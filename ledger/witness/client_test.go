package witness

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// rig is a log with up to three witnesses behind loopback servers.
type rig struct {
	l       *testLog
	servers map[string]*Server
	urls    map[string]string
	vkeys   map[string]string
	broken  map[string]*atomic.Bool // answers 500
	asked   map[string]*atomic.Int32
	proofs  atomic.Int32 // calls of Consistency
	now     atomic.Int64 // nanoseconds after noon
}

func newRig(t *testing.T) *rig {
	r := &rig{l: newLog(t, "a").grow(t, 30, "entry"), servers: map[string]*Server{}, urls: map[string]string{},
		vkeys: map[string]string{}, broken: map[string]*atomic.Bool{}, asked: map[string]*atomic.Int32{}}
	for _, n := range []string{"w1", "w2", "w3"} {
		s := open(t, t.TempDir(), n+".example", r.l.vkey)
		broken, asked := new(atomic.Bool), new(atomic.Int32)
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			asked.Add(1)
			if broken.Load() {
				http.Error(w, "broken", 500)
				return
			}
			s.ServeHTTP(w, req)
		}))
		t.Cleanup(h.Close)
		r.servers[n], r.urls[n], r.vkeys[n], r.broken[n], r.asked[n] = s, h.URL+"/"+n+"/", s.VKey(), broken, asked
	}
	return r
}

func (r *rig) client(t *testing.T, threshold string) (*Client, *proof.Policy) {
	t.Helper()
	p := policyOf(t, r.l, threshold, r.urls, r.vkeys)
	c, err := NewClient(ClientConfig{
		Policy: p, HTTP: http.DefaultClient, Timeout: 20 * time.Second, Grace: 20 * time.Second,
		Now: func() time.Time { return noon.Add(time.Duration(r.now.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

func (r *rig) cosign(t *testing.T, c *Client, size int64) ([]byte, error) {
	t.Helper()
	return c.Cosign(context.Background(), r.l.checkpoint(t, size), func(old uint64) ([]tlog.Hash, error) {
		r.proofs.Add(1)
		return r.l.prove(t, int64(old), size), nil
	})
}

func TestCosign(t *testing.T) {
	r := newRig(t)
	c, p := r.client(t, "all")
	for _, step := range []int64{5, 9, 9, 30} {
		b, err := r.cosign(t, c, step)
		if err != nil {
			t.Fatal(step, err)
		}
		cp, err := p.VerifyCheckpoint(b)
		if err != nil || cp.Size != uint64(step) || len(cp.Cosigned) != 3 || cp.Cosigned[0].Witness != "w1" || cp.Cosigned[2].Witness != "w3" {
			t.Fatal(step, err, cp)
		}
	}
	if n := r.proofs.Load(); n != 6 { // none from 0, none to the same size
		t.Errorf("%d proofs asked for", n)
	}
}

func TestCosignAfterConflict(t *testing.T) {
	r := newRig(t)
	// One witness is at 7, one at 0, one at 12; a client that was just started knows nothing.
	ctx := context.Background()
	for n, size := range map[string]int64{"w1": 7, "w3": 12} {
		if _, err := r.servers[n].AddCheckpoint(ctx, 0, nil, r.l.checkpoint(t, size)); err != nil {
			t.Fatal(err)
		}
	}
	c, p := r.client(t, "all")
	b, err := r.cosign(t, c, 20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.VerifyCheckpoint(b); err != nil {
		t.Fatal(err)
	}
	if n := r.proofs.Load(); n != 2 { // from 7 and 12; from 0 needs no proof
		t.Errorf("%d proofs asked for", n)
	}
	asked := r.asked["w1"].Load()
	if _, err := r.cosign(t, c, 25); err != nil || r.asked["w1"].Load() != asked+1 {
		t.Errorf("the client forgot the witness's size: %v", err)
	}
}

func TestCosignQuorum(t *testing.T) {
	r := newRig(t)
	c, p := r.client(t, "2")
	r.broken["w2"].Store(true)
	b, err := r.cosign(t, c, 5)
	if err != nil {
		t.Fatal(err)
	}
	if cp, err := p.VerifyCheckpoint(b); err != nil || len(cp.Cosigned) != 2 {
		t.Fatal(cp, err)
	}
	// The broken one has a pause, the others make the quorum without it.
	asked := r.asked["w2"].Load()
	if _, err := r.cosign(t, c, 6); err != nil || r.asked["w2"].Load() != asked {
		t.Errorf("asked during its pause (%v)", err)
	}
	// Without a second one the pause is ignored, and it still fails.
	r.broken["w1"].Store(true)
	if _, err := r.cosign(t, c, 7); say.Code(err) != "witness.quorum" {
		t.Errorf("below the quorum: %v", err)
	}
	if !strings.Contains(mustErr(t, r, c).Error(), "w1") {
		t.Error("the error doesn't name the witness")
	}
	// Both are back, after the pause all three sign.
	r.broken["w1"].Store(false)
	r.broken["w2"].Store(false)
	r.now.Store(int64(time.Hour))
	b, err = r.cosign(t, c, 9)
	if err != nil {
		t.Fatal(err)
	}
	if cp, err := p.VerifyCheckpoint(b); err != nil || len(cp.Cosigned) != 3 {
		t.Fatal(cp, err)
	}
}

func mustErr(t *testing.T, r *rig, c *Client) error {
	t.Helper()
	_, err := r.cosign(t, c, 8)
	if err == nil {
		t.Fatal("no error")
	}
	return err
}

func TestGraceEndsTheWait(t *testing.T) {
	r := newRig(t)
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		select {
		case <-hang:
		case <-req.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(hang) })
	r.urls["w2"] = slow.URL
	c, p := r.client(t, "2")
	c.cfg.Grace = time.Millisecond
	b, err := r.cosign(t, c, 5) // would take the 20 s timeout if it waited
	if err != nil {
		t.Fatal(err)
	}
	if cp, err := p.VerifyCheckpoint(b); err != nil || len(cp.Cosigned) != 2 {
		t.Fatal(cp, err)
	}
}

func TestWitnessAhead(t *testing.T) {
	r := newRig(t)
	c, _ := r.client(t, "2")
	if _, err := r.cosign(t, c, 20); err != nil {
		t.Fatal(err)
	}
	// The log lost its newest entries and goes on with another one.
	c, _ = r.client(t, "2")
	if _, err := r.cosign(t, c, 18); say.Code(err) != "witness.ahead" {
		t.Errorf("rolled back log cosigned: %v", err)
	}
}

// liar answers every add-checkpoint with a conflict at a size.
func liar(t *testing.T, size string) string {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != "POST" {
			http.NotFound(w, req)
			return
		}
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, size)
	}))
	t.Cleanup(h.Close)
	return h.URL
}

func TestLyingWitnessCannotStopTheLog(t *testing.T) {
	for _, size := range []string{"99999\n", "x\n", "3\n", "0\n", ""} {
		r := newRig(t)
		r.urls["w3"] = liar(t, size)
		c, p := r.client(t, "2")
		b, err := r.cosign(t, c, 5)
		if err != nil {
			t.Fatalf("%q: %v", size, err)
		}
		if cp, err := p.VerifyCheckpoint(b); err != nil || len(cp.Cosigned) != 2 {
			t.Fatal(cp, err)
		}
	}
}

func TestBadAnswers(t *testing.T) {
	good := newRig(t)
	line, err := good.servers["w1"].AddCheckpoint(context.Background(), 0, nil, good.l.checkpoint(t, 6))
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]string{
		"empty":                  "",
		"text":                   "hello\n",
		"line for another size":  string(line),
		"line without newline":   strings.TrimSuffix(string(line), "\n"),
		"only a stranger's line": "— stranger.example " + strings.Fields(string(line))[2] + "\n",
		"endless":                strings.Repeat("— x AAAAAAAAAAAA\n", 10000),
	} {
		r := newRig(t)
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { _, _ = io.WriteString(w, answer) }))
		t.Cleanup(h.Close)
		r.urls["w1"] = h.URL
		c, _ := r.client(t, "all")
		if _, err := r.cosign(t, c, 5); say.Code(err) != "witness.quorum" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c, _ := good.client(t, "all"); true {
		if _, err := c.Cosign(context.Background(), []byte("x"), nil); err == nil {
			t.Error("garbage for a checkpoint")
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := c.Cosign(ctx, good.l.checkpoint(t, 7), nil); say.Code(err) != "witness.quorum" {
			t.Errorf("cancelled: %v", err)
		}
	}
}

func TestCheckHead(t *testing.T) {
	r := newRig(t)
	c, _ := r.client(t, "2")
	ctx := context.Background()
	rootOf := func(l *testLog) func(context.Context, uint64) (tlog.Hash, error) {
		return func(_ context.Context, n uint64) (tlog.Hash, error) { return l.root(int64(n)), nil }
	}
	if err := c.CheckHead(ctx, 0, rootOf(r.l)); err != nil {
		t.Errorf("new log, new witnesses: %v", err)
	}
	if _, err := r.cosign(t, c, 12); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Newest(ctx) {
		if s.Err != nil || s.Checkpoint.Size != 12 || len(s.Checkpoint.Cosigned) != 1 || s.Checkpoint.Cosigned[0].Witness != s.Witness {
			t.Errorf("%+v", s)
		}
	}
	fork := newLog(t, "a").grow(t, 5, "entry").grow(t, 25, "forked")
	both := func(l *testLog, size int64) [2]error {
		return [2]error{
			c.CheckHead(ctx, uint64(size), rootOf(l)),
			c.CheckSigned(ctx, l.checkpoint(t, size), func(old uint64) ([]tlog.Hash, error) { return l.prove(t, int64(old), size), nil }),
		}
	}
	for _, x := range []struct {
		name, code string
		errs       [2]error
	}{
		{"equal", "", both(r.l, 12)},
		{"ahead of the witnesses", "", both(r.l, 30)},
		{"restored from an old backup", "witness.ahead", both(r.l, 11)},
		{"forked at the same size", "witness.fork", both(fork, 12)},
		{"forked and longer", "witness.fork", both(fork, 20)},
		{"everything lost", "witness.ahead", both(r.l, 0)},
	} {
		for i, err := range x.errs {
			if (err == nil) != (x.code == "") || err != nil && (say.Code(err) != x.code || !strings.Contains(err.Error(), "w1")) {
				t.Errorf("%s (%d): want %q, got %v", x.name, i, x.code, err)
			}
		}
	}
	if err := c.CheckSigned(ctx, []byte("x"), nil); say.Code(err) != "checkpoint.malformed" {
		t.Errorf("garbage for a head: %v", err)
	}
	sick := errors.New("sick")
	if err := c.CheckHead(ctx, 13, func(context.Context, uint64) (tlog.Hash, error) { return tlog.Hash{}, sick }); !errors.Is(err, sick) {
		t.Errorf("no root: %v", err)
	}
	if err := c.CheckSigned(ctx, r.l.checkpoint(t, 13), func(uint64) ([]tlog.Hash, error) { return nil, sick }); !errors.Is(err, sick) {
		t.Errorf("no proof: %v", err)
	}
	r.broken["w1"].Store(true)
	if err := c.CheckHead(ctx, 12, rootOf(r.l)); err != nil {
		t.Errorf("one of three silent: %v", err)
	}
	r.broken["w2"].Store(true)
	if err := c.CheckHead(ctx, 12, rootOf(r.l)); say.Code(err) != "witness.silent" {
		t.Errorf("two of three silent: %v", err)
	}
}

// TestCheckSignedWithoutMonitoring: witnesses that answer add-checkpoint only.
func TestCheckSignedWithoutMonitoring(t *testing.T) {
	r := newRig(t)
	for n, s := range r.servers {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodGet {
				http.NotFound(w, req)
				return
			}
			s.ServeHTTP(w, req)
		}))
		t.Cleanup(h.Close)
		r.urls[n] = h.URL
	}
	fork := newLog(t, "a").grow(t, 5, "entry").grow(t, 25, "forked")
	for _, c := range []struct {
		name string
		l    *testLog
		size int64
		code string
	}{
		{"new witnesses", r.l, 12, ""},
		{"equal", r.l, 12, ""},
		{"ahead of the witnesses", r.l, 15, ""},
		{"restored from an old backup", r.l, 14, "witness.ahead"},
		{"forked at the same size", fork, 15, "witness.fork"},
		{"forked and longer", fork, 20, "witness.fork"},
	} {
		client, _ := r.client(t, "2") // a fresh start each time
		err := client.CheckSigned(context.Background(), c.l.checkpoint(t, c.size), func(old uint64) ([]tlog.Hash, error) { return c.l.prove(t, int64(old), c.size), nil })
		if (err == nil) != (c.code == "") || err != nil && say.Code(err) != c.code {
			t.Errorf("%s: want %q, got %v", c.name, c.code, err)
		}
	}
}

func TestNewClientRefuses(t *testing.T) {
	r := newRig(t)
	ok := ClientConfig{Policy: policyOf(t, r.l, "2", r.urls, r.vkeys), HTTP: http.DefaultClient, Now: time.Now}
	if _, err := NewClient(ok); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*ClientConfig){
		"no policy":     func(c *ClientConfig) { c.Policy = nil },
		"no clock":      func(c *ClientConfig) { c.Now = nil },
		"negative time": func(c *ClientConfig) { c.Grace = -1 },
		"too few URLs": func(c *ClientConfig) {
			c.Policy = policyOf(t, r.l, "2", map[string]string{"w1": r.urls["w1"]}, r.vkeys)
		},
		"URL is no URL":  func(c *ClientConfig) { c.Policy = policyOf(t, r.l, "2", map[string]string{"w1": "::"}, r.vkeys) },
		"URL of a file":  func(c *ClientConfig) { c.Policy = policyOf(t, r.l, "2", map[string]string{"w1": "file:///x"}, r.vkeys) },
		"no HTTP client": func(c *ClientConfig) { c.HTTP = nil },
	} {
		c := ok
		change(&c)
		if _, err := NewClient(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
