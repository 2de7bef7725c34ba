package demo

import (
	"context"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/web"
	"github.com/sukashi-project/sukashi/review/agency"
)

// mountPages puts the pages on the public server. They see what any outsider
// sees: the public read side over HTTP.
func (t *teller) mountPages() error {
	c, err := t.public()
	if err != nil {
		return err
	}
	h, err := web.Handler(web.Config{Demo: true, Portal: &web.Portal{Reader: c, Policy: t.w.Ledger.Policy}, Check: t.checkApplication,
		Report: func() ([]byte, error) { return os.ReadFile(filepath.Join(t.dir.Out(), "report.html")) }})
	if err != nil {
		return err
	}
	t.w.Ledger.Public("/", h)
	t.w.Ledger.Public("/entries/", http.FileServer(http.Dir(t.dir.Out())))
	return nil
}

// checkApplication is the agency's desk.
func (t *teller) checkApplication(ctx context.Context, raw []byte) (*agency.Result, error) {
	c, err := t.public()
	if err != nil {
		return nil, err
	}
	return roles.Agency(c, agency.Trust{Issuers: [][]byte{t.w.CA.Ceremony.Issuer}, Policy: t.w.Ledger.Policy}, t.w.Now)(ctx, raw)
}
