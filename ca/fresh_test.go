package ca

import (
	"bytes"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// Three days on which nothing happens: at every hour the newest list is in force
// and the newest receipt is fresh enough for an agency, which refuses one that is
// more than a day old. No alarm is raised.
func TestQuietDays(t *testing.T) {
	w := newWorld(t, worldOptions{refresh: 15 * time.Minute})
	c := w.issue("総務　太郎")
	must(t, w.ca.Follow(ctx))
	if lists, err := w.ca.PublishDue(ctx, 24*time.Hour); err != nil || len(lists) != 2 {
		t.Fatalf("the first lists: %d, %v", len(lists), err)
	}
	trust, err := proof.LogOnly(w.logConf.VKey)
	must(t, err)
	made := 0
	for hour := range 72 {
		w.clock.add(time.Hour)
		_, err := w.engine.Publish(ctx)
		must(t, err)
		lists, err := w.ca.PublishDue(ctx, 24*time.Hour)
		must(t, err)
		made += len(lists)
		must(t, w.ca.CheckLists(ctx))
		for _, p := range []string{"full", town} {
			row, err := w.ca.CRL(p)
			must(t, err)
			list, err := x509.ParseRevocationList(row.DER)
			must(t, err)
			if now := w.clock.now(); now.After(list.NextUpdate) || now.Before(list.ThisUpdate) {
				t.Errorf("hour %d: the list %s is not in force", hour, p)
			}
		}
		r, err := w.engine.Status(ctx, c.Ordinal)
		must(t, err)
		res, err := trust.VerifyStatus(r, c.DER)
		must(t, err)
		if age := w.clock.now().Sub(res.AsOf); res.State != status.Valid || age > time.Hour {
			t.Errorf("hour %d: the receipt says %v and is %v old", hour, res.State, age)
		}
	}
	if made != 6 { // two lists a day
		t.Errorf("%d lists were made in three days", made)
	}
	if n := count[*entry.SecurityEvent](w.entries()); n != 0 {
		t.Errorf("%d alarms on quiet days", n)
	}
	w.check()
}

// Lists that nobody replaces: an alarm when a quarter of their life is left, one
// when it is over, each again after a day and not more often; none after new
// lists; a start forgets what was reported.
func TestListAlarms(t *testing.T) {
	w := newWorld(t, worldOptions{})
	must(t, w.ca.Close())
	var out bytes.Buffer
	w.logger = slog.New(slog.NewTextHandler(&out, nil))
	w.open()
	w.issue("総務　太郎")
	_, err := w.ca.PublishCRLs(ctx)
	must(t, err)
	at := func(d time.Duration, want string) {
		t.Helper()
		w.clock.add(d)
		before := len(w.entries())
		for range 3 {
			must(t, w.ca.CheckLists(ctx))
		}
		var got []string
		for _, e := range w.entries()[before:] {
			if b, ok := e.Body.(*entry.SecurityEvent); ok && b.Count == 2 {
				got = append(got, b.Code)
			}
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%q, want %q", g, want)
		}
	}
	at(35*time.Hour, "") // 13 of 48 hours are left
	at(2*time.Hour, entry.EventListEnding)
	at(10*time.Hour, "")
	at(time.Hour, entry.EventListOver)
	at(23*time.Hour, "")
	at(time.Hour, entry.EventListOver)
	if s := out.String(); !strings.Contains(s, "後継がありません") || !strings.Contains(s, "past their nextUpdate") || strings.Contains(s, "総務") {
		t.Errorf("the operator reads %s", s)
	}
	w.restart()
	at(time.Minute, entry.EventListOver)
	lists, err := w.ca.PublishDue(ctx, 24*time.Hour)
	must(t, err)
	if len(lists) != 2 {
		t.Errorf("%d lists", len(lists))
	}
	at(time.Minute, "")
	states, err := w.ca.ListStates()
	must(t, err)
	for _, s := range states {
		if s.NextUpdate.Sub(w.clock.now()) < 47*time.Hour || s.Number != 2 {
			t.Errorf("the list %s is %+v", s.Partition, s)
		}
	}
	w.check()
}

// An alarm that the log did not take is raised again.
func TestListAlarmIsNotLost(t *testing.T) {
	w := newWorld(t, worldOptions{})
	must(t, w.ca.Close())
	l := &lossyLog{Log: w.engine}
	w.log = l
	w.open()
	_, err := w.ca.PublishCRLs(ctx)
	must(t, err)
	w.clock.add(49 * time.Hour)
	l.lose(1, false)
	if w.ca.CheckLists(ctx) == nil {
		t.Error("the log took nothing, and nobody says so")
	}
	l.lose(0, false)
	must(t, w.ca.CheckLists(ctx))
	if n := count[*entry.SecurityEvent](w.entries()); n != 1 {
		t.Errorf("%d alarms", n)
	}
}

// A responder that nobody renews: an alarm a month before its end and every day,
// another when it is over; none after a new one, none for a key that leaked.
func TestResponderAlarms(t *testing.T) {
	w := newWorld(t, worldOptions{})
	end := w.clock.now().Add(40 * 24 * time.Hour)
	w.ca.WatchResponders(ResponderState{w.key.KeyID(), end})
	at := func(d time.Duration, want string) {
		t.Helper()
		w.clock.add(d)
		before := len(w.entries())
		for range 2 {
			must(t, w.ca.CheckResponders(ctx))
		}
		var got []string
		for _, e := range w.entries()[before:] {
			if b, ok := e.Body.(*entry.SecurityEvent); ok && b.Count == 1 {
				got = append(got, b.Code)
			}
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%q, want %q", g, want)
		}
	}
	at(9*24*time.Hour, "")
	at(25*time.Hour, entry.EventResponderEnding)
	at(23*time.Hour, "")
	at(time.Hour, entry.EventResponderEnding)
	at(29*24*time.Hour, entry.EventResponderOver)
	w.ca.WatchResponders(ResponderState{w.key.KeyID(), end.AddDate(1, 0, 0)})
	at(time.Hour, "")
	ow, err := ledger.NewWriter(ctx, w.engine, entry.ByOperator, w.clock.now)
	must(t, err)
	defer ow.Close()
	_, err = ow.Append(ctx, &entry.KeyLeaked{Record: entry.Sum(nil), SPKI: w.key.KeyID()})
	must(t, err)
	must(t, w.ca.Follow(ctx))
	at(2*366*24*time.Hour, "")
	if len(w.ca.Responders()) != 0 {
		t.Error("a leaked key's responder is waited for")
	}
}

// awayKey is a key on a token that can be unplugged.
type awayKey struct {
	IssuerKey
	away bool
}

func (k *awayKey) Ready() error {
	if k.away {
		return errors.New("no token")
	}
	return k.IssuerKey.Ready()
}

// What can't be signed isn't announced, lists and certificates, however often it is
// tried; when the token is back, the next try makes it.
func TestNothingIsAnnouncedWithoutTheToken(t *testing.T) {
	w := newWorld(t, worldOptions{})
	must(t, w.ca.Close())
	key := &awayKey{IssuerKey: w.key, away: true}
	w.signing = key
	w.open()
	before := len(w.entries())
	for range 3 {
		if lists, err := w.ca.PublishDue(ctx, time.Hour); err == nil {
			t.Fatalf("%d lists without a token", len(lists))
		}
	}
	app := w.application(certifiedOf("総務　太郎"))
	for range 3 {
		if _, err := w.ca.Issue(ctx, app, "counter-terminal"); !errors.Is(err, ErrKeyAway) || StatusOf(err) != http.StatusServiceUnavailable {
			t.Fatalf("without a token: %v", err)
		}
	}
	records, err := w.reg.Size()
	must(t, err)
	if n := len(w.entries()) - before; n != 0 || records != 0 {
		t.Errorf("%d entries and %d records for what can't be signed", n, records)
	}
	key.away = false
	lists, err := w.ca.PublishDue(ctx, time.Hour)
	must(t, err)
	if len(lists) == 0 {
		t.Error("no lists after the token came back")
	}
	_, err = w.ca.Issue(ctx, app, "counter-terminal")
	must(t, err)
	w.check()
}

// Who asks again for a certificate whose issuing was not certain gets it, though the
// key is away by then: nothing is signed for that.
func TestIssuedIsToldWithoutTheToken(t *testing.T) {
	w := newWorld(t, worldOptions{})
	must(t, w.ca.Close())
	l := &lossyLog{Log: w.engine}
	key := &awayKey{IssuerKey: w.key}
	w.log, w.signing = l, key
	w.open()
	l.lose(2, true) // the answer to cert.issued
	app := w.application(certifiedOf("総務　太郎"))
	if _, err := w.ca.Issue(ctx, app, "counter-terminal"); !errors.Is(err, ErrUncertain) {
		t.Fatalf("the answer to cert.issued was lost: %v", err)
	}
	l.lose(0, false)
	key.away = true
	c, err := w.ca.Issue(ctx, app, "counter-terminal")
	must(t, err)
	if len(c.DER) == 0 {
		t.Error("no certificate")
	}
	w.check()
}
