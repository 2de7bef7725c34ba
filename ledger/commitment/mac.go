package commitment

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// mac computes HMAC-SHA256 (RFC 2104) under many keys of one digest each, in
// one buffer and without an allocation. crypto/hmac makes two hashes and two
// saved states for every key, and a subject commitment has eight keys: that was
// most of its time. Only Slots uses it; TestSlotsIsHKDFAndHMAC holds it to
// crypto/hkdf and crypto/hmac.
type mac struct {
	key  entry.Digest
	text []byte // the key with the inner pad, then the message
	buf  [1024]byte
}

// noSalt is the salt of an HKDF-Extract that is given none.
var noSalt entry.Digest

func (m *mac) start(key *entry.Digest) {
	m.key = *key
	m.text = m.padded(m.buf[:0], 0x36)
}

func (m *mac) padded(to []byte, pad byte) []byte {
	for _, b := range m.key {
		to = append(to, b^pad)
	}
	for range sha256.BlockSize - len(m.key) {
		to = append(to, pad)
	}
	return to
}

func (m *mac) write(s string) { m.text = append(m.text, s...) }

// length writes a value's length, which stands before it.
func (m *mac) length(n int) { m.text = binary.BigEndian.AppendUint64(m.text, uint64(n)) }

func (m *mac) sum() entry.Digest {
	inner := sha256.Sum256(m.text)
	var outer [sha256.BlockSize + sha256.Size]byte
	return sha256.Sum256(append(m.padded(outer[:0], 0x5c), inner[:]...))
}
