package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// The plain text of a row's sealed parts. There is one way to write a value and
// reading takes no other; an unknown version, flag or state, a number that is
// longer than it need be and a byte too many are refused.
//
//	number  unsigned LEB128
//	bytes   length (number) ‖ bytes
//	time    seconds since 1970, zigzag (number) ‖ nanoseconds (number); UTC
//
//	public  1 ‖ state ‖ flags ‖ intent sequence ‖ intent index ‖ issued index ‖
//	        cause ‖ revocation index (numbers) ‖ not before ‖ not after ‖ recorded (times) ‖
//	        application ‖ serial ‖ municipality ‖ ground ‖ person ‖ outcome (bytes) ‖
//	        SHA-256 of the TBS ‖ of the key ‖ subject commitment
//	private 1 ‖ record key ‖ name ‖ its map ‖ birth date ‖ sex ‖ address ‖ its map (bytes) ‖ TBS
//	outcome 1 ‖ what stands before the TBS in the certificate (bytes) ‖ what stands after it, or
//	        0 ‖ the certificate
//
// The private part is written once, with the record. What comes later and would
// tell the person as well is the certificate: its frame around the TBS, sealed
// under the row's own key like the private part, lies in the public one as the
// outcome. So a certificate is not written twice.
const codecVersion = 1

// Flags of a public part.
const (
	flagTwin = 1 << iota
	flagTold
	flagGone
	flagErased
	flagDoomed
	flagsKnown = 1<<iota - 1
)

// Forms of an outcome.
const (
	outcomeWhole  = 0
	outcomeAround = 1
)

var errRow = errors.New("a row of the registry is damaged or of another version")

// public is what a row says of a record without telling who it is about.
type public struct {
	*Record
	Person  []byte // as the attribute index has it
	Doomed  bool
	Outcome []byte // sealed
}

// private is the part of a record that names the person, as it was prepared.
type private struct {
	Key       commitment.Key
	Certified attr.Certified
	TBS       []byte
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Unix()), uint64(t.Nanosecond()))
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// appendPublic writes p behind b.
func appendPublic(b []byte, p *public) []byte {
	rec, flags := p.Record, byte(0)
	for i, set := range [...]bool{rec.Twin, rec.Told, rec.Gone, rec.Erased, p.Doomed} {
		if set {
			flags |= 1 << i
		}
	}
	b = append(b, codecVersion, byte(rec.State), flags)
	for _, n := range [...]uint64{rec.IntentSeq, rec.IntentIndex, rec.IssuedIndex, rec.Cause, rec.RevocationIndex} {
		b = binary.AppendUvarint(b, n)
	}
	for _, t := range [...]time.Time{rec.NotBefore, rec.NotAfter, rec.Recorded} {
		b = appendTime(b, t)
	}
	for _, s := range [...]string{rec.Application, rec.Serial, rec.Municipality, rec.Ground} {
		b = appendBytes(b, s)
	}
	b = appendBytes(appendBytes(b, p.Person), p.Outcome)
	for _, d := range [...]*entry.Digest{&rec.Digest, &rec.SPKI, &rec.Subject} {
		b = append(b, d[:]...)
	}
	return b
}

