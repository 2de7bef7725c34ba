package ca

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// HolderList is one daily list of certificate holders (M1) that is in the log
// and may be sent.
type HolderList struct {
	Seq       uint64
	Day       string
	New, Gone int
	Total     uint64
	Logged    uint64 // index of holders.sent
	Delivered bool   // the register side acknowledged it
}

// ErrDay says that a list for a later day exists already.
var ErrDay = say.New("ca.holders-day", "その日より後の利用者一覧がすでにあります。", "A holders list of a later day exists already.")

// Today returns the day of now in Japan, as lists are named.
func Today(now time.Time) string { return now.In(jtext.JST()).Format(time.DateOnly) }

// DailyHolders makes the day's list of new and gone holders and logs it
// (holders.sent) before it may leave: at most one list a day (PR-12), and the
// same one if asked again. What is sent goes through Outbox.
//
// The list is on disk before it is logged, and the queues it empties are
// emptied after: a crash between leads to the same bytes again.
func (a *Authority) DailyHolders(ctx context.Context, day string) (*HolderList, error) {
	ctx = context.WithoutCancel(ctx)
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	a.revMu.Lock()
	defer a.revMu.Unlock()
	defer a.tracker.begin()()
	last, err := a.reg.LastList()
	if errors.Is(err, registry.ErrNotFound) {
		return a.newList(ctx, day, 0, "", 0)
	}
	if err != nil {
		return nil, err
	}
	if last.State == registry.ListPending {
		if err := a.logList(ctx, &last); err != nil {
			return nil, err
		}
	}
	switch {
	case day == last.Day:
		return holderList(last), nil
	case day < last.Day:
		return nil, ErrDay
	}
	return a.newList(ctx, day, last.Seq+1, last.Day, last.Total)
}

func holderList(l registry.List) *HolderList {
	return &HolderList{Seq: l.Seq, Day: l.Day, New: len(l.New), Gone: len(l.Gone), Total: l.Total, Logged: l.Logged,
		Delivered: l.State == registry.ListDelivered}
}

// newList collects, decides, stores and logs. revMu is held.
func (a *Authority) newList(ctx context.Context, day string, seq uint64, lastDay string, total uint64) (*HolderList, error) {
	now := a.cfg.Now()
	fresh, err := a.reg.NewHolders(now, holders.MaxHolders)
	if err != nil {
		return nil, err
	}
	gone, err := a.reg.GoneHolders(now, holders.MaxHolders)
	if err != nil {
		return nil, err
	}
	list := holders.List{Day: day, Seq: seq, Gone: gone, Total: total + uint64(len(fresh)) - uint64(len(gone))}
	row := registry.List{Seq: seq, Day: day, Gone: gone, Total: list.Total, State: registry.ListPending}
	certified := true
	for _, rec := range fresh {
		list.New = append(list.New, holders.Holder{Ordinal: rec.Ordinal, Key: rec.Key, Certified: rec.Certified})
		row.New = append(row.New, rec.Ordinal)
		certified = certified && opens(rec.Key, rec.Certified, rec.Subject)
	}
	if row.Bytes, err = list.Marshal(); err != nil {
		return nil, err
	}
	live, err := a.reg.CountLive(now)
	if err != nil {
		return nil, err
	}
	check := policy.HoldersSendCheck{Bytes: row.Bytes, Sender: entry.ByCALink, Addressee: entry.ByRegisterLink, NextSeq: seq, LastDay: lastDay,
		SetEqualsLive: live == list.Total, AttributesCertified: certified, Metadata: policy.LinkMetadata(policy.PathHolders)}
	if d := a.cfg.Decider.Decide(ctx, check.Facts()); !d.Allow {
		a.tally.add(now, d.Codes...)
		return nil, refused(d.Codes)
	}
	if err := a.reg.SetList(row); err != nil {
		return nil, err
	}
	if err := a.logList(ctx, &row); err != nil {
		return nil, err
	}
	return holderList(row), nil
}

// logList logs a pending list and empties the queues.
func (a *Authority) logList(ctx context.Context, row *registry.List) error {
	list, err := holders.Parse(row.Bytes)
	if err != nil {
		return fmt.Errorf("couldn't read the stored list: %w", err)
	}
	logged, err := a.link.Append(ctx, &entry.HoldersSent{Holders: list.Entry()})
	if err != nil {
		return a.uncertain(err)
	}
	return a.listLogged(row, logged.Index)
}

func (a *Authority) listLogged(row *registry.List, index uint64) error {
	for _, o := range row.New {
		if err := a.change(o, func(r *registry.Record) error { r.Told = true; return nil }); err != nil {
			return a.uncertain(err)
		}
	}
	for _, o := range row.Gone {
		if err := a.change(o, func(r *registry.Record) error { r.Gone = true; return nil }); err != nil {
			return a.uncertain(err)
		}
	}
	row.State, row.Logged = registry.ListLogged, index
	if err := a.reg.SetList(*row); err != nil { // synced: with it the queues' changes are on disk
		return a.uncertain(err)
	}
	return nil
}

// reflectList brings holders.sent into a list that a crash left pending.
func (a *Authority) reflectList(b *entry.HoldersSent, index uint64) error {
	row, err := a.reg.LastList()
	if err != nil {
		return missing(err)
	}
	if row.Day < b.Day {
		return ErrBehind.Because(errors.New("the logged list is not in the registry"))
	}
	if row.State != registry.ListPending || row.Day != b.Day {
		return nil
	}
	list, err := holders.Parse(row.Bytes)
	if err != nil || list.Entry() != b.Holders {
		return ErrBehind.Because(errors.New("the logged list is not the stored one"))
	}
	return a.listLogged(&row, index)
}

// Outbox gives the link server the oldest list that is in the log and not yet
// acknowledged; ok is false when there is none.
func (a *Authority) Outbox(context.Context) (seq uint64, message []byte, ok bool, err error) {
	last, err := a.reg.LastList()
	if errors.Is(err, registry.ErrNotFound) {
		return 0, nil, false, nil
	}
	if err != nil {
		return 0, nil, false, err
	}
	oldest, found := registry.List{}, false
	for seq := last.Seq; ; seq-- {
		l, err := a.reg.GetList(seq)
		if err != nil {
			return 0, nil, false, err
		}
		if l.State == registry.ListDelivered {
			break
		}
		if l.State == registry.ListLogged {
			oldest, found = l, true
		}
		if seq == 0 {
			break
		}
	}
	return oldest.Seq, oldest.Bytes, found, nil
}

// Acknowledged says that the register side has received a list for good: its
// message, which holds attributes and record keys, is dropped and the key that
// opened it destroyed.
func (a *Authority) Acknowledged(_ context.Context, seq uint64) error {
	a.revMu.Lock()
	defer a.revMu.Unlock()
	l, err := a.reg.GetList(seq)
	if err != nil {
		return err
	}
	if l.State != registry.ListLogged {
		return errors.New("only a logged list can be acknowledged")
	}
	l.State, l.Bytes = registry.ListDelivered, nil
	if err := a.reg.SetList(l); err != nil {
		return err
	}
	a.shredSoon()
	return nil
}
