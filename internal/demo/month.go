package demo

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// counters is how many people are served at a time, over all town halls.
const counters = 24

// codeLive is the rule code for "the person already has a live certificate".
const codeLive = "A206"

// keys lets residents make their key pairs at the generators, side by side.
func (t *teller) keys(ctx context.Context, who []int) error {
	defer t.Clock("カードの鍵の生成(住民)", "making the cards' keys (residents)")()
	bar := t.Progress("カードの鍵をつくる", "making card keys", len(who))
	defer bar.Done()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, i := range who {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			c, err := world.NewCard(card.Algorithm(t.CardKey))
			if err != nil {
				return err
			}
			t.town.mu.Lock()
			t.town.cards[i] = c
			t.town.mu.Unlock()
			bar.Add(1)
			return nil
		})
	}
	return g.Wait()
}

// apply brings people with their new cards to the counters.
func (t *teller) apply(ctx context.Context, who []int) error {
	if err := t.keys(ctx, who); err != nil {
		return err
	}
	defer t.Clock("申請から発行まで(窓口、規則、ログ、署名)", "from application to certificate (counter, rules, log, signature)")()
	bar := t.Progress("窓口で申請する", "applying at the counters", len(who))
	defer bar.Done()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(counters)
	for _, i := range who {
		g.Go(func() error {
			defer bar.Add(1)
			return t.applyOne(ctx, i)
		})
	}
	return g.Wait()
}

func (t *teller) applyOne(ctx context.Context, i int) error {
	t.town.mu.Lock()
	r, c := t.town.now[i], t.town.cards[i]
	delete(t.town.cards, i)
	t.town.mu.Unlock()
	d, err := t.w.Apply(ctx, r, c, nil)
	if say.Code(err) == codeLive {
		// Another resident has the same four attributes. An officer looks into
		// it and states that they are two persons.
		t.town.mu.Lock()
		t.town.twinAsked++
		t.town.mu.Unlock()
		d, err = t.w.Apply(ctx, r, c, func(f *counter.Form) { f.Twin = true })
	}
	if err != nil {
		return err
	}
	t.town.deliver(i, c, d)
	return nil
}

func (t *teller) firstDay(ctx context.Context) error {
	t.Step("1日目: 窓口で申請し、証明書を受け取る", "Day 1: applications at the counter, certificates onto cards")
	list := t.town.first()
	if err := t.apply(ctx, list); err != nil {
		return err
	}
	n := len(t.town.holders)
	t.Fact("%d 人が受け取りました。どの証明書も、署名より前に cert.intent がログに入っています。", "%d residents got one. For each, cert.intent was in the log before the signature.", n)
	if t.town.twinAsked > 0 {
		t.Fact("うち %d 件は基本4情報が同じ別人がいたため、いったん止まり、職員の確認を経て発行しました。", "%d of them stopped first because another person has the same four attributes, and went on after an officer looked into it.", t.town.twinAsked)
	}
	return t.refusedForm(ctx, list[0])
}

// refusedForm shows a form that carries a resident code: it never leaves the
// counter.
func (t *teller) refusedForm(ctx context.Context, i int) error {
	c, err := world.NewCard(card.P256)
	if err != nil {
		return err
	}
	r := t.town.now[i]
	_, err = t.w.Apply(ctx, r, c, func(f *counter.Form) { f.NameKana = r.Code })
	if err == nil {
		return fmt.Errorf("a form with a resident code was accepted")
	}
	sentence, _ := say.For(err, t.Lang)
	t.Fact("住民票コードを書いた申請書は窓口で断られました: 「%s」", "A form with a resident code in it was refused at the counter: %q", sentence)
	return nil
}

// tally counts what the month brought.
type tally struct {
	changes, deleted, lists, people int
	sent                            link.Sent
	requested                       int
	crls, deltas                    int
}

func (t *teller) month(ctx context.Context) error {
	t.Step("1か月: 異動、突合、通知、失効、毎日の利用者一覧", "A month: changes, matching, notices, revocations, daily holder lists")
	bar := t.Progress("1日ずつ進む", "day by day", days)
	defer bar.Done()
	var sum tally
	for day := range days {
		if err := t.oneDay(ctx, day, &sum); err != nil {
			return fmt.Errorf("day %d: %w", day+1, err)
		}
		bar.Add(1)
		if day < days-1 {
			t.clock.Jump(24 * time.Hour)
		}
	}
	t.clock.Present()
	bar.Done()
	return t.tellMonth(sum)
}

// oneDay is the order of a day: late applications, changes as they come, then
// the daily list and what it brings to light, then the day's publications.
func (t *teller) oneDay(ctx context.Context, day int, sum *tally) error {
	deltas, err := t.w.CA.Authority.PublishDeltas(ctx)
	if err != nil {
		return err
	}
	sum.deltas += len(deltas)
	if day > 0 {
		if err := t.apply(ctx, t.town.late(day)); err != nil {
			return err
		}
	}
	if err := t.changes(ctx, day, sum); err != nil {
		return err
	}
	if day == requestDay {
		if err := t.requests(ctx, sum); err != nil {
			return err
		}
	}
	done := t.Clock("利用者一覧(M1)と通知(M3)、失効", "holder lists (M1), notices (M3), revocations")
	if err := t.notices(ctx, sum); err != nil {
		return err
	}
	if _, err := t.w.SendHolders(ctx); err != nil {
		return err
	}
	sum.lists++
	// What the list brought to light: certificates issued before a change that
	// came first (IN-07), and what a person has to look at.
	if err := t.queue(sum); err != nil {
		return err
	}
	if err := t.notices(ctx, sum); err != nil {
		return err
	}
	done()
	defer t.Clock("失効リストとチェックポイントの公表", "publishing lists and checkpoints")()
	crls, err := t.w.CA.Authority.PublishCRLs(ctx)
	if err != nil {
		return err
	}
	sum.crls += len(crls)
	if _, err := t.w.CloseDay(ctx); err != nil {
		return err
	}
	_, err = t.w.Publish(ctx)
	return err
}

