package witness

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// store keeps one small file for each log. A write is all or nothing: the new
// file is written and synced beside the old one, renamed over it, and the
// directory is synced.
type store struct {
	fs   kv.FS
	dir  string
	lock io.Closer
}

// openStore opens the directory, or makes it so that a crash leaves it there:
// a cosignature would be forgotten with the name of its directory.
func openStore(dir string, filesystem kv.FS) (*store, error) {
	if err := filesystem.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("couldn't create the directory: %w", err)
	}
	if err := kv.MakeDir(filesystem, dir); err != nil {
		return nil, err
	}
	lock, err := filesystem.Lock(filesystem.PathJoin(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("couldn't lock the directory: %w", err)
	}
	return &store{filesystem, dir, lock}, nil
}

func (s *store) close() error { return s.lock.Close() }

// read returns nil without an error where there is no record.
func (s *store) read(name string) ([]byte, error) {
	f, err := s.fs.Open(s.fs.PathJoin(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) || os.IsNotExist(err) {
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
	if len(b) == 0 || len(b) > proof.MaxFile {
		return nil, errors.New("record is empty or too large")
	}
	return b, nil
}

func (s *store) write(name string, b []byte) error {
	name = s.fs.PathJoin(s.dir, name)
	f, err := s.fs.Create(name+".new", kv.WriteCategory)
	if err != nil {
		return fmt.Errorf("couldn't create the record: %w", err)
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(fmt.Errorf("couldn't write the record: %w", err), f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("couldn't bring the record to disk: %w", err), f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("couldn't close the record: %w", err)
	}
	if err := s.fs.Rename(name+".new", name); err != nil {
		return fmt.Errorf("couldn't put the record in place: %w", err)
	}
	return kv.SyncDir(s.fs, s.dir)
}
