package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/witness"
)

// site is what the acts have in common: keys, certificates, a log that exists.
type site struct {
	t       *testing.T
	program string
	client  *http.Client // as ca-server
	key     *logkey.Key
	vkey    string
	witness ed25519.PrivateKey
	entries [][]byte // of ca-server, by sequence number
	log     *proof.Policy
}

const roleLedger = `format: 1
role: ledger
listen: 127.0.0.1:0
public: 127.0.0.1:0
tls:
  cert: tls/ledger.pem
  key: tls/ledger.key
  roots: {open: tls/open.pem, lgwan: tls/lgwan.pem}
ledger:
  dir: store
  head: head
  origin: log.test/1
  key: {file: log.key}
  policy: witness.policy
  publishEvery: 100ms
  writers:
    - {zone: lgwan, name: ca-server, by: [ca-server]}
`

func newSite(t *testing.T, program string) *site {
	t.Helper()
	f := &site{t: t, program: program}
	for i := range uint64(40) {
		f.entries = append(f.entries, logtest.Event(t, entry.ByCA, i))
	}
	_, f.witness, _ = ed25519.GenerateKey(rand.Reader) // doesn't fail
	return f
}

func (f *site) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// newLog makes a folder with a ledger's configuration and no log yet.
func (f *site) newLog() string {
	dir := f.t.TempDir()
	roots := map[string]*zone.Root{}
	f.must(os.Mkdir(filepath.Join(dir, "tls"), 0o700))
	for _, z := range []zone.Zone{zone.Open, zone.LGWAN} {
		root, err := zone.NewRoot(z, time.Now(), rand.Reader)
		f.must(err)
		roots[string(z)] = root
		f.must(os.WriteFile(filepath.Join(dir, "tls", string(z)+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Cert.Raw}), 0o600))
	}
	cert, err := roots["open"].Issue("ledger", time.Now(), rand.Reader)
	f.must(err)
	f.must(zone.WritePEM(filepath.Join(dir, "tls"), "ledger", cert))
	mine, err := roots["lgwan"].Issue(entry.ByCA, time.Now(), rand.Reader)
	f.must(err)
	f.must(zone.WritePEM(filepath.Join(dir, "tls"), entry.ByCA, mine))
	f.client = zone.Peers{roots["open"]}.Client(mine, 10*time.Second)
	f.key, err = logkey.CreateFile(filepath.Join(dir, "log.key"), logtest.Origin, rand.Reader)
	f.must(err)
	f.vkey = f.key.VKey()
	f.log, err = proof.LogOnly(f.vkey)
	f.must(err)
	f.must(os.WriteFile(filepath.Join(dir, "log.vkey"), []byte(f.vkey+"\n"), 0o600))
	f.must(os.WriteFile(filepath.Join(dir, "role.yaml"), []byte(roleLedger), 0o600))
	return dir
}

// oldLog is a log that was killed in the middle of its work.
func (f *site) oldLog(fresh string) string {
	dir := f.t.TempDir()
	f.must(copyFolder(dir, fresh))
	s := &sandbox{program: f.program, dir: dir}
	eye, err := f.watch(s)
	f.must(err)
	v, err := s.serve(false)
	f.must(err)
	if v.addr == nil {
		f.t.Fatalf("the ledger doesn't start: %s", s.said())
	}
	a := &ledgerAct{site: f}
	a.work(v, 0, 2, 3)
	f.must(a.published(v, eye.policy, 6))
	a.work(v, 5, 1)
	v.kill()
	eye.close()
	if len(a.acked) != 6 {
		f.t.Fatalf("%d entries are logged: %s", len(a.acked), s.said())
	}
	return dir
}

// eye is the log's witness, in this process, with its state in the sandbox.
type eye struct {
	server *witness.Server
	http   *httptest.Server
	policy *proof.Policy
	mu     sync.Mutex // guards seen
	seen   []glimpse
}

