package revocation

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// A snapshot is the state as bytes, for a start that need not replay the whole
// log. RestoreUnder holds every certificate's state against the log; for the
// rest (serials, dates, places, CRL numbers) whoever reads it back must know that
// these are the bytes that were written.
//
//	magic line, number of certificates (8 bytes, big-endian)
//	per certificate 38 bytes: length and content of the serial, date (8),
//	place (4), issuer (2), phase, ground
//	everything else in Go's gob form (rest)
const snapshotMagic = "sukashi revocation state 2\n"

const certSize = 1 + 21 + 8 + 4 + 2 + 1 + 1

// rest is what there is little of.
type rest struct {
	Covers  uint64
	Issuers []entry.Digest
	Lists   []listRow
	Crosses []crossRow
	Keys    map[entry.Digest]KeyState
}

type listRow struct {
	Issuer            uint16
	Place             uint32
	Ordinals, Indices []uint64
	Bytes             int
	Latest            int64
	Issued            bool
	Number            uint64
	Crosses           []byte // certificates of 38 bytes
	CrossAt           []uint64
	Bases             []Base
}

type crossRow struct {
	Issuer  uint16
	Serial  []byte
	Revoked bool
}

func (c *cert) append(b []byte) []byte {
	b = append(append(b, c.serial.n), c.serial.b[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.recorded))
	b = binary.BigEndian.AppendUint32(b, c.place)
	b = binary.BigEndian.AppendUint16(b, c.issuer)
	return append(b, byte(c.phase), c.ground)
}

func readCerts(b []byte) ([]cert, error) {
	if len(b)%certSize != 0 {
		return nil, errSnapshot
	}
	if len(b) == 0 {
		return nil, nil
	}
	out := make([]cert, len(b)/certSize)
	for i := range out {
		r := b[i*certSize:]
		c := &out[i]
		c.serial.n = r[0]
		copy(c.serial.b[:], r[1:22])
		c.recorded = int64(binary.BigEndian.Uint64(r[22:]))
		c.place, c.issuer = binary.BigEndian.Uint32(r[30:]), binary.BigEndian.Uint16(r[34:])
		c.phase, c.ground = phase(r[36]), r[37]
		if int(c.serial.n) > len(c.serial.b) || c.phase > gone || int(c.ground) >= len(entry.Grounds) {
			return nil, errSnapshot
		}
	}
	return out, nil
}

var errSnapshot = errors.New("not a snapshot of a revocation state")

// Snapshot returns the state as bytes and the number of entries that it stands
// for.
func (s *State) Snapshot() (b []byte, covers uint64, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b = make([]byte, 0, len(snapshotMagic)+8+len(s.certs)*certSize+1<<16)
	b = append(b, snapshotMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(s.certs)))
	for i := range s.certs {
		b = s.certs[i].append(b)
	}
	r := rest{Covers: s.covers, Issuers: s.issuers, Keys: map[entry.Digest]KeyState{}}
	for k, l := range s.lists {
		row := listRow{Issuer: k.issuer, Place: k.place, Ordinals: l.ordinals, Indices: l.indices, Bytes: l.bytes, Latest: l.latest,
			Issued: l.issued, Number: l.number, CrossAt: l.crossAt, Bases: l.bases}
		for i := range l.crosses {
			row.Crosses = l.crosses[i].append(row.Crosses)
		}
		r.Lists = append(r.Lists, row)
	}
	for k, c := range s.crosses {
		r.Crosses = append(r.Crosses, crossRow{k.issuer, k.serial.bytes(), c.revoked})
	}
	for d, k := range s.keys {
		r.Keys[d] = *k
	}
	out := bytes.NewBuffer(b)
	if err := gob.NewEncoder(out).Encode(r); err != nil {
		return nil, 0, fmt.Errorf("couldn't encode the revocation state: %w", err)
	}
	return out.Bytes(), s.covers, nil
}

// RestoreUnder puts a snapshot into the state of an empty log, if it stands for
// that many entries and root, the status.root at their end, commits to exactly
// its certificates' states. After an error the state is as it was.
func (s *State) RestoreUnder(b []byte, covers uint64, root *entry.StatusRoot) error {
	next, err := parseSnapshot(b)
	if err != nil {
		return err
	}
	if next.covers != covers || !next.matches(root) {
		return errors.New("the snapshot is not what the log's status.root commits to")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.covers != 0 {
		return errors.New("the state is not that of an empty log")
	}
	s.covers, s.certs, s.serials, s.issuers = next.covers, next.certs, next.serials, next.issuers
	s.lists, s.crosses, s.keys = next.lists, next.crosses, next.keys
	return nil
}

func parseSnapshot(b []byte) (*State, error) {
	b, ok := bytes.CutPrefix(b, []byte(snapshotMagic))
	if !ok || len(b) < 8 {
		return nil, errSnapshot
	}
	n := binary.BigEndian.Uint64(b)
	b = b[8:]
	if n > uint64(len(b))/certSize {
		return nil, errSnapshot
	}
	s := NewState()
	var err error
	if s.certs, err = readCerts(b[:n*certSize]); err != nil {
		return nil, err
	}
	var r rest
	if err := gob.NewDecoder(bytes.NewReader(b[n*certSize:])).Decode(&r); err != nil {
		return nil, errSnapshot
	}
	s.covers, s.issuers = r.Covers, r.Issuers
	s.serials = make(map[serialKey]uint64, n)
	for i := range s.certs {
		c := &s.certs[i]
		if int(c.issuer) >= len(s.issuers) {
			return nil, errSnapshot
		}
		s.serials[serialKey{c.issuer, c.serial}] = uint64(i)
	}
	if len(s.serials) != len(s.certs) {
		return nil, errSnapshot
	}
	return s, s.takeRest(&r)
}

func (s *State) takeRest(r *rest) error {
	for _, l := range r.Lists {
		crosses, err := readCerts(l.Crosses)
		if err != nil || int(l.Issuer) >= len(s.issuers) || len(l.Ordinals) != len(l.Indices) || len(crosses) != len(l.CrossAt) {
			return errSnapshot
		}
		for _, o := range l.Ordinals {
			if o >= uint64(len(s.certs)) || s.certs[o].phase != gone {
				return errSnapshot
			}
		}
		s.lists[listKey{l.Issuer, l.Place}] = &revoked{ordinals: l.Ordinals, indices: l.Indices, bytes: l.Bytes, latest: l.Latest,
			issued: l.Issued, number: l.Number, crosses: crosses, crossAt: l.CrossAt, bases: l.Bases}
	}
	for _, c := range r.Crosses {
		n, err := derNumber(c.Serial)
		if err != nil {
			return errSnapshot
		}
		s.crosses[serialKey{c.Issuer, n}] = &cross{revoked: c.Revoked}
	}
	for d, k := range r.Keys {
		s.keys[d] = &k
	}
	return nil
}

// matches reports whether a status.root of the log commits to exactly the states
// of all certificates.
func (s *State) matches(want *entry.StatusRoot) bool {
	root, issued, revoked := status.RootOf(uint64(len(s.certs)), func(o uint64) status.State {
		switch s.certs[o].phase {
		case valid:
			return status.Valid
		case gone:
			return status.Revoked
		}
		return status.None
	})
	return want.Size == uint64(len(s.certs)) && want.Issued == issued && want.Revoked == revoked && want.Root == root
}
