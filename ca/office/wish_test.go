package office

import (
	"bytes"
	"encoding/json"
	"net/http"
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
	h, err := New(Config{Authority: new(ca.Authority), Identify: func(*http.Request) (Officer, bool) { return Officer{}, false }, Now: time.Now})
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
