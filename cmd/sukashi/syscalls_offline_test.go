package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/engine"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

// actors are the commands that keep something.
func actors(t *testing.T, program string) []actor {
	f := newSite(t, program)
	fresh := f.newLog()
	old := f.oldLog(fresh)
	still := f.stillLog(old)
	seen, h := f.newWitness()
	ledgerOf := func(first uint64) func() act { return func() act { return &ledgerAct{site: f, first: first} } }
	out := []actor{
		{"ledger, new", fresh, ledgerOf(0)},
		{"ledger, old", old, ledgerOf(6)},
		{"witness", seen, func() act { return &witnessAct{site: f, history: h} }},
	}
	here := at("store", "head", "log.vkey")
	for _, c := range []struct {
		name, base string
		holds      func(*sandbox, *offline) error
		args       []string
	}{
		{"export", still, f.exported, append([]string{"ledger", "export", ".", "out"}, here...)},
		{"import", still, f.imported, append([]string{"ledger", "import", "export", "."}, at("copy", "copy-head", "log.vkey")...)},
		{"rotate-key", still, f.rotated, append([]string{"ledger", "rotate-key", ".", "--key-file", "log.key", "--new-key", "next.key"}, here...)},
		{"migrate", still, f.migrated, []string{"ledger", "migrate", "store", "copy", "--keys", "log.vkey", "--from-head", "head", "--to-head", "copy-head"}},
		{"repair", f.damagedLog(still), f.repaired, append([]string{"ledger", "fsck", ".", "--repair"}, here...)},
		{"append", f.writer(), f.receipted, []string{"ledger", "append", "--url", f.url(), "--keys", "log.vkey", "--out", "receipts", "0.json", "1.json"}},
		{"log-key", t.TempDir(), f.keyMade, []string{"ca", "log-key", "--origin", logtest.Origin, "new.key"}},
	} {
		out = append(out, actor{c.name, c.base, func() act { return &offline{args: c.args, holds: c.holds} }})
	}
	return out
}

// offline is a command that runs to its end. A second run of the same must end
// what the first has left undone.
type offline struct {
	args  []string
	done  bool      // the traced run said that all is done
	ended time.Time // when it was over
	out   string    // what it said
	holds func(s *sandbox, c *offline) error
}

// run implements act.
func (c *offline) run(s *sandbox) (err error) {
	c.done, err = s.traced(c.args...)
	c.ended, c.out = time.Now(), s.outs.String()
	return err
}

// at implements act. It keeps to the end what it has to say.
func (c *offline) at(t time.Time, s *sandbox) (act, error) {
	then := *c
	then.done = c.done && !c.ended.After(t)
	return &then, nil
}

// check implements act.
func (c *offline) check(s *sandbox) (promises int, err error) {
	if c.done {
		promises = 1
	}
	return promises, c.holds(s, c)
}

// at are the flags that say where the log of a sandbox is.
func at(store, head, keys string) []string {
	return []string{"--store", store, "--head", head, "--keys", keys}
}

// again makes sure that the work is done: the traced run has ended it, or a
// second one does. over is what the second one may say when the first was killed
// between its end and saying so.
func (c *offline) again(s *sandbox, over string) (out string, err error) {
	if c.done {
		return c.out, nil
	}
	before := s.later.Len()
	out, code, err := s.again(c.args...)
	if said := s.later.String()[before:]; err == nil && code != 0 && (over == "" || !strings.Contains(said, over)) {
		err = fmt.Errorf("the same command again ends with %d", code)
	}
	return out, err
}

// sound wants a whole check to find nothing.
func sound(s *sandbox, store, head, keys string) error {
	out, err := s.must(append([]string{"ledger", "fsck", "."}, at(store, head, keys)...)...)
	if err == nil && !strings.Contains(out, " 0 repaired") {
		err = fmt.Errorf("fsck had to repair: %s", out)
	}
	return err
}

// stillLog is an old log that was stopped when all was published, with its export.
func (f *site) stillLog(old string) string {
	dir := f.t.TempDir()
	f.must(copyFolder(dir, old))
	s := &sandbox{program: f.program, dir: dir}
	e, err := f.watch(s)
	f.must(err)
	defer e.close()
	v, err := s.serve(false)
	f.must(err)
	a := &ledgerAct{site: f}
	a.work(v, 0, 40)
	f.must(a.published(v, e.policy, a.acked[39].Index+1))
	ok, err := v.stop()
	if err != nil || !ok {
		f.t.Fatalf("%v: %s", err, s.said())
	}
	_, err = s.must(append([]string{"ledger", "export", ".", "export"}, at("store", "head", "log.vkey")...)...)
	f.must(err)
	return dir
}

// whole reads an export and wants all that the log has.
func (f *site) whole(dir string) error {
	n := uint64(0)
	cp, err := publish.ReadExport(context.Background(), dir, f.log, func(uint64, []byte) error { n++; return nil })
	if err == nil && (n != cp.Size || n < 40) {
		err = fmt.Errorf("it has %d entries", n)
	}
	return err
}

