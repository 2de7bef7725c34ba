package ca

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// TestKills runs a CA in a process of its own, on real files, and has it killed
// with SIGKILL at one step after the other of its start, its issuances and its
// revocations; the next process goes on from what is there. What a process
// acknowledged before it died is written down by its parent. At the end the log,
// the journal and the registry are held against the invariants of world.check,
// and against what was acknowledged. TestPowerCuts covers the same steps in far
// greater number, with disks that also lose what was not synced.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts many processes")
	}
	runs := 120
	if s := os.Getenv("SUKASHI_KILL_RUNS"); s != "" {
		var err error
		runs, err = strconv.Atoi(s)
		must(t, err)
	}
	began := time.Now()
	const worlds = 2 // side by side
	var total atomic.Int64
	t.Run("worlds", func(t *testing.T) {
		for n := range worlds {
			t.Run(strconv.Itoa(n), func(t *testing.T) {
				t.Parallel()
				total.Add(int64(killWorld(t, n, worlds, runs)))
			})
		}
	})
	t.Logf("%d processes killed in %s", total.Load(), time.Since(began).Round(time.Second))
	if int(total.Load()) < runs*8/10 {
		t.Errorf("only %d of %d processes were killed", total.Load(), runs)
	}
}

// acknowledged is what callers of the killed processes hold.
type acknowledged struct {
	issued  map[uint64]string // digest of the certificate by ordinal
	revoked map[uint64]bool
}

func killWorld(t *testing.T, n, worlds, runs int) (killed int) {
	w := newWorld(t, worldOptions{disk: true, saved: true})
	ack := acknowledged{map[uint64]string{}, map[uint64]bool{}}
	must(t, w.ca.Close())
	w.sender.Close()
	must(t, w.reg.Close())
	must(t, w.engine.Close())
	must(t, w.key.Close())
	_, all := runKilled(t, w.dir, &ack, 0, 1<<30, false) // not killed: how many steps there are
	_, work := runKilled(t, w.dir, &ack, 1, 1<<30, true)
	if all < 60 || work < 30 || work >= all {
		t.Errorf("a process has only %d steps, %d of them after its start", all, work)
		return 0
	}
	// A start has more steps with every process that died before it: every other
	// process is killed at a step that is counted from the end of its start.
	for i := n; i < runs; i += worlds {
		late := i/worlds%2 == 1
		steps := all
		if late {
			steps = work
		}
		if dead, _ := runKilled(t, w.dir, &ack, i+2, 1+i*steps/runs, late); dead {
			killed++
		}
	}
	w = attachWorld(t, w.dir, runs+3, nil)
	w.check()
	for o, digest := range ack.issued {
		rec, err := w.reg.Get(o)
		if err != nil || entry.Sum(rec.DER).String() != digest {
			t.Errorf("certificate %d is not the one that was handed over: %v", o, err)
		}
	}
	for o := range ack.revoked {
		if rec, err := w.reg.Get(o); err != nil || rec.State != registry.Revoked {
			t.Errorf("certificate %d: an acknowledged revocation got lost: %v", o, err)
		}
	}
	if len(ack.issued) < runs/worlds/4 || len(ack.revoked) < runs/worlds/4 {
		t.Errorf("only %d certificates and %d revocations were acknowledged", len(ack.issued), len(ack.revoked))
	}
	return killed
}

// runKilled runs one process and reads what it acknowledges. late: steps are
// counted from the end of its start. It returns whether the process was killed,
// and else how many steps it took.
func runKilled(t *testing.T, dir string, ack *acknowledged, run, at int, late bool) (dead bool, steps int) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$", "-test.v")
	cmd.Env = append(os.Environ(), "SUKASHI_KILL_DIR="+dir, fmt.Sprintf("SUKASHI_KILL_AT=%d,%d,%t", run, at, late))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return false, 0
	}
	var rest strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var o uint64
		var digest string
		switch l := lines.Text(); {
		case scan(l, "acknowledged certificate %d %s", &o, &digest):
			if was, ok := ack.issued[o]; ok && was != digest {
				t.Errorf("two certificates with ordinal %d", o)
			}
			ack.issued[o] = digest
		case scan(l, "acknowledged revocation %d", &o):
			ack.revoked[o] = true
		case scan(l, "steps %d", &steps):
		default:
			rest.WriteString(l + "\n")
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
			return true, 0
		}
	}
	if err != nil {
		t.Errorf("run %d, step %d: %v\n%s%s", run, at, err, rest.String(), errs.String())
	}
	return false, steps
}

func scan(line, format string, into ...any) bool {
	n, err := fmt.Sscanf(line, format, into...)
	return err == nil && n == len(into)
}

