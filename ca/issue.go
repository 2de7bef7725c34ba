package ca

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Certificate is an issued certificate.
type Certificate struct {
	Ordinal uint64
	Serial  string // lower-case hex
	DER     []byte // nil once erased
	Revoked bool
	Intent  uint64 // index of cert.intent
	Issued  uint64 // index of cert.issued
}

func certificate(rec *registry.Record) *Certificate {
	return &Certificate{Ordinal: rec.Ordinal, Serial: rec.Serial, DER: rec.DER, Revoked: rec.State == registry.Revoked,
		Intent: rec.IntentIndex, Issued: rec.IssuedIndex}
}

// Issue certifies an application that arrived from the authenticated counter
// terminal named from. It is idempotent by application id: the same
// application gives the same certificate, and another one under the same id is
// ErrConflict. A refusal is a *Refused with the rule codes.
//
// When ctx ends first, the issuance goes on; asking again tells how it ended.
func (a *Authority) Issue(ctx context.Context, app *counter.Application, from string) (*Certificate, error) {
	own := *app // what is checked here is what is certified, whatever the caller does with theirs
	app = &own
	if err := app.Validate(); err != nil {
		return nil, a.refuseNow(codeForm, err)
	}
	key, err := app.PublicKey()
	if err != nil {
		return nil, a.refuseNow(codePossession, err)
	}
	spki, err := profile.EncodeKey(key)
	if err != nil {
		return nil, a.refuseNow(codePossession, err)
	}
	j, mine, err := a.enter(&job{app: app, valid: true, from: from, key: key, spki: entry.Sum(spki), done: make(chan struct{})})
	if err != nil {
		return nil, err
	}
	if mine {
		a.push(j)
	}
	select {
	case <-j.done:
		return j.out, j.err
	case <-ctx.Done():
		return nil, ErrUncertain.Because(ctx.Err())
	}
}

// assemble joins TBS and signature and compares the result with what was
// announced: taken apart again, it must hold exactly the announced bytes, the
// issuer's algorithm and the signature. That the signature is good was checked
// by the key store, outside the token, before it gave it out; that the bytes
// are a certificate was checked by the lints before they were announced.
func (a *Authority) assemble(tbs, sig []byte) ([]byte, error) {
	der, err := profile.Assemble(tbs, a.issuer.Alg, sig)
	if err != nil {
		return nil, err
	}
	gotTBS, gotAlg, gotSig, err := profile.Cut(der)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the certificate just made: %w", err)
	}
	if !bytes.Equal(gotTBS, tbs) || !bytes.Equal(gotAlg, a.issuer.Alg.DER()) || !bytes.Equal(gotSig, sig) {
		return nil, errors.New("the certificate does not hold the announced bytes")
	}
	return der, nil
}

// abort closes an intent without a certificate and forgets the person.
func (a *Authority) abort(ctx context.Context, rec *registry.Record, reason string, cause error) error {
	a.log.Error("issuance aborted", "ordinal", rec.Ordinal, "reason", reason)
	if _, err := a.own.Append(ctx, &entry.CertAborted{Ordinal: rec.Ordinal, Reason: reason}); err != nil {
		a.unsure.Store(true)
		return ErrUncertain.Because(errors.Join(cause, err))
	}
	if err := a.reg.Change(rec.Ordinal, registry.Relaxed, func(r *registry.Record) error { r.Abort(); return nil }); err != nil {
		a.unsure.Store(true)
		return ErrUncertain.Because(errors.Join(cause, err))
	}
	return fmt.Errorf("couldn't sign the certificate, the intent is aborted: %w", cause)
}

// build makes the record and the TBSCertificate of an application.
func (a *Authority) build(j *job, ordinal uint64, now time.Time) error {
	place, ok := Place(j.app.Municipality)
	if !ok {
		return errors.New("unknown municipality")
	}
	notAfter, err := jtext.ValidityEnd(now, j.app.Certified.BirthDate)
	if err != nil {
		return err
	}
	if notAfter.After(a.cert.NotAfter) {
		return errors.New("the certificate would outlive its issuer's")
	}
	serial, err := profile.NewSerial(a.rand)
	if err != nil {
		return err
	}
	key, err := commitment.NewKey(a.rand)
	if err != nil {
		return err
	}
	subject, err := key.Subject(j.app.Certified.Slots())
	if err != nil {
		return err
	}
	notBefore := now.UTC().Truncate(time.Second)
	tbs, err := a.cfg.Profile.BuildCertificateTBS(profile.Request{Serial: serial, PublicKey: j.key, NotBefore: notBefore, NotAfter: notAfter,
		BaseURL: a.cfg.BaseURL, Issuer: a.issuer, Ordinal: ordinal, CommonName: j.app.ID, Subject: j.app.Certified,
		Place: place})
	if err != nil {
		return err
	}
	j.rec = &registry.Record{Ordinal: ordinal, State: registry.Prepared, Application: j.app.ID, Serial: hex.EncodeToString(serial),
		Municipality: place.Code, Certified: j.app.Certified, NotBefore: notBefore, NotAfter: notAfter, TBS: tbs, Digest: entry.Sum(tbs),
		SPKI: j.spki, Subject: subject, Twin: j.app.Twin, Key: key}
	j.body = &entry.CertIntent{Issuer: a.issuer.Key, Municipality: place.Code, Ordinal: ordinal, Profile: a.cfg.Profile.Digest(),
		Serial: j.rec.Serial, Subject: subject, TBS: j.rec.Digest}
	return nil
}

// Certificate returns the certificate of an ordinal, or ErrNotFound for one
// that was never issued.
func (a *Authority) Certificate(ordinal uint64) (*Certificate, error) {
	rec, err := a.reg.Get(ordinal)
	if err != nil {
		return nil, notFound(err)
	}
	if rec.State != registry.Issued && rec.State != registry.Revoked {
		return nil, ErrNotFound
	}
	return certificate(rec), nil
}

func notFound(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return ErrNotFound
	}
	return err
}

// Size returns the number of ordinals: issued, aborted and pending.
func (a *Authority) Size() (uint64, error) { return a.reg.Size() }
