package proof

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/status"
)

// StatusReceipt proves one certificate's status under one checkpoint (DESIGN
// section 5): that the certificate was issued, what the status tree says about
// it, and that this tree's root is the last entry under the checkpoint, so
// that nothing newer was left out. It holds no personal data.
type StatusReceipt struct {
	Issued     []byte      // the cert.issued entry, exact bytes
	Index      uint64      // index of Issued in the log
	IssuedPath []tlog.Hash // inclusion path of Issued
	Chunk      []byte      // chunk of the status tree with the certificate's ordinal (status.ChunkSize bytes)
	ChunkPath  []tlog.Hash // path of the chunk in the status tree
	Root       []byte      // the status.root entry, exact bytes; its index is the checkpoint's size - 1
	RootPath   []tlog.Hash // inclusion path of Root
	Checkpoint []byte      // signed note, verbatim

	note *signedNote // Checkpoint as ParseStatusReceipt has read it
}

const statusHeader = "sukashi-status-receipt@v1"

// statusFields are the names of the lines after the header, in their order.
var statusFields = [...]string{"issued", "index", "path", "chunk", "chunk-path", "root", "root-path"}

// Marshal returns the receipt's one text form: a header line, seven lines
// "name value", a blank line and the checkpoint. A path is the base64 of its
// hashes one after the other, "-" where there is none.
func (s *StatusReceipt) Marshal() []byte {
	hashes := len(s.IssuedPath) + len(s.ChunkPath) + len(s.RootPath)
	size := 256 + len(s.Issued) + len(s.Root) + len(s.Checkpoint) + (len(s.Chunk)+hashes*tlog.HashSize)*4/3
	b := append(make([]byte, 0, size), statusHeader...)
	for i, name := range statusFields {
		b = append(append(append(b, '\n'), name...), ' ')
		switch i {
		case 0:
			b = append(b, s.Issued...)
		case 1:
			b = strconv.AppendUint(b, s.Index, 10)
		case 2:
			b = appendPath(b, s.IssuedPath)
		case 3:
			b = base64.StdEncoding.AppendEncode(b, s.Chunk)
		case 4:
			b = appendPath(b, s.ChunkPath)
		case 5:
			b = append(b, s.Root...)
		case 6:
			b = appendPath(b, s.RootPath)
		}
	}
	return append(append(b, "\n\n"...), s.Checkpoint...)
}

func appendPath(b []byte, hs []tlog.Hash) []byte {
	if len(hs) == 0 {
		return append(b, '-')
	}
	raw := make([]byte, 0, MaxHashes*tlog.HashSize)
	for _, h := range hs {
		raw = append(raw, h[:]...)
	}
	return base64.StdEncoding.AppendEncode(b, raw)
}

func splitPath(s string) ([]tlog.Hash, bool) {
	if s == "-" {
		return nil, true
	}
	b, ok := decode64(s)
	if !ok || len(b) == 0 || len(b)%tlog.HashSize != 0 || len(b) > MaxHashes*tlog.HashSize {
		return nil, false
	}
	hs := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hs {
		copy(hs[i][:], b[i*tlog.HashSize:])
	}
	return hs, true
}

func malformedStatus(detail string, args ...any) error {
	return unreadable("status.malformed",
		"状態証明の形式が正しくないため、読み取れません。",
		"The status receipt is malformed and can't be read.", detail, args...)
}

// ParseStatusReceipt reads a status receipt of up to MaxFile bytes, strictly:
// Marshal gives the same bytes again. It verifies nothing.
func ParseStatusReceipt(b []byte) (*StatusReceipt, error) {
	if len(b) > MaxFile {
		return nil, malformedStatus("receipt of %d bytes is larger than %d", len(b), MaxFile)
	}
	lines := strings.SplitN(string(b), "\n", len(statusFields)+3)
	if lines[0] != statusHeader || len(lines) != len(statusFields)+3 || lines[len(statusFields)+1] != "" {
		return nil, malformedStatus("not a header, %d lines, a blank line and a checkpoint", len(statusFields))
	}
	var v [len(statusFields)]string
	for i, name := range statusFields {
		var ok bool
		if v[i], ok = strings.CutPrefix(lines[i+1], name+" "); !ok {
			return nil, malformedStatus("line %d does not start with %q", i+2, name)
		}
	}
	s := &StatusReceipt{Issued: []byte(v[0]), Root: []byte(v[5]), Checkpoint: []byte(lines[len(lines)-1])}
	var ok [5]bool
	s.Index, ok[0] = parseDecimal(v[1])
	s.IssuedPath, ok[1] = splitPath(v[2])
	s.Chunk, ok[2] = decode64(v[3])
	s.ChunkPath, ok[3] = splitPath(v[4])
	s.RootPath, ok[4] = splitPath(v[6])
	for i, name := range []string{"index", "path", "chunk", "chunk-path", "root-path"} {
		if !ok[i] {
			return nil, malformedStatus("value of %q is malformed", name)
		}
	}
	if len(s.Chunk) != status.ChunkSize {
		return nil, malformedStatus("chunk has %d bytes, not %d", len(s.Chunk), status.ChunkSize)
	}
	var err error
	if s.note, err = parseSigned(s.Checkpoint); err != nil {
		return nil, err
	}
	if !bytes.Equal(s.Marshal(), b) {
		return nil, malformedStatus("not in canonical form")
	}
	return s, nil
}

// IsStatusReceipt reports whether b starts like a status receipt.
func IsStatusReceipt(b []byte) bool { return bytes.HasPrefix(b, []byte(statusHeader+"\n")) }

// IsReceipt reports whether b starts like a tlog-proof.
func IsReceipt(b []byte) bool { return bytes.HasPrefix(b, []byte(proofHeader)) }
