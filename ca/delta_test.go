package ca

import (
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// get fetches a list as a client does; nil if there is none.
func get(t *testing.T, url string) (*x509.RevocationList, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, resp.Header
	}
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	crl, err := x509.ParseRevocationList(b)
	must(t, err)
	return crl, resp.Header
}

// serials adds what a list revokes.
func serials(into map[string]bool, crl *x509.RevocationList) map[string]bool {
	for _, e := range crl.RevokedCertificateEntries {
		into[e.SerialNumber.String()] = true
	}
	return into
}

// baseOf is the number in deltaCRLIndicator.
func baseOf(t testing.TB, crl *x509.RevocationList) int64 {
	t.Helper()
	for _, e := range crl.Extensions {
		if e.Id.String() == "2.5.29.27" && e.Critical {
			return new(big.Int).SetBytes(e.Value[2:]).Int64()
		}
	}
	t.Fatal("no delta")
	return 0
}

// Four days as a role lives through them, with a revocation now and then: a client
// that keeps each complete list until its nextUpdate and fetches the newest delta
// knows every revocation within deltaWait and a step of the clock, whichever of
// the lists in force it holds. Restarts in between change nothing.
func TestDeltasKeepClientsUpToDate(t *testing.T) {
	w := newWorld(t, worldOptions{})
	srv := httptest.NewServer(Public(w.ca, nil))
	defer func() { srv.Close() }()
	held := map[string][]*x509.RevocationList{} // every complete list that was served
	revoked := map[string]time.Time{}
	var live []uint64
	for n := range 12 {
		live = append(live, w.issue(fmt.Sprintf("住民　%c", 'あ'+rune(n))).Ordinal)
	}
	const step = 7 * time.Minute
	deltas := 0
	for i := range int(4 * 24 * time.Hour / step) {
		if i%97 == 50 && i < 400 { // the last two days are quiet
			r, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: live[0], Ground: entry.GroundKeyLeak, Role: RoleCounter, Operators: [2]string{"op-1", "op-2"}})
			must(t, err)
			n, _ := new(big.Int).SetString(r.Serial, 16)
			revoked[n.String()] = w.clock.now()
			live = live[1:]
		}
		if i%200 == 60 {
			w.restart()
			srv.Close()
			srv = httptest.NewServer(Public(w.ca, nil))
		}
		must(t, w.ca.Follow(ctx))
		lists, err := w.ca.PublishDue(ctx, 24*time.Hour)
		must(t, err)
		for _, l := range lists {
			if l.Base > 0 {
				deltas++
			}
		}
		must(t, w.ca.CheckLists(ctx))
		for _, p := range []string{"full", town} {
			full, _ := get(t, srv.URL+"/crl/"+p+".crl")
			if n := len(held[p]); n == 0 || held[p][n-1].Number.Cmp(full.Number) != 0 {
				held[p] = append(held[p], full)
			}
			delta, _ := get(t, srv.URL+"/crl/"+p+"-delta.crl")
			if delta != nil && w.clock.now().After(delta.NextUpdate) {
				t.Fatalf("step %d: the delta of %s is over", i, p)
			}
			w.clientsKnow(i, held[p], delta, revoked)
		}
		w.clock.add(step)
	}
	if deltas < 20 || deltas > 60 {
		t.Errorf("%d deltas", deltas)
	}
	for _, p := range []string{"full", town} {
		if d, _ := get(t, srv.URL+"/crl/"+p+"-delta.crl"); d != nil {
			t.Errorf("a delta of %s that nobody needs", p)
		}
	}
	if n := count[*entry.SecurityEvent](w.entries()); n != 0 {
		t.Errorf("%d alarms", n)
	}
	t.Logf("%d revocations, %d deltas", len(revoked), deltas)
	w.check()
}

// clientsKnow puts the delta on every complete list in force, by RFC 5280 5.2.4.
func (w *world) clientsKnow(step int, held []*x509.RevocationList, delta *x509.RevocationList, revoked map[string]time.Time) {
	w.t.Helper()
	now := w.clock.now()
	for _, l := range held {
		if !now.Before(l.NextUpdate) {
			continue
		}
		knows := serials(map[string]bool{}, l)
		if delta != nil && delta.Number.Cmp(l.Number) > 0 {
			if baseOf(w.t, delta) > l.Number.Int64() {
				w.t.Fatalf("step %d: who holds list %s can't use the delta on %d", step, l.Number, baseOf(w.t, delta))
			}
			serials(knows, delta)
		}
		for serial, at := range revoked {
			if now.Sub(at) >= deltaWait && !knows[serial] {
				w.t.Fatalf("step %d: who holds list %s doesn't know of a revocation %v ago", step, l.Number, now.Sub(at))
			}
		}
	}
}

