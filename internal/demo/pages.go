package demo

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sukashi-project/sukashi/internal/web"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/review/agency"
	"github.com/sukashi-project/sukashi/review/application"
	"github.com/sukashi-project/sukashi/review/pki"
)

// mountPages puts the pages on the public server. They see what any outsider
// sees: the public read side over HTTP.
func (t *teller) mountPages() error {
	c, err := t.public()
	if err != nil {
		return err
	}
	h, err := web.Handler(web.Config{Reader: c, Policy: t.w.Ledger.Policy, Check: t.checkApplication, Now: t.w.Now,
		Report: func() ([]byte, error) { return os.ReadFile(filepath.Join(t.dir.Out(), "report.html")) }})
	if err != nil {
		return err
	}
	t.w.Ledger.Public("/", h)
	t.w.Ledger.Public("/entries/", http.FileServer(http.Dir(t.dir.Out())))
	return nil
}

// checkApplication is the agency's desk: the certificate says its ordinal, the
// log gives the receipt, and everything is checked with it.
func (t *teller) checkApplication(ctx context.Context, raw []byte) (*agency.Result, error) {
	trust := agency.Trust{Issuers: [][]byte{t.w.CA.Ceremony.Issuer}, Policy: t.w.Ledger.Policy}
	ordinal, ok := ordinalIn(raw)
	if !ok {
		return agency.Verify(raw, trust, t.w.Now()), nil // its sentences say why
	}
	c, err := t.public()
	if err != nil {
		return nil, err
	}
	r, err := c.Status(ctx, ordinal)
	if errors.Is(err, ledger.ErrNotFound) {
		return agency.Verify(raw, trust, t.w.Now()), nil
	}
	if err != nil {
		return nil, err
	}
	trust.Receipt = r.Marshal()
	return agency.Verify(raw, trust, t.w.Now()), nil
}

// ordinalIn reads from an application which receipt to ask for.
func ordinalIn(raw []byte) (uint64, bool) {
	a, err := application.Parse(raw)
	if err != nil {
		return 0, false
	}
	c, err := pki.ParseCertificate(a.Certificate)
	if err != nil {
		return 0, false
	}
	return c.Ordinal()
}
