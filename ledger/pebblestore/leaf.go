package pebblestore

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"time"

	"github.com/google/trillian"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A leaf record is a version byte, queue and integration time as 64-bit Unix
// nanoseconds, three byte strings with their length (Merkle leaf hash,
// identity, extra data), and the leaf value to the end.
const leafVersion = 1

var errLeafRecord = errors.New("stored leaf is not a leaf record of this version")

// leafSize is the size of a leaf's record.
func leafSize(l *trillian.LogLeaf) int {
	n := 17 + len(l.LeafValue)
	for _, f := range [...]int{len(l.MerkleLeafHash), len(l.LeafIdentityHash), len(l.ExtraData)} {
		n += (bits.Len64(uint64(f)|1)+6)/7 + f
	}
	return n
}

func appendLeaf(b []byte, l *trillian.LogLeaf) []byte {
	b = append(b, leafVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(nanos(l.QueueTimestamp)))
	b = binary.BigEndian.AppendUint64(b, uint64(nanos(l.IntegrateTimestamp)))
	for _, f := range [][]byte{l.MerkleLeafHash, l.LeafIdentityHash, l.ExtraData} {
		b = binary.AppendUvarint(b, uint64(len(f)))
		b = append(b, f...)
	}
	return append(b, l.LeafValue...)
}

func nanos(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return 0
	}
	return t.Seconds*1e9 + int64(t.Nanos)
}

// parseLeaf returns slices into b.
func parseLeaf(b []byte, index uint64) (*trillian.LogLeaf, error) {
	if len(b) < 17 || b[0] != leafVersion {
		return nil, errLeafRecord
	}
	at := func(i int) *timestamppb.Timestamp {
		return timestamppb.New(time.Unix(0, int64(binary.BigEndian.Uint64(b[i:]))))
	}
	l := &trillian.LogLeaf{LeafIndex: int64(index), QueueTimestamp: at(1), IntegrateTimestamp: at(9)}
	rest := b[17:]
	for _, f := range []*[]byte{&l.MerkleLeafHash, &l.LeafIdentityHash, &l.ExtraData} {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return nil, errLeafRecord
		}
		*f, rest = rest[w:w+int(n):w+int(n)], rest[w+int(n):]
	}
	l.LeafValue = rest
	return l, nil
}

// leafValue returns the leaf value and the Merkle leaf hash of a record
// without building the leaf; both are slices into b.
func leafValue(b []byte) (value, hash []byte, err error) {
	if len(b) < 17 || b[0] != leafVersion {
		return nil, nil, errLeafRecord
	}
	rest := b[17:]
	for i := range 3 {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return nil, nil, errLeafRecord
		}
		if i == 0 {
			hash = rest[w : w+int(n)]
		}
		rest = rest[w+int(n):]
	}
	return rest, hash, nil
}

// Where a leaf identity is: 'q' and the queued leaf's record, or 's' and the
// index of the sequenced leaf.
func sequencedAt(index uint64) []byte { return append([]byte{'s'}, be64(index)...) }

func parseSequencedAt(v []byte) (uint64, bool) {
	if len(v) != 9 || v[0] != 's' {
		return 0, false
	}
	return binary.BigEndian.Uint64(v[1:]), true
}
