package publish

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Media types and the header of a look-up.
const (
	framesType   = "application/octet-stream"
	receiptsType = "application/vnd.sukashi.receipts"
	indexHeader  = "Sukashi-Index"
)

var errFrames = errors.New("body is not a list of entries, each after its 16-bit length")

func appendFrame(b, entryBytes []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(entryBytes)))
	return append(b, entryBytes...)
}

// parseFrames splits a body into entries, which are slices of it.
func parseFrames(b []byte) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, errFrames
		}
		n := int(binary.BigEndian.Uint16(b))
		if n == 0 || len(b) < 2+n {
			return nil, errFrames
		}
		if len(out) == ledger.MaxAppendEntries {
			return nil, ledger.ErrTooLarge
		}
		out, b = append(out, b[2:2+n:2+n]), b[2+n:]
	}
	return out, nil
}

// marshalReceipts writes receipts that share one checkpoint: its 32-bit length
// and bytes, then for each receipt the 64-bit index, the number of hashes in
// one byte, and the hashes.
func marshalReceipts(rs []*proof.Receipt) []byte {
	var b []byte
	if len(rs) == 0 {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(rs[0].Checkpoint)))
	b = append(b, rs[0].Checkpoint...)
	for _, r := range rs {
		b = binary.BigEndian.AppendUint64(b, r.Index)
		b = append(b, byte(len(r.Hashes)))
		for _, h := range r.Hashes {
			b = append(b, h[:]...)
		}
	}
	return b
}

var errReceipts = errors.New("answer is not a list of receipts")

func parseReceipts(b []byte) ([]*proof.Receipt, error) {
	if len(b) < 4 {
		return nil, errReceipts
	}
	n := int(binary.BigEndian.Uint32(b))
	if n > proof.MaxFile || len(b) < 4+n {
		return nil, errReceipts
	}
	checkpoint, b := b[4:4+n:4+n], b[4+n:]
	var out []*proof.Receipt
	for len(b) > 0 {
		if len(b) < 9 || len(out) == ledger.MaxAppendEntries {
			return nil, errReceipts
		}
		r := &proof.Receipt{Index: binary.BigEndian.Uint64(b), Checkpoint: checkpoint}
		count := int(b[8])
		if b = b[9:]; count > proof.MaxHashes || len(b) < count*tlog.HashSize {
			return nil, errReceipts
		}
		r.Hashes = make([]tlog.Hash, count)
		for i := range r.Hashes {
			copy(r.Hashes[i][:], b[i*tlog.HashSize:])
		}
		b = b[count*tlog.HashSize:]
		out = append(out, r)
	}
	return out, nil
}

// writerOf finds the top-level member "by" of a canonical entry without
// parsing it all: it comes after the body, and no string holds a quote. What
// it says of bytes that are not canonical doesn't matter: the log refuses
// them.
func writerOf(b []byte) (string, bool) {
	const mark = `,"by":"`
	i := strings.LastIndex(string(b), mark)
	if i < 0 {
		return "", false
	}
	by, _, ok := strings.Cut(string(b[i+len(mark):]), `"`)
	_, known := entry.Writers[by]
	return by, ok && known
}

// tilePath is a parsed C2SP tile path.
type tilePath struct {
	entries bool   // an entry bundle
	level   uint   // hash tiles: 0 to 63
	index   uint64 // N
	width   uint64 // 256 for a full tile
}

const (
	tileWidth = 256
	maxLevel  = 63 // of a path; trees are never that high
)

var errPath = errors.New("not a C2SP tile path")

// parseTilePath reads "<L>/<N>[.p/<W>]" and "entries/<N>[.p/<W>]" strictly.
func parseTilePath(s string) (tilePath, error) {
	t := tilePath{width: tileWidth}
	level, rest, ok := strings.Cut(s, "/")
	switch {
	case !ok:
		return t, errPath
	case level == "entries":
		t.entries = true
	default:
		l, err := decimal(level)
		if err != nil || l > maxLevel {
			return t, errPath
		}
		t.level = uint(l)
	}
	if n, w, partial := strings.Cut(rest, ".p/"); partial {
		width, err := decimal(w)
		if err != nil || width == 0 || width >= tileWidth {
			return t, errPath
		}
		rest, t.width = n, width
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		if i < len(parts)-1 {
			if p, ok = strings.CutPrefix(p, "x"); !ok || i == 0 && p == "000" {
				return t, errPath
			}
		}
		if len(p) != 3 || len(parts) > 5 {
			return t, errPath
		}
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || p[0] == '+' {
			return t, errPath
		}
		t.index = t.index*1000 + n
	}
	return t, nil
}

// String is the path's one form.
func (t tilePath) String() string {
	n := fmt.Sprintf("%03d", t.index%1000)
	for i := t.index / 1000; i > 0; i /= 1000 {
		n = fmt.Sprintf("x%03d/", i%1000) + n
	}
	if t.width != tileWidth {
		n += fmt.Sprintf(".p/%d", t.width)
	}
	if t.entries {
		return "entries/" + n
	}
	return fmt.Sprintf("%d/%s", t.level, n)
}

// decimal reads a plain decimal number: no sign, no leading zero.
func decimal(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 53)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("not a plain decimal number below 2^53")
	}
	return n, nil
}
