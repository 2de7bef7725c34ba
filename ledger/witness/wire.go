package witness

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/proof"
)

// maxRequest is the largest add-checkpoint body in bytes.
const maxRequest = proof.MaxFile

var strict = base64.StdEncoding.Strict()

func parseSize(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > proof.MaxSize || strconv.FormatUint(n, 10) != s {
		return 0, false
	}
	return n, true
}

func parseHash(s string) (h tlog.Hash, ok bool) {
	b, err := strict.DecodeString(s)
	if err != nil || len(b) != len(h) || len(s) != base64.StdEncoding.EncodedLen(len(b)) {
		return h, false
	}
	return tlog.Hash(b), true
}

// parseText reads the text of a checkpoint (tlog-checkpoint).
func parseText(s string) (text, error) {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	if len(lines) < 3 {
		return text{}, ErrMalformed
	}
	size, ok := parseSize(lines[1])
	root, ok2 := parseHash(lines[2])
	if !ok || !ok2 || lines[0] == "" {
		return text{}, ErrMalformed
	}
	for _, l := range lines[3:] {
		if l == "" {
			return text{}, ErrMalformed
		}
	}
	return text{lines[0], size, root}, nil
}

// marshalRequest writes an add-checkpoint body.
func marshalRequest(oldSize uint64, hashes []tlog.Hash, checkpoint []byte) []byte {
	var b bytes.Buffer
	b.WriteString("old " + strconv.FormatUint(oldSize, 10) + "\n")
	for _, h := range hashes {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(checkpoint)
	return b.Bytes()
}

// parseRequest reads an add-checkpoint body.
func parseRequest(b []byte) (oldSize uint64, hashes []tlog.Hash, checkpoint []byte, err error) {
	head, note, ok := strings.Cut(string(b), "\n\n")
	if !ok || len(b) > maxRequest {
		return 0, nil, nil, ErrMalformed
	}
	lines := strings.Split(head, "\n")
	num, ok := strings.CutPrefix(lines[0], "old ")
	if !ok || len(lines)-1 > proof.MaxHashes {
		return 0, nil, nil, ErrMalformed
	}
	if oldSize, ok = parseSize(num); !ok {
		return 0, nil, nil, ErrMalformed
	}
	for _, l := range lines[1:] {
		h, ok := parseHash(l)
		if !ok {
			return 0, nil, nil, ErrMalformed
		}
		hashes = append(hashes, h)
	}
	return oldSize, hashes, []byte(note), nil
}
