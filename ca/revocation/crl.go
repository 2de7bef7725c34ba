package revocation

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	encasn1 "encoding/asn1"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of CRL extensions (RFC 5280 section 5.2).
var (
	oidCRLNumber    = encasn1.ObjectIdentifier{2, 5, 29, 20}
	oidDelta        = encasn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuing      = encasn1.ObjectIdentifier{2, 5, 29, 28}
	oidAuthorityKey = encasn1.ObjectIdentifier{2, 5, 29, 35}
	oidFreshest     = encasn1.ObjectIdentifier{2, 5, 29, 46}
)

// ListsConfig says for whom and how lists are made.
type ListsConfig struct {
	State    *State
	Issuer   *profile.Issuer
	Resident *profile.Profile                        // profile whose distribution points the lists answer
	Places   func(code string) (profile.Place, bool) // names of a municipality
	BaseURL  string                                  // as in the certificates' requests
	Validity time.Duration                           // nextUpdate − thisUpdate, in whole seconds
	// DeltaLife is nextUpdate − thisUpdate of delta lists, in whole seconds. With
	// it, complete lists say where deltas are (freshestCRL); 0: there are none.
	DeltaLife time.Duration
}

// Lists makes one issuer's revocation lists from the state.
type Lists struct{ c ListsConfig }

// NewLists checks the configuration.
func NewLists(c ListsConfig) (*Lists, error) {
	if c.State == nil || c.Issuer == nil || c.Resident == nil || c.Places == nil || c.BaseURL == "" {
		return nil, errors.New("lists need a state, an issuer, a profile, places and a base address")
	}
	if c.Validity < time.Minute || c.Validity > 366*24*time.Hour || c.Validity%time.Second != 0 {
		return nil, errors.New("lists need a validity of a minute to a year in whole seconds")
	}
	if c.DeltaLife != 0 && (c.DeltaLife < time.Minute || c.DeltaLife > c.Validity || c.DeltaLife%time.Second != 0) {
		return nil, errors.New("delta lists need a validity from a minute to that of complete ones in whole seconds")
	}
	return &Lists{c}, nil
}

// Base is the complete list that a delta list builds on.
type Base struct {
	Number uint64 // its CRL number
	Covers uint64 // number of log entries it reflects
}

// List is a revocation list before its signature: a snapshot that later entries
// do not change. It writes its TBSCertList as often as asked, always the same
// bytes, without ever holding them.
type List struct {
	Partition  string // Full, CA or a municipality code
	Number     uint64 // greater than that of every crl.published of the partition
	Covers     uint64 // number of log entries that it reflects
	Entries    uint64
	ThisUpdate time.Time
	NextUpdate time.Time
	Base       *Base // of a delta list

	issuer   *profile.Issuer
	crosses  []cert // CA certificates, before the residents'
	certs    []cert
	ordinals []uint64
	head     []byte // TBSCertList up to the entries, with all lengths
	tail     []byte // extensions
	size     int    // of the whole TBSCertList
	digest   entry.Digest
}

// Build makes the complete list of a partition as of now. The list is linted;
// a finding is an error.
func (l *Lists) Build(partition string, now time.Time) (*List, error) {
	return l.build(partition, now, nil, false)
}

// BuildLast makes a key's last complete list of a partition: its nextUpdate says
// that there will be no other (profile.NoNextUpdate).
func (l *Lists) BuildLast(partition string, now time.Time) (*List, error) {
	return l.build(partition, now, nil, true)
}

// Deltas reports whether a partition has delta lists: all have but the list of CA
// certificates.
func (l *Lists) Deltas(partition string) bool { return l.c.DeltaLife > 0 && partition != CA }

// BuildDelta makes the list of what was revoked after base, a complete list of
// the same partition (RFC 5280 5.2.4).
func (l *Lists) BuildDelta(partition string, now time.Time, base Base) (*List, error) {
	if !l.Deltas(partition) {
		return nil, fmt.Errorf("couldn't build the CRL of %s: it has no delta lists", partition)
	}
	return l.build(partition, now, &base, false)
}

// Partitions names the lists that have to be published.
func (l *Lists) Partitions() []string { return l.c.State.Partitions(l.c.Issuer.Key) }

func (l *Lists) build(partition string, now time.Time, base *Base, last bool) (*List, error) {
	now = now.UTC().Truncate(time.Second)
	out := &List{Partition: partition, ThisUpdate: now, NextUpdate: now.Add(l.c.Validity), Base: base, issuer: l.c.Issuer}
	switch {
	case last:
		out.NextUpdate = profile.NoNextUpdate
	case base != nil:
		out.NextUpdate = now.Add(l.c.DeltaLife)
	}
	bytes, err := l.snapshot(out)
	if err != nil {
		return nil, fmt.Errorf("couldn't build the CRL of %s: %w", partition, err)
	}
	point, err := l.point(partition)
	if err != nil {
		return nil, fmt.Errorf("couldn't build the CRL of %s: %w", partition, err)
	}
	if out.tail, err = l.extensions(out, point); err != nil {
		return nil, fmt.Errorf("couldn't build the CRL of %s: %w", partition, err)
	}
	if out.head, out.size, err = frame(out, bytes); err != nil {
		return nil, fmt.Errorf("couldn't build the CRL of %s: %w", partition, err)
	}
	if err := out.seal(); err != nil {
		return nil, fmt.Errorf("couldn't build the CRL of %s: %w", partition, err)
	}
	return out, nil
}