// A delta waits for others for a minute, is announced with its base, goes to HTTP
// caches for no longer than a minute, and is gone when nobody needs it; lists of
// CA certificates have none, nor has a CA that is told to make none.
func TestDelta(t *testing.T) {
	w := newWorld(t, worldOptions{})
	srv := httptest.NewServer(Public(w.ca, nil))
	defer srv.Close()
	a, b := w.issue("総務　太郎"), w.issue("総務　花子")
	must(t, w.ca.Follow(ctx))
	_, err := w.ca.PublishDue(ctx, 24*time.Hour)
	must(t, err)
	w.clock.add(time.Hour)
	raw, from := w.sendNotice(a.Ordinal)
	w.receive(raw, from)
	raw, from = w.sendNotice(b.Ordinal)
	w.clock.add(deltaWait - time.Second)
	w.receive(raw, from)
	must(t, w.ca.Follow(ctx))
	none, err := w.ca.PublishDeltas(ctx)
	must(t, err)
	if len(none) != 0 {
		t.Error("a delta at once")
	}
	w.clock.add(time.Second)
	made, err := w.ca.PublishDeltas(ctx)
	must(t, err)
	again, err := w.ca.PublishDeltas(ctx)
	must(t, err)
	if len(made) != 2 || len(again) != 0 || made[0].Entries != 2 || made[0].Base != 1 || made[0].Number != 2 {
		t.Fatalf("%d and %d deltas: %+v", len(made), len(again), made)
	}
	es := w.entries()
	body, ok := es[made[0].Index].Body.(*entry.CRLPublished)
	if !ok || body.Base == nil || *body.Base != 1 || body.Number != 2 || body.Entries != 2 {
		t.Errorf("announced as %+v", body)
	}
	d, h := get(t, srv.URL+"/crl/full-delta.crl")
	if d == nil || h.Get("Cache-Control") != "max-age=60, public, no-transform, must-revalidate" || h.Get("ETag") == "" || h.Get("Content-Type") != "application/pkix-crl" {
		t.Errorf("headers %v", h)
	}
	if d.NextUpdate.Sub(d.ThisUpdate) != 6*time.Hour {
		t.Errorf("the delta lives for %v", d.NextUpdate.Sub(d.ThisUpdate))
	}
	full, _ := get(t, srv.URL+"/crl/full.crl")
	if !maps.Equal(serials(map[string]bool{}, full), map[string]bool{}) {
		t.Error("the complete list has moved")
	}
	if d, h := get(t, srv.URL+"/crl/209999-delta.crl"); d != nil || h.Get("Cache-Control") != "no-store" {
		t.Errorf("a delta of another place: %v", h)
	}
	if d, _ := get(t, srv.URL+"/crl/ca-delta.crl"); d != nil {
		t.Error("a delta of CA certificates")
	}
	w.check()
}

// A delta that nobody makes: an alarm in time, another when it is over, and a
// client that is strict learns it from the old delta.
func TestDeltaAlarms(t *testing.T) {
	w := newWorld(t, worldOptions{})
	srv := httptest.NewServer(Public(w.ca, nil))
	defer srv.Close()
	a := w.issue("総務　太郎")
	_, err := w.ca.PublishCRLs(ctx)
	must(t, err)
	w.clock.add(time.Minute)
	raw, from := w.sendNotice(a.Ordinal)
	w.receive(raw, from)
	alarms := func() (out []string) {
		t.Helper()
		must(t, w.ca.CheckLists(ctx))
		for _, e := range w.entries() {
			if b, ok := e.Body.(*entry.SecurityEvent); ok {
				out = append(out, fmt.Sprint(b.Code, " ", b.Count))
			}
		}
		return out
	}
	at := func(d time.Duration, want ...string) {
		t.Helper()
		w.clock.add(d)
		if got := alarms(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	at(4 * time.Hour)
	at(time.Hour, "crl.ending 2")
	at(time.Hour, "crl.ending 2", "crl.over 2")
	if made, err := w.ca.PublishDeltas(ctx); err != nil || len(made) != 2 {
		t.Fatalf("%d, %v", len(made), err)
	}
	at(4*time.Hour, "crl.ending 2", "crl.over 2")
	at(3*time.Hour, "crl.ending 2", "crl.over 2", "crl.over 2")
	if d, _ := get(t, srv.URL+"/crl/full-delta.crl"); d == nil || w.clock.now().Before(d.NextUpdate) {
		t.Error("the overdue delta is hidden")
	}
	w.check()
}
