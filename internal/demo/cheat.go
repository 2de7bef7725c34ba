package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/internal/clock"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/policy/notice"
	"github.com/sukashi-project/sukashi/review/audit"
)

// stage is a small world of its own in which four people cheat, so that the
// story's own log stays honest. It is removed afterwards.
type stage struct {
	*teller
	w       *world.World
	root    string
	holder  people.Resident // keeps the certificate
	card    *card.Card
	der     []byte
	ordinal uint64
	revoked uint64 // ordinal whose revocation somebody would like to hide
}

// cheat carries out four attempts, with the real keys, files and connections
// that an insider would have. Each must be detected, or the story fails.
func (t *teller) cheat(ctx context.Context) error {
	t.Step("四つのごまかし(別の小さな世界で、本物の鍵を使って)", "Four attempts to cheat (in a small world of its own, with real keys)")
	defer t.Clock("ごまかしの実験", "the attempts to cheat")()
	s, err := t.newStage(ctx)
	if s != nil {
		defer os.RemoveAll(s.root)
		defer func() { _ = s.w.Close() }()
	}
	if err != nil {
		return err
	}
	for _, attempt := range []func(context.Context) error{s.extraField, s.hiddenRevocation, s.secretCertificate, s.rewrittenEntry} {
		if err := attempt(ctx); err != nil {
			return err
		}
	}
	return nil
}

// newStage sets up a world with two holders, one of whom has moved.
func (t *teller) newStage(ctx context.Context) (*stage, error) {
	root, err := os.MkdirTemp("", "sukashi-cheat-")
	if err != nil {
		return nil, fmt.Errorf("couldn't make a temporary directory: %w", err)
	}
	s := &stage{teller: t, root: root}
	dir, err := Prepare(filepath.Join(root, "world"))
	if err != nil {
		return nil, err
	}
	c := clock.New(2*time.Hour, time.Now)
	if s.w, err = world.Open(ctx, world.Config{Dirs: world.In(dir.Root), Now: c.Now, IssuerAlg: keystore.P256}); err != nil {
		return nil, err
	}
	return s, s.play(ctx, c)
}

func (s *stage) play(ctx context.Context, c *clock.Story) error {
	rs, err := people.Generate(s.Seed+1, 40)
	if err != nil {
		return err
	}
	if err := s.w.Import(rs); err != nil {
		return err
	}
	move, ok := firstMove(people.Changes(s.Seed+1, rs, 0.9), rs)
	if !ok {
		return fmt.Errorf("nobody moves on the stage")
	}
	s.holder = rs[(move.Resident+5)%len(rs)]
	if s.card, err = world.NewCard(card.P256); err != nil {
		return err
	}
	d, err := s.w.Apply(ctx, s.holder, s.card, nil)
	if err != nil {
		return err
	}
	s.der, s.ordinal = d.Certificate, d.Ordinal
	other, err := world.NewCard(card.P256)
	if err != nil {
		return err
	}
	if d, err = s.w.Apply(ctx, move.Before, other, nil); err != nil {
		return err
	}
	s.revoked = d.Ordinal
	if _, err := s.w.SendHolders(ctx); err != nil {
		return err
	}
	c.Present()
	if _, err := s.w.Happen(ctx, move); err != nil {
		return err
	}
	if sent, err := s.w.SendNotices(ctx); err != nil || sent.Delivered != 1 {
		return fmt.Errorf("the stage's notice was not received: %+v %w", sent, err)
	}
	if _, err := s.w.CA.Authority.PublishCRLs(ctx); err != nil {
		return err
	}
	_, err = s.w.Publish(ctx)
	return err
}

func firstMove(cs []people.Change, rs []people.Resident) (people.Change, bool) {
	for _, c := range cs {
		if c.Kind == people.MoveWithin && c.Before == rs[c.Resident] {
			return c, true
		}
	}
	return people.Change{}, false
}

// audits the stage with what was added to the council's material, and returns
// the findings of one check.
func (s *stage) audited(ctx context.Context, check string, add func(*audit.Source)) (*audit.Finding, error) {
	if _, err := s.w.Publish(ctx); err != nil {
		return nil, err
	}
	src, err := s.w.Gather(ctx)
	if err != nil {
		return nil, err
	}
	add(&src)
	res, err := audit.Audit(ctx, src, audit.Options{Now: s.w.Now()})
	if err != nil {
		return nil, err
	}
	if c, ok := res.Check(check); ok && len(c.Findings) > 0 {
		return &c.Findings[0], nil
	}
	return nil, fmt.Errorf("the attempt was not detected: check %s found nothing", check)
}

// caught prints what was tried and what gave it away.
func (s *stage) caught(tried say.Text, by string, found say.Text) {
	s.Fact("✕ %s", "✕ %s", tried.In(s.Lang))
	s.Fact("   検出(%s): %s", "   detected (%s): %s", by, found.In(s.Lang))
}

// extraField: a tampered sender adds the new address to a notice.
func (s *stage) extraField(ctx context.Context) error {
	n, err := notice.Notice{Mode: notice.Reference, Seq: 1, Ordinal: s.ordinal}.Marshal()
	if err != nil {
		return err
	}
	bent := append([]byte(`{"address":"`+s.holder.Attr.Address+`",`), n[1:]...)
	err = s.w.RawNotice(ctx, bent)
	if err == nil {
		return fmt.Errorf("a notice with an extra field was received")
	}
	ja, _ := say.For(err, say.Japanese)
	en, _ := say.For(err, say.English)
	s.caught(say.Text{JA: "通知に住所の欄を書き足して送った。", EN: "Somebody added an address to a notice and sent it."},
		say.Code(err), say.Text{JA: ja, EN: en})
	return nil
}