// snapshot takes what the list needs out of the state, in constant time for a
// complete list, and returns the size of its entries.
func (l *Lists) snapshot(out *List) (size int, err error) {
	s := l.c.State
	s.mu.RLock()
	defer s.mu.RUnlock()
	out.Covers, out.certs = s.covers, s.certs[:len(s.certs):len(s.certs)]
	k, err := s.key(l.c.Issuer.Key, out.Partition)
	if err != nil {
		return 0, err
	}
	r := s.lists[k]
	if r == nil {
		r = new(revoked)
	}
	if r.latest > out.ThisUpdate.Unix() {
		return 0, errors.New("a revocation was recorded later than this list's time")
	}
	out.Number = r.number + 1
	from, cross := 0, 0
	if out.Base != nil {
		if !r.complete(func(b Base) bool { return b == *out.Base }) {
			return 0, errors.New("the base is not a complete list of this partition that was published")
		}
		from, cross = r.since(out.Base.Covers)
	}
	out.ordinals = r.ordinals[from:len(r.ordinals):len(r.ordinals)]
	out.crosses = r.crosses[cross:len(r.crosses):len(r.crosses)]
	out.Entries = uint64(len(out.ordinals) + len(out.crosses))
	if out.Base == nil {
		return r.bytes, nil
	}
	for _, o := range out.ordinals {
		size += entrySize(&s.certs[o])
	}
	for i := range out.crosses {
		size += entrySize(&out.crosses[i])
	}
	return size, nil
}

// key finds a partition. An issuer that the log does not know yet has empty
// lists.
func (s *State) key(issuer entry.Digest, partition string) (listKey, error) {
	k := listKey{issuer: 1<<16 - 1}
	if i := slices.Index(s.issuers, issuer); i >= 0 {
		k.issuer = uint16(i)
	}
	var err error
	k.place, err = partitionPlace(partition)
	return k, err
}

// point is the DistributionPointName of a municipality's list, nil for the full
// one and for the one of CA certificates: what that holds is said by
// onlyContainsCACerts, and roots, link and cross certificates point to it in
// different ways.
func (l *Lists) point(partition string) ([]byte, error) {
	if partition == Full || partition == CA {
		return nil, nil
	}
	place, ok := l.c.Places(partition)
	if !ok || place.Code != partition {
		return nil, errors.New("there is no municipality with this code")
	}
	return l.c.Resident.DistributionPoint(place, l.c.BaseURL)
}

func (l *Lists) extensions(out *List, point []byte) ([]byte, error) {
	var exts cryptobyte.Builder
	add := func(id encasn1.ObjectIdentifier, critical bool, f func(*cryptobyte.Builder)) {
		var v cryptobyte.Builder
		f(&v)
		b, err := v.Bytes()
		if err != nil {
			exts.SetError(err)
			return
		}
		profile.AddExtension(&exts, id, critical, b)
	}
	add(oidAuthorityKey, false, func(b *cryptobyte.Builder) { profile.AddAuthorityKeyID(b, l.c.Issuer.KeyID) })
	add(oidCRLNumber, false, func(b *cryptobyte.Builder) { b.AddASN1Uint64(out.Number) })
	if out.Partition == CA {
		add(oidIssuing, true, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.Tag(2).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddUint8(0xff) }) // onlyContainsCACerts
			})
		})
	}
	if point != nil {
		add(oidIssuing, true, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(point) })
		})
	}
	switch {
	case out.Base != nil:
		add(oidDelta, true, func(b *cryptobyte.Builder) { b.AddASN1Uint64(out.Base.Number) })
	case l.Deltas(out.Partition) && !out.NextUpdate.Equal(profile.NoNextUpdate):
		add(oidFreshest, false, func(b *cryptobyte.Builder) {
			profile.AddURIPoint(b, l.c.BaseURL+"/crl/"+out.Partition+"-delta.crl")
		})
	}
	inner, err := exts.Bytes()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(inner) })
	})
	return b.Bytes()
}

