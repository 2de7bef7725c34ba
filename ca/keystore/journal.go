package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// diskFile is what the journal needs of *os.File; tests put faults in between.
type diskFile interface {
	io.Writer
	io.ReaderAt
	Sync() error
	Close() error
}

// journal is an append-only file. Concurrent appends share one write and one
// fsync: who comes while another is writing waits and then writes for all.
type journal struct {
	now  func() time.Time
	lock *os.File
	f    diskFile

	mu     sync.Mutex // guards used and next
	used   bitmap
	next   *batch
	failed error // first write error; no append succeeds after it

	io   sync.Mutex // held while writing
	last chain
	size int64 // bytes known to be on disk; guarded by mu
}

type batch struct {
	records []Record
	done    bool
	err     error
}

// openJournal opens or creates the journal of one key in dir and reads it
// through. A torn record at the end (shorter than a record, or zeros) is cut
// off: the key was not used for it, because its fsync had not returned. Anything
// else that is wrong is ErrCorrupt.
func openJournal(dir string, id entry.Digest, now func() time.Time, each func(Record)) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("couldn't make the journal's directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	j := &journal{now: now, lock: lock, next: new(batch), used: bitmap{}}
	if err := j.open(filepath.Join(dir, JournalName), id, each); err != nil {
		lock.Close()
		return nil, err
	}
	return j, nil
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("couldn't open the journal's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, say.New("keystore.inuse", "署名記録簿は別のプロセスが使用中です。", "The signing journal is in use by another process.").
			Hint("同じ鍵を使うプロセスを先に止めてください。", "Stop the other process that uses this key first.").
			Because(errors.Join(ErrInUse, err))
	}
	return f, nil
}

func (j *journal) open(path string, id entry.Digest, each func(Record)) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("couldn't open the signing journal: %w", err)
	}
	if err := j.load(f, id, each); err != nil {
		f.Close()
		return err
	}
	j.f = f
	return nil
}

