package status

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// snapshotMagic is the first line of a snapshot; it names the format.
const snapshotMagic = "sukashi status snapshot 1\n"

// Marshal returns the tree as bytes: the magic line, size and number of pending
// ordinals (8 bytes each, big-endian), the pending ordinals in ascending order,
// the chunks. About 256 bytes for each 1,024 certificates.
func (t *Tree) Marshal() []byte {
	b := make([]byte, 0, len(snapshotMagic)+16+8*len(t.pending)+int(t.chunks.n)*ChunkSize)
	b = append(b, snapshotMagic...)
	b = binary.BigEndian.AppendUint64(b, t.size)
	b = binary.BigEndian.AppendUint64(b, uint64(len(t.pending)))
	for _, o := range t.PendingOrdinals() {
		b = binary.BigEndian.AppendUint64(b, o)
	}
	for i := range t.chunks.n {
		b = append(b, t.chunks.at(i)[:]...)
	}
	return b
}

// PendingOrdinals returns the ordinals with an intent and no end, ascending.
func (t *Tree) PendingOrdinals() []uint64 {
	out := make([]uint64, 0, len(t.pending))
	for o := range t.pending {
		out = append(out, o)
	}
	slices.Sort(out)
	return out
}

// RootOf returns the root of the states of size ordinals, with how many of them are issued and
// revoked: what a status.root says of them. state is asked once for each.
func RootOf(size uint64, state func(ordinal uint64) State) (root entry.Digest, issued, revoked uint64) {
	t := New()
	t.size = size
	for i := range Chunks(size) {
		c := t.chunks.writable(i, t.owner)
		for o := i * ChunkCertificates; o < min((i+1)*ChunkCertificates, size); o++ {
			s := state(o)
			c.set(o, s)
			if s != None {
				issued++
			}
			if s == Revoked {
				revoked++
			}
		}
		t.dirty[i] = struct{}{}
	}
	return t.Root(), issued, revoked
}

var errSnapshot = errors.New("not a snapshot of a status tree")

// Unmarshal reads what Marshal writes, strictly. It proves nothing: the caller
// compares Size, Issued, Revoked and Root with a status.root of the log. Those
// cover every state; they do not tell a pending ordinal from an aborted one.
func Unmarshal(b []byte) (*Tree, error) {
	if len(b) < len(snapshotMagic)+16 || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errSnapshot
	}
	b = b[len(snapshotMagic):]
	t := New()
	t.size = binary.BigEndian.Uint64(b)
	n := binary.BigEndian.Uint64(b[8:])
	b = b[16:]
	if t.size > MaxSize || n > t.size || n > uint64(len(b))/8 || uint64(len(b))-8*n != Chunks(t.size)*ChunkSize {
		return nil, errSnapshot
	}
	last := uint64(0)
	for i := range n {
		o := binary.BigEndian.Uint64(b[8*i:])
		if o >= t.size || i > 0 && o <= last {
			return nil, errSnapshot
		}
		t.pending[o], last = struct{}{}, o
	}
	return t, t.fill(b[8*n:])
}

// fill reads the chunks and counts.
func (t *Tree) fill(b []byte) error {
	for i := range Chunks(t.size) {
		c := chunk(b[i*ChunkSize:])
		*t.chunks.writable(i, t.owner) = c
		t.dirty[i] = struct{}{}
		for o := i * ChunkCertificates; o < (i+1)*ChunkCertificates; o++ {
			s := c.get(o)
			if s == None {
				continue
			}
			if _, open := t.pending[o]; open || o >= t.size {
				return errSnapshot
			}
			t.issued++
			if s == Revoked {
				t.revoked++
			}
		}
	}
	return nil
}
