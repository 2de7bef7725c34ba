package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/review/agency"
	"github.com/sukashi-project/sukashi/review/application"
	"github.com/sukashi-project/sukashi/review/audit"
)

// hiddenRevocation: an insider of the CA leaves one certificate out of the
// revocation list and has the list announced and signed in due form. Ordinary
// clients believe it; the log says otherwise.
func (s *stage) hiddenRevocation(ctx context.Context) error {
	if err := s.w.CA.Authority.Close(); err != nil {
		return err
	}
	der, err := s.bentList(ctx)
	if err != nil {
		return err
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return err
	}
	if err := list.CheckSignatureFrom(s.w.CA.Issuer); err != nil {
		return fmt.Errorf("the bent list's signature doesn't hold: %w", err)
	}
	f, err := s.audited(ctx, "CRL-3", func(src *audit.Source) {
		src.CRLs = audit.FileList(audit.File{Name: "crl/full.crl", Bytes: der})
	})
	if err != nil {
		return err
	}
	s.caught(say.Text{JA: "失効した証明書を一つ抜いた失効リストに、正規の手順で署名させた。", EN: "A revocation list without one of the revoked certificates was signed in due form."}, f.Check, f.Text)
	return nil
}

// bentList builds the list from a log in which the revocation is something
// else.
func (s *stage) bentList(ctx context.Context) ([]byte, error) {
	st := revocation.NewState()
	e := s.w.Ledger.Engine
	size, err := e.Size(ctx)
	if err != nil {
		return nil, err
	}
	err = e.Entries(ctx, 0, size, func(i uint64, b []byte) error {
		p, err := entry.Parse(b)
		if err != nil {
			return err
		}
		if r, ok := p.Body.(*entry.Revocation); ok && r.Ordinal == s.revoked {
			p.Body = &entry.SecurityEvent{Code: "nothing", From: p.At, To: p.At}
		}
		return st.Apply(i, p)
	})
	if err != nil {
		return nil, err
	}
	issuer, err := profile.NewIssuer(s.w.CA.Ceremony.Issuer)
	if err != nil {
		return nil, err
	}
	resident, err := profile.Shipped(profile.Resident)
	if err != nil {
		return nil, err
	}
	lists, err := revocation.NewLists(revocation.ListsConfig{State: st, Issuer: issuer, Resident: resident, Places: ca.Place,
		BaseURL: s.w.Ledger.PublicURL, Validity: 48 * time.Hour})
	if err != nil {
		return nil, err
	}
	l, err := lists.Build(revocation.Full, s.w.Now())
	if err != nil {
		return nil, err
	}
	w, err := s.w.CAWriter(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	logged, err := w.Append(ctx, l.Body())
	if err != nil {
		return nil, err
	}
	sig, err := s.w.CA.Key.Sign(ctx, l.TBS(), logged.Bytes, logged.Receipt)
	if err != nil {
		return nil, err
	}
	return l.Assemble(sig)
}

// secretCertificate: a thief of the key file and its passphrase runs the key
// store against a log of the thief's own, and so gets a certificate that every
// ordinary client believes.
func (s *stage) secretCertificate(ctx context.Context) error {
	der, err := s.shadowCertificate(ctx)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if err := s.w.CA.Issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		return fmt.Errorf("the secret certificate's signature doesn't hold: %w", err)
	}
	a := s.holder.Attr
	raw, err := application.Sign(application.Form{Procedure: "口座開設", Name: a.Name, BirthDate: a.BirthDate, Sex: a.Sex, Address: a.Address,
		Date: time.Now().UTC().Format(time.DateOnly)}, s.card, der)
	if err != nil {
		return err
	}
	// The best that the thief can show is the receipt of the true certificate.
	r, err := s.w.Ledger.Engine.Status(ctx, s.ordinal)
	if err != nil {
		return err
	}
	res := agency.Verify(raw, agency.Trust{Issuers: [][]byte{s.w.CA.Ceremony.Issuer}, Policy: s.w.Ledger.Policy, Receipt: r.Marshal()}, s.w.Now())
	if res.Accepted {
		return errors.New("an agency accepted a certificate that is not in the log")
	}
	tried := say.Text{JA: "盗んだ鍵で、ログに隠れて証明書に署名した(署名そのものは正しいものです)。", EN: "A stolen key signed a certificate behind the ledger's back (its signature is valid)."}
	s.caught(tried, "agency "+res.Failed(), res.Refusal())
	f, err := s.audited(ctx, "CRT-6", func(src *audit.Source) {
		src.Certificates = audit.FileList(audit.File{Name: "found.pem", Bytes: der})
	})
	if err != nil {
		return err
	}
	s.Fact("   検出(%s): %s", "   detected (%s): %s", f.Check, f.Text.In(s.Lang))
	return nil
}

