package ca

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// TestKills runs a CA in a process of its own, on real files and with its key in
// SoftHSM, and has it killed with SIGKILL at one step after the other of its
// start, its issuances, revocations and publications of lists (killSteps says
// what a step is); the next process goes on from what is there and is asked the
// same again by those who got no answer. What a process acknowledged before it
// died is written down by its parent. At the end of each world the log, the
// journal and the registry are held against the invariants of world.check, and
// against what was acknowledged. TestPowerCuts covers the same steps with disks
// that also lose what was not synced.
//
// A process costs some 60 ms of CPU, because the key needs no passphrase and the
// decisions, made by the real rules in the first process, are remembered.
// SUKASHI_KILL_RUNS sets another number of kills.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts many processes")
	}
	runs := 2048
	if s := os.Getenv("SUKASHI_KILL_RUNS"); s != "" {
		var err error
		runs, err = strconv.Atoi(s)
		must(t, err)
	}
	began := time.Now()
	algs := []string{keystore.RSA2048, keystore.P256} // one that signs again bit for bit, one that can't
	tok := keystoretest.Tokens(t, killToken)[0]
	for _, alg := range algs {
		must(t, keystore.GenerateToken(tok, killKey(alg), alg))
	}
	hsm := filepath.Dir(os.Getenv("SOFTHSM2_CONF"))
	kills := newTally()
	var worlds []*killWorld
	for first := 0; first < runs; first += worldKills {
		k := &killWorld{t: t, tok: tok, label: killKey(algs[len(worlds)%2]), hsm: hsm, first: first, kills: min(worldKills, runs-first), of: runs, tally: kills}
		k.begin()
		worlds = append(worlds, k)
	}
	work := make(chan *killWorld)
	var wg sync.WaitGroup
	for range 2 { // side by side
		wg.Go(func() {
			for k := range work {
				k.live()
			}
		})
	}
	for _, k := range worlds {
		work <- k
	}
	close(work)
	wg.Wait()
	issued, revoked := 0, 0
	for _, k := range worlds {
		k.settle()
		issued, revoked = issued+len(k.issued), revoked+len(k.revoked)
	}
	t.Logf("%d processes killed in %s, of %d; %d certificates and %d revocations acknowledged, none lost:\n%s", kills.total(), time.Since(began).Round(time.Second), runs, issued, revoked, kills)
	if kills.total() < runs*95/100 {
		t.Errorf("only %d of %d processes were killed", kills.total(), runs)
	}
	// Over all worlds: one whose processes all die in their start acknowledges little.
	if issued < runs/8 || revoked < runs/8 {
		t.Errorf("only %d certificates and %d revocations were acknowledged", issued, revoked)
	}
	for _, phase := range killPhases {
		if kills.of(phase) == 0 {
			t.Errorf("no process was killed in phase %q", phase)
		}
	}
}

// worldKills is how many processes are killed in one world: a log that grows
// makes starts longer.
const worldKills = 160

// killWorld is a CA that is killed again and again.
type killWorld struct {
	t     *testing.T
	dir   string
	tok   keystore.Token
	label string // of the issuer key on the token
	hsm   string // directory of the token's software, as it was before any kill
	first int    // of all kills
	kills int    // in this world
	of    int    // in all worlds
	tally *killTally

	run     int
	broken  bool              // a process ended otherwise than killed: nothing after it tells anything
	issued  map[uint64]string // digest of an acknowledged certificate by ordinal
	revoked map[uint64]bool   // acknowledged
}

func (k *killWorld) begin() {
	k.issued, k.revoked = map[uint64]string{}, map[uint64]bool{}
	w := newWorld(k.t, worldOptions{disk: true, saved: true, dir: memoryDir(k.t), token: func(_ string, gate keystore.GateConfig) keystore.Key {
		key, err := keystore.OpenToken(keystore.TokenConfig{Tokens: []keystore.Token{k.tok}, Label: k.label, Gate: gate})
		must(k.t, err)
		return key
	}})
	k.dir = w.dir
	must(k.t, w.ca.Close())
	w.sender.Close()
	must(k.t, errors.Join(w.reg.Close(), w.engine.Close(), w.key.Close()))
}

// killToken is the label of the token, killKey that of a key on it.
const killToken = "ca"

func killKey(alg string) string { return keystore.LabelIssuer + "-" + alg }

// plugIn gives the next process a token of its own: a token in earnest is a
// device that a kill doesn't reach, SoftHSM is a library in the killed process
// that writes files of its own.
func (k *killWorld) plugIn() (conf string, err error) {
	dir := filepath.Join(k.dir, "hsm")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS(k.hsm)); err != nil {
		return "", err
	}
	conf = filepath.Join(dir, "softhsm2.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		return "", err
	}
	return conf, os.WriteFile(conf, bytes.ReplaceAll(text, []byte(k.hsm), []byte(dir)), 0o600)
}

