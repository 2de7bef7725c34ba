package world_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// The daily counts between the two real ends: what crosses is the logged entry
// and nothing else, both ends sign, and asking again changes nothing.
func TestCloseDay(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: some 600 connections and a world of its own take some seconds")
	}
	ctx := context.Background()
	w, clk := open(t, entry.ModeReference)
	rs := moveIn(t, w, 3, 20)
	for _, r := range rs[:3] {
		c, err := world.NewCard(card.P256)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Apply(ctx, r, c, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.SendHolders(ctx); err != nil {
		t.Fatal(err)
	}
	first := closed(t, w)
	if want := (entry.Counts{Day: ca.Today(w.Now()), Lists: 1, New: 3}); first != want {
		t.Errorf("first day: %+v", first)
	}
	if again := closed(t, w); again != first {
		t.Errorf("the day was closed twice: %+v", again)
	}
	clk.Jump(24 * time.Hour)
	for _, r := range rs[:2] {
		if _, err := w.Juki.Office.Change(ctx, register.Event{Kind: register.Death, Code: r.Code, Municipality: r.Municipality}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.SendNotices(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SendHolders(ctx); err != nil {
		t.Fatal(err)
	}
	second := closed(t, w)
	if want := (entry.Counts{Day: ca.Today(w.Now()), Number: 1, Lists: 2, New: 3, Gone: 2, Notices: 2, Received: 2}); second != want {
		t.Errorf("second day: %+v", second)
	}
	_, logged, err := w.Ledger.Engine.Lookup(ctx, entry.ByRegisterCounts, 1)
	if err != nil {
		t.Fatal(err)
	}
	only(t, w, logged)
	clk.Jump(24 * time.Hour)
	if third := closed(t, w); third.Number != 2 || third.Notices != 2 {
		t.Errorf("a day on which nothing happened: %+v", third)
	}
}

func closed(t *testing.T, w *world.World) entry.Counts {
	t.Helper()
	c, err := w.CloseDay(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := w.Ledger.Engine.Lookup(context.Background(), entry.ByCACounts, c.Number)
	if err != nil {
		t.Fatal(err)
	}
	e, err := entry.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Body.(*entry.CountsReceived).Counts; got != c {
		t.Errorf("the CA's end counts %+v, the register's %+v", got, c)
	}
	return c
}

// only checks that of all byte strings next to the logged one none is taken:
// given the log, the message carries 0 bits.
func only(t *testing.T, w *world.World, logged []byte) {
	t.Helper()
	ctx := context.Background()
	if err := w.RawCounts(ctx, logged); err != nil {
		t.Fatal(err)
	}
	before, err := w.Ledger.Engine.NextSeq(ctx, entry.ByCACounts)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	refuse := func(b []byte) {
		t.Helper()
		tried++
		if err := w.RawCounts(ctx, b); say.Code(err) != "counts.refused" {
			t.Errorf("%d bytes that are not the logged ones: %v", len(b), err)
		}
	}
	for i := range logged {
		b := bytes.Clone(logged)
		b[i] ^= 1
		refuse(b)
	}
	for _, b := range [][]byte{nil, logged[:len(logged)-1], append(bytes.Clone(logged), '\n'), append([]byte(" "), logged...),
		bytes.Replace(logged, []byte(`"body"`), []byte(`"a":1,"body"`), 1), bytes.Repeat([]byte(" "), 4096)} {
		refuse(b)
	}
	// Another entry of the log is not the statement either.
	for _, by := range []string{entry.ByNoticeSender, entry.ByRegisterLink, entry.ByCACounts} {
		_, b, err := w.Ledger.Engine.Lookup(ctx, by, 0)
		if err != nil {
			t.Fatal(err)
		}
		refuse(b)
	}
	after, err := w.Ledger.Engine.NextSeq(ctx, entry.ByCACounts)
	if err != nil || after != before {
		t.Errorf("refused statements were counter-signed: %d, then %d (%v)", before, after, err)
	}
	t.Logf("%d other byte strings tried, 0 taken", tried)
}
