package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Signature types of vkeys (C2SP signed-note, tlog-cosignature).
const (
	typeLog         = 0x01 // Ed25519 over the note text
	typeCosignature = 0x04 // Ed25519 timestamped cosignature/v1
)

// key is one parsed vkey.
type key struct {
	vkey     string
	public   [32]byte
	verifier note.Verifier

	// A log's key: the tree sizes that it may sign; until 0: no last one.
	from, until uint64
}

func (k *key) covers(size uint64) bool { return size >= k.from && (k.until == 0 || size <= k.until) }

// parseKey reads a vkey "name+id+base64(type ‖ key)" of one wanted type.
// The id is computed again and the key must not be of small order.
func parseKey(vkey string, want byte) (key, error) {
	k := key{vkey: vkey}
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 || !validName(parts[0]) || len(parts[1]) != 8 {
		return k, errors.New("key is not of the form name+id+base64")
	}
	raw, ok := decode64(parts[2])
	if !ok || len(raw) != 33 {
		return k, errors.New("key is not an Ed25519 key in canonical base64")
	}
	if raw[0] != want {
		return k, fmt.Errorf("key has signature type 0x%02x, need 0x%02x", raw[0], want)
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), raw...))
	if fmt.Sprintf("%08x", binary.BigEndian.Uint32(sum[:])) != parts[1] {
		return k, errors.New("key id does not belong to the key")
	}
	k.public = [32]byte(raw[1:])
	if smallOrder(k.public) {
		return k, errors.New("key is a point of small order: anyone could sign for it")
	}
	var err error
	if want == typeLog {
		k.verifier, err = note.NewVerifier(vkey)
	} else {
		k.verifier, err = fnote.NewVerifierForCosignatureV1(vkey)
	}
	return k, err
}

// smallOrderY are the y coordinates (little endian, sign bit cleared) of the
// points whose order divides 8, in canonical and non-canonical encodings:
// 0, 1, -1, the two of order 8, and p, p+1.
var smallOrderY = [...]string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func smallOrder(pub [32]byte) bool {
	pub[31] &= 0x7f
	s := hex.EncodeToString(pub[:])
	for _, y := range smallOrderY {
		if s == y {
			return true
		}
	}
	return false
}