// glimpse is the witness's state after a request that came at a moment.
type glimpse struct {
	at    time.Time
	files map[string][]byte
}

func (g *glimpse) put(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, b := range g.files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// watch opens the witness and writes the log's policy for it.
func (f *site) watch(s *sandbox) (*eye, error) {
	w, err := witness.Open(witness.Config{Dir: s.in("witness"), Name: "w.test", Key: f.witness, Logs: []string{f.vkey}, Now: time.Now})
	if err != nil {
		return nil, err
	}
	e := &eye{server: w}
	e.http = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		at := time.Now()
		w.ServeHTTP(rw, r)
		e.glance(at, s.in("witness"))
	}))
	text := "log " + f.vkey + "\nwitness w " + w.VKey() + " " + e.http.URL + "\nquorum w\n"
	e.policy, err = proof.ParsePolicy([]byte(text))
	return e, errors.Join(err, os.WriteFile(s.in("witness.policy"), []byte(text), 0o600))
}

func (e *eye) glance(at time.Time, dir string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := glimpse{at, map[string][]byte{}}
	list, _ := os.ReadDir(dir) // what can't be read is missed when it is needed
	for _, f := range list {
		g.files[f.Name()], _ = os.ReadFile(filepath.Join(dir, f.Name()))
	}
	e.seen = append(e.seen, g)
}

func (e *eye) close() {
	e.http.Close()
	_ = e.server.Close() // its state is its own
}

// ledgerAct is sukashi serve as the ledger: a writer appends over mTLS and keeps
// what it was told.
type ledgerAct struct {
	*site
	first  uint64           // the writer's next number
	acked  []*proof.Receipt // of entries first…
	public uint64           // size of the newest checkpoint that was seen

	entriesAt, publicAt []moment // how many were acknowledged, and seen, when
	witnessed           []glimpse
}

// at implements act.
func (a *ledgerAct) at(t time.Time, s *sandbox) (act, error) {
	then := &ledgerAct{site: a.site, first: a.first, acked: a.acked[:until(a.entriesAt, t)], public: until(a.publicAt, t)}
	for _, g := range slices.Backward(a.witnessed) {
		if g.at.Before(t) {
			return then, g.put(s.in("witness"))
		}
	}
	return then, nil
}

func (a *ledgerAct) connect(v *serving) *publish.Client {
	c, err := publish.NewClient(v.addr["append"], a.client)
	a.must(err)
	return c
}

// work appends calls of so many entries each, until one is not acknowledged.
func (a *ledgerAct) work(v *serving, seq uint64, calls ...int) {
	c := a.connect(v)
	for _, n := range calls {
		batch := a.entries[seq : seq+uint64(n)]
		rs, err := c.Append(context.Background(), batch...)
		if err != nil {
			return
		}
		for i, r := range rs {
			if _, err := a.log.VerifyReceipt(r, batch[i]); err != nil {
				a.t.Errorf("a receipt of entry %d doesn't hold: %v", seq+uint64(i), err)
			}
		}
		a.acked = append(a.acked, rs...)
		a.entriesAt = append(a.entriesAt, moment{uint64(len(a.acked)), time.Now()})
		seq += uint64(n)
	}
}

// published waits until a checkpoint of this size is cosigned.
func (a *ledgerAct) published(v *serving, policy *proof.Policy, size uint64) error {
	c := a.connect(v)
	var last error
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		note, err := c.Checkpoint(context.Background())
		if errors.Is(err, ledger.ErrNotFound) {
			last = err
			continue
		}
		if err != nil {
			return err
		}
		cp, err := policy.VerifyCheckpoint(note)
		if err != nil {
			return fmt.Errorf("a checkpoint is shown that doesn't hold: %w", err)
		}
		if cp.Size < a.public {
			return fmt.Errorf("the checkpoint of size %d is followed by one of size %d", a.public, cp.Size)
		}
		a.public, a.publicAt = cp.Size, append(a.publicAt, moment{cp.Size, time.Now()})
		if cp.Size >= size {
			return nil
		}
		last = fmt.Errorf("the newest checkpoint has size %d, not %d", cp.Size, size)
	}
	return last
}

