package ca

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/registry/pgstore"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

// host is one machine of the pair, as its process is told on its standard input.
type host struct {
	Database string
	Ledger   string
	VKey     string
	KeyFile  string // the issuer's key, the same on both
	Journal  string // of this host alone
	Ring     string // the registry's key ring, the same on both
	Issuer   []byte
	Mode     string
	Epoch    time.Time // story time at Started
	Started  time.Time
	Apps     [][]byte // applications, some for the same person
}

const hostEnv = "SUKASHI_TEST_CA_HOST"

// TestMain runs the test binary as a CA when it is told to.
func TestMain(m *testing.M) {
	if os.Getenv(hostEnv) == "" {
		os.Exit(m.Run())
	}
	var h host
	err := json.NewDecoder(os.Stdin).Decode(&h)
	if err == nil {
		err = h.run()
	}
	fmt.Println("end", err)
	if err != nil {
		os.Exit(1)
	}
}

func (h host) now() time.Time { return h.Epoch.Add(time.Since(h.Started)) }

func (h host) gate() (keystore.SoftwareConfig, error) {
	trust, err := proof.LogOnly(h.VKey)
	return keystore.SoftwareConfig{Path: h.KeyFile, Passphrase: []byte("demo-passphrase"),
		Gate: keystore.GateConfig{Log: trust, Journal: h.Journal, Now: h.now}}, err
}

func (h host) registry(s registry.Store) (*registry.Registry, error) {
	return registry.OpenStore(s, h.Ring, registry.Config{Key: bytes.Repeat([]byte("k"), registry.KeySize), Rand: rand.Reader})
}

// run is a whole CA process: it stands by, takes over, and issues what it was
// given again and again until it is killed or replaced.
func (h host) run() error {
	decider, err := sharedDecider()
	if err != nil {
		return err
	}
	resident, err := profile.Shipped(profile.Resident)
	if err != nil {
		return err
	}
	log, err := publish.NewClient(h.Ledger, &http.Client{Timeout: 30 * time.Second})
	if err != nil {
		return err
	}
	fmt.Println("standby")
	store, err := pgstore.Open(ctx, pgstore.Config{URL: h.Database, Holder: h.Journal})
	if err != nil {
		return err
	}
	reg, err := h.registry(store)
	if err != nil {
		return err
	}
	conf, err := h.gate()
	if err != nil {
		return err
	}
	key, err := keystore.OpenSoftware(conf)
	if err != nil {
		return err
	}
	a, err := Open(ctx, Config{Log: log, Reader: log, Registry: reg, Lease: store, Key: key, Issuer: h.Issuer, Profile: resident, BaseURL: testBase,
		Decider: decider, NoticeMode: h.Mode, Now: h.now, Rand: rand.Reader})
	if err != nil {
		return err
	}
	fmt.Println("active")
	return h.hammer(a, store.Lost())
}

