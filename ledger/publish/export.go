package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
)

// Export writes entries and their proofs under the newest published checkpoint
// as files: DIR/N.json and DIR/N.tlog-proof for each index. The files hold all
// that an offline check needs besides the trust policy. Existing files are
// replaced whole, and all are on disk when Export returns.
func Export(ctx context.Context, r ledger.Reader, dir string, indexes ...uint64) error {
	fs := kv.Disk()
	if err := kv.MakeDir(fs, dir); err != nil {
		return fmt.Errorf("couldn't make the directory for proofs: %w", err)
	}
	for _, i := range indexes {
		b, err := r.Entry(ctx, i)
		if err != nil {
			return fmt.Errorf("couldn't read entry %d: %w", i, err)
		}
		p, err := r.Proof(ctx, i)
		if err != nil {
			return fmt.Errorf("couldn't prove entry %d: %w", i, err)
		}
		name := filepath.Join(dir, strconv.FormatUint(i, 10))
		if err := replace(fs, name+".json", b); err != nil {
			return err
		}
		if err := replace(fs, name+".tlog-proof", p.Marshal()); err != nil {
			return err
		}
	}
	return kv.SyncDir(fs, dir)
}

// replace writes a file so that its name never leads to half of it, after a
// power cut either. The name itself is on disk only once the directory is.
func replace(fs kv.FS, name string, b []byte) error {
	f, err := fs.Create(name+".tmp", kv.WriteCategory)
	if err != nil {
		return fmt.Errorf("couldn't make a file: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("couldn't write a file: %w", err)
	}
	if err := fs.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("couldn't put a file in place: %w", err)
	}
	return nil
}

// readFile reads a file that an export wrote.
func readFile(fs kv.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > maxBundle {
		return nil, ledger.ErrTooLarge
	}
	b := make([]byte, st.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}