// memoryDir is a directory in memory where there is one: a kill takes nothing
// that was written away, on whatever disk.
func memoryDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "sukashi-kill-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// live has the world's processes killed. It may run beside another world's.
func (k *killWorld) live() {
	steps := map[string]int{}
	for range 2 { // not killed: how many steps each phase has, with a process before it
		if k.child("", 0, steps); k.broken {
			return
		}
	}
	// After an orderly end, hardly anything is left to be asked again; after a kill it is.
	steps["again"] = max(steps["again"], steps["issue"])
	all := 0
	for _, p := range killPhases {
		if steps[p] == 0 {
			k.t.Errorf("phase %q has no steps", p)
		}
		all += steps[p]
	}
	for i := range k.kills {
		at := (k.first + i) % all
		if all > k.of { // in each world some of everything
			at = i * all / k.kills
		}
		for _, p := range killPhases {
			if at < steps[p] {
				if k.child(p, at+1, nil); k.broken {
					return
				}
				break
			}
			at -= steps[p]
		}
	}
}

// child runs one process that kills itself at the at-th step of a phase, or at
// the first step of a later phase, and reads what it acknowledges.
func (k *killWorld) child(phase string, at int, steps map[string]int) {
	k.run++
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	conf, err := k.plugIn()
	if err != nil {
		k.t.Error(err)
		k.broken = true
		return
	}
	cmd.Env = append(os.Environ(), "GOGC=off", "SOFTHSM2_CONF="+conf, "SUKASHI_KILL_DIR="+k.dir, fmt.Sprintf("SUKASHI_KILL_AT=%s %d %d %s", k.label, k.run, at, phase))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		k.t.Error(err)
		k.broken = true
		return
	}
	var rest strings.Builder
	var where string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var o uint64
		var word string
		var n int
		switch l := lines.Text(); {
		case scan(l, "acknowledged certificate %d %s", &o, &word):
			if was, ok := k.issued[o]; ok && was != word {
				k.t.Errorf("two certificates with ordinal %d", o)
			}
			k.issued[o] = word
		case scan(l, "acknowledged revocation %d", &o):
			k.revoked[o] = true
		case scan(l, "steps %s %d", &word, &n):
			if steps != nil {
				steps[word] = n
			}
		case strings.HasPrefix(l, "dying "):
			where = strings.TrimPrefix(l, "dying ")
		default:
			rest.WriteString(l + "\n")
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL && where != "" {
			k.tally.add(where)
			return
		}
	}
	if err != nil {
		k.t.Errorf("run %d, %s %d: %v\n%s%s", k.run, phase, at, err, rest.String(), errs.String())
		k.broken = true
	}
}

func scan(line, format string, into ...any) bool {
	n, err := fmt.Sscanf(line, format, into...)
	return err == nil && n == len(into)
}

// settle starts the CA once more and holds everything against what was
// acknowledged.
func (k *killWorld) settle() {
	t := k.t
	w := attachWorld(t, k.dir, attached{run: k.run + 1, token: k.tok, label: k.label})
	w.fickle = k.label == killKey(keystore.P256)
	w.check()
	for o, digest := range k.issued {
		rec, err := w.reg.Get(o)
		if err != nil || entry.Sum(rec.DER).String() != digest {
			t.Errorf("certificate %d is not the one that was handed over: %v", o, err)
		}
	}
	for o := range k.revoked {
		if rec, err := w.reg.Get(o); err != nil || rec.State != registry.Revoked {
			t.Errorf("certificate %d: an acknowledged revocation got lost: %v", o, err)
		}
	}
	must(t, w.ca.Close())
	w.sender.Close()
	must(t, errors.Join(w.reg.Close(), w.engine.Close(), w.key.Close()))
}

// killTally counts kills by phase and step.
type killTally struct {
	mu sync.Mutex
	n  map[string]int // by "phase step"
}

func newTally() *killTally { return &killTally{n: map[string]int{}} }

func (k *killTally) add(where string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n[where]++
}

func (k *killTally) of(phase string) (sum int) {
	for w, n := range k.n {
		if phase == "" || strings.HasPrefix(w, phase+" ") {
			sum += n
		}
	}
	return sum
}

func (k *killTally) total() int { return k.of("") }

// String is one line for each phase.
func (k *killTally) String() string {
	var b strings.Builder
	for _, p := range killPhases {
		fmt.Fprintf(&b, "%-8s %4d:", p, k.of(p))
		var rows []string
		for w, n := range k.n {
			if step, ok := strings.CutPrefix(w, p+" "); ok {
				rows = append(rows, fmt.Sprintf(" %s %d", step, n))
			}
		}
		slices.Sort(rows)
		b.WriteString(strings.Join(rows, ",") + "\n")
	}
	return b.String()
}