func (j *journal) load(f *os.File, id entry.Digest, each func(Record)) error {
	header := append([]byte(magic), id[:]...)
	j.last = chain{}.next(header)
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("couldn't look at the signing journal: %w", err)
	}
	if st.Size() < headerSize { // never finished creating: no record can have followed
		if err := startFile(f, header); err != nil {
			return err
		}
		j.size = headerSize
		return nil
	}
	got := make([]byte, headerSize)
	if _, err := f.ReadAt(got, 0); err != nil {
		return fmt.Errorf("couldn't read the signing journal: %w", err)
	}
	if !bytes.Equal(got, header) {
		return corrupt("header is not that of this key's journal")
	}
	end, last, err := scan(f, headerSize, st.Size(), j.last, func(r Record) error {
		if r.Use == UseSign && !j.used.set(r.Index) {
			return corrupt("a receipt is recorded twice")
		}
		if each != nil {
			each(r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if end < st.Size() {
		if err := cutTail(f, end); err != nil {
			return err
		}
	}
	j.last, j.size = last, end
	return nil
}

func startFile(f *os.File, header []byte) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("couldn't start the signing journal: %w", err)
	}
	if _, err := f.Write(header); err != nil {
		return fmt.Errorf("couldn't start the signing journal: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("couldn't start the signing journal: %w", err)
	}
	return syncDir(filepath.Dir(f.Name()))
}

func cutTail(f *os.File, end int64) error {
	if err := f.Truncate(end); err != nil {
		return fmt.Errorf("couldn't cut the torn end of the signing journal: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("couldn't cut the torn end of the signing journal: %w", err)
	}
	return nil
}

// burning is the first use of a receipt.
type burning struct {
	index uint64
	tbs   entry.Digest
}

// burn records first uses, durably, in one write, and refuses each receipt that
// was used before.
func (j *journal) burn(uses ...burning) []error {
	errs := make([]error, len(uses))
	records := make([]Record, 0, len(uses))
	j.mu.Lock()
	for i, u := range uses {
		if j.failed == nil && !j.used.set(u.index) {
			errs[i] = fmt.Errorf("%w: %w", ErrRefused, ErrUsed)
			continue
		}
		records = append(records, Record{Use: UseSign, Index: u.index, TBS: u.tbs})
	}
	err := j.append(records...)
	for i := range errs {
		if errs[i] == nil {
			errs[i] = err
		}
	}
	return errs
}

// note records any other use.
func (j *journal) note(r Record) error {
	j.mu.Lock()
	return j.append(r)
}

// append waits until the records are on disk. It is called with mu held and lets
// it go.
func (j *journal) append(rs ...Record) error {
	if j.failed != nil || len(rs) == 0 {
		defer j.mu.Unlock()
		if j.failed == nil {
			return nil
		}
		return fmt.Errorf("%w: %w", ErrJournal, j.failed)
	}
	b, at := j.next, j.now().UTC().Truncate(time.Second)
	for _, r := range rs {
		r.At = at
		b.records = append(b.records, r)
	}
	j.mu.Unlock()

	j.io.Lock()
	defer j.io.Unlock()
	if b.done { // another caller wrote it with its own
		return b.err
	}
	j.mu.Lock()
	j.next = new(batch)
	failed := j.failed
	j.mu.Unlock()
	b.done = true
	if failed != nil {
		b.err = fmt.Errorf("%w: %w", ErrJournal, failed)
		return b.err
	}
	b.err = j.write(b.records)
	return b.err
}

// write puts records on the disk: one write(2), one fsync(2). After a failure
// nothing is known about the file's end, so nothing is written any more until
// the journal has been opened, and read through, again.
func (j *journal) write(rs []Record) error {
	buf := make([]byte, 0, len(rs)*recordSize)
	c := j.last
	for _, r := range rs {
		buf, c = r.append(buf, c)
	}
	_, err := j.f.Write(buf)
	if err == nil {
		err = j.f.Sync()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.failed = err
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	j.last = c
	j.size += int64(len(buf))
	return nil
}

// records calls fn for each record that is on disk now.
func (j *journal) records(fn func(Record) error) error {
	j.mu.Lock()
	size := j.size
	j.mu.Unlock()
	header := make([]byte, headerSize)
	if _, err := j.f.ReadAt(header, 0); err != nil {
		return fmt.Errorf("couldn't read the signing journal: %w", err)
	}
	end, _, err := scan(j.f, headerSize, size, chain{}.next(header), fn)
	if err == nil && end != size {
		return corrupt("file is shorter than what was written")
	}
	return err
}

// digestOf finds the digest that the receipt at index was used for.
func (j *journal) digestOf(index uint64) (d entry.Digest, found bool, err error) {
	err = j.records(func(r Record) error {
		if r.Use == UseSign && r.Index == index {
			d, found = r.TBS, true
		}
		return nil
	})
	return d, found, err
}

// fail stops all further appends.
func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = err
	}
}

// sound reports whether a use could be recorded.
func (j *journal) sound() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return fmt.Errorf("%w: %w", ErrJournal, j.failed)
	}
	return nil
}

func (j *journal) isUsed(index uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.used.has(index)
}

func (j *journal) close() error {
	j.io.Lock()
	defer j.io.Unlock()
	j.mu.Lock()
	if j.failed == nil {
		j.failed = errors.New("journal is closed")
	}
	j.mu.Unlock()
	return errors.Join(j.f.Close(), j.lock.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("couldn't open a directory to sync it: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("couldn't sync a directory: %w", err)
	}
	return nil
}

// bitmap is a set of log indices, dense where they are: one bit each.
type bitmap map[uint64]*[1024]uint64

const bitmapBlock = 1024 * 64

func (b bitmap) has(n uint64) bool {
	w := b[n/bitmapBlock]
	return w != nil && w[n%bitmapBlock/64]&(1<<(n%64)) != 0
}

// set adds n and reports whether it was new.
func (b bitmap) set(n uint64) bool {
	if b.has(n) {
		return false
	}
	w := b[n/bitmapBlock]
	if w == nil {
		w = new([1024]uint64)
		b[n/bitmapBlock] = w
	}
	w[n%bitmapBlock/64] |= 1 << (n % 64)
	return true
}