// TestKillChild is the process of TestKills: it starts the CA, issues two
// certificates side by side, receives a notice about one, revokes the other at
// a request and publishes lists; at the chosen step it kills itself.
func TestKillChild(t *testing.T) {
	dir := os.Getenv("SUKASHI_KILL_DIR")
	var run, at int
	var late bool
	if dir == "" || !scan(os.Getenv("SUKASHI_KILL_AT"), "%d,%d,%t", &run, &at, &late) {
		t.Skip("skipped: runs only in the processes that TestKills starts")
	}
	var steps atomic.Int64
	var armed atomic.Bool
	armed.Store(!late)
	step := func() {
		if armed.Load() && steps.Add(1) == int64(at) {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	w := attachWorld(t, dir, run+1, step)
	w.redeliver()
	armed.Store(true)
	var certs [2]*Certificate
	var wg sync.WaitGroup
	for k := range certs {
		app := w.numbered(2*run + k)
		wg.Go(func() {
			var err error
			if certs[k], err = w.ca.Issue(ctx, app, "counter-terminal"); err != nil {
				t.Error(err)
				return
			}
			fmt.Printf("acknowledged certificate %d %s\n", certs[k].Ordinal, entry.Sum(certs[k].DER))
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	next, err := w.engine.NextSeq(ctx, entry.ByNoticeSender)
	must(t, err)
	raw, err := notice.Notice{Mode: w.mode, Seq: next, Ordinal: certs[0].Ordinal}.Marshal()
	must(t, err)
	must(t, os.WriteFile(w.outbox(next), raw, 0o600))
	raw, from := w.sendNotice(certs[0].Ordinal)
	w.deliver(raw, from)
	_, err = w.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: certs[1].Ordinal, Ground: entry.GroundRequest, Role: RoleCounter, Operators: [2]string{"op-1", "op-2"}})
	must(t, err)
	fmt.Printf("acknowledged revocation %d\n", certs[1].Ordinal)
	_, err = w.ca.PublishCRLs(ctx)
	must(t, err)
	must(t, w.ca.Close())
	fmt.Printf("steps %d\n", steps.Load())
}

func (w *world) outbox(seq uint64) string { return filepath.Join(w.dir, fmt.Sprintf("notice-%d", seq)) }

// redeliver sends the register side's newest notice again, as its outbox does
// when the answer was lost.
func (w *world) redeliver() {
	w.t.Helper()
	next, err := w.engine.NextSeq(ctx, entry.ByNoticeSender)
	must(w.t, err)
	if next == 0 {
		return
	}
	raw, err := os.ReadFile(w.outbox(next - 1))
	must(w.t, err)
	w.deliver(raw, arrival())
}

func (w *world) deliver(raw []byte, from Arrival) {
	w.t.Helper()
	out, err := w.ca.ReceiveNotice(ctx, raw, from)
	must(w.t, err)
	if out.Revocation == nil {
		w.t.Fatalf("a notice revoked nothing")
	}
	fmt.Printf("acknowledged revocation %d\n", out.Revocation.Ordinal)
}

// save keeps what another process needs to go on with the world.
func (w *world) save(skey, vkey string) {
	w.t.Helper()
	must(w.t, os.WriteFile(filepath.Join(w.dir, "log.key"), []byte(skey+"\n"+vkey), 0o600))
	must(w.t, os.WriteFile(filepath.Join(w.dir, "issuer.der"), w.issuer, 0o600))
}

// attachWorld opens a saved world in its run-th minute; step, if any, is called before every
// operation that changes a file of the log or the registry, and before and after
// each use of the key.
func attachWorld(t testing.TB, dir string, run int, step func()) *world {
	t.Helper()
	keys, err := os.ReadFile(filepath.Join(dir, "log.key"))
	must(t, err)
	skey, vkey, _ := strings.Cut(string(keys), "\n")
	signer, err := note.NewSigner(skey)
	must(t, err)
	w := &world{t: t, dir: dir, mode: entry.ModeReference, regKey: []byte(strings.Repeat("k", registry.KeySize)),
		clock: &testClock{t: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC).Add(time.Duration(run) * time.Minute)}}
	w.logConf = trillianlog.Config{Dir: filepath.Join(dir, "ledger"), HeadDir: filepath.Join(dir, "head"), Origin: "log.test/1", Signer: signer, VKey: vkey,
		Now: w.clock.now, CacheBytes: 1 << 20}
	w.regDir, w.regRand = filepath.Join(dir, "registry"), rand.Reader
	if step != nil {
		fs := kv.Wrap(kv.Disk(), func(string) error { step(); return nil })
		w.logConf.FS, w.regWrap = fs, fs
	}
	w.openLog()
	w.decider, err = sharedDecider()
	must(t, err)
	trust, err := proof.LogOnly(vkey)
	must(t, err)
	w.key, err = keystore.OpenSoftware(keystore.SoftwareConfig{Path: filepath.Join(dir, "issuer.key"), Passphrase: []byte("demo-passphrase"),
		Gate: keystore.GateConfig{Log: trust, Journal: filepath.Join(dir, "journal"), Now: w.clock.now}})
	must(t, err)
	t.Cleanup(func() { w.key.Close() })
	w.signing = w.key
	if step != nil {
		w.signing = steppedKey{w.key, step}
	}
	w.issuer, err = os.ReadFile(filepath.Join(dir, "issuer.der"))
	must(t, err)
	w.open()
	w.sender, err = ledger.NewWriter(ctx, w.engine, entry.ByNoticeSender, w.clock.now)
	must(t, err)
	t.Cleanup(func() { w.sender.Close() })
	return w
}

// steppedKey counts the moments before and after each use.
type steppedKey struct {
	IssuerKey
	step func()
}

func (k steppedKey) Sign(ctx context.Context, tbs, e []byte, r *proof.Receipt) ([]byte, error) {
	k.step()
	defer k.step()
	return k.IssuerKey.Sign(ctx, tbs, e, r)
}

func (k steppedKey) SignStream(ctx context.Context, tbs io.WriterTo, e []byte, r *proof.Receipt) ([]byte, error) {
	k.step()
	defer k.step()
	return k.IssuerKey.SignStream(ctx, tbs, e, r)
}

func (k steppedKey) Resume(ctx context.Context, tbs, e []byte, r *proof.Receipt) ([]byte, error) {
	k.step()
	defer k.step()
	return k.IssuerKey.Resume(ctx, tbs, e, r)
}