// run implements act.
func (a *ledgerAct) run(s *sandbox) error {
	e, err := a.watch(s)
	if err != nil {
		return err
	}
	defer func() {
		e.close()
		a.witnessed = e.seen
	}()
	v, err := s.serve(true)
	if err != nil {
		return err
	}
	if v.addr["append"] != "" { // it may not have been able to say where it is
		a.work(v, a.first, 1, 2, 1)
		if len(a.acked) == 4 {
			_ = a.published(v, e.policy, a.acked[3].Index+1) // it may have broken off
			a.work(v, a.first+4, 1)
		}
	}
	_, err = v.stop()
	return err
}

// check implements act.
func (a *ledgerAct) check(s *sandbox) (promises int, err error) {
	if err := a.fsck(s, len(a.acked) == 0 && a.first == 0); err != nil {
		return 0, err
	}
	e, err := a.watch(s)
	if err != nil {
		return 0, fmt.Errorf("the witness: %w", err)
	}
	defer e.close()
	v, err := s.serve(false)
	// On a busy machine the witness in this process may answer too late.
	for i := 0; i < 3 && err == nil && v.addr == nil && strings.Contains(s.later.String(), "context deadline exceeded"); i++ {
		if _, err = v.stop(); err == nil {
			v, err = s.serve(false)
		}
	}
	if err != nil {
		return 0, err
	}
	if v.addr == nil {
		_, err := v.stop()
		return 0, errors.Join(errors.New("it doesn't start again"), err)
	}
	err = a.reread(v, e)
	ok, serr := v.stop()
	if err == nil && !ok {
		err = errors.New("the second run doesn't end well")
	}
	if err = errors.Join(err, serr); err != nil {
		return 0, err
	}
	return len(a.acked) + min(1, int(a.public)), a.fsck(s, false)
}

// fsck checks the stopped log. A log that nobody was promised anything of may not
// be there.
func (a *ledgerAct) fsck(s *sandbox, new bool) error {
	out, code, err := s.again("ledger", "fsck", s.dir, "--store", s.in("store"), "--head", s.in("head"), "--keys", s.in("log.vkey"), "--json")
	if err == nil && code != 0 && !(new && code == 1) {
		err = fmt.Errorf("fsck ends with %d: %s", code, out)
	}
	return err
}

// reread holds the promises against the log, and goes on with it.
func (a *ledgerAct) reread(v *serving, e *eye) error {
	ctx, c := context.Background(), a.connect(v)
	for i, r := range a.acked {
		b, err := c.Entry(ctx, r.Index)
		if err != nil || !bytes.Equal(b, a.entries[a.first+uint64(i)]) {
			return fmt.Errorf("entry %d is lost: %w", r.Index, err)
		}
	}
	next, err := c.NextSeq(ctx, entry.ByCA)
	if err != nil {
		return err
	}
	if next < a.first+uint64(len(a.acked)) {
		return fmt.Errorf("the writer's next number is %d after %d acknowledged entries", next, len(a.acked))
	}
	rs, err := c.Append(ctx, a.entries[a.first:next+2]...)
	if err != nil {
		return fmt.Errorf("it doesn't go on: %w", err)
	}
	for i, r := range rs {
		if i < len(a.acked) && r.Index != a.acked[i].Index {
			return fmt.Errorf("entry %d is now at %d", a.acked[i].Index, r.Index)
		}
		if _, err := a.log.VerifyReceipt(r, a.entries[a.first+uint64(i)]); err != nil {
			return err
		}
	}
	// The witness cosigns only what continues what it has seen.
	return a.published(v, e.policy, rs[len(rs)-1].Index+1)
}
