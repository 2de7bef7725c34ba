package trillianlog

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
)

// files lists the files under a directory of a file system in memory.
func files(t *testing.T, fs kv.FS, dir string) []string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, n := range names {
		path := fs.PathJoin(dir, n)
		st, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st.IsDir() {
			out = append(out, files(t, fs, path)...)
		} else {
			out = append(out, path)
		}
	}
	return out
}

func content(t *testing.T, fs kv.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func overwrite(t *testing.T, fs kv.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name, kv.WriteCategory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Clone(b)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// flipLog makes a closed log whose life is partly in tables and partly in the
// newest log file of the store.
func flipLog(t *testing.T) (*kv.MemFS, promise) {
	t.Helper()
	mem := kv.NewCrashableFS()
	var held promise
	for round := range 2 {
		e := mustOpen(t, config(t, mem))
		for i := range 6 {
			seq := uint64(round*12 + 2*i)
			ordinal := seq / 2
			batch := [][]byte{marshal(t, entry.ByCA, seq, intent(ordinal)), marshal(t, entry.ByCA, seq+1, issued(ordinal))}
			held.entries = append(held.entries, batch...)
			held.receipts = append(held.receipts, appendAll(t, e, batch...)...)
			if i == 4 {
				note, err := e.Publish(ctx)
				if err != nil {
					t.Fatal(err)
				}
				held.note = note
			}
		}
		e.Close()
	}
	return mem, held
}

// TestBitFlips turns one bit in each of many places of every file: the log then
// refuses to start, or says so when the entry is read, or nothing is missing.
// SUKASHI_FLIPS is the distance between them in bytes.
func TestBitFlips(t *testing.T) {
	mem, held := flipLog(t)
	step := 97
	if testing.Short() {
		step = 389
	}
	if n, err := strconv.Atoi(os.Getenv("SUKASHI_FLIPS")); err == nil && n > 0 {
		step = n
	}
	detected, harmless, silent := map[string]int{}, map[string]int{}, 0
	for _, name := range append(files(t, mem, "/store"), files(t, mem, "/head")...) {
		kind := name[strings.LastIndexByte(name, '/')+1:]
		if i := strings.LastIndexByte(kind, '.'); i >= 0 {
			kind = "*" + kind[i:]
		} else if i := strings.IndexByte(kind, '-'); i >= 0 {
			kind = kind[:i]
		}
		good := content(t, mem, name)
		for at := 0; at < len(good); at += step {
			if kind == "head" && at%65536 > 400 && at%(97*41) != 0 {
				continue // the unused part of a slot
			}
			fs := kv.Crash(mem, 100, 0)
			bad := bytes.Clone(good)
			bad[at] ^= 1 << (at % 8)
			overwrite(t, fs, name, bad)
			err := flipped(t, fs, held)
			switch {
			case err == nil:
				harmless[kind]++
			case strings.HasPrefix(err.Error(), "silent"):
				silent++
				if silent < 10 {
					t.Errorf("%s, byte %d: %v", name, at, err)
				}
			default:
				detected[kind]++
			}
		}
	}
	if detected["*.log"] == 0 || detected["*.sst"] == 0 {
		t.Error("no flip in a log file or in a table was detected: the test proves nothing")
	}
	t.Logf("detected %v, harmless %v, silent %d", detected, harmless, silent)
}

// flipped opens a damaged log and reads all that was promised. An error that
// starts with "silent" is a loss that nobody would have noticed.
func flipped(t *testing.T, fs *kv.MemFS, held promise) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("detected: %v", r) // the store stops the process rather than go on
		}
	}()
	e, err := Open(ctx, config(t, fs))
	if err != nil {
		return err
	}
	defer e.Close()
	for i, r := range held.receipts {
		b, err := e.Entry(ctx, r.Index)
		if err != nil {
			return err
		}
		if !bytes.Equal(b, held.entries[i]) {
			return fmt.Errorf("silent: entry %d changed", r.Index)
		}
		seq := uint64(i)
		if index, _, err := e.Lookup(ctx, entry.ByCA, seq); err != nil {
			return err
		} else if index != r.Index {
			return fmt.Errorf("silent: entry %d is found elsewhere", r.Index)
		}
	}
	_, torn, err := head.Read(sequence.PublishedDir(fs, "/head"), fs)
	if err != nil {
		return err
	}
	if got, err := e.Checkpoint(ctx); err != nil && !torn {
		return fmt.Errorf("silent: no published checkpoint: %v", err)
	} else if !bytes.Equal(got, held.note) && !torn {
		return fmt.Errorf("silent: another published checkpoint")
	}
	if err := sameTree(e, held.receipts[len(held.receipts)-1].Checkpoint); err != nil {
		return fmt.Errorf("silent: %w", err)
	}
	return nil
}
