package revocation

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Status of a certificate as clients see it.
type Status byte

// Unknown covers pending and aborted intents: nothing was issued.
const (
	Unknown Status = iota
	Good
	Revoked
)

// Partitions that are not a municipality's.
const (
	Full = "full" // every certificate of the issuer, CA certificates included
	CA   = "ca"   // CA certificates alone: the ARL
)

// State is what the log says about certificates, so far. It is safe for
// concurrent use: one caller applies, any number read.
type State struct {
	mu      sync.RWMutex
	covers  uint64 // entries applied: indices 0 to covers-1
	certs   []cert // by ordinal
	serials map[serialKey]uint64
	issuers []entry.Digest
	lists   map[listKey]*revoked
	crosses map[serialKey]*cross
	keys    map[entry.Digest]*KeyState
}

// cert is kept small: there may be tens of millions.
type cert struct {
	serial   number
	recorded int64 // Unix seconds, when revoked
	place    uint32
	issuer   uint16
	phase    phase
	ground   uint8 // index into entry.Grounds
}

type phase byte

const (
	pending phase = iota
	valid
	aborted
	gone
)

// number is a serial as the content of a DER INTEGER.
type number struct {
	n byte // length
	b [21]byte
}

func (s *number) bytes() []byte { return s.b[:s.n] }

type serialKey struct {
	issuer uint16
	serial number
}

// cross is a link or cross certificate.
type cross struct{ revoked bool }

// KeyState is how far an issuer key's life has come (by its SPKI digest).
type KeyState struct {
	Leaked    bool          // key.leaked: Article 14
	Successor *entry.Digest // key.succeeded: the key that issues instead
	Retired   bool          // key.retired
}

// listKey is a partition of one issuer. Place 0 is the full list, caPlace the
// list of CA certificates.
type listKey struct {
	issuer uint16
	place  uint32
}

const caPlace = 1<<32 - 1

// revoked is a partition's certificates in the order in which the log revoked
// them. It only grows, so a prefix is a snapshot.
type revoked struct {
	ordinals []uint64
	indices  []uint64 // log index of each revocation, ascending
	bytes    int      // DER size of all entries
	latest   int64    // newest recorded time
	issued   bool     // a certificate of the partition exists
	number   uint64   // of the newest crl.published
	bases    []Base   // the complete lists announced, ascending
	crosses  []cert   // CA certificates, in the lists that hold them
	crossAt  []uint64 // log index of each of their revocations
}

// NewState returns the state of an empty log.
func NewState() *State {
	return &State{serials: map[serialKey]uint64{}, lists: map[listKey]*revoked{}, crosses: map[serialKey]*cross{}, keys: map[entry.Digest]*KeyState{}}
}

// Apply takes the entry at a log index. Indices come without gaps from 0. An
// entry that can't follow from those before it (a certificate issued twice, a
// revocation of what was never issued, a CRL number that does not grow) is an
// error and changes nothing: this state must not be published from.
func (s *State) Apply(index uint64, e entry.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if index != s.covers {
		return fmt.Errorf("entry %d is not the next one, %d", index, s.covers)
	}
	var err error
	switch b := e.Body.(type) {
	case nil:
		err = errors.New("entry has no body")
	case *entry.CertIntent:
		err = s.intent(b)
	case *entry.CertIssued:
		err = s.issue(b.Ordinal)
	case *entry.CertAborted:
		err = s.abort(b.Ordinal)
	case *entry.Revocation:
		err = s.revoke(index, b)
	case *entry.CRLPublished:
		err = s.published(b)
	case *entry.CrossIntent:
		err = s.crossIntent(b)
	case *entry.CrossRevoked:
		err = s.crossRevoked(index, b)
	case *entry.KeySucceeded:
		s.keyState(b.SPKI).Successor = &b.Successor
	case *entry.KeyLeaked:
		s.keyState(b.SPKI).Leaked = true
	case *entry.KeyRetired:
		s.keyState(b.SPKI).Retired = true
	}
	if err != nil {
		return fmt.Errorf("entry %d can't follow: %w", index, err)
	}
	s.covers++
	return nil
}

