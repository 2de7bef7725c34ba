// Package head keeps the newest signed checkpoint of a log outside the log's
// own store: the high-water mark that promise P9 needs.
//
// An embedded store can lose its newest entries without an error when a bit
// rots, and a backup can be put back by mistake. The log then looks healthy
// and would sign history a second time. The head remembers how far the log had
// signed, in its own directory, if possible on another disk.
//
// Promises: Swap replaces the head only if it still is what the caller thinks;
// the new head is on disk when Swap returns, with one fsync; a crash during
// Swap leaves the old head or the new one; a damaged head file is noticed.
//
// The file has two slots of 64 KiB, each with a generation number, the
// checkpoint and a SHA-256 over both; a swap overwrites the beginning of the
// older slot, as much as it needs.
//
// A head may carry a tail: the entries between the head before and this one.
// Then it may go to disk beside the store instead of after it, because whatever
// a crash leaves of the two, the log can be brought up to the head again.
//
//	h, err := head.Open("head", nil)
//	old := h.Get()
//	err = h.Swap(old, checkpoint)
package head

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
)

const (
	fileName = "head"
	slotSize = 64 << 10
	slots    = 2
	magic    = "sukashi-head-1\n\x00"
	headLen  = len(magic) + 8 + 4 // magic, generation, length
	// A slot with a tail has a magic of its own and one more length.
	magicTail   = "sukashi-head-2\n\x00"
	headTailLen = headLen + 4
	// MaxCheckpoint is the largest checkpoint that fits, in bytes.
	MaxCheckpoint = slotSize - headLen - sha256.Size
)

// ErrMoved is returned by Swap when the head is not what the caller thinks:
// another process signs for the same log.
var ErrMoved = say.New("head.moved", "ヘッドの記録が別のプロセスによって更新されています。",
	"The head was changed by somebody else.").
	Hint("同じログを動かしているプロセスが二つないか確かめてください。", "See whether two processes run the same log.")

// ErrUnreadable is returned by Open when the head file is there but neither
// slot can be read.
var ErrUnreadable = say.New("head.unreadable", "ヘッドの記録が壊れていて読み取れません。", "The head file is damaged.").
	Hint("最新の証人署名付きチェックポイントと照合してから、ヘッドを作り直してください。",
		"Compare the log with the newest cosigned checkpoint, then make the head again.")

// Store is an open head. It is safe for concurrent use; it locks the
// directory against other processes.
type Store struct {
	mu   sync.Mutex
	file kv.File
	lock io.Closer
	gen  uint64
	head []byte
	tail []byte
	torn bool
	bad  error // a write failed: what is on disk is unknown

	hasTail bool   // tail is the head's, not one before
	buf     []byte // room for the next write
}

// Open opens the head in dir and creates an empty one if there is none. A nil
// file system is the operating system's.
func Open(dir string, filesystem kv.FS) (*Store, error) {
	if filesystem == nil {
		filesystem = kv.Disk()
	}
	if err := kv.MakeDir(filesystem, dir); err != nil {
		return nil, err
	}
	lock, err := filesystem.Lock(filesystem.PathJoin(dir, "LOCK"))
	if err != nil {
		return nil, say.New("head.locked", "ヘッドの保存先は別のプロセスが使用中です。", "The head directory is in use by another process.").
			Hint("同じログを動かしている sukashi を止めてください。", "Stop the other sukashi that runs this log.").Because(err)
	}
	s := &Store{lock: lock}
	if err := s.open(dir, filesystem); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(dir string, filesystem kv.FS) error {
	name := filesystem.PathJoin(dir, fileName)
	if _, err := filesystem.Stat(name); errors.Is(err, fs.ErrNotExist) || os.IsNotExist(err) {
		if err := create(dir, name, filesystem); err != nil {
			return fmt.Errorf("couldn't make the head file: %w", err)
		}
	} else if err != nil {
		return fmt.Errorf("couldn't look at the head file: %w", err)
	}
	f, err := filesystem.OpenReadWrite(name, kv.WriteCategory)
	if err != nil {
		return fmt.Errorf("couldn't open the head file: %w", err)
	}
	b := make([]byte, slots*slotSize)
	if n, err := f.ReadAt(b, 0); n != len(b) {
		f.Close()
		return ErrUnreadable.Because(err)
	}
	if err := s.read(b); err != nil {
		f.Close()
		return err
	}
	s.file = f
	return nil
}

// Read returns the head in dir without opening it for a log: nil when there is
// none. torn reports a damaged slot.
func Read(dir string, filesystem kv.FS) (checkpoint []byte, torn bool, err error) {
	checkpoint, _, torn, err = ReadTail(dir, filesystem)
	return checkpoint, torn, err
}

// ReadTail is Read with the head's tail.
func ReadTail(dir string, filesystem kv.FS) (checkpoint, tail []byte, torn bool, err error) {
	if filesystem == nil {
		filesystem = kv.Disk()
	}
	f, err := filesystem.Open(filesystem.PathJoin(dir, fileName))
	if errors.Is(err, fs.ErrNotExist) || os.IsNotExist(err) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("couldn't open the head file: %w", err)
	}
	defer f.Close()
	b := make([]byte, slots*slotSize)
	if n, err := f.ReadAt(b, 0); n != len(b) {
		return nil, nil, true, ErrUnreadable.Because(err)
	}
	var s Store
	if err := s.read(b); err != nil {
		return nil, nil, true, err
	}
	return s.head, s.tail, s.torn, nil
}