func (t *teller) changes(ctx context.Context, day int, sum *tally) error {
	defer t.Clock("異動の記載と突合", "recording changes and matching")()
	for _, c := range t.town.byDay[day] {
		done, err := t.w.Happen(ctx, c)
		if err != nil {
			return err
		}
		if !done {
			continue
		}
		sum.changes++
		t.town.now[c.Resident] = c.After
		if c.Kind.Deletes() {
			sum.deleted++
			t.town.gone[c.Resident] = true
		}
	}
	return nil
}

func (t *teller) notices(ctx context.Context, sum *tally) error {
	s, err := t.w.SendNotices(ctx)
	sum.sent.Logged += s.Logged
	sum.sent.Stopped += s.Stopped
	sum.sent.Withdrawn += s.Withdrawn
	sum.sent.Delivered += s.Delivered
	sum.sent.Rejected += s.Rejected
	return err
}

// queue is the register's officer: a match that is not clear waits for a
// person, who looks at the paper form and decides.
func (t *teller) queue(sum *tally) error {
	cases, err := t.w.Juki.Office.Matching.Cases(true)
	if err != nil {
		return err
	}
	for _, c := range cases {
		d, err := t.decide(c)
		if err != nil {
			return err
		}
		if err := t.w.Juki.Office.Matching.Decide(c.ID, d); err != nil {
			return err
		}
		sum.people++
	}
	return nil
}

// decide finds out whose certificates a case is about, as the paper forms at
// the town hall would tell, and which of them no longer say what is true.
func (t *teller) decide(c match.Case) (match.Decision, error) {
	d := match.Decision{Operator: "matching-01", Basis: match.NoChange}
	for _, o := range c.Ordinals {
		h := t.town.holders[o]
		if h == nil {
			return d, fmt.Errorf("case %d is about a certificate that nobody holds", c.ID)
		}
		changed := t.town.gone[h.resident] || t.town.now[h.resident].Attr != h.form.Attr
		if changed && t.town.of[h.resident] == o {
			d.Notify = append(d.Notify, o)
			d.Basis = match.Identified
		}
	}
	return d, nil
}

// requestDay is when some holders come by themselves.
const requestDay = 12

// requests: one holder no longer wants the certificate (Article 9), another
// lost the card (Article 10). Two officers act together.
func (t *teller) requests(ctx context.Context, sum *tally) error {
	for i, ground := range []string{entry.GroundRequest, entry.GroundKeyLeak} {
		o, ok := t.quiet(i)
		if !ok {
			continue
		}
		_, err := t.w.CA.Authority.RevokeOnRequest(ctx, ca.RevocationRequest{Ordinal: o, Ground: ground, Role: ca.RoleCounter, Operators: [2]string{"counter-01", "counter-02"}})
		if err != nil {
			return err
		}
		sum.requested++
	}
	return nil
}

// quiet finds the n-th holder to whom nothing happens.
func (t *teller) quiet(n int) (uint64, bool) {
	busy := map[int]bool{}
	for _, cs := range t.town.byDay {
		for _, c := range cs {
			busy[c.Resident] = true
		}
	}
	for i := range t.town.now {
		o, ok := t.town.of[i]
		if ok && !busy[i] {
			if n == 0 {
				return o, true
			}
			n--
		}
	}
	return 0, false
}

func (t *teller) tellMonth(sum tally) error {
	counts, err := t.w.Juki.Office.Matching.Counts()
	if err != nil {
		return err
	}
	t.Fact("異動 %d 件(うち消除 %d 件)。合併などの軽微な修正は %d 件で、通知しません。", "%d changes (%d deletions). %d were minor corrections such as the merger: no notice.", sum.changes, sum.deleted, counts.Outcomes[match.Minor])
	t.Fact("突合して証明書がなかったもの %d 件、はっきりせず人が判断したもの %d 件。", "%d matched no certificate; %d were unclear and decided by a person.", counts.Outcomes[match.NoCertificate], sum.people)
	t.Fact("壁を越えた通知 %d 件、受け取られた通知 %d 件、拒まれた通知 %d 件。利用者一覧 %d 回。", "%d notices crossed the wall, %d were received, %d refused; %d daily lists.", sum.sent.Logged, sum.sent.Delivered, sum.sent.Rejected, sum.lists)
	t.Fact("本人の申請による失効 %d 件。失効リストを %d 本、差分リストを %d 本公表しました。", "%d revocations at the holder's own request; %d revocation lists and %d delta lists published.", sum.requested, sum.crls, sum.deltas)
	if sum.sent.Logged != sum.sent.Delivered || sum.sent.Rejected+sum.sent.Stopped > 0 {
		return fmt.Errorf("notices were lost or refused: %+v", sum.sent)
	}
	return t.noticeBytes()
}

// noticeBytes shows one notice, byte for byte.
func (t *teller) noticeBytes() error {
	var shown *match.Intent
	err := t.w.Juki.Office.Matching.Intents(func(i match.Intent) error {
		if i.Seq != nil && shown == nil {
			shown = &i
		}
		return nil
	})
	if err != nil || shown == nil {
		return err
	}
	if t.NoticeMode != entry.ModeReference {
		return nil // an echo notice holds attributes: not for the screen
	}
	b, err := notice.Notice{Mode: notice.Reference, Seq: *shown.Seq, Ordinal: shown.Ordinal}.Marshal()
	if err != nil {
		return err
	}
	t.Fact("通知の全文: %s", "A notice, whole: %s", b)
	return nil
}
