package keystore

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"pgregory.net/rapid"
)

var journalKey = entry.Sum([]byte("key"))

func openTest(t testing.TB, dir string) *journal {
	t.Helper()
	j, err := openJournal(dir, journalKey, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.close() })
	return j
}

func burnAll(t testing.TB, j *journal, indices ...uint64) {
	t.Helper()
	for _, i := range indices {
		if err := j.burn(burning{i, entry.Sum([]byte{byte(i)})})[0]; err != nil {
			t.Fatal(err)
		}
	}
}

func file(dir string) string { return filepath.Join(dir, JournalName) }

func content(t testing.TB, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(file(dir))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Cut anywhere, the journal opens with the whole records before the cut, and
// goes on from there.
func TestEveryTornEndIsTolerated(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir)
	burnAll(t, j, 5, 9, 7)
	j.close()
	whole := content(t, dir)
	for cut := 0; cut <= len(whole); cut++ {
		for _, tail := range [][]byte{nil, make([]byte, 10), make([]byte, 200)} {
			if err := os.WriteFile(file(dir), append(bytes.Clone(whole[:cut]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			if tail != nil && (cut < headerSize || (cut-headerSize)%recordSize != 0) {
				continue // zeros after half a record: damage, tested below
			}
			j, err := openJournal(dir, journalKey, clock, nil)
			if err != nil {
				t.Fatalf("cut at %d with %d zeros: %v", cut, len(tail), err)
			}
			want := max(0, cut-headerSize) / recordSize
			n := 0
			if err := j.records(func(Record) error { n++; return nil }); err != nil || n != want {
				t.Fatalf("cut at %d: %d records, want %d, %v", cut, n, want, err)
			}
			burnAll(t, j, 1000)
			j.close()
			if got := len(content(t, dir)); got != headerSize+(want+1)*recordSize {
				t.Fatalf("cut at %d: file has %d bytes after another use", cut, got)
			}
		}
	}
}

// A flipped bit in any record but a torn last one is seen.
func TestEveryFlippedBitIsSeen(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir)
	burnAll(t, j, 5, 9, 7)
	j.close()
	whole := content(t, dir)
	for bit := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(file(dir), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if j, err := openJournal(dir, journalKey, clock, nil); err == nil {
			j.close()
			t.Fatalf("bit %d of byte %d: not seen", bit%8, bit/8)
		} else if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
}

func TestMovedAndRepeatedRecordsAreSeen(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir)
	burnAll(t, j, 5, 9, 7)
	j.close()
	whole := content(t, dir)
	rec := func(i int) []byte { return whole[headerSize+i*recordSize : headerSize+(i+1)*recordSize] }
	for name, b := range map[string][]byte{
		"left out": bytes.Join([][]byte{whole[:headerSize], rec(0), rec(2)}, nil),
		"swapped":  bytes.Join([][]byte{whole[:headerSize], rec(1), rec(0), rec(2)}, nil),
		"repeated": bytes.Join([][]byte{whole, rec(2)}, nil),
	} {
		if err := os.WriteFile(file(dir), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openJournal(dir, journalKey, clock, nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := openJournal(dir, entry.Sum([]byte("another key")), clock, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another key's journal: %v", err)
	}
}

// A well-made record that uses a receipt twice (two writers on two copies) is
// damage too.
func TestReceiptRecordedTwiceIsSeen(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir)
	burnAll(t, j, 5)
	if err := j.note(Record{Use: UseSign, Index: 5}); err != nil {
		t.Fatal(err)
	}
	j.close()
	if _, err := openJournal(dir, journalKey, clock, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

func TestJournalInUse(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir)
	if _, err := openJournal(dir, journalKey, clock, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("%v", err)
	}
	j.close()
	openTest(t, dir)
}

// faulty fails the n-th call of Write or Sync; a failing Write leaves part of
// its bytes.
type faulty struct {
	*os.File
	left int
}

var errDisk = errors.New("the disk is broken")

func (f *faulty) Write(b []byte) (int, error) {
	if f.left--; f.left < 0 {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, errDisk
	}
	return f.File.Write(b)
}

func (f *faulty) Sync() error {
	if f.left--; f.left < 0 {
		return errDisk
	}
	return f.File.Sync()
}

var _ io.Writer = (*faulty)(nil)

// Whichever write or fsync fails: no key use without a record, none after the
// failure, and the journal opens again.
func TestFailAtEveryStep(t *testing.T) {
	for step := range 8 {
		l := newLog(t)
		dir := t.TempDir()
		g, c := countingKey(t, l, dir)
		g.j.f = &faulty{g.j.f.(*os.File), step}
		var ok int
		for n := range uint64(5) {
			tbs, logged := intent(t, l, g.id, n)
			_, err := g.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt)
			if err == nil {
				ok++
			} else if !errors.Is(err, ErrJournal) || !errors.Is(err, errDisk) {
				t.Fatalf("step %d: %v", step, err)
			}
		}
		if want := min(5, step/2); ok != want || c.uses() != want {
			t.Errorf("step %d: %d signatures, %d uses, want %d", step, ok, c.uses(), want)
		}
		g.Close()
		again := openTest2(t, dir, g.id)
		n := 0
		if err := again.records(func(Record) error { n++; return nil }); err != nil || n < ok {
			t.Errorf("step %d: %d records for %d signatures, %v", step, n, ok, err)
		}
		again.close()
	}
}

func openTest2(t *testing.T, dir string, id entry.Digest) *journal {
	t.Helper()
	j, err := openJournal(dir, id, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestClosedJournal(t *testing.T) {
	j := openTest(t, t.TempDir())
	j.close()
	if err := j.burn(burning{index: 1})[0]; !errors.Is(err, ErrJournal) {
		t.Errorf("%v", err)
	}
}

func TestBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, model := bitmap{}, map[uint64]bool{}
		for _, n := range rapid.SliceOf(rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64())).Draw(t, "indices") {
			if b.set(n) == model[n] {
				t.Fatalf("set(%d) disagrees", n)
			}
			model[n] = true
			if !b.has(n) || b.has(n^1) != model[n^1] {
				t.Fatalf("has(%d) disagrees", n)
			}
		}
	})
}

func FuzzJournal(f *testing.F) {
	dir := f.TempDir()
	j := openTest(f, dir)
	burnAll(f, j, 5, 9, 7)
	j.close()
	f.Add(content(f, dir))
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(file(dir), b, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := openJournal(dir, journalKey, clock, nil)
		if err != nil {
			return
		}
		defer j.close()
		n := 0
		if err := j.records(func(Record) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		if n > len(b)/recordSize {
			t.Fatalf("%d records from %d bytes", n, len(b))
		}
	})
}
