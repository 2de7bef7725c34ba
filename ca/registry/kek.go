package registry

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// KEK is the key-encryption key over a registry's key ring. It comes in
// generations, so that one can be destroyed: whoever has an old copy of the
// ring then has nothing that opens it. Implementations need not be safe for
// concurrent use.
type KEK interface {
	// New makes a generation and returns its name: lower-case hex.
	New() (id string, err error)
	// Wrap seals a secret of 32 bytes under a generation, bound to that name.
	Wrap(id string, secret []byte) ([]byte, error)
	// Unwrap opens what Wrap made.
	Unwrap(id string, wrapped []byte) ([]byte, error)
	// Keep destroys every generation but this one.
	Keep(id string) error
}

// softwareKEK keeps its generations as files of random bytes and mixes them
// with the operator's key. It is for the demo and for tests: a copy of a file,
// taken while it was there, is a copy of the generation. On a token there is
// nothing to copy.
type softwareKEK struct {
	fs   kv.FS
	dir  string
	key  []byte
	rand io.Reader
}

const softwarePrefix = "kek-"

// SoftwareKEK returns a key-encryption key out of the operator's key (KeySize
// bytes) and files in dir, which must never be part of a backup.
func SoftwareKEK(fs kv.FS, dir string, key []byte, rand io.Reader) (KEK, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("a key-encryption key needs %d bytes", KeySize)
	}
	if fs == nil {
		fs = kv.Disk()
	}
	if err := kv.MakeDir(fs, dir); err != nil {
		return nil, err
	}
	return &softwareKEK{fs: fs, dir: dir, key: key, rand: rand}, nil
}

func (s *softwareKEK) path(id string) string { return s.fs.PathJoin(s.dir, softwarePrefix+id) }

func (s *softwareKEK) New() (string, error) {
	var b [8 + KeySize]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return "", fmt.Errorf("couldn't draw a key-encryption key: %w", err)
	}
	id := hex.EncodeToString(b[:8])
	if err := writeFile(s.fs, s.path(id), b[8:]); err != nil {
		return "", err
	}
	return id, kv.SyncDir(s.fs, s.dir)
}

// generation derives the key of one generation.
func (s *softwareKEK) generation(id string) ([]byte, error) {
	salt, err := readFile(s.fs, s.path(id))
	if err != nil {
		return nil, fmt.Errorf("couldn't read a key-encryption key: %w", err)
	}
	if len(salt) != KeySize {
		return nil, errors.New("a key-encryption key is damaged")
	}
	return hkdf.Key(sha256.New, s.key, salt, "sukashi/registry/v2/kek/"+id, KeySize)
}

func (s *softwareKEK) Wrap(id string, secret []byte) ([]byte, error) {
	k, err := s.generation(id)
	if err != nil {
		return nil, err
	}
	return sealWith(k, s.rand, []byte(id), secret)
}

func (s *softwareKEK) Unwrap(id string, wrapped []byte) ([]byte, error) {
	k, err := s.generation(id)
	if err != nil {
		return nil, err
	}
	return openWith(k, []byte(id), wrapped)
}

func (s *softwareKEK) Keep(id string) error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	gone := false
	for _, n := range names {
		if strings.HasPrefix(n, softwarePrefix) && n != softwarePrefix+id {
			if err := destroyFile(s.fs, s.fs.PathJoin(s.dir, n)); err != nil {
				return err
			}
			gone = true
		}
	}
	if !gone {
		return nil
	}
	return kv.SyncDir(s.fs, s.dir)
}

// writeFile writes a new file and brings its bytes to disk.
func writeFile(fs kv.FS, path string, b []byte) error {
	f, err := fs.Create(path, kv.WriteCategory)
	if err != nil {
		return fmt.Errorf("couldn't make a key file: %w", err)
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return fmt.Errorf("couldn't write a key file: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

func readFile(fs kv.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// destroyFile overwrites a file in place, brings that to disk and removes the
// file. A disk that moves blocks behind the scenes (flash, copy on write,
// snapshots) may keep the old ones: against those only a token helps.
func destroyFile(fs kv.FS, path string) error {
	f, err := fs.OpenReadWrite(path, kv.WriteCategory)
	if err != nil {
		return fmt.Errorf("couldn't open a key file to destroy it: %w", err)
	}
	if err := errors.Join(overwrite(f), f.Close()); err != nil {
		return err
	}
	return fs.Remove(path)
}

func overwrite(f kv.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(make([]byte, st.Size()), 0); err != nil {
		return fmt.Errorf("couldn't overwrite a key file: %w", err)
	}
	return f.Sync()
}
