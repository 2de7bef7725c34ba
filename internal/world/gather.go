package world

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/review/audit"
)

func httpClient() *http.Client { return &http.Client{Timeout: time.Minute} }

// Gather is what a council holds: the public log, the files that the CA gave
// out, and its own members' keys.
func (w *World) Gather(ctx context.Context) (audit.Source, error) {
	c, err := publish.NewClient(w.Ledger.PublicURL, httpClient())
	if err != nil {
		return audit.Source{}, err
	}
	cp, err := c.Checkpoint(ctx)
	if err != nil {
		return audit.Source{}, err
	}
	replayer, err := policy.NewReplayer(ctx, w.Rules.Bundle)
	if err != nil {
		return audit.Source{}, err
	}
	journal, err := w.SigningJournal()
	if err != nil {
		return audit.Source{}, err
	}
	return audit.Source{
		Log: c, Checkpoint: cp, Policy: w.Ledger.Policy,
		Issuers:      []audit.File{{Name: "issuer.pem", Bytes: w.CA.Ceremony.Issuer}},
		Certificates: w.Certificates(), CRLs: w.Lists(), OCSP: w.Answers(ctx), Journal: journal,
		Links: w.LinkKeys(), Council: w.Members.Keys, Threshold: len(w.Members.Keys), Proofs: []audit.File{{Name: "policy/shipped.proof", Bytes: w.Rules.Proof}},
		Replay: replayer.Replay, Receipt: c.Proof,
	}, nil
}

// SigningJournal is the issuer key's signing journal as the CA hands it over.
func (w *World) SigningJournal() (*audit.Journal, error) {
	j := &audit.Journal{}
	err := w.CA.Key.Journal(func(r keystore.Record) error {
		if r.Use == keystore.UseSign || r.Use == keystore.UseResume {
			j.Lines = append(j.Lines, audit.JournalLine{Index: r.Index, TBS: r.TBS})
		}
		return nil
	})
	return j, err
}

// Certificates hands over every certificate that the CA can show.
func (w *World) Certificates() audit.Files {
	return func(fn func(audit.File) error) error {
		n, err := w.CA.Authority.Size()
		if err != nil {
			return err
		}
		for o := range n {
			c, err := w.CA.Authority.Certificate(o)
			if err != nil {
				return err
			}
			if c.DER == nil {
				continue
			}
			if err := fn(audit.File{Name: fmt.Sprintf("certs/%d.pem", o), Bytes: c.DER}); err != nil {
				return err
			}
		}
		return nil
	}
}

// Lists hands over the newest revocation list of each partition, and its delta if
// there is one.
func (w *World) Lists() audit.Files {
	return func(fn func(audit.File) error) error {
		for _, p := range w.CA.Authority.State().Partitions(w.CA.Key.KeyID()) {
			c, err := w.CA.Authority.CRL(p)
			if err != nil {
				return err
			}
			if err := fn(audit.File{Name: "crl/" + p + ".crl", Bytes: c.DER}); err != nil {
				return err
			}
			d, err := w.CA.Authority.Delta(p)
			if errors.Is(err, ca.ErrNotFound) {
				continue
			}
			if err == nil {
				err = fn(audit.File{Name: "crl/" + p + "-delta.crl", Bytes: d.DER})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// Answers asks the responder about certificates, as an ordinary client would.
func (w *World) Answers(ctx context.Context) audit.Files {
	return func(fn func(audit.File) error) error {
		asked := 0
		return w.Certificates()(func(f audit.File) error {
			if asked >= maxAnswers {
				return nil
			}
			asked++
			cert, err := x509.ParseCertificate(f.Bytes)
			if err != nil {
				return err
			}
			req, err := ocsp.CreateRequest(cert, w.CA.Issuer, nil)
			if err != nil {
				return err
			}
			der, err := ask(ctx, w.Ledger.PublicURL+"/ocsp", req)
			if err != nil {
				return err
			}
			name := strings.TrimSuffix(filepath.Base(f.Name), ".pem")
			return fn(audit.File{Name: "ocsp/" + name + ".der", Bytes: der})
		})
	}
}

// maxAnswers bounds how many OCSP answers the council collects.
const maxAnswers = 200

func ask(ctx context.Context, url string, request []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	resp, err := httpClient().Do(req)
	if err != nil {
		return nil, fmt.Errorf("couldn't ask the OCSP responder: %w", err)
	}
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, keystore.MaxResponse))
}
