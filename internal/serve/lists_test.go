package serve

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/profile"
)

// The metric shows for each kind the list that ends first, a missing one as
// none left, and no place.
func TestListMetrics(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	at := func(partition string, number uint64, d time.Duration) ca.ListState {
		return ca.ListState{Partition: partition, Number: number, NextUpdate: now.Add(d)}
	}
	states, fail := []ca.ListState{at("full", 3, 20*time.Hour), at("202011", 3, 20*time.Hour), at("202029", 1, -time.Minute), at("ca", 0, 0),
		{Partition: "full", Delta: true, Number: 4, NextUpdate: now.Add(3 * time.Hour)}, {Partition: "202011", Delta: true, NextUpdate: now.Add(time.Hour)},
		{Partition: "full", Number: 9, NextUpdate: profile.NoNextUpdate, Last: true}}, error(nil)
	m := newMetrics()
	m.lists(func() ([]ca.ListState, error) { return states, fail }, func() time.Time { return now })
	mux := http.NewServeMux()
	m.mount(mux, nil)
	read := func() string {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return w.Body.String()
	}
	text := read()
	for _, want := range []string{`sukashi_ca_list_seconds_left{kind="full"} 72000`, `{kind="partition"} -60`, `{kind="ca"} 0`, `{kind="delta"} 3600`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "2020") {
		t.Error("a place is a label")
	}
	if fail = errors.New("broken"); strings.Contains(read(), "sukashi_ca_list_seconds_left{") {
		t.Error("a figure that nobody knows is shown")
	}
}

// The responder that ends first counts; without one there is no figure.
func TestResponderLeft(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) ca.ResponderState { return ca.ResponderState{NotAfter: now.Add(d)} }
	if got := responderLeft([]ca.ResponderState{at(time.Hour), at(-time.Minute), at(2 * time.Hour)}, now); got != -60 {
		t.Errorf("%v seconds are left", got)
	}
	if got := responderLeft(nil, now); !math.IsNaN(got) {
		t.Errorf("without a responder %v seconds are left", got)
	}
}

// What relying parties lack is said, and the role goes on serving its callers;
// what they can do without is not.
func TestOverdue(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	full := ca.ListState{Partition: "full", Number: 1, NextUpdate: now.Add(time.Hour)}
	old := ca.ListState{Partition: "202011", Number: 1, NextUpdate: now.Add(-time.Second)}
	last, delta := old, old
	last.Last, delta.Delta = true, true
	responder := func(d time.Duration) ca.ResponderState { return ca.ResponderState{NotAfter: now.Add(d)} }
	for name, c := range map[string]struct {
		lists      []ca.ListState
		responders []ca.ResponderState
		ok         bool
	}{
		"all in force":               {[]ca.ListState{full, last, delta, {Partition: "ca"}}, []ca.ResponderState{responder(time.Hour)}, true},
		"no responder of its own":    {[]ca.ListState{full}, nil, true},
		"no complete list yet":       {[]ca.ListState{{Partition: "full"}}, nil, false},
		"a list overdue":             {[]ca.ListState{full, old}, nil, false},
		"one responder of two ended": {[]ca.ListState{full}, []ca.ResponderState{responder(time.Hour), responder(-time.Second)}, false},
	} {
		if err := overdue(c.lists, c.responders, now); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	var err error
	mux := http.NewServeMux()
	newMetrics().mount(mux, func(context.Context) error { return err })
	for _, c := range []struct {
		err    error
		status int
		body   string
	}{
		{nil, 200, "ok\n"}, {errors.New("not active"), 503, "unhealthy\n"},
		{overdue([]ca.ListState{old}, nil, now), 200, "impaired: a revocation list is overdue\n"},
	} {
		err = c.err
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%v is answered with %d %q", c.err, w.Code, w.Body)
		}
	}
}
