package registry

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Rows of the store. Values in brackets; "sealed" means AES-256-GCM.
//
//	m/format, m/key-check               [constants]
//	c/WRITER                            [next sequence number to reflect]
//	r/ORDINAL                           [sealed Record]
//	k/ORDINAL                           [sealed record key]
//	a/SHA-256(application id)           [ordinal]
//	s/SERIAL                            [ordinal]
//	x/HMAC(attributes) ORDINAL          [] attribute index
//	y/SHA-256(SPKI)                     [ordinal] keys that were certified
//	o/ORDINAL                           [] open issuances
//	e/NOT-AFTER ORDINAL                 [] told holders whose certificate will expire
//	qn/ORDINAL, qg/ORDINAL              [] M1 queues: new and gone holders
//	v/ORDINAL                           [Revocation]
//	n/NOTICE                            [sealed Notice]
//	l/LIST                              [sealed List]
//	p/PARTITION                         [CRL]
const (
	cursorPrefix   = "c/"
	recordPrefix   = "r/"
	keyPrefix      = "k/"
	appPrefix      = "a/"
	serialPrefix   = "s/"
	attrPrefix     = "x/"
	spkiPrefix     = "y/"
	openPrefix     = "o/"
	expiryPrefix   = "e/"
	newPrefix      = "qn/"
	gonePrefix     = "qg/"
	revokedPrefix  = "v/"
	noticePrefix   = "n/"
	listPrefix     = "l/"
	crlPrefix      = "p/"
	indexVersion   = "sukashi/attribute-index/v1"
	sealingVersion = "sukashi/registry/v1/row/"
)

func be(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func row(prefix string, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), n)
}

func recordKey(ordinal uint64) []byte { return row(recordPrefix, ordinal) }
func keyKey(ordinal uint64) []byte    { return row(keyPrefix, ordinal) }
func spkiKey(d entry.Digest) []byte   { return append([]byte(spkiPrefix), d[:]...) }
func serialKey(serial string) []byte  { return []byte(serialPrefix + serial) }

// applicationKey hashes the id to give it one length; it is not personal (it
// is made of a counter, a time and a number).
func applicationKey(id string) []byte {
	h := sha256.Sum256([]byte(id))
	return append([]byte(appPrefix), h[:]...)
}

// attributePrefix is the index key of four attributes: HMAC over a versioned
// encoding with lengths, so that no two value lists encode alike.
func (r *Registry) attributePrefix(a attr.Attributes) []byte {
	m := hmac.New(sha256.New, r.index)
	io.WriteString(m, indexVersion)
	for _, v := range []string{a.Name, a.BirthDate, a.Sex, a.Address} {
		m.Write(be(uint64(len(v))))
		io.WriteString(m, v)
	}
	return m.Sum([]byte(attrPrefix))
}

// derived are the rows that a record in its present state calls for. put
// writes the difference between two states, so an index can't drift from its
// record.
func (r *Registry) derived(rec *Record) (map[string][]byte, error) {
	rows := map[string][]byte{}
	if rec == nil {
		return rows, nil
	}
	o := be(rec.Ordinal)
	rows[string(applicationKey(rec.Application))] = o
	rows[string(serialKey(rec.Serial))] = o
	if rec.State != Aborted && !rec.Erased {
		rows[string(append(r.attributePrefix(rec.Certified.Attributes()), o...))] = nil
	}
	if rec.State != Aborted {
		rows[string(spkiKey(rec.SPKI))] = o
	}
	if rec.open() {
		rows[string(row(openPrefix, rec.Ordinal))] = nil
	}
	switch {
	case rec.State == Issued && !rec.Told && !rec.Erased:
		rows[string(row(newPrefix, rec.Ordinal))] = nil
	case rec.State == Issued && rec.Told && !rec.Gone:
		rows[string(append(row(expiryPrefix, uint64(max(rec.NotAfter.Unix(), 0))), o...))] = nil
	case rec.State == Revoked && rec.Told && !rec.Gone:
		rows[string(row(gonePrefix, rec.Ordinal))] = nil
	}
	if rec.State == Revoked {
		v, err := json.Marshal(rec.revocation())
		if err != nil {
			return nil, err
		}
		rows[string(row(revokedPrefix, rec.Ordinal))] = v
	}
	return rows, nil
}

// put adds to b what turns the rows of old into the rows of next. A nil old is
// a new record, a nil next removes it.
func (r *Registry) put(b *kv.Batch, old, next *Record) error {
	before, err := r.derived(old)
	if err != nil {
		return err
	}
	after, err := r.derived(next)
	if err != nil {
		return err
	}
	for k := range before {
		if _, ok := after[k]; !ok {
			b.Delete([]byte(k))
		}
	}
	for k, v := range after {
		b.Set([]byte(k), v)
	}
	if next == nil {
		b.Delete(recordKey(old.Ordinal))
		b.Delete(keyKey(old.Ordinal))
		return nil
	}
	sealed, err := r.sealJSON(recordKey(next.Ordinal), next)
	if err != nil {
		return err
	}
	b.Set(recordKey(next.Ordinal), sealed)
	return r.putKey(b, old, next)
}

func (r *Registry) putKey(b *kv.Batch, old, next *Record) error {
	if old != nil && old.Key == next.Key {
		return nil
	}
	name := keyKey(next.Ordinal)
	if next.Key.IsZero() {
		b.Delete(name)
		return nil
	}
	sealed, err := r.seal(name, next.Key[:])
	if err != nil {
		return err
	}
	b.Set(name, sealed)
	return nil
}

// rowCipher derives a key for one row. Nonces are random, and a row is sealed
// a handful of times in its life, so they never collide under one key.
func (r *Registry) rowCipher(name []byte) (cipher.AEAD, error) {
	k, err := hkdf.Expand(sha256.New, r.sealKey, sealingVersion+string(name), 32)
	if err != nil {
		return nil, err
	}
	b, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

func (r *Registry) seal(name, plain []byte) ([]byte, error) {
	g, err := r.rowCipher(name)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, g.NonceSize(), g.NonceSize()+len(plain)+g.Overhead())
	if _, err := r.rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("couldn't draw a nonce: %w", err)
	}
	return g.Seal(nonce, nonce, plain, name), nil
}

func (r *Registry) unseal(name, sealed []byte) ([]byte, error) {
	g, err := r.rowCipher(name)
	if err != nil {
		return nil, err
	}
	if len(sealed) < g.NonceSize() {
		return nil, errors.New("a sealed row is too short")
	}
	plain, err := g.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], name)
	if err != nil {
		return nil, errors.New("a sealed row was altered or moved")
	}
	return plain, nil
}

func (r *Registry) sealJSON(name []byte, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return r.seal(name, plain)
}

func (r *Registry) unsealJSON(name, sealed []byte, v any) error {
	plain, err := r.unseal(name, sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}
