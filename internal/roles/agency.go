package roles

import (
	"context"
	"errors"
	"time"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/review/agency"
	"github.com/sukashi-project/sukashi/review/application"
	"github.com/sukashi-project/sukashi/review/pki"
)

// Agency is an agency's desk: the certificate in a signed application says its
// ordinal, the log gives the receipt, and everything is checked with it. Trust
// is without a receipt.
func Agency(log ledger.Reader, trust agency.Trust, now func() time.Time) func(context.Context, []byte) (*agency.Result, error) {
	return func(ctx context.Context, raw []byte) (*agency.Result, error) {
		trust := trust
		ordinal, ok := ordinalIn(raw)
		if !ok {
			return agency.Verify(raw, trust, now()), nil // its sentences say why
		}
		r, err := log.Status(ctx, ordinal)
		if errors.Is(err, ledger.ErrNotFound) {
			return agency.Verify(raw, trust, now()), nil
		}
		if err != nil {
			return nil, err
		}
		trust.Receipt = r.Marshal()
		return agency.Verify(raw, trust, now()), nil
	}
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