func (s *State) intent(b *entry.CertIntent) error {
	if b.Ordinal != uint64(len(s.certs)) {
		return errors.New("ordinal is not the next one")
	}
	serial, err := parseSerial(b.Serial)
	if err != nil {
		return err
	}
	place, err := parsePlace(b.Municipality)
	if err != nil {
		return err
	}
	issuer, err := s.issuer(b.Issuer)
	if err != nil {
		return err
	}
	key := serialKey{issuer, serial}
	if _, there := s.serials[key]; there || s.crosses[key] != nil {
		return errors.New("serial was announced before")
	}
	s.serials[key] = b.Ordinal
	s.certs = append(s.certs, cert{serial: serial, place: place, issuer: issuer})
	return nil
}

func (s *State) issuer(d entry.Digest) (uint16, error) {
	i := slices.Index(s.issuers, d)
	if i < 0 {
		if len(s.issuers) >= 1<<16-1 {
			return 0, errors.New("too many issuers")
		}
		s.issuers = append(s.issuers, d)
		i = len(s.issuers) - 1
	}
	return uint16(i), nil
}

func (s *State) at(ordinal uint64, want phase) (*cert, error) {
	if ordinal >= uint64(len(s.certs)) {
		return nil, errors.New("ordinal was never announced")
	}
	c := &s.certs[ordinal]
	if c.phase != want {
		return nil, errors.New("certificate is not in the phase that this needs")
	}
	return c, nil
}

func (s *State) issue(ordinal uint64) error {
	c, err := s.at(ordinal, pending)
	if err != nil {
		return err
	}
	c.phase = valid
	s.list(listKey{c.issuer, 0}).issued = true
	s.list(listKey{c.issuer, c.place}).issued = true
	return nil
}

func (s *State) abort(ordinal uint64) error {
	c, err := s.at(ordinal, pending)
	if err != nil {
		return err
	}
	c.phase = aborted
	return nil
}

func (s *State) revoke(index uint64, b *entry.Revocation) error {
	c, err := s.at(b.Ordinal, valid)
	if err != nil {
		return err
	}
	serial, err := parseSerial(b.Serial)
	if err != nil {
		return err
	}
	ground := slices.Index(entry.Grounds, b.Ground)
	t := b.Recorded.Std()
	if serial != c.serial || ground < 0 || t.Year() < 1950 {
		return errors.New("serial, ground or date is not that of the certificate")
	}
	c.phase, c.ground, c.recorded = gone, uint8(ground), t.Unix()
	size := entrySize(c)
	for _, k := range []listKey{{c.issuer, 0}, {c.issuer, c.place}} {
		l := s.list(k)
		l.ordinals = append(l.ordinals, b.Ordinal)
		l.indices = append(l.indices, index)
		l.bytes += size
		l.latest = max(l.latest, c.recorded)
	}
	return nil
}

func (s *State) published(b *entry.CRLPublished) error {
	issuer, err := s.issuer(b.Issuer)
	if err != nil {
		return err
	}
	k := listKey{issuer: issuer}
	if k.place, err = partitionPlace(b.Partition); err != nil {
		return err
	}
	l := s.list(k)
	if b.Number <= l.number {
		return errors.New("CRL number does not grow")
	}
	if b.Covers > s.covers {
		return errors.New("CRL covers entries that are not there")
	}
	switch {
	case b.Base == nil:
		l.bases = append(l.bases, Base{b.Number, b.Covers})
	case !l.complete(func(x Base) bool { return x.Number == *b.Base && x.Covers <= b.Covers }):
		return errors.New("delta CRL builds on no complete one")
	}
	l.number = b.Number
	return nil
}

// complete reports whether one of the complete lists is so; those looked for are
// near the end.
func (r *revoked) complete(is func(Base) bool) bool {
	for _, b := range slices.Backward(r.bases) {
		if is(b) {
			return true
		}
	}
	return false
}

// Since says what an issuer's partition has that a list which reflects covers
// entries lacks: how many revocations, and when the first of them was recorded.
func (s *State) Since(issuer entry.Digest, partition string, covers uint64) (n int, first time.Time) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, err := s.key(issuer, partition)
	r := s.lists[k]
	if err != nil || r == nil {
		return 0, time.Time{}
	}
	from, cross := r.since(covers)
	if from < len(r.ordinals) {
		first = time.Unix(s.certs[r.ordinals[from]].recorded, 0).UTC()
	}
	if cross < len(r.crosses) {
		if t := time.Unix(r.crosses[cross].recorded, 0).UTC(); first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return len(r.ordinals) - from + len(r.crosses) - cross, first
}

