package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/review/agency"
	"github.com/sukashi-project/sukashi/review/application"
)

// public is an outsider's connection: plain HTTP, no identity, believing
// nothing that it does not verify.
func (t *teller) public() (*publish.Client, error) {
	return publish.NewClient(t.w.Ledger.PublicURL, &http.Client{Timeout: time.Minute})
}

func (t *teller) present(ctx context.Context) error {
	t.Step("きょう: 失効リストとチェックポイントを公表する", "Today: publish the lists and a checkpoint")
	defer t.Clock("失効リストとチェックポイントの公表", "publishing lists and checkpoints")()
	crls, err := t.w.CA.Authority.PublishCRLs(ctx)
	if err != nil {
		return err
	}
	raw, err := t.w.Publish(ctx)
	if err != nil {
		return err
	}
	cp, err := t.w.Ledger.Policy.VerifyCheckpoint(raw)
	if err != nil {
		return err
	}
	t.Fact("失効リスト %d 本(市町村ごとと全体)。", "%d revocation lists: one per municipality and a complete one.", len(crls))
	t.Fact("チェックポイント: 記録 %d 件、証人 %d 者の共同署名つき。", "Checkpoint over %d entries, cosigned by %d witnesses.", cp.Size, len(cp.Cosigned))
	return nil
}

// sample picks the first holder, by ordinal, whose certificate is in this state.
func (t *teller) sample(s status.State, ctx context.Context) (uint64, *holder, error) {
	var ordinals []uint64
	for o := range t.town.holders {
		ordinals = append(ordinals, o)
	}
	slices.Sort(ordinals)
	for _, o := range ordinals {
		r, err := t.w.Ledger.Engine.Status(ctx, o)
		if err != nil {
			return 0, nil, err
		}
		res, err := t.w.Ledger.Policy.VerifyStatus(r, nil)
		if err != nil {
			return 0, nil, err
		}
		if res.State == s {
			return o, t.town.holders[o], nil
		}
	}
	return 0, nil, errors.New("the story has no certificate in that state")
}

// form is what a resident fills in at home.
func (t *teller) form(h *holder) application.Form {
	a := h.form.Attr
	return application.Form{Procedure: "納税証明書交付請求", Name: a.Name, BirthDate: a.BirthDate, Sex: a.Sex, Address: a.Address,
		Date: t.w.Now().In(jtext.JST()).Format(time.DateOnly)}
}

// trust is what an agency believes; the receipt it fetched for one ordinal.
func (t *teller) trust(ctx context.Context, ordinal uint64) (agency.Trust, error) {
	c, err := t.public()
	if err != nil {
		return agency.Trust{}, err
	}
	r, err := c.Status(ctx, ordinal)
	if err != nil {
		return agency.Trust{}, err
	}
	return agency.Trust{Issuers: [][]byte{t.w.CA.Ceremony.Issuer}, Policy: t.w.Ledger.Policy, Receipt: r.Marshal()}, nil
}

func (t *teller) agencies(ctx context.Context) error {
	t.Step("行政機関: 署名された申請を証拠つきで確かめる", "An agency checks signed applications, with proofs")
	defer t.Clock("行政機関の検証", "the agency's checks")()
	live, h, err := t.sample(status.Valid, ctx)
	if err != nil {
		return err
	}
	revoked, gone, err := t.sample(status.Revoked, ctx)
	if err != nil {
		return err
	}
	good, err := application.Sign(t.form(h), h.card, h.delivery.Certificate)
	if err != nil {
		return fmt.Errorf("couldn't sign an application: %w", err)
	}
	late, err := application.Sign(t.form(gone), gone.card, gone.delivery.Certificate)
	if err != nil {
		return fmt.Errorf("couldn't sign an application: %w", err)
	}
	bent := t.form(h)
	bent.Address = h.form.Attr.Address + "２"
	other, err := application.Sign(bent, h.card, h.delivery.Certificate)
	if err != nil {
		return fmt.Errorf("couldn't sign an application: %w", err)
	}
	for _, c := range []struct {
		file    string
		raw     []byte
		ordinal uint64
		want    bool
		ja, en  string
	}{
		{"live.p7m", good, live, true, "有効な証明書の申請", "application with a certificate in force"},
		{"revoked.p7m", late, revoked, false, "失効した証明書の申請", "application with a revoked certificate"},
		{"other-address.p7m", other, live, false, "証明書と住所の違う申請", "application with another address than the certificate's"},
	} {
		if err := os.WriteFile(filepath.Join(t.dir.Out(), "applications", c.file), c.raw, 0o644); err != nil {
			return fmt.Errorf("couldn't write an application: %w", err)
		}
		trust, err := t.trust(ctx, c.ordinal)
		if err != nil {
			return err
		}
		res := agency.Verify(c.raw, trust, t.w.Now())
		if res.Accepted != c.want {
			return fmt.Errorf("%s: accepted is %v, failed step %q", c.file, res.Accepted, res.Failed())
		}
		if res.Accepted {
			t.Fact("〇 %[1]s: 受け付けました(%[3]s 現在、ログの証拠つき)。", "〇 %[2]s: accepted, as of %[3]s, with the log's proof.", c.ja, c.en, res.AsOf.Format(time.RFC3339))
			continue
		}
		t.Fact("✕ %[1]s: 断りました ―「%[3]s」", "✕ %[2]s: refused: %[4]q", c.ja, c.en, res.Refusal().JA, res.Refusal().EN)
	}
	return nil
}