func (f *site) exported(s *sandbox, c *offline) error {
	// A checkpoint that is there has all that it covers, whatever happened.
	if err := f.whole(s.in("out")); err != nil && (c.done || !errors.Is(err, fs.ErrNotExist) || exists(s.in("out", "checkpoint"))) {
		return fmt.Errorf("the export doesn't hold: %w", err)
	}
	if _, err := c.again(s, ""); err != nil {
		return err
	}
	return f.whole(s.in("out"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (f *site) imported(s *sandbox, c *offline) error {
	if _, err := c.again(s, ""); err != nil {
		return err
	}
	return f.copied(s)
}

func (f *site) migrated(s *sandbox, c *offline) error {
	if _, err := c.again(s, ""); err != nil {
		return err
	}
	if err := sound(s, "store", "head", "log.vkey"); err != nil {
		return err
	}
	return f.copied(s)
}

// copied wants the copy to be a sound log that exports the same bytes.
func (f *site) copied(s *sandbox) error {
	if err := sound(s, "copy", "copy-head", "log.vkey"); err != nil {
		return err
	}
	if _, err := s.must(append([]string{"ledger", "export", ".", "second"}, at("copy", "copy-head", "log.vkey")...)...); err != nil {
		return err
	}
	return fs.WalkDir(os.DirFS(s.in("export")), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		a, err1 := os.ReadFile(s.in("export", name))
		b, err2 := os.ReadFile(s.in("second", name))
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(a, b) {
			return fmt.Errorf("the copy exports another %s: %w", name, err)
		}
		return nil
	})
}

func (f *site) rotated(s *sandbox, c *offline) error {
	out, err := c.again(s, "")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.in("keys"), []byte(out), 0o600); err != nil {
		return err
	}
	if err := sound(s, "store", "head", "keys"); err != nil {
		return err
	}
	keys, err := readKeys(s.in("keys"))
	if err != nil {
		return err
	}
	k, err := logkey.OpenFile(s.in("next.key"))
	if err != nil || len(keys) != 2 {
		return fmt.Errorf("%d keys: %w", len(keys), err)
	}
	e, err := engine.Open(context.Background(), engine.Config{Place: engine.Place{Dir: s.in("store"), HeadDir: s.in("head")}, Origin: logtest.Origin,
		Signer: k, VKey: k.VKey(), Retired: keys[:1], Now: time.Now})
	if err != nil {
		return fmt.Errorf("it doesn't open with the new key: %w", err)
	}
	_, err = e.Append(context.Background(), logtest.Event(f.t, entry.ByOperator, 0))
	return errors.Join(err, e.Close())
}

// damagedLog is a log with a tile that is wrong.
func (f *site) damagedLog(still string) string {
	dir := f.t.TempDir()
	f.must(copyFolder(dir, still))
	k, err := kv.Open(filepath.Join(dir, "store"), kv.Options{})
	f.must(err)
	b, found := k.NewBatch(), false
	f.must(k.Scan([]byte("t"), []byte("u"), func(key, v []byte) error { // ledger/pebblestore: the table of tiles
		v = slices.Clone(v)
		v[7] ^= 1
		b.Set(slices.Clone(key), v)
		found = true
		return kv.ErrStop
	}))
	f.must(b.Commit(true))
	f.must(k.Close())
	s := &sandbox{program: f.program, dir: dir}
	_, code, err := s.again(append([]string{"ledger", "fsck", "."}, at("store", "head", "log.vkey")...)...)
	if err != nil || code != 2 || !found {
		f.t.Fatalf("the damage is not found: %d %v", code, err)
	}
	return dir
}

func (f *site) repaired(s *sandbox, c *offline) error {
	if _, err := c.again(s, ""); err != nil {
		return err
	}
	return sound(s, "store", "head", "log.vkey")
}

// url starts a log in this process for a client to write to.
func (f *site) url() string {
	e, err := engine.Open(context.Background(), engine.Config{Place: engine.Place{Dir: f.t.TempDir(), HeadDir: f.t.TempDir()}, Origin: logtest.Origin,
		Signer: f.key, VKey: f.vkey, Now: time.Now})
	f.must(err)
	srv := httptest.NewServer(publish.Handler(publish.Config{Source: e, Log: e, Authorize: func(*http.Request) []string { return []string{entry.ByCA} }}))
	f.t.Cleanup(func() {
		srv.Close()
		f.must(e.Close())
	})
	return srv.URL
}

// writer is a folder with two entries.
func (f *site) writer() string {
	dir := f.t.TempDir()
	for i, name := range []string{"0.json", "1.json"} {
		f.must(os.WriteFile(filepath.Join(dir, name), f.entries[i], 0o600))
	}
	f.must(os.WriteFile(filepath.Join(dir, "log.vkey"), []byte(f.vkey+"\n"), 0o600))
	return dir
}

func (f *site) receipted(s *sandbox, c *offline) error {
	if _, err := c.again(s, ""); err != nil {
		return err
	}
	for i, index := range []string{"1", "2"} {
		b, err1 := os.ReadFile(s.in("receipts", index+".json"))
		text, err2 := os.ReadFile(s.in("receipts", index+".tlog-proof"))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		r, err := proof.ParseReceipt(text)
		if err == nil {
			_, err = f.log.VerifyReceipt(r, b)
		}
		if err != nil || !bytes.Equal(b, f.entries[i]) {
			return fmt.Errorf("the receipt of entry %s doesn't hold: %w", index, err)
		}
	}
	return nil
}

func (f *site) keyMade(s *sandbox, c *offline) error {
	out, err := c.again(s, "There is a key file already")
	if err != nil {
		return err
	}
	k, err := logkey.OpenFile(s.in("new.key"))
	if err != nil {
		return fmt.Errorf("the key file that is there doesn't open: %w", err)
	}
	if out = strings.TrimSpace(out); out != "" && out != k.VKey() {
		return fmt.Errorf("the file holds another key than was shown")
	}
	return nil
}