// frame computes everything before the entries, with the lengths of what follows.
func frame(l *List, entries int) (head []byte, size int, err error) {
	if entries > 1<<30 {
		return nil, 0, errors.New("the list is too long for one CRL")
	}
	var b cryptobyte.Builder
	b.AddASN1Int64(1)
	b.AddBytes(l.issuer.Alg.DER())
	b.AddBytes(l.issuer.Subject)
	profile.AddTime(&b, l.ThisUpdate)
	profile.AddTime(&b, l.NextUpdate)
	fields, err := b.Bytes()
	if err != nil {
		return nil, 0, err
	}
	if entries > 0 { // an empty revokedCertificates must be absent (RFC 5280 5.1.2.6)
		fields = appendHeader(fields, 0x30, entries)
	}
	body := len(fields) + entries + len(l.tail)
	head = append(appendHeader(nil, 0x30, body), fields...)
	return head, len(head) + entries + len(l.tail), nil
}

// WriteTo writes the TBSCertList.
func (l *List) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(l.head)
	total := int64(n)
	if err != nil {
		return total, err
	}
	const chunk = 64 << 10
	buf := make([]byte, 0, chunk+maxEntry)
	for i := range l.crosses { // few: a CA certifies a handful of others in its life
		buf = appendEntry(buf, &l.crosses[i])
	}
	if len(l.ordinals) == 0 && len(buf) > 0 {
		n, err := w.Write(buf)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	for i, o := range l.ordinals {
		buf = appendEntry(buf, &l.certs[o])
		if len(buf) >= chunk || i == len(l.ordinals)-1 {
			n, err := w.Write(buf)
			total += int64(n)
			if err != nil {
				return total, err
			}
			buf = buf[:0]
		}
	}
	n, err = w.Write(l.tail)
	return total + int64(n), err
}

// seal computes the digest and lints.
func (l *List) seal() error {
	h := sha256.New()
	n, err := l.WriteTo(h)
	if err != nil {
		return err
	}
	if n != int64(l.size) {
		return fmt.Errorf("the list has %d bytes and says %d", n, l.size)
	}
	h.Sum(l.digest[:0])
	return l.lint()
}

// maxLint is the number of entries that are linted; of a longer list the first
// so many, with the same head and tail.
const maxLint = 4096

func (l *List) lint() error {
	short := *l
	if len(l.ordinals) > maxLint {
		short.ordinals = l.ordinals[:maxLint]
		entries := 0
		for i := range l.crosses {
			entries += entrySize(&l.crosses[i])
		}
		for _, o := range short.ordinals {
			entries += entrySize(&l.certs[o])
		}
		var err error
		if short.head, short.size, err = frame(&short, entries); err != nil {
			return err
		}
	}
	if f := profile.LintCRL(short.TBS()); len(f) > 0 {
		return &profile.LintError{Findings: f}
	}
	return nil
}

// TBS returns the whole TBSCertList. Prefer WriteTo for long lists.
func (l *List) TBS() []byte {
	var b bytes.Buffer
	b.Grow(l.size)
	l.WriteTo(&b) // a bytes.Buffer does not fail
	return b.Bytes()
}

// Size is the length of the TBSCertList in bytes.
func (l *List) Size() int { return l.size }

// Digest is the SHA-256 of the TBSCertList.
func (l *List) Digest() entry.Digest { return l.digest }

// Body is the entry that announces the list; its receipt opens the key store.
func (l *List) Body() *entry.CRLPublished {
	b := &entry.CRLPublished{Covers: l.Covers, Entries: l.Entries, Issuer: l.issuer.Key, Number: l.Number,
		Partition: l.Partition, TBS: l.digest}
	if l.Base != nil {
		b.Base = &l.Base.Number
	}
	return b
}

// Write verifies the signature and writes the signed CRL (DER).
func (l *List) Write(w io.Writer, sig []byte) error {
	var tail cryptobyte.Builder
	tail.AddBytes(l.issuer.Alg.DER())
	tail.AddASN1BitString(sig)
	end, err := tail.Bytes()
	if err != nil || len(sig) > profile.MaxSignature {
		return errors.New("couldn't write the CRL: signature has no valid length")
	}
	bw := bufio.NewWriterSize(w, 64<<10)
	h := l.issuer.Alg.Hash().New()
	if _, err := bw.Write(appendHeader(nil, 0x30, l.size+len(end))); err != nil {
		return fmt.Errorf("couldn't write the CRL: %w", err)
	}
	if _, err := l.WriteTo(io.MultiWriter(bw, h)); err != nil {
		return fmt.Errorf("couldn't write the CRL: %w", err)
	}
	if !verifies(l.issuer, h, sig) {
		return errors.New("couldn't write the CRL: its signature does not verify")
	}
	if _, err := bw.Write(end); err != nil {
		return fmt.Errorf("couldn't write the CRL: %w", err)
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("couldn't write the CRL: %w", err)
	}
	return nil
}

// Assemble returns the signed CRL (DER) in memory.
func (l *List) Assemble(sig []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(l.size + profile.MaxSignature + 32)
	if err := l.Write(&b, sig); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func verifies(i *profile.Issuer, h hash.Hash, sig []byte) bool {
	switch k := i.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, h.Sum(nil), sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, h.Sum(nil), sig)
	}
	return false
}
