package keystore

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// reserveBlock is how many uses a responder reserves with one fsync. A crash
// loses at most so many counts: the journal then says more than there were.
const reserveBlock = 4096

// MaxResponse is the largest ResponseData that a responder signs, in bytes.
const MaxResponse = 64 << 10

// Responder is a delegated OCSP responder's key. It needs no receipts: what it
// may say follows from the log (package revocation), its certificate is short
// lived, and a wrong response is seen by comparing it with the log. What is
// bounded is the form of what it signs, and every use is counted durably.
// It is safe for concurrent use. Its signatures are not verified one by one (it
// would cost as much as signing): a wrong one is refused by every client, while
// a wrong signature under a certificate would be there for years.
type Responder struct {
	id  entry.Digest
	alg profile.SigAlg
	b   backend
	j   *journal

	mu       sync.Mutex
	count    uint64       // uses so far
	reserved uint64       // uses that the journal on disk covers
	rolling  entry.Digest // SHA-256 over the last one and the use's digest
}

// CreateResponder makes a new responder key in c.Path and opens it.
func CreateResponder(c SoftwareConfig) (*Responder, error) {
	if err := createFile(c, RoleOCSP); err != nil {
		return nil, err
	}
	return OpenResponder(c)
}

// OpenResponder opens a responder key made by CreateResponder.
func OpenResponder(c SoftwareConfig) (*Responder, error) {
	s, err := readFile(c, RoleOCSP)
	if err != nil {
		return nil, err
	}
	return newResponder(c.Gate.Journal, c.Gate.Now, s)
}

func newResponder(dir string, now func() time.Time, b backend) (*Responder, error) {
	if dir == "" || now == nil {
		return nil, errors.New("responder needs a journal directory and a clock")
	}
	alg, err := profile.AlgFor(b.public())
	if err != nil {
		return nil, err
	}
	id, err := keyID(b.public())
	if err != nil {
		return nil, err
	}
	r := &Responder{id: id, alg: alg, b: b}
	r.j, err = openJournal(dir, id, now, func(rec Record) {
		if rec.Use == UseCounted {
			r.rolling = rec.TBS
		}
		r.count, r.reserved = rec.Index, rec.Index
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Public is the responder's public key.
func (r *Responder) Public() crypto.PublicKey { return r.b.public() }

// KeyID is the SHA-256 of the key's SubjectPublicKeyInfo.
func (r *Responder) KeyID() entry.Digest { return r.id }

// Demo reports that the key is not held by a token.
func (r *Responder) Demo() bool { return r.b.demo() }

// Alg is the signature algorithm of the responses.
func (r *Responder) Alg() profile.SigAlg { return r.alg }

// Count is the number of responses signed, as far as is known: after a crash it
// is at most 4,096 too large.
func (r *Responder) Count() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// Journal calls fn for every record, oldest first: UseReserved before a block of
// uses, UseCounted with the exact number at each close.
func (r *Responder) Journal(fn func(Record) error) error { return r.j.records(fn) }

// SignResponse signs the DER of a ResponseData (RFC 6960 4.2.1). Anything of
// another form is refused: this key must not be able to make a certificate.
func (r *Responder) SignResponse(ctx context.Context, tbs []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(tbs) > MaxResponse || !responseData(tbs) {
		return nil, refuse("a responder signs OCSP responses only")
	}
	h := r.alg.Hash()
	sum := h.New()
	sum.Write(tbs)
	digest := sum.Sum(nil)
	if err := r.account(digest); err != nil {
		return nil, err
	}
	sig, err := r.b.sign(ctx, digest, h)
	if err != nil {
		return nil, fmt.Errorf("couldn't use the responder key: %w", err)
	}
	return sig, nil
}

func (r *Responder) account(digest []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == r.reserved {
		if err := r.j.note(Record{Use: UseReserved, Index: r.reserved + reserveBlock}); err != nil {
			return err
		}
		r.reserved += reserveBlock
	}
	r.count++
	s := sha256.New()
	s.Write(r.rolling[:])
	s.Write(digest)
	s.Sum(r.rolling[:0])
	return nil
}

// responseData tells a ResponseData from a TBSCertificate or TBSCertList: its
// first element is a version [0] or a responder id [1] or [2], then comes a
// GeneralizedTime. A TBSCertificate has an INTEGER there.
func responseData(b []byte) bool {
	var body cryptobyte.String
	in := cryptobyte.String(b)
	zero := asn1.Tag(0).ContextSpecific().Constructed()
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() || !body.SkipOptionalASN1(zero) {
		return false
	}
	var id cryptobyte.String
	var tag asn1.Tag
	if !body.ReadAnyASN1(&id, &tag) || (tag != zero+1 && tag != zero+2) {
		return false
	}
	return body.SkipASN1(asn1.GeneralizedTime) && body.SkipASN1(asn1.SEQUENCE)
}

// Close writes the exact count and lets go of the key.
func (r *Responder) Close() error {
	r.mu.Lock()
	var err error
	if r.count > 0 {
		err = r.j.note(Record{Use: UseCounted, Index: r.count, TBS: r.rolling})
	}
	r.mu.Unlock()
	return errors.Join(err, r.j.close(), r.b.close())
}
