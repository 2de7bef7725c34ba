// Package commitment makes the digests that stand for a person in the ledger
// (DESIGN section 4).
//
// The four attributes are guessable: all birth dates, names and addresses of a
// prefecture can be hashed in minutes. So nothing about a person is ever
// logged as a plain, unsalted or institution-keyed hash. Each issuance has a
// random 32-byte record key K; every commitment is an HMAC under a salt that
// HKDF derives from K for one field and one purpose. K lives in the CA's
// registry and, by M1, on the register side; never in the log. Destroying K
// makes every commitment about that record unopenable, while roots and proofs
// stay valid (promise P8).
//
// Both sides of the wall compute the same commitments without any randomness
// of their own: a random field chosen by a sender would be a leak channel.
//
// The package is pure.
package commitment

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// KeySize is the length of a record key in bytes.
const KeySize = 32

// Key is a record key. Its text form is 64 lower-case hex digits; it prints as
// a placeholder, so that a log line can't leak it.
type Key [KeySize]byte

// NewKey draws a record key from r (crypto/rand.Reader in production).
func NewKey(r io.Reader) (Key, error) {
	var k Key
	if _, err := io.ReadFull(r, k[:]); err != nil {
		return Key{}, fmt.Errorf("couldn't draw a record key: %w", err)
	}
	return k, nil
}

// String hides the key from logs and errors.
func (k Key) String() string { return "[record key]" }

// Format hides the key from every verb of package fmt, %x and %d too.
func (k Key) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// MarshalJSON refuses, so that no message or log record holds a key by
// accident: what must carry it uses Hex.
func (k Key) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a record key is not written as JSON by itself")
}

// IsZero reports whether the key was never set or has been erased.
func (k Key) IsZero() bool { return k == Key{} }

// Hex returns 64 lower-case hex digits, for messages that carry the key.
func (k Key) Hex() string { return hex.EncodeToString(k[:]) }

// ParseKey reads what Hex writes.
func ParseKey(s string) (Key, error) {
	var k Key
	d, err := entry.ParseDigest(s)
	if err != nil {
		return k, errors.New("record key is not 64 lower-case hex digits")
	}
	return Key(d), nil
}

// Slot is one certified value by its field name. The set of field names is
// public, no value is.
type Slot struct {
	Field string
	Value string
}

// Salt is the key of one field's commitment. Disclosing the salt and the value
// opens one slot without opening another.
func (k Key) Salt(purpose, field string) ([]byte, error) {
	return hkdf.Key(sha256.New, k[:], nil, saltInfo(purpose, field), sha256.Size)
}

func saltInfo(purpose, field string) string { return "sukashi/v1/" + purpose + "/" + field }

func commit(salt []byte, value []byte) entry.Digest {
	m := hmac.New(sha256.New, salt)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(value)))
	m.Write(n[:])
	m.Write(value)
	var d entry.Digest
	m.Sum(d[:0])
	return d
}

func (k Key) commit(purpose, field string, value []byte) (entry.Digest, error) {
	if k.IsZero() {
		return entry.Digest{}, errors.New("record key is missing or erased")
	}
	salt, err := k.Salt(purpose, field)
	if err != nil {
		return entry.Digest{}, fmt.Errorf("couldn't derive a field salt: %w", err)
	}
	return commit(salt, value), nil
}

// Slots returns the commitment of each slot, in order.
func (k Key) Slots(slots []Slot) ([]entry.Digest, error) {
	if k.IsZero() {
		return nil, errors.New("record key is missing or erased")
	}
	out := make([]entry.Digest, len(slots))
	var m mac
	m.start(&noSalt)
	m.write(string(k[:]))
	prk := m.sum() // HKDF-Extract (RFC 5869 2.2), the same for every field
	for i, s := range slots {
		m.start(&prk)
		m.write("sukashi/v1/subject/")
		m.write(s.Field)
		m.write("\x01")
		salt := m.sum() // the one block of an HKDF-Expand (RFC 5869 2.3)
		m.start(&salt)
		m.length(len(s.Value))
		m.write(s.Value)
		out[i] = m.sum()
	}
	return out, nil
}

// Subject returns the subject commitment: SHA-256 over the ordered list of
// field names and slot commitments.
func (k Key) Subject(slots []Slot) (entry.Digest, error) {
	ds, err := k.Slots(slots)
	if err != nil {
		return entry.Digest{}, err
	}
	return Combine(slots, ds)
}

// Combine is the step from slot commitments to the subject commitment; a
// verifier of a partial disclosure uses it with the undisclosed slots'
// commitments.
func Combine(slots []Slot, ds []entry.Digest) (entry.Digest, error) {
	if len(slots) == 0 || len(slots) != len(ds) {
		return entry.Digest{}, errors.New("needs one commitment per slot")
	}
	list := append(make([]byte, 0, 512), "sukashi/v1/subject\n"...)
	for i, s := range slots {
		if !validField(s.Field) {
			return entry.Digest{}, errors.New("field name of a slot is empty or has a character that would make the list ambiguous")
		}
		list = append(append(list, s.Field...), ' ')
		list = append(hex.AppendEncode(list, ds[i][:]), '\n')
	}
	return entry.Sum(list), nil
}

// validField keeps one list of slots from having the bytes of another.
func validField(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '/' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// OpenSlot recomputes one slot's commitment from a disclosed salt and value.
func OpenSlot(salt []byte, value string) entry.Digest { return commit(salt, []byte(value)) }

// Notice returns the digest that notice.sent and notice.received hold for the
// notice with this sequence number and these exact bytes. It does not say
// whose notice it was to anyone without K.
func (k Key) Notice(seq uint64, notice []byte) (entry.Digest, error) {
	return k.commit("notice", fmt.Sprintf("%d", seq), notice)
}

// Holder returns the commitment of a holder's ordinal within one notice.
func (k Key) Holder(seq, ordinal uint64) (entry.Digest, error) {
	var v [8]byte
	binary.BigEndian.PutUint64(v[:], ordinal)
	return k.commit("holder", fmt.Sprintf("%d", seq), v[:])
}
