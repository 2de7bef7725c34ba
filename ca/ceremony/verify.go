package ceremony

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// verify reads everything of an act back, from disk, token and log, and holds it
// against the draft and the plan.
func (c *Ceremony) verify(ctx context.Context, p *Plan, d *draft, r *Result, work string) error {
	fail := func(err error) error {
		return say.New("ceremony.readback", "鍵の儀式の結果を読み直して確かめたところ、合いませんでした。", "What the ceremony left doesn't hold when it is read back.").Because(err)
	}
	text, err := readFile(filepath.Join(work, fileTranscript))
	if err != nil || entry.Sum(text) != r.Record || !bytes.Equal(text, d.Transcript) {
		return fail(errors.Join(errors.New("the transcript on disk is another one"), err))
	}
	var t transcript
	if err := json.Unmarshal(text, &t); err != nil {
		return fail(err)
	}
	if planned, err := p.Digest(); err != nil || t.PlanDigest != planned || d.Plan != planned {
		return fail(errors.Join(errors.New("the transcript is of another plan"), err))
	}
	if err := p.approved(t.Approvals); err != nil {
		return fail(err)
	}
	for i := range d.Lines {
		if err := c.verifyLine(ctx, &d.Lines[i], r.Indices[i], work); err != nil {
			return fail(fmt.Errorf("line %d: %w", i, err))
		}
	}
	for _, k := range t.Keys {
		held, err := c.env.Host.Describe(k.Label)
		if err != nil || held != k.Held {
			return fail(errors.Join(fmt.Errorf("the key under %s is kept in another way than the transcript says", k.Label), err))
		}
	}
	return nil
}

// verifyLine checks a line's entry in the log and its certificate's file.
func (c *Ceremony) verifyLine(ctx context.Context, l *line, index uint64, work string) error {
	b, err := c.env.Reader.Entry(ctx, index)
	if err != nil {
		return err
	}
	e, err := entry.Parse(b)
	if err != nil {
		return err
	}
	have, err := bodyKey(e.Body)
	if err != nil {
		return err
	}
	if want, err := bodyKey(l.body()); err != nil || have != want {
		return errors.Join(errors.New("the log holds another entry"), err)
	}
	if l.TBS == nil {
		return nil
	}
	der, err := readFile(filepath.Join(work, l.File))
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if !bytes.Equal(cert.RawTBSCertificate, l.TBS) {
		return errors.New("the file holds another certificate")
	}
	if f := profile.Lint(cert.RawTBSCertificate); len(f) > 0 {
		return &profile.LintError{Findings: f}
	}
	return c.verifySignature(cert, l.Signer, work)
}

// verifySignature checks a certificate against the root of the generation that
// signed it, which is in the work directory if it is the one being made.
func (c *Ceremony) verifySignature(cert *x509.Certificate, signer int, work string) error {
	der, err := readFile(filepath.Join(work, fileIssuer))
	if gs, gerr := Generations(c.cfg); gerr == nil && signer <= len(gs) {
		der, err = gs[signer-1].Issuer, nil
	}
	if err != nil {
		return err
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if !bytes.Equal(root.RawSubject, cert.RawIssuer) {
		return errors.New("the certificate names another issuer")
	}
	return root.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
}
