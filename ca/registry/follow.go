package registry

import (
	"encoding/binary"
	"errors"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

const stateNote = "revocation-state"

// NoteState keeps the digest of the newest snapshot of what the log says about
// certificates, and how many entries of the log it stands for. The snapshot
// itself is a file elsewhere; it is believed only as far as this row goes.
func (r *Registry) NoteState(covers uint64, digest entry.Digest) error {
	row := append(binary.BigEndian.AppendUint64(nil, covers), digest[:]...)
	return r.store.Note(Synced, map[string][]byte{stateNote: row})
}

// NotedState returns what NoteState kept last, or ErrNotFound.
func (r *Registry) NotedState() (covers uint64, digest entry.Digest, err error) {
	row, err := r.store.Noted(stateNote)
	if err != nil {
		return 0, digest, err
	}
	if len(row) != 8+len(digest) {
		return 0, digest, errors.New("the row about the revocation state is damaged")
	}
	return binary.BigEndian.Uint64(row), entry.Digest(row[8:]), nil
}
