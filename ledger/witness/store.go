package witness

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sukashi-project/sukashi/ledger/proof"
)

// files is what the store needs of a file system. Tests put one in its place
// that forgets what was not synced.
type files interface {
	// read returns nil without an error where there is no file.
	read(name string) ([]byte, error)
	create(name string) (file, error)
	rename(from, to string) error
	syncDir() error
}

type file interface {
	io.WriteCloser
	Sync() error
}

// store keeps one small file for each log. A write is all or nothing: the new
// file is written and synced beside the old one, renamed over it, and the
// directory is synced.
type store struct {
	files files
	lock  *os.File
	// fail, when set by a test, is called before each step of a write and ends
	// the write there.
	fail func(step string) error
}

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("couldn't create the directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("couldn't open the lock file: %w", err)
	}
	if err := lockFile(lock); err != nil {
		lock.Close()
		return nil, fmt.Errorf("couldn't lock the directory: %w", err)
	}
	return &store{files: osFiles{dir}, lock: lock, fail: func(string) error { return nil }}, nil
}

func (s *store) close() error { return s.lock.Close() }

func (s *store) read(name string) ([]byte, error) {
	b, err := s.files.read(name)
	if err == nil && b != nil && (len(b) == 0 || len(b) > proof.MaxFile) {
		return nil, errors.New("record is empty or too large")
	}
	return b, err
}

func (s *store) write(name string, b []byte) error {
	var f file
	steps := []struct {
		name string
		do   func() error
	}{
		{"create", func() (err error) { f, err = s.files.create(name + ".new"); return err }},
		{"write", func() error { _, err := f.Write(b); return err }},
		{"sync", func() error { return f.Sync() }},
		{"close", func() error { return f.Close() }},
		{"rename", func() error { return s.files.rename(name+".new", name) }},
		{"sync directory", func() error { return s.files.syncDir() }},
	}
	for _, st := range steps {
		err := s.fail(st.name)
		if err == nil {
			err = st.do()
		}
		if err != nil {
			if f != nil {
				f.Close()
			}
			return fmt.Errorf("couldn't %s: %w", st.name, err)
		}
	}
	return nil
}

// osFiles is a directory of the operating system.
type osFiles struct{ dir string }

func (d osFiles) read(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(d.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't open the record: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, proof.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("couldn't read the record: %w", err)
	}
	return b, nil
}

func (d osFiles) create(name string) (file, error) {
	f, err := os.OpenFile(filepath.Join(d.dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err // not a typed nil
	}
	return f, nil
}

func (d osFiles) rename(from, to string) error {
	return os.Rename(filepath.Join(d.dir, from), filepath.Join(d.dir, to))
}

func (d osFiles) syncDir() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