func (h host) hammer(a *Authority, lost <-chan struct{}) error {
	var wg sync.WaitGroup
	var failed sync.Once
	var first error
	for worker := range 8 {
		wg.Go(func() {
			rng := mathrand.New(mathrand.NewPCG(uint64(worker), uint64(os.Getpid())))
			for {
				select {
				case <-lost:
					return
				default:
				}
				app, err := counter.Parse(h.Apps[rng.IntN(len(h.Apps))])
				if err != nil {
					failed.Do(func() { first = err })
					return
				}
				c, err := a.Issue(ctx, app, "counter-terminal")
				var r *Refused
				switch {
				case err == nil:
					fmt.Println("issued", app.ID, c.Ordinal, c.Serial, entry.Sum(c.DER))
				case !errors.As(err, &r):
					time.Sleep(5 * time.Millisecond) // uncertain: asked again
				}
			}
		})
	}
	wg.Go(func() { // lists, as fast as they can be made
		for {
			select {
			case <-lost:
				return
			default:
			}
			lists, err := a.PublishCRLs(ctx)
			for _, l := range lists {
				fmt.Println("list", l.Partition, l.Number, entry.Sum(l.DER))
			}
			if err != nil {
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	wg.Wait()
	<-lost
	return first
}

// process is a running CA and what it has said.
type process struct {
	cmd    *exec.Cmd
	active chan time.Time
	issued chan time.Time // the first certificate
	ended  chan struct{}
	stderr bytes.Buffer
}

// pair is two hosts on one database, and everything that ever left them.
type pair struct {
	t     *testing.T
	hosts [2]host
	procs [2]*process

	mu   sync.Mutex
	seen map[string]string // application → certificate that was given out
	said int
	made map[string]string // partition and number → list that was given out
}

func (p *pair) start(i int) {
	p.t.Helper()
	exe, err := os.Executable()
	must(p.t, err)
	in, err := json.Marshal(p.hosts[i])
	must(p.t, err)
	c := &process{cmd: exec.Command(exe), active: make(chan time.Time, 1), issued: make(chan time.Time, 1), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), hostEnv+"=1")
	c.cmd.Stdin, c.cmd.Stderr = bytes.NewReader(in), &c.stderr
	out, err := c.cmd.StdoutPipe()
	must(p.t, err)
	must(p.t, c.cmd.Start())
	standby := make(chan struct{})
	go p.listen(c, out, standby)
	p.procs[i] = c
	p.t.Cleanup(func() {
		c.cmd.Process.Kill()
		<-c.ended
	})
	select {
	case <-standby:
	case <-c.ended:
		p.t.Fatalf("the process ended at once: %s", c.stderr.String())
	}
}

// listen takes down what leaves a process. A line that was written counts, even
// if the process was killed right after.
func (p *pair) listen(c *process, out io.Reader, standby chan struct{}) {
	defer close(c.ended)
	defer c.cmd.Wait()
	first := true
	for sc := bufio.NewScanner(out); sc.Scan(); {
		f := strings.Fields(sc.Text())
		switch {
		case len(f) == 0:
		case f[0] == "standby":
			close(standby)
		case f[0] == "active":
			c.active <- time.Now()
		case f[0] == "issued" && len(f) == 5:
			if first {
				c.issued <- time.Now()
				first = false
			}
			p.mu.Lock()
			p.said++
			what := strings.Join(f[2:], " ")
			if was, ok := p.seen[f[1]]; ok && was != what {
				p.t.Errorf("application %s got two certificates: %s and %s", f[1], was, what)
			}
			p.seen[f[1]] = what
			p.mu.Unlock()
		case f[0] == "list" && len(f) == 4:
			p.mu.Lock()
			what := f[1] + " " + f[2]
			if was, ok := p.made[what]; ok {
				p.t.Errorf("list %s was made twice: %s and %s", what, was, f[3])
			}
			p.made[what] = f[3]
			p.mu.Unlock()
		case f[0] == "end" && len(f) > 1 && f[1] != "<nil>":
			p.t.Logf("a process ended: %s", sc.Text())
		}
	}
}

func (p *pair) await(what string, c chan time.Time) time.Time {
	p.t.Helper()
	select {
	case at := <-c:
		return at
	case <-time.After(90 * time.Second):
		for i, c := range p.procs {
			p.t.Logf("process %d: %s", i, c.stderr.String())
		}
		p.t.Fatalf("no process is %s", what)
		return time.Time{}
	}
}

func newPair(t *testing.T, w *world, persons, each int) *pair {
	t.Helper()
	must(t, w.ca.Close())
	must(t, w.reg.Close())
	srv := httptest.NewServer(publish.Handler(publish.Config{Source: w.engine, Log: w.engine,
		Authorize: func(*http.Request) []string { return []string{entry.ByCA, entry.ByCALink} }}))
	t.Cleanup(srv.Close)
	h := host{Database: servers.Postgres(t).URL(t, "registry"), Ledger: srv.URL, VKey: w.logConf.VKey, KeyFile: filepath.Join(w.dir, "issuer.key"),
		Ring: filepath.Join(w.dir, "ring"), Issuer: w.issuer, Mode: w.mode, Epoch: w.clock.now(), Started: time.Now()}
	letters := []rune("春夏秋冬東西南北山川海空花月風雪")
	for i := range persons {
		for range each {
			b, err := w.application(certifiedOf("総務　" + string([]rune{letters[i/len(letters)], letters[i%len(letters)]}))).Marshal()
			must(t, err)
			h.Apps = append(h.Apps, b)
		}
	}
	p := &pair{t: t, seen: map[string]string{}, made: map[string]string{}}
	for i := range p.hosts {
		p.hosts[i] = h
		p.hosts[i].Journal = filepath.Join(w.dir, fmt.Sprintf("journal-%d", i))
	}
	return p
}

// TestTwoProcesses: two CA processes on one PostgreSQL registry, each with a
// host's own signing journal, get the same applications again and again. The
// active one is killed (SIGKILL), or stopped, cut off from its lease and let go
// on after the other has taken over. Both make lists all the time. Whatever
// happens, an application gets one certificate at most and a person one that is
// in force; every intent ends; a list's number is announced once and made once.
func TestTwoProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts processes; run without -short")
	}
	w := newWorld(t, worldOptions{})
	p := newPair(t, w, 256, 2)
	p.start(0)
	p.await("active", p.procs[0].active)
	p.start(1)
	at := 0
	for round, cut := range []string{"kill", "stop", "kill", "stop", "kill"} {
		active, next := p.procs[at], p.procs[1-at]
		p.await("issuing", active.issued)
		time.Sleep(time.Duration(30+40*round) * time.Millisecond)
		died := time.Now()
		if cut == "kill" {
			must(t, active.cmd.Process.Kill())
		} else {
			must(t, active.cmd.Process.Signal(syscall.SIGSTOP))
			p.cutLease()
		}
		took, issuing := p.await("active", next.active), p.await("issuing", next.issued)
		next.issued <- issuing
		t.Logf("%s: active after %v, the first certificate after %v", cut, took.Sub(died).Round(time.Millisecond), issuing.Sub(died).Round(time.Millisecond))
		if cut == "stop" {
			must(t, active.cmd.Process.Signal(syscall.SIGCONT))
		}
		select {
		case <-active.ended: // a replaced process ends by itself
		case <-time.After(60 * time.Second):
			t.Fatal("the replaced process goes on")
		}
		p.start(at)
		at = 1 - at
	}
	for _, c := range p.procs {
		c.cmd.Process.Kill()
		<-c.ended
	}
	p.settle(w)
}

// cutLease ends the connection that holds the lease, as a broken network would.
func (p *pair) cutLease() {
	p.t.Helper()
	must(p.t, pgstore.BreakLease(ctx, p.hosts[0].Database))
}

// settle opens the registry in this process and holds log, registry, journals
// and everything that was given out against each other.
func (p *pair) settle(w *world) {
	t := p.t
	store, err := pgstore.Open(ctx, pgstore.Config{URL: p.hosts[0].Database, Holder: "settle"})
	must(t, err)
	w.reg, err = p.hosts[0].registry(store)
	must(t, err)
	t.Cleanup(func() { w.reg.Close() })
	conf := w.config()
	conf.Lease, conf.Now = store, p.hosts[0].now
	w.ca, err = Open(ctx, conf)
	must(t, err)
	t.Cleanup(func() { w.ca.Close() })
	w.check()
	issued := map[string]string{} // by application
	live := map[attr.Attributes]int{}
	size, err := w.reg.Size()
	must(t, err)
	aborted := 0
	for o := range size {
		rec, err := w.reg.Get(o)
		must(t, err)
		if rec.State == registry.Aborted {
			aborted++
			continue
		}
		if _, twice := issued[rec.Application]; twice {
			t.Errorf("application %s has two certificates", rec.Application)
		}
		issued[rec.Application] = fmt.Sprint(rec.Ordinal, " ", rec.Serial, " ", entry.Sum(rec.DER))
		if rec.Live(p.hosts[0].now()) {
			live[rec.Certified.Attributes()]++
		}
	}
	for who, n := range live {
		if n != 1 {
			t.Errorf("a person (%d characters) has %d certificates in force", len(who.Name), n)
		}
	}
	for app, what := range p.seen {
		if issued[app] != what {
			t.Errorf("application %s was given %q, the registry has %q", app, what, issued[app])
		}
	}
	if len(live) == 0 || len(p.seen) == 0 {
		t.Error("nothing was issued")
	}
	if len(p.made) < 20 {
		t.Errorf("only %d lists were made", len(p.made))
	}
	p.checkJournals(w)
	t.Logf("%d lists, %d answers, %d certificates for %d applications, %d aborted", len(p.made), p.said, len(issued), len(p.hosts[0].Apps), aborted)
}

// checkJournals: every use of the key on either host was announced, and none
// was announced once and used on both.
func (p *pair) checkJournals(w *world) {
	announced, used := map[entry.Digest]bool{}, map[entry.Digest]int{}
	for _, e := range w.entries() {
		switch b := e.Body.(type) {
		case *entry.CertIntent:
			announced[b.TBS] = true
		case *entry.CRLPublished:
			announced[b.TBS] = true
		}
	}
	for _, h := range p.hosts {
		conf, err := h.gate()
		must(p.t, err)
		k, err := keystore.OpenSoftware(conf)
		must(p.t, err)
		must(p.t, k.Journal(func(r keystore.Record) error {
			if r.Use == keystore.UseSign {
				used[r.TBS]++
			}
			if !announced[r.TBS] {
				p.t.Error("a host's key was used for bytes that no entry announces")
			}
			return nil
		}))
		must(p.t, k.Close())
	}
	for _, n := range used {
		if n > 1 {
			p.t.Error("one intent was signed on both hosts")
		}
	}
}
