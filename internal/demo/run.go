// Package demo tells the whole story of sukashi once, with real parts: a month
// in Nagano in which residents get certificates, move, marry and die; the
// notices that cross the wall; the revocations; an agency's check; the
// council's audit; and four attempts to cheat, each detected.
//
// Everything runs on loopback with software keys in one directory; what
// outsiders read is left in DIR/out, the register's secrets stay in DIR/juki.
// Every figure in the story comes from the run.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sukashi-project/sukashi/internal/clock"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/world"
)

// days is the length of the story. The clock starts that many days ago and
// reaches the present with the last one.
const days = people.Days

// teller carries one run of the story.
type teller struct {
	Options
	*Story
	dir   Dir
	clock *clock.Story
	w     *world.World
	town  *town
}

// Run tells the story. It returns nil when everything held, an error with a
// sentence when something didn't.
func Run(ctx context.Context, o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	root := o.Dir
	if root == "" {
		tmp, err := os.MkdirTemp("", "sukashi-demo-")
		if err != nil {
			return fmt.Errorf("couldn't make a temporary directory: %w", err)
		}
		root = filepath.Join(tmp, "story")
	}
	dir, err := Prepare(root)
	if err != nil {
		return err
	}
	t := &teller{Options: o, Story: NewStory(o.Out, o.Bars, o.Lang), dir: dir}
	t.clock = clock.New(days*24*time.Hour, time.Now)
	err = t.tell(ctx)
	if t.w != nil {
		err = errors.Join(err, t.w.Close())
	}
	return err
}

func (t *teller) tell(ctx context.Context) error {
	t.Banner("sukashi(透かし) ― 検証できる公的個人認証\n※ ソフトウェアの鍵で動くデモです。本番には使えません。住民はすべて架空です。",
		"sukashi: a certificate authority that you can check\n* A demo with software keys: NOT FOR PRODUCTION. All residents are invented.")
	for _, chapter := range []func(context.Context) error{
		t.openWorld, t.moveIn, t.firstDay, t.month, t.present, t.agencies, t.audit, t.cheat, t.finish,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *teller) openWorld(ctx context.Context) error {
	t.Step("役割をそろえる: 住民基本台帳の側、認証局の側、ログ、三つの証人", "Set up the roles: register side, CA side, the log, three witnesses")
	defer t.Clock("準備(規則の読み込み、鍵の生成)", "set-up (compiling the rules, keys)")()
	addr := ""
	if t.Serve {
		addr = t.Addr
	}
	w, err := world.Open(ctx, world.Config{Dirs: world.In(t.dir.Root), Now: t.clock.Now, NoticeMode: t.NoticeMode, PublicAddr: addr, Tap: t.tap})
	if err != nil {
		return err
	}
	t.w = w
	t.Fact("記録 %d 番で、審議会の %d 人が規則を承認しました(それより前の判定はありません)。", "Entry %d: %[2]d council members approved the rules; nothing was decided before it.", w.PolicyIndex, len(w.Members.Keys))
	t.Fact("認証局の鍵の生成は、%[2]d 人の担当者がそれぞれの鍵で承認しました。認証局の鍵が自分の証明書に署名したのは、記録 %[1]d 番が載ったあとです。", "%[2]d officers approved the CA's key ceremony, each with a key of their own. The CA's key signed its own certificate only after entry %[1]d was in the log.", w.CA.Ceremony.IssuerAt, len(w.CA.Ceremony.Approved))
	t.Fact("通知の形: %s", "Form of the change notice: %s", t.NoticeMode)
	return nil
}

func (t *teller) moveIn(context.Context) error {
	t.Step("住民を住民基本台帳に載せる", "Residents on the register")
	defer t.Clock("住民の生成と住民基本台帳への記載", "inventing and recording residents")()
	rs, err := people.Generate(t.Seed, t.Residents)
	if err != nil {
		return err
	}
	if err := t.w.Import(rs); err != nil {
		return err
	}
	t.town = newTown(rs, people.Changes(t.Seed, rs, changeShare))
	t.Fact("架空の住民 %d 人。住民票コードは住民基本台帳の側だけにあります。", "%d invented residents. Their resident codes stay on the register side.", len(rs))
	return nil
}
