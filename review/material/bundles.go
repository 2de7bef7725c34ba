package material

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sukashi-project/sukashi/internal/say"
)

// width is the number of entries in a full bundle (C2SP tlog-tiles).
const width = 256

// bundles reads entries from a directory of C2SP entry bundles.
type bundles string

// Entries implements audit.Entries.
func (d bundles) Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	for i := from; i < to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := i / width
		b, err := d.read(n, min(width, to-n*width))
		if err != nil {
			return err
		}
		next := n * width
		for len(b) > 0 && next < to {
			if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
				return broken(n)
			}
			size := int(binary.BigEndian.Uint16(b))
			if next >= i {
				if err := fn(next, b[2:2+size]); err != nil {
					return err
				}
			}
			b, next = b[2+size:], next+1
		}
		if next < min((n+1)*width, to) {
			return broken(n)
		}
		i = next
	}
	return nil
}

func broken(n uint64) error {
	return say.New("material.bundle-broken", fmt.Sprintf("記録の束 %d が壊れています。", n), fmt.Sprintf("Entry bundle %d is damaged.", n))
}

// read takes the full bundle, or the partial one of the wanted width.
func (d bundles) read(n, w uint64) ([]byte, error) {
	path := filepath.Join(string(d), filepath.FromSlash(number(n)))
	b, err := os.ReadFile(path)
	if err != nil {
		b, err = os.ReadFile(fmt.Sprintf("%s.p/%d", path, w))
	}
	if err != nil {
		return nil, say.New("material.bundle-missing", fmt.Sprintf("記録の束 %d がありません。", n), fmt.Sprintf("Entry bundle %d is missing.", n)).Because(err)
	}
	return b, nil
}

// number is a tile number as a path: 3-digit groups, all but the last with x.
func number(n uint64) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	return s
}