// create writes the empty head under another name, so that a file called head
// is always whole.
func create(dir, name string, filesystem kv.FS) error {
	tmp := filesystem.PathJoin(dir, "head.new")
	f, err := filesystem.Create(tmp, kv.WriteCategory)
	if err != nil {
		return err
	}
	first := marshal(0, nil, nil)
	first = append(first, make([]byte, slots*slotSize-len(first))...)
	if _, err := f.Write(first); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := filesystem.Rename(tmp, name); err != nil {
		return err
	}
	return kv.SyncDir(filesystem, dir)
}

// marshal returns the used beginning of a slot.
func marshal(gen uint64, checkpoint, tail []byte) []byte {
	return appendSlot(nil, gen, checkpoint, tail)
}

// appendSlot is marshal in a buffer that has room from before.
func appendSlot(b []byte, gen uint64, checkpoint, tail []byte) []byte {
	b = slices.Grow(b, headTailLen+len(checkpoint)+len(tail)+sha256.Size)
	if tail == nil {
		b = append(b, magic...)
	} else {
		b = append(b, magicTail...)
	}
	b = binary.BigEndian.AppendUint64(b, gen)
	b = binary.BigEndian.AppendUint32(b, uint32(len(checkpoint)))
	if tail != nil {
		b = binary.BigEndian.AppendUint32(b, uint32(len(tail)))
	}
	b = append(append(b, checkpoint...), tail...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// slot is what a slot holds.
type slot struct {
	gen              uint64
	checkpoint, tail []byte // nil: none
}

// unmarshal reads one slot; ok is false for one that is damaged or empty.
func unmarshal(b []byte) (x slot, ok bool) {
	hasTail := bytes.HasPrefix(b, []byte(magicTail))
	if len(b) != slotSize || !hasTail && !bytes.HasPrefix(b, []byte(magic)) {
		return slot{}, false
	}
	x.gen = binary.BigEndian.Uint64(b[len(magic):])
	at, n, t := headLen, int(binary.BigEndian.Uint32(b[len(magic)+8:])), 0
	if hasTail {
		at, t = headTailLen, int(binary.BigEndian.Uint32(b[headLen:]))
	}
	if n > MaxCheckpoint || t > MaxCheckpoint || at+n+t+sha256.Size > slotSize {
		return slot{}, false
	}
	end := at + n + t
	if sum := sha256.Sum256(b[:end]); !bytes.Equal(sum[:], b[end:end+sha256.Size]) {
		return slot{}, false
	}
	if n > 0 {
		x.checkpoint = bytes.Clone(b[at : at+n])
	}
	if hasTail {
		x.tail = append([]byte{}, b[at+n:end]...)
	}
	return x, true
}

func (s *Store) read(b []byte) error {
	found := false
	for i := range slots {
		raw := b[i*slotSize : (i+1)*slotSize]
		x, ok := unmarshal(raw)
		if !ok && !bytes.Equal(raw, make([]byte, slotSize)) {
			s.torn = true
		}
		if ok && int(x.gen%slots) != i {
			return ErrUnreadable.Because(errors.New("a slot holds the other slot's generation"))
		}
		if ok && (!found || x.gen > s.gen) {
			s.gen, s.head, s.tail, found = x.gen, x.checkpoint, x.tail, true
			s.hasTail = x.tail != nil
		}
	}
	if !found {
		return ErrUnreadable.Because(errors.New("no slot is valid"))
	}
	return nil
}

// Get returns the newest checkpoint, or nil for a new head.
func (s *Store) Get() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.head)
}

// Tail returns the tail of the newest checkpoint, or nil.
func (s *Store) Tail() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hasTail {
		return nil
	}
	return append([]byte{}, s.tail...)
}

// Fits tells whether a checkpoint and a tail of these sizes fit into a head.
func Fits(checkpoint, tail int) bool { return headTailLen+checkpoint+tail+sha256.Size <= slotSize }

// Torn reports that one of the two slots was damaged when the head was opened:
// a crash during Swap, or a rotten disk.
func (s *Store) Torn() bool { return s.torn }

// Swap replaces the head old by the checkpoint new. When it returns nil, new
// is on disk. After a failed write the head refuses everything: what is on
// disk is unknown until it is opened again.
func (s *Store) Swap(old, new []byte) error { return s.SwapTail(old, new, nil) }

// SwapTail is Swap with a tail, if it isn't nil.
func (s *Store) SwapTail(old, new, tail []byte) error {
	if len(new) > MaxCheckpoint || !Fits(len(new), len(tail)) && tail != nil {
		return fmt.Errorf("checkpoint of %d bytes with %d more does not fit into a head of %d", len(new), len(tail), MaxCheckpoint)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad != nil {
		return s.bad
	}
	if !bytes.Equal(s.head, old) {
		return ErrMoved
	}
	gen := s.gen + 1
	s.buf = appendSlot(s.buf[:0], gen, new, tail)
	if _, err := s.file.WriteAt(s.buf, int64(gen%slots)*slotSize); err != nil {
		s.bad = fmt.Errorf("couldn't write the head: %w", err)
		return s.bad
	}
	if err := s.file.SyncData(); err != nil {
		s.bad = fmt.Errorf("couldn't bring the head to disk: %w", err)
		return s.bad
	}
	s.gen, s.head = gen, bytes.Clone(new)
	if s.hasTail = tail != nil; s.hasTail {
		s.tail = append(s.tail[:0], tail...)
	}
	return nil
}

// Close releases the directory.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), s.lock.Close())
	s.file, s.bad = nil, errors.New("head is closed")
	return err
}
