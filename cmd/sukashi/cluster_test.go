package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/engine"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

// self is the command in a process of its own.
func self(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestRunSelf$")
	cmd.Env = append(os.Environ(), "SUKASHI_SELF="+strings.Join(args, " "))
	return cmd
}

// says runs the command to its end.
func says(args ...string) (stdout, stderr string, err error) {
	cmd := self(args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// cliLog is a log with its key in files, as an operator has it.
type cliLog struct {
	dir  string
	key  *logkey.Key
	keys string // file
}

func newCLILog(t *testing.T) *cliLog {
	t.Helper()
	dir := t.TempDir()
	key, err := logkey.CreateFile(filepath.Join(dir, "log.key"), logtest.Origin, rand.Reader)
	l := &cliLog{dir: dir, key: key, keys: filepath.Join(dir, "log.vkey")}
	if err == nil {
		err = os.WriteFile(l.keys, []byte(key.VKey()+"\n"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *cliLog) open(t *testing.T, p engine.Place) engine.Log {
	t.Helper()
	e, err := engine.Open(context.Background(), engine.Config{Place: p, Origin: logtest.Origin, Signer: l.key, VKey: l.key.VKey(), Now: logtest.Now})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// add appends entries [from, to) of the CA, publishes and closes.
func add(t *testing.T, e engine.Log, from, to uint64) {
	t.Helper()
	for from < to {
		var batch [][]byte
		for ; from < to && len(batch) < 1000; from++ {
			batch = append(batch, logtest.Event(t, entry.ByCA, from))
		}
		if _, err := e.Append(context.Background(), batch...); err != nil {
			t.Fatal(err)
		}
	}
	_, err := e.Publish(context.Background())
	if err = errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
}

// seen is all that an outsider can get of a log: its exported files, which are
// checkpoint, tiles and entries, and proofs.
func (l *cliLog) seen(t *testing.T, p engine.Place) map[string]string {
	t.Helper()
	e := l.open(t, p)
	defer e.Close()
	dir, out := t.TempDir(), map[string]string{}
	if err := publish.ExportLog(context.Background(), e, dir); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path[len(dir):]] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(0); i < e.PublishedSize(); i += 1 + i/3 {
		r, err := e.Proof(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		out["proof "+string(rune(i))] = string(r.Marshal())
	}
	return out
}

func sameSeen(t *testing.T, a, b map[string]string) {
	t.Helper()
	if len(a) != len(b) || len(a) < 20 {
		t.Errorf("%d and %d files and proofs", len(a), len(b))
	}
	for k := range a {
		if a[k] != b[k] {
			t.Errorf("%q differs", k)
		}
	}
}

// TestMigrateKilled moves a log to a cluster and back with the command, which is
// killed with SIGKILL again and again and run again each time: in the end the
// log is the same in every byte that an outsider sees.
func TestMigrateKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts a database and Trillian's servers")
	}
	tr := servers.TrillianOnPostgres(t, servers.Postgres(t), servers.Preordered)
	l := newCLILog(t)
	here := engine.Place{Dir: filepath.Join(l.dir, "store"), HeadDir: filepath.Join(l.dir, "head")}
	there := engine.Place{Address: tr.Address, CacheDir: filepath.Join(l.dir, "cache"), HeadDir: filepath.Join(l.dir, "there")}
	back := engine.Place{Dir: filepath.Join(l.dir, "back"), HeadDir: filepath.Join(l.dir, "back-head")}
	add(t, l.open(t, here), 0, 12_000)
	want := l.seen(t, here)

	args := func(from, to, fromHead, toHead string) []string {
		return []string{"ledger", "migrate", from, to, "--keys", l.keys, "--from-head", fromHead, "--to-head", toHead, "--cache", there.CacheDir}
	}
	address := clusterPrefix + tr.Address
	for _, way := range []struct {
		name string
		args []string
		to   engine.Place
	}{
		{"to the cluster", args(here.Dir, address, here.HeadDir, there.HeadDir), there},
		{"and back", args(address, back.Dir, there.HeadDir, back.HeadDir), back},
	} {
		kills := 0
		for after := 150 * time.Millisecond; ; after += after / 4 {
			killed, out, err := killedAfter(after, way.args)
			if killed {
				kills++
				continue
			}
			if err != nil {
				t.Fatalf("%s: after %d kills: %v\n%s", way.name, kills, err, out)
			}
			if !strings.Contains(out, "12002 件を移し") {
				t.Errorf("%s: it said %s", way.name, out)
			}
			break
		}
		if kills < 3 {
			t.Errorf("%s: only %d kills", way.name, kills)
		}
		t.Logf("%s: %d kills", way.name, kills)
		sameSeen(t, want, l.seen(t, way.to))
	}
	out, _, err := says(append(args(here.Dir, address, here.HeadDir, there.HeadDir), "--lang", "en")...)
	if err != nil || !strings.Contains(out, "Moved 12002 entries; they lead to the signed checkpoint.\nDon't start the log in its old place again.") {
		t.Errorf("a migration that has ended, again: %v\n%s", err, out)
	}
}

// killedAfter runs the command and kills it when it takes longer than d.
func killedAfter(d time.Duration, args []string) (killed bool, out string, err error) {
	cmd := self(args...)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Start(); err != nil {
		return false, "", err
	}
	timer := time.AfterFunc(d, func() { _ = cmd.Process.Kill() }) // may have ended
	err = cmd.Wait()
	timer.Stop()
	ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled(), b.String(), err
}

// TestMigrateRefusals are the sentences that an operator meets.
func TestMigrateRefusals(t *testing.T) {
	l := newCLILog(t)
	store, head := filepath.Join(l.dir, "store"), filepath.Join(l.dir, "head")
	e := l.open(t, engine.Place{Dir: store, HeadDir: head})
	if _, err := e.Append(context.Background(), logtest.Event(t, entry.ByCA, 0)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	to := []string{"--keys", l.keys, "--from-head", head, "--to-head", filepath.Join(l.dir, "to-head")}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{append([]string{store, filepath.Join(l.dir, "to")}, to...), []string{"公開されていない記録が残っているため、移せません。", "もう一度実行してください。"}},
		{append([]string{store, filepath.Join(l.dir, "to"), "--lang", "en"}, to...), []string{"entries that are not published yet", "run it again."}},
		{append([]string{store, "trillian://127.0.0.1:1"}, to...), []string{"キャッシュのフォルダーが必要です", "--cache"}},
		{append([]string{"trillian://127.0.0.1:1", store, "--lang", "en", "--tls-ca", l.keys}, to...), []string{"There is no certificate in the file", "PEM"}},
		{append([]string{store, filepath.Join(l.dir, "to"), "--lang", "en", "--keys", filepath.Join(l.dir, "none")}, to[2:]...), []string{"verifier key can't be read"}},
	} {
		_, said, err := says(append([]string{"ledger", "migrate"}, c.args...)...)
		if err == nil {
			t.Errorf("%v: moved", c.args)
		}
		for _, w := range c.want {
			if !strings.Contains(said, w) {
				t.Errorf("not said: %s\n%s", w, said)
			}
		}
	}
}

const softHSM, softPIN = "/usr/lib/softhsm/libsofthsm2.so", "1234" // Debian's softhsm2

// softToken makes a software token with the label log for this process and its
// children. (internal/token has a helper; commands don't import it.)
func softToken(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\nobjectstore.backend = file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	if _, err := os.Stat(softHSM); err != nil {
		t.Skip("skipped: softhsm2 is not installed")
	}
	if out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "log", "--pin", softPIN, "--so-pin", "5678").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestRotateKeyOnTokens goes from a key in a file to one on a token, and from
// there to the next one on it.
func TestRotateKeyOnTokens(t *testing.T) {
	softToken(t)
	l := newCLILog(t)
	p := engine.Place{Dir: filepath.Join(l.dir, "store"), HeadDir: filepath.Join(l.dir, "head")}
	add(t, l.open(t, p), 0, 3)
	pin := filepath.Join(l.dir, "pin")
	if err := os.WriteFile(pin, []byte(softPIN+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	rotate := func(more ...string) (string, string, error) {
		return says(append([]string{"ledger", "rotate-key", l.dir, "--lang", "en", "--store", p.Dir, "--head", p.HeadDir, "--keys", l.keys}, more...)...)
	}
	first := "module=" + softHSM + ",token=log,label=sukashi-log-1,pin=" + pin
	toFirst := []string{"--key-file", filepath.Join(l.dir, "log.key"), "--new-token-key", first}
	toSecond := []string{"--token-key", first, "--new-token-key", "label=sukashi-log-2"}
	refused := func(want string, more ...string) {
		t.Helper()
		if _, said, err := rotate(more...); err == nil || !strings.Contains(said, want) {
			t.Errorf("%v: %v, %s", more, err, said)
		}
	}
	refused("Other users can read the PIN file", toFirst...)
	if err := os.Chmod(pin, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("lacks a member", "--key-file", filepath.Join(l.dir, "log.key"), "--new-token-key", "label=sukashi-log-1")
	refused("has no member slot", "--key-file", filepath.Join(l.dir, "log.key"), "--new-token-key", "slot=0")
	for _, step := range [][]string{toFirst, toFirst, toSecond, toSecond} {
		said, why, err := rotate(step...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", step, err, why)
		}
		// The same step again must say the same; the next one needs the new keys.
		if err := os.WriteFile(l.keys+".next", []byte(said), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(l.keys + ".said"); err == nil && string(b) == said {
			if err := os.Rename(l.keys+".next", l.keys); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(l.keys+".said", []byte(said), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused("not the log's present one", toFirst...)
	keys, err := readKeys(l.keys)
	if err != nil || len(keys) != 3 || keys[0].VKey != l.key.VKey() {
		t.Fatalf("keys %v, %v", keys, err)
	}
	k, err := logkey.OpenModule(logkey.OnToken{Module: softHSM, Token: "log", Label: "sukashi-log-2", PIN: softPIN}, logtest.Origin)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	e, err := engine.Open(context.Background(), engine.Config{Place: p, Origin: logtest.Origin, Signer: k, VKey: k.VKey(), Retired: keys[:2], Now: logtest.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	b := logtest.Event(t, entry.ByCA, 3)
	rs, err := e.Append(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := proof.LogKeys(keys...)
	if err == nil {
		_, err = chain.VerifyReceipt(rs[0], b)
	}
	if err != nil {
		t.Error(err)
	}
}