func (s *stage) shadowCertificate(ctx context.Context) ([]byte, error) {
	skey, vkey, err := note.GenerateKey(rand.Reader, world.Origin)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	shadow, err := trillianlog.Open(ctx, trillianlog.Config{Dir: filepath.Join(s.root, "shadow"), HeadDir: filepath.Join(s.root, "shadow-head"),
		Origin: world.Origin, Signer: signer, VKey: vkey, Now: s.w.Now})
	if err != nil {
		return nil, err
	}
	defer shadow.Close()
	believed, err := proof.LogOnly(vkey)
	if err != nil {
		return nil, err
	}
	key, err := s.w.ShadowKey(believed, filepath.Join(s.root, "shadow-journal"))
	if err != nil {
		return nil, err
	}
	defer key.Close()
	w, err := ledger.NewWriter(ctx, shadow, entry.ByCA, s.w.Now)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	tbs, body, err := s.twinTBS()
	if err != nil {
		return nil, err
	}
	logged, err := w.Append(ctx, body)
	if err != nil {
		return nil, err
	}
	sig, err := key.Sign(ctx, tbs, logged.Bytes, logged.Receipt)
	if err != nil {
		return nil, err
	}
	alg, err := profile.AlgFor(key.Public())
	if err != nil {
		return nil, err
	}
	return profile.Assemble(tbs, alg, sig)
}

// twinTBS is a second certificate for the stage's holder, announced with a made
// up decision.
func (s *stage) twinTBS() ([]byte, *entry.CertIntent, error) {
	issuer, err := profile.NewIssuer(s.w.CA.Ceremony.Issuer)
	if err != nil {
		return nil, nil, err
	}
	p, err := profile.Shipped(profile.Resident)
	if err != nil {
		return nil, nil, err
	}
	serial, err := profile.NewSerial(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	real, err := s.w.CA.Registry.Get(s.ordinal)
	if err != nil {
		return nil, nil, err
	}
	place, _ := ca.Place(real.Municipality)
	tbs, err := p.BuildCertificateTBS(profile.Request{Serial: serial, PublicKey: s.card.Public(), NotBefore: real.NotBefore, NotAfter: real.NotAfter,
		BaseURL: s.w.Ledger.PublicURL, Issuer: issuer, Place: place, CommonName: real.Application, Subject: real.Certified})
	if err != nil {
		return nil, nil, err
	}
	d := entry.Decision{Allow: true, Bundle: s.w.Rules.Bundle.Digest, Codes: []string{}, Engine: "none", Facts: "ff", Policy: 1, Ruleset: "issue"}
	return tbs, &entry.CertIntent{Decision: d, Issuer: issuer.Key, Municipality: place.Code, Profile: p.Digest(),
		Serial: hex.EncodeToString(serial), Subject: real.Subject, TBS: entry.Sum(tbs)}, nil
}

// rewrittenEntry: with the servers down, somebody with access to the disk
// changes one digit of the moment at which a notice was received.
func (s *stage) rewrittenEntry(ctx context.Context) error {
	if err := s.w.Close(); err != nil {
		return err
	}
	store := filepath.Join(s.w.Dirs.Ledger, "store")
	if err := rewrite(store); err != nil {
		return err
	}
	rep, err := trillianlog.Fsck(ctx, trillianlog.FsckConfig{Dir: store, HeadDir: s.w.Dirs.Head, VKey: s.w.Ledger.VKey})
	if err != nil {
		return err
	}
	if rep.OK() {
		return errors.New("a rewritten entry was not detected")
	}
	s.caught(say.Text{JA: "サーバーを止め、ディスクの上で記録を一つ書きかえた。", EN: "With the servers down, one entry was rewritten on the disk."}, "fsck", rep.Findings[0].Text)
	return nil
}

// rewrite changes one notice.received in a store: a later minute.
func rewrite(dir string) error {
	s, err := kv.Open(dir, kv.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	b := s.NewBatch()
	changed := false
	err = s.Scan(nil, nil, func(k, v []byte) error {
		if !changed && bytes.Contains(v, []byte(`"kind":"notice.received"`)) {
			v = bytes.Clone(v)
			at := bytes.Index(v, []byte(`"at":"`)) + len(`"at":"2026-11-23T18:25:0`)
			v[at] = '0' + (v[at]-'0'+1)%10
			b.Set(bytes.Clone(k), v)
			changed = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !changed {
		return errors.New("the store holds no notice to rewrite")
	}
	return b.Commit(true)
}
