package proof

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Receipt proves that one entry is in the log: the entry's index, its RFC 6962
// inclusion path and a signed checkpoint. Its file form is C2SP tlog-proof v1
// without the unauthenticated "extra" line.
type Receipt struct {
	Index      uint64      // zero-based index of the entry
	Hashes     []tlog.Hash // from the leaf's sibling up to the root's child
	Checkpoint []byte      // signed note, verbatim
}

const proofHeader = "c2sp.org/tlog-proof@v1\n"

// Marshal returns the tlog-proof v1 text.
func (r *Receipt) Marshal() []byte {
	var b bytes.Buffer
	b.Grow(len(proofHeader) + 32 + 45*len(r.Hashes) + len(r.Checkpoint))
	b.WriteString(proofHeader)
	b.WriteString("index ")
	b.WriteString(strconv.FormatUint(r.Index, 10))
	b.WriteByte('\n')
	for _, h := range r.Hashes {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes()
}

func malformedReceipt(detail string, args ...any) error {
	return unreadable("receipt.malformed",
		"証明ファイルの形式が正しくないため、読み取れません。",
		"The proof file is malformed and can't be read.", detail, args...)
}

// ParseReceipt reads a tlog-proof v1 text of up to MaxFile bytes, strictly:
// Marshal gives the same bytes again. It verifies nothing.
func ParseReceipt(b []byte) (*Receipt, error) {
	if len(b) > MaxFile {
		return nil, malformedReceipt("proof of %d bytes is larger than %d", len(b), MaxFile)
	}
	rest, ok := strings.CutPrefix(string(b), proofHeader)
	if !ok {
		return nil, malformedReceipt("first line is not that of tlog-proof v1")
	}
	head, checkpoint, ok := strings.Cut(rest, "\n\n")
	if !ok {
		return nil, malformedReceipt("no blank line before the checkpoint")
	}
	lines := strings.Split(head, "\n")
	if strings.HasPrefix(lines[0], "extra ") {
		return nil, malformedReceipt("the extra line is not allowed: nothing protects it")
	}
	num, ok := strings.CutPrefix(lines[0], "index ")
	if !ok {
		return nil, malformedReceipt("no index line")
	}
	r := &Receipt{Checkpoint: []byte(checkpoint)}
	if r.Index, ok = parseDecimal(num); !ok {
		return nil, malformedReceipt("index is not a plain decimal number")
	}
	if len(lines)-1 > MaxHashes {
		return nil, malformedReceipt("more than %d hashes", MaxHashes)
	}
	for i, l := range lines[1:] {
		h, ok := parseHash(l)
		if !ok {
			return nil, malformedReceipt("hash %d is not canonical base64 of 32 bytes", i+1)
		}
		r.Hashes = append(r.Hashes, h)
	}
	if _, err := parseSigned(r.Checkpoint); err != nil {
		return nil, err
	}
	if !bytes.Equal(r.Marshal(), b) {
		return nil, malformedReceipt("not in canonical form")
	}
	return r, nil
}

// VerifyReceipt checks the receipt's checkpoint against the policy and that
// the entry with exactly these bytes is at the receipt's index under it.
func (p *Policy) VerifyReceipt(r *Receipt, entryBytes []byte) (*Checkpoint, error) {
	cp, err := p.VerifyCheckpoint(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	if err := included(cp, r.Index, r.Hashes, entryBytes); err != nil {
		return nil, err
	}
	return cp, nil
}

// VerifyUnder is VerifyReceipt for a checkpoint that VerifyCheckpoint of the
// right policy has given out before: one group commit has one checkpoint and
// many receipts, and its signature needs to be checked once. The receipt must
// carry exactly that signed note, byte for byte.
func (r *Receipt) VerifyUnder(cp *Checkpoint, entryBytes []byte) error {
	if !bytes.Equal(r.Checkpoint, cp.Raw) {
		return wrong("receipt.other-checkpoint", "証明は、別のチェックポイントのものです。",
			"The proof is under another checkpoint.", "the receipt's note is not the verified one")
	}
	return included(cp, r.Index, r.Hashes, entryBytes)
}

func included(cp *Checkpoint, index uint64, hashes []tlog.Hash, entryBytes []byte) error {
	if index >= cp.Size {
		return wrong("receipt.beyond", "証明の位置が、チェックポイントの記録件数を超えています。",
			"The proof's index is beyond the checkpoint's tree.", "index %d, size %d", index, cp.Size)
	}
	if len(hashes) > MaxHashes || tlog.CheckRecord(hashes, int64(cp.Size), cp.Root, int64(index), tlog.RecordHash(entryBytes)) != nil {
		return wrong("receipt.inclusion", "この記録がログに含まれることを、証明は示していません。",
			"The proof doesn't show that this entry is in the log.", "path doesn't lead from the entry to the checkpoint's root").
			Hint("記録のファイルと証明ファイルの組み合わせを確かめてください。", "See whether entry file and proof file belong together.")
	}
	return nil
}
