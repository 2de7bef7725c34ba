package juki_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/register"
)

// M2: a terminal reports its own municipality's changes, whole batches or
// nothing; strangers, other towns and other forms are refused.
func TestReportChanges(t *testing.T) {
	ctx := context.Background()
	o, err := juki.Open(juki.Config{Dir: "/juki", Now: time.Now, KV: kv.Options{FS: kv.NewMemFS(), CacheBytes: 1 << 20, MemTable: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	rs, err := people.Generate(9, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		if _, err := o.Register.Import([]register.Resident{{Code: r.Code, Municipality: r.Municipality, Attr: r.Attr}}); err != nil {
			t.Fatal(err)
		}
	}
	town, ok := rs[0].Municipality, true
	srv := httptest.NewServer(o.ChangesHandler(func(*http.Request) (string, bool) { return town, ok }))
	defer srv.Close()
	moved := register.Event{Kind: register.MoveWithin, Code: rs[0].Code, Municipality: town, Attr: rs[0].Attr}
	moved.Attr.Address += "１号"
	death := register.Event{Kind: register.Death, Code: rs[0].Code, Municipality: town}

	ok = false
	if _, err := juki.Report(ctx, srv.Client(), srv.URL, moved); say.Code(err) != juki.CodeIntakePeer {
		t.Errorf("a stranger: %v", err)
	}
	ok, town = true, "202029"
	if rs[0].Municipality == town {
		town = "202011"
	}
	if _, err := juki.Report(ctx, srv.Client(), srv.URL, moved); say.Code(err) != juki.CodeIntakeTown {
		t.Errorf("another town: %v", err)
	}
	town = rs[0].Municipality
	_, err = juki.Report(ctx, srv.Client(), srv.URL, moved, moved)
	if say.Code(err) != register.CodeContent || o.Register.Size() != 0 {
		t.Errorf("a batch with a wrong change: %v, %d taken in", err, o.Register.Size())
	}
	for l, want := range map[say.Lang][2]string{say.Japanese: {"2 件目: ", "ほかの異動も受け付けていません。"}, say.English: {"Change 2: ", "None of the others was taken in."}} {
		if text, hint := say.For(err, l); !strings.HasPrefix(text, want[0]) || !strings.HasPrefix(hint, want[1]) {
			t.Errorf("a batch with a wrong change: %q, %q", text, hint)
		}
	}
	for name, body := range map[string]string{"nothing": "", "no events": `{"events":[]}`, "another field": `{"events":[],"note":"x"}`,
		"two messages": `{"events":[]}{}`, "too long": `{"events":[` + strings.Repeat(" ", 1<<21) + `]}`} {
		resp, err := srv.Client().Post(srv.URL+juki.PathChanges, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	at, err := juki.Report(ctx, srv.Client(), srv.URL, moved, death)
	if err != nil || len(at) != 2 || at[0] != 0 || at[1] != 1 {
		t.Fatalf("%v %v", at, err)
	}
	if o.Matching.Cursor() != 2 {
		t.Error("the changes are not matched")
	}
	srv.Close()
	if _, err := juki.Report(ctx, http.DefaultClient, srv.URL, moved); say.Code(err) != juki.CodeIntakeDown {
		t.Errorf("nobody there: %v", err)
	}
}
