package clusterlog

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/logtest"
)

// testBatch is a batch of bytes at the end of a tree.
func testBatch(t testing.TB, edge sequence.Frontier, entries ...[]byte) *sequence.Batch {
	t.Helper()
	b := &sequence.Batch{First: edge.Size}
	var hashes []tlog.Hash
	for _, v := range entries {
		en, err := entry.Parse(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Entries = append(b.Entries, sequence.Entry{Bytes: v, Parsed: en, Hash: tlog.RecordHash(v)})
		hashes = append(hashes, tlog.RecordHash(v))
	}
	b.Growth = edge.Extend(hashes)
	return b
}

// TestCutIsAsIfNeverAdded: what is added and never claimed leaves nothing
// behind when it is cut off, at every size.
func TestCutIsAsIfNeverAdded(t *testing.T) {
	var entries [][]byte
	for i := range uint64(150) {
		entries = append(entries, logtest.Marshal(t, entry.ByCA, 2*i, logtest.Intent(i)), logtest.Marshal(t, entry.ByCA, 2*i+1, logtest.Issued(i)))
		if i%3 == 0 {
			entries = append(entries, logtest.Event(t, entry.ByOperator, i/3))
		}
	}
	for _, keep := range []int{1, 2, 255, 256, 257, 300, len(entries)} {
		dump := func(all bool) string {
			k, err := kv.Open(t.TempDir(), kv.Options{FS: kv.NewMemFS()})
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			c := &cache{k}
			first := testBatch(t, sequence.Frontier{}, entries[:keep]...)
			err = errors.Join(c.add(cacheMeta{}, first), c.claim(cacheMeta{}, uint64(keep)))
			if all && keep < len(entries) {
				err = errors.Join(err, c.add(cacheMeta{}, testBatch(t, first.Growth.New, entries[keep:]...)))
			}
			if err = errors.Join(err, c.cut(uint64(keep))); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err = k.Scan([]byte{0}, []byte{0xff}, func(k, v []byte) error {
				if k[0] == tableTile { // a tile may be longer than the tree
					level, index := k[1], k[9]
					v = v[:min(len(v), (keep>>(8*level)-int(index)*256)*32)]
				}
				out.WriteString(string(k) + "=" + string(v) + "\n")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		if dump(true) != dump(false) {
			t.Errorf("%d entries: the cut leaves something behind", keep)
		}
	}
}

func TestIdentities(t *testing.T) {
	seen := map[string]string{}
	for by := range entry.Writers {
		var before []byte
		for _, seq := range []uint64{0, 1, 255, 256, 1 << 40} {
			id := identity(by, seq)
			if other, ok := seen[string(id[:])]; ok {
				t.Errorf("%s and %s have one identity", by, other)
			}
			if bytes.Compare(before, id[:]) >= 0 || !bytes.HasPrefix(id[1:], []byte(by)) {
				t.Errorf("identity of %s %d: %x", by, seq, id)
			}
			seen[string(id[:])], before = by, id[:]
		}
	}
}

func TestPace(t *testing.T) {
	var p pace
	if d := p.next(0, false); d != 0 {
		t.Errorf("the first question ever waits %v", d)
	}
	// batch asks as the log does, of a signer that takes as long.
	batch := func(signer time.Duration) (since time.Duration) {
		for asked := false; ; asked = true {
			wait := p.next(since, asked)
			if since += max(wait, minPace/2); since >= signer {
				p.done(since, wait, asked)
				return since
			}
		}
	}
	for range 40 {
		batch(200 * time.Millisecond)
	}
	if d := p.next(10*time.Millisecond, false); d < 100*time.Millisecond || d > 150*time.Millisecond {
		t.Errorf("the first question comes after %v", d)
	}
	if d := p.next(time.Second, false); d != 0 {
		t.Errorf("a batch that has waited is asked for after %v", d)
	}
	if d := p.next(time.Second, true); d != maxPace {
		t.Errorf("asked again after %v", d)
	}
	for range 40 {
		batch(5 * time.Millisecond)
	}
	for range 8 {
		if d := batch(5 * time.Millisecond); d > 8*time.Millisecond {
			t.Errorf("a signer that was slow before is waited for %v instead of 5 ms", d)
		}
	}
	if d := p.next(time.Second, true); d != minPace {
		t.Errorf("asked again after %v", d)
	}
}

// TestStartReadsNoWholeLog: with its cache a start reads what the cache lacks,
// with a snapshot it replays what came after; and a cache that counts entries
// short, or holds more than it counts, goes on from what it counts.
func TestStartReadsNoWholeLog(t *testing.T) {
	slow(t)
	p := newPlace(t, servers.TrillianOnPostgres(t, servers.Postgres(t), servers.Stock))
	var said bytes.Buffer
	start := func() *Engine {
		t.Helper()
		c := p.config(t, logtest.Settings{Origin: logtest.Origin, Head: "head"})
		c.SnapshotEvery, c.Logger = 100, slog.New(slog.NewTextHandler(&said, nil))
		said.Reset()
		e, err := Open(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	add := func(e *Engine, from, to uint64) {
		t.Helper()
		var batch [][]byte
		for i := from; i < to; i++ {
			batch = append(batch, logtest.Marshal(t, entry.ByCA, 2*i, logtest.Intent(i)), logtest.Marshal(t, entry.ByCA, 2*i+1, logtest.Issued(i)))
		}
		rs, err := e.Append(ctx, batch...)
		if err != nil {
			t.Fatal(err)
		}
		logtest.Check(t, e, rs, batch)
	}
	stop := func(e *Engine) {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	want := func(parts ...string) {
		t.Helper()
		for _, s := range parts {
			if !strings.Contains(said.String(), s) {
				t.Errorf("not said: %s\n%s", s, said.String())
			}
		}
	}
	e := start()
	add(e, 0, 150)
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "cache")
	add(e, 150, 160)
	stop(e)
	if err := os.CopyFS(old, os.DirFS(p.cache)); err != nil {
		t.Fatal(err)
	}

	e = start()
	want("entries=322 read=0", "taken from a snapshot")
	if _, err := e.Append(ctx, logtest.Marshal(t, entry.ByCA, 320, logtest.Issued(7))); !errors.Is(err, ledger.ErrImpossible) {
		t.Errorf("a second certificate under one number: %v", err)
	}
	add(e, 160, 170)
	stop(e)

	p.cache = old // is short of ten
	e = start()
	want("entries=342 read=20", "taken from a snapshot")
	add(e, 170, 171)
	stop(e)

	k, err := kv.Open(p.cache, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &cache{k}
	m, err := c.meta()
	if err == nil {
		err = errors.Join(c.claim(m, 300), k.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	e = start()
	want("entries=345 read=45") // one is the log's own: it looked for what was on the way
	add(e, 171, 172)
	stop(e)
}
