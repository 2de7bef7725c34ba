package revocation

import (
	"errors"
	"slices"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// What the log says about CA keys and the certificates between them.

func (s *State) keyState(spki entry.Digest) *KeyState {
	k := s.keys[spki]
	if k == nil {
		k = new(KeyState)
		s.keys[spki] = k
	}
	return k
}

// Key returns how far a key's life has come; the zero KeyState for one that the
// log says nothing of.
func (s *State) Key(spki entry.Digest) KeyState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k := s.keys[spki]; k != nil {
		return *k
	}
	return KeyState{}
}

func (s *State) crossKey(issuer entry.Digest, serial string) (serialKey, error) {
	n, err := parseSerial(serial)
	if err != nil {
		return serialKey{}, err
	}
	i, err := s.issuer(issuer)
	return serialKey{i, n}, err
}

func (s *State) crossIntent(b *entry.CrossIntent) error {
	k, err := s.crossKey(b.Issuer, b.Serial)
	if err != nil {
		return err
	}
	_, resident := s.serials[k]
	if s.crosses[k] != nil || resident {
		return errors.New("serial was announced before")
	}
	s.crosses[k] = new(cross)
	s.list(listKey{k.issuer, 0}).issued = true
	s.list(listKey{k.issuer, caPlace}).issued = true
	return nil
}

// crossRevoked needs the announcement alone: a certificate between CAs may have
// been signed as soon as it was announced, and revoking one that never came into
// being harms nobody.
func (s *State) crossRevoked(index uint64, b *entry.CrossRevoked) error {
	k, err := s.crossKey(b.Issuer, b.Serial)
	if err != nil {
		return err
	}
	x, ground, t := s.crosses[k], slices.Index(entry.Grounds, b.Ground), b.Recorded.Std()
	if x == nil || x.revoked || ground < 0 || t.Year() < 1950 {
		return errors.New("certificate between CAs was never announced or is revoked, or its ground or date can't be")
	}
	x.revoked = true
	c := cert{serial: k.serial, recorded: t.Unix(), issuer: k.issuer, phase: gone, ground: uint8(ground)}
	for _, place := range []uint32{0, caPlace} {
		l := s.list(listKey{k.issuer, place})
		l.crosses = append(l.crosses, c)
		l.crossAt = append(l.crossAt, index)
		l.bytes += entrySize(&c)
		l.latest = max(l.latest, c.recorded)
	}
	return nil
}

// InForce returns the ordinals of an issuer's certificates that are issued and not
// revoked, ascending. It doesn't know when they expire.
func (s *State) InForce(issuer entry.Digest) []uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := slices.Index(s.issuers, issuer)
	if i < 0 {
		return nil
	}
	var out []uint64
	for o := range s.certs {
		if c := &s.certs[o]; c.phase == valid && int(c.issuer) == i {
			out = append(out, uint64(o))
		}
	}
	return out
}
