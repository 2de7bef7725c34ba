package publish

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/sukashi-project/sukashi/ledger"
)

// Export writes entries and their proofs under the newest published checkpoint
// as files: DIR/N.json and DIR/N.tlog-proof for each index. The files hold all
// that an offline check needs besides the trust policy. Existing files are
// replaced whole.
func Export(ctx context.Context, r ledger.Reader, dir string, indexes ...uint64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
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
		if err := replace(name+".json", b); err != nil {
			return err
		}
		if err := replace(name+".tlog-proof", p.Marshal()); err != nil {
			return err
		}
	}
	return nil
}

// replace writes a file so that its name never leads to half of it.
func replace(name string, b []byte) error {
	tmp := name + ".tmp"
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return fmt.Errorf("couldn't write a proof file: %w", err)
	}
	if err := os.Rename(tmp, name); err != nil {
		return fmt.Errorf("couldn't put a proof file in place: %w", err)
	}
	return nil
}
