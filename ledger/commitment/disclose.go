package commitment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Opening is one slot of a record as it is shown to somebody: with salt and
// value if it was asked for, else with its commitment alone.
type Opening struct {
	Field  string
	Commit entry.Digest
	Salt   []byte // nil: not disclosed
	Value  string
}

// Disclose opens the asked fields of a record and no other. What is handed out
// tells nothing about the other slots, about notices, or about K.
func (k Key) Disclose(slots []Slot, fields ...string) ([]Opening, error) {
	ds, err := k.Slots(slots)
	if err != nil {
		return nil, err
	}
	asked := slices.Clone(fields)
	out := make([]Opening, len(slots))
	for i, s := range slots {
		out[i] = Opening{Field: s.Field, Commit: ds[i]}
		n := slices.Index(asked, s.Field)
		if n < 0 {
			continue
		}
		asked = slices.Delete(asked, n, n+1)
		if out[i].Salt, err = k.Salt("subject", s.Field); err != nil {
			return nil, fmt.Errorf("couldn't derive a field salt: %w", err)
		}
		out[i].Value = s.Value
	}
	if len(fields) == 0 || len(asked) > 0 {
		return nil, errors.New("a disclosure names fields that the record has, each once")
	}
	return out, nil
}

// Verify reports whether the openings lead to the subject of a cert.intent:
// then every value in them is the one that was certified.
func Verify(subject entry.Digest, openings []Opening) error {
	slots, ds := make([]Slot, len(openings)), make([]entry.Digest, len(openings))
	for i, o := range openings {
		slots[i].Field, ds[i] = o.Field, o.Commit
		if o.Salt != nil && OpenSlot(o.Salt, o.Value) != o.Commit {
			return errors.New("a disclosed value doesn't open its commitment")
		}
	}
	got, err := Combine(slots, ds)
	if err != nil {
		return err
	}
	if got != subject {
		return errors.New("the disclosure doesn't lead to the logged commitment")
	}
	return nil
}

// HolderSalt opens the holder commitment of one notice: whom it was about, and
// nothing else.
func (k Key) HolderSalt(seq uint64) ([]byte, error) { return k.noticeSalt("holder", seq) }

// NoticeSalt opens the digest of one notice, given the notice's bytes.
func (k Key) NoticeSalt(seq uint64) ([]byte, error) { return k.noticeSalt("notice", seq) }

func (k Key) noticeSalt(purpose string, seq uint64) ([]byte, error) {
	if k.IsZero() {
		return nil, errors.New("record key is missing or erased")
	}
	return k.Salt(purpose, fmt.Sprintf("%d", seq))
}

// OpenHolder recomputes a holder commitment from a disclosed salt.
func OpenHolder(salt []byte, ordinal uint64) entry.Digest {
	return commit(salt, binary.BigEndian.AppendUint64(nil, ordinal))
}

// OpenNotice recomputes a notice's digest from a disclosed salt.
func OpenNotice(salt, notice []byte) entry.Digest { return commit(salt, notice) }