// since returns where the revocations start that a list which reflects covers
// entries lacks.
func (r *revoked) since(covers uint64) (ordinal, cross int) {
	ordinal, _ = slices.BinarySearch(r.indices, covers)
	cross, _ = slices.BinarySearch(r.crossAt, covers)
	return ordinal, cross
}

func (s *State) list(k listKey) *revoked {
	l := s.lists[k]
	if l == nil {
		l = new(revoked)
		s.lists[k] = l
	}
	return l
}

// Covers is the number of entries applied.
func (s *State) Covers() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.covers
}

// Answer is what the log says about one certificate.
type Answer struct {
	Status  Status
	Ordinal uint64    // of a known serial
	At      time.Time // Revoked: date of recording
	Reason  int       // Revoked: CRLReason, 0 for none
}

// Lookup answers for a serial (big-endian bytes, without sign) of an issuer key.
func (s *State) Lookup(issuer entry.Digest, serial []byte) Answer {
	n, err := derNumber(serial)
	if err != nil {
		return Answer{}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := slices.Index(s.issuers, issuer)
	if i < 0 {
		return Answer{}
	}
	ordinal, ok := s.serials[serialKey{uint16(i), n}]
	if !ok {
		return Answer{}
	}
	switch c := &s.certs[ordinal]; c.phase {
	case valid:
		return Answer{Status: Good, Ordinal: ordinal}
	case gone:
		return Answer{Status: Revoked, Ordinal: ordinal, At: time.Unix(c.recorded, 0).UTC(), Reason: Reason(entry.Grounds[c.ground])}
	}
	return Answer{}
}

// Partitions names the lists that an issuer's certificates need: "full", each
// municipality with an issued certificate in order of code, and "ca" if the
// issuer ever certified another CA key.
func (s *State) Partitions(issuer entry.Digest) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []string
	for k, l := range s.lists {
		if l.issued && k.place != 0 && s.issuers[k.issuer] == issuer {
			out = append(out, placeCode(k.place))
		}
	}
	slices.Sort(out) // CA comes last: a letter sorts after the digits
	return append([]string{Full}, out...)
}

// Reason is the CRLReason for a ground class (DOMAIN 6.4), 0 where none is
// given. All of Article 12 is one reason (PR-08).
func Reason(ground string) int {
	switch ground {
	case entry.GroundRequest:
		return 5 // cessationOfOperation
	case entry.GroundKeyLeak:
		return 1 // keyCompromise
	case entry.GroundChange:
		return 3 // affiliationChanged
	case entry.GroundError, entry.GroundRenewed:
		return 4 // superseded
	case entry.GroundIssuerKey:
		return 2 // cACompromise
	}
	return 0 // destroyed before delivery: unspecified, which RFC 5280 5.3.1 wants left out
}

func parseSerial(s string) (number, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return number{}, errors.New("serial is not hex")
	}
	return derNumber(b)
}

// derNumber brings an unsigned number into the shortest INTEGER content.
func derNumber(b []byte) (number, error) {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	var n number
	if len(b) == 0 || len(b) > 20 {
		return n, errors.New("serial has not 1 to 20 bytes")
	}
	at := 0
	if b[0] > 0x7f {
		at = 1
	}
	n.n = byte(copy(n.b[at:], b) + at)
	return n, nil
}

func parsePlace(code string) (uint32, error) {
	n, err := strconv.ParseUint(code, 10, 32)
	if err != nil || len(code) != 6 || n == 0 {
		return 0, errors.New("municipality code has not 6 digits")
	}
	return uint32(n), nil
}

// partitionPlace is the place of a partition.
func partitionPlace(partition string) (uint32, error) {
	switch partition {
	case Full:
		return 0, nil
	case CA:
		return caPlace, nil
	}
	return parsePlace(partition)
}

func placeCode(p uint32) string {
	if p == caPlace {
		return CA
	}
	return fmt.Sprintf("%06d", p)
}
