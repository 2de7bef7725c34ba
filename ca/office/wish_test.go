package office

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// What is no wish stays none: members that don't go together, ordinals out of
// order, another version.
func TestParseWish(t *testing.T) {
	for s, ok := range map[string]bool{
		`{"act":"revoke","ground":"art9","ordinals":[5],"v":1}`:                       true,
		`{"act":"revoke-all","ground":"art14","v":1}`:                                 true,
		`{"act":"erase","basis":"retention-end","ordinals":[1,2],"v":1}`:              true,
		`{"act":"disclose","basis":"own-request","ordinals":[1],"v":1}`:               true,
		`{"act":"revoke","ground":"art12","ordinals":[5],"v":1}`:                      false, // only a notice does that
		`{"act":"revoke","ground":"art9","ordinals":[5,6],"v":1}`:                     false,
		`{"act":"revoke","ground":"art9","v":1}`:                                      false,
		`{"act":"revoke","ground":"art9","basis":"own-request","ordinals":[5],"v":1}`: false,
		`{"act":"revoke-all","ground":"art13","v":1}`:                                 false,
		`{"act":"revoke-all","ground":"art14","ordinals":[1],"v":1}`:                  false,
		`{"act":"erase","basis":"own-request","ordinals":[1],"v":1}`:                  false,
		`{"act":"erase","basis":"retention-end","ordinals":[2,1],"v":1}`:              false,
		`{"act":"erase","basis":"retention-end","ordinals":[1,1],"v":1}`:              false,
		`{"act":"erase","basis":"retention-end","ordinals":[9007199254740992],"v":1}`: false,
		`{"act":"publish-lists","v":1}`:                                               false,
		`{"act":"revoke-all","ground":"art14","v":1}{}`:                               false,
		`{"act":"revoke-all","ground":"art14"}`:                                       false,
	} {
		if _, err := parseWish([]byte(s)); (err == nil) != ok {
			t.Errorf("%s: %v", s, err)
		}
	}
	if mayWish(Auditor, Wish{Act: entry.ActErase}) || mayWish(Counter, Wish{Act: entry.ActRevokeAll}) {
		t.Error("a role may wish what it may not")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an office without an authority")
	}
}

// Every route is in the description (that every described operation is served,
// the test of internal/world shows).
func TestRoutesAreDescribed(t *testing.T) {
	h, err := New(Config{Authority: new(ca.Authority), Proposals: nothing{}, Identify: func(*http.Request) (Officer, bool) { return Officer{}, false }, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = h.(*mux.Router).Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := r.GetPathTemplate()
		if err != nil {
			return err
		}
		n++
		path = strings.ReplaceAll(path, ":[0-9a-f]{32}", "")
		if !bytes.Contains(OpenAPI, []byte("\n  "+path+":\n")) {
			t.Errorf("%s is not described", path)
		}
		return nil
	})
	if err != nil || n != 8 {
		t.Errorf("%d routes, %v", n, err)
	}
}

// nothing is an office's store in which nothing waits.
type nothing struct{}

func (nothing) SetProposal(string, []byte) error      { return nil }
func (nothing) DropProposal(string) error             { return nil }
func (nothing) Proposals() (map[string][]byte, error) { return nil, nil }

// What is kept reads back as it was, and what was changed in the store does not.
func TestKeptProposals(t *testing.T) {
	w, err := parseWish([]byte(`{"act":"erase","basis":"retention-end","ordinals":[1,2],"v":1}`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProposal(w, Officer{"ca-officer-1", entry.Sum([]byte("c"))}, Operator, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	m := memory{}
	o := &office{c: Config{Proposals: m}, all: map[string]*proposal{}}
	if err := o.keep(p); err != nil {
		t.Fatal(err)
	}
	if err := o.load(); err != nil || !reflect.DeepEqual(o.all[p.id], p) {
		t.Errorf("%+v, want %+v: %v", o.all[p.id], p, err)
	}
	good := string(m[p.id])
	for _, r := range [][2]string{{"erase", "revoke"}, {`"operator"`, `"auditor"`}, {`"operator"`, `"counter"`}, {"ca-officer-1", ""}, {"[1,2]", "[2,1]"}, {"{", ""}} {
		m[p.id] = []byte(strings.Replace(good, r[0], r[1], 1))
		if err := o.load(); err == nil {
			t.Errorf("%s reads", m[p.id])
		}
	}
}

type memory map[string][]byte

func (m memory) SetProposal(id string, b []byte) error { m[id] = b; return nil }
func (m memory) DropProposal(id string) error          { delete(m, id); return nil }
func (m memory) Proposals() (map[string][]byte, error) { return m, nil }

func FuzzParseWish(f *testing.F) {
	f.Add([]byte(`{"act":"revoke","ground":"art9","ordinals":[5],"v":1}`))
	f.Add([]byte(`{"act":"erase","basis":"retention-end","ordinals":[1,2],"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := parseWish(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseWish(again); err != nil {
			t.Errorf("%s reads, %s does not", b, again)
		}
	})
}
