package keystore

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// headSize is how much of the bytes is kept to look at their form: every
// certificate whole, and of a list what comes before its entries.
const headSize = 16 << 10

// tailSize is how much of their end is kept: a list's extensions.
const tailSize = 4 << 10

// measured is what the gate and the key need of the bytes to be signed; they
// may be a stream that is never in memory.
type measured struct {
	sum    entry.Digest // SHA-256, as logged
	digest []byte       // by the key's hash, as signed
	head   []byte       // first headSize bytes
	tail   []byte       // the end: tailSize bytes at least, if there are so many
	size   int64
}

var errTooLarge = errors.New("more than the largest thing that is signed")

// measure reads the bytes once. What is announced and what is signed are
// digests over this same pass.
func measure(src io.WriterTo, h crypto.Hash) (measured, error) {
	m := &meter{sha: sha256.New(), max: MaxTBS}
	m.own = m.sha
	if h != crypto.SHA256 {
		m.own = h.New()
	}
	if _, err := src.WriteTo(m); err != nil {
		return measured{}, fmt.Errorf("couldn't read what is to be signed: %w", err)
	}
	out := measured{digest: m.own.Sum(nil), head: m.head, tail: m.tail, size: m.size}
	m.sha.Sum(out.sum[:0])
	return out, nil
}

type meter struct {
	sha, own  hash.Hash
	head      []byte
	tail      []byte
	size, max int64
}

func (m *meter) Write(b []byte) (int, error) {
	if m.size+int64(len(b)) > m.max {
		return 0, errTooLarge
	}
	m.size += int64(len(b))
	m.sha.Write(b)
	if m.own != m.sha {
		m.own.Write(b)
	}
	if room := headSize - len(m.head); room > 0 {
		m.head = append(m.head, b[:min(room, len(b))]...)
	}
	if len(b) >= tailSize {
		m.tail = append(m.tail[:0], b[len(b)-tailSize:]...)
		return len(b), nil
	}
	if len(m.tail)+len(b) > 2*tailSize {
		m.tail = append(m.tail[:0], m.tail[len(m.tail)-tailSize:]...)
	}
	m.tail = append(m.tail, b...)
	return len(b), nil
}