// parsePublic reads what appendPublic wrote of the record with this ordinal.
func parsePublic(b []byte, ordinal uint64) (*public, error) {
	r := reader{b: b}
	rec := &Record{Ordinal: ordinal}
	p := &public{Record: rec}
	head := r.take(3)
	if r.bad || head[0] != codecVersion || State(head[1]) < Prepared || State(head[1]) > Aborted || head[2]&^flagsKnown != 0 {
		return nil, errRow
	}
	rec.State = State(head[1])
	for i, set := range [...]*bool{&rec.Twin, &rec.Told, &rec.Gone, &rec.Erased, &p.Doomed} {
		*set = head[2]&(1<<i) != 0
	}
	for _, n := range [...]*uint64{&rec.IntentSeq, &rec.IntentIndex, &rec.IssuedIndex, &rec.Cause, &rec.RevocationIndex} {
		*n = r.number()
	}
	for _, t := range [...]*time.Time{&rec.NotBefore, &rec.NotAfter, &rec.Recorded} {
		*t = r.time()
	}
	for _, s := range [...]*string{&rec.Application, &rec.Serial, &rec.Municipality, &rec.Ground} {
		*s = string(r.bytes())
	}
	p.Person, p.Outcome = r.bytes(), r.bytes()
	for _, d := range [...]*entry.Digest{&rec.Digest, &rec.SPKI, &rec.Subject} {
		copy(d[:], r.take(len(d)))
	}
	return p, r.end()
}

func (in *private) texts() [6]*string {
	c := &in.Certified
	return [...]*string{&c.Name, &c.NameMap, &c.BirthDate, &c.Sex, &c.Address, &c.AddressMap}
}

func appendPrivate(b []byte, in *private) []byte {
	b = append(append(b, codecVersion), in.Key[:]...)
	for _, s := range in.texts() {
		b = appendBytes(b, *s)
	}
	return append(b, in.TBS...)
}

func parsePrivate(b []byte) (*private, error) {
	r, in := reader{b: b}, &private{}
	if head := r.take(1); r.bad || head[0] != codecVersion {
		return nil, errRow
	}
	copy(in.Key[:], r.take(len(in.Key)))
	for _, s := range in.texts() {
		*s = string(r.bytes())
	}
	in.TBS = r.rest()
	if in.Key.IsZero() {
		return nil, errRow
	}
	return in, r.end()
}

// appendOutcome writes a certificate without the TBS that it is about.
func appendOutcome(b, der, tbs []byte) []byte {
	at := bytes.Index(der, tbs)
	if len(tbs) == 0 || at < 0 {
		return append(append(b, outcomeWhole), der...)
	}
	return append(appendBytes(append(b, outcomeAround), der[:at]), der[at+len(tbs):]...)
}

// parseOutcome puts a certificate together again.
func parseOutcome(b, tbs []byte) ([]byte, error) {
	r := reader{b: b}
	form := r.take(1)
	switch {
	case r.bad:
	case form[0] == outcomeWhole:
		if der := r.rest(); len(der) > 0 && (len(tbs) == 0 || !bytes.Contains(der, tbs)) {
			return der, r.end()
		}
	case form[0] == outcomeAround && len(tbs) > 0:
		before := r.bytes()
		der := bytes.Join([][]byte{before, tbs, r.rest()}, nil)
		if bytes.Index(der, tbs) == len(before) {
			return der, r.end()
		}
	}
	return nil, errRow
}

// reader takes a plain text apart. After the first fault it is bad and gives
// nothing more.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	var v []byte
	v, r.b = r.b[:n:n], r.b[n:]
	return v
}

func (r *reader) number() uint64 {
	n, width := binary.Uvarint(r.b)
	if width <= 0 || width > 1 && r.b[width-1] == 0 {
		r.bad = true // cut off, too large or too long
	}
	if r.bad {
		return 0
	}
	r.b = r.b[width:]
	return n
}

// bytes returns nil for none.
func (r *reader) bytes() []byte {
	n := r.number()
	if r.bad || n > uint64(len(r.b)) || n == 0 {
		r.bad = r.bad || n != 0
		return nil
	}
	return r.take(int(n))
}

func (r *reader) time() time.Time {
	u := r.number()
	nanos := r.number()
	if nanos >= uint64(time.Second) {
		r.bad = true
	}
	return time.Unix(int64(u>>1)^-int64(u&1), int64(nanos)).UTC()
}

// rest returns nil for none.
func (r *reader) rest() []byte {
	if len(r.b) == 0 {
		return nil
	}
	return r.take(len(r.b))
}

func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return errRow
	}
	return nil
}
