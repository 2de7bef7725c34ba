package match_test

import (
	"testing"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/policy/holders"
)

func TestStagedList(t *testing.T) {
	w := holder(t)
	if _, ok, err := w.eng.Staged(); ok || err != nil {
		t.Errorf("staged %v, %v", ok, err)
	}
	if err := w.eng.Stage(match.Staged{Bytes: []byte("list"), Entry: []byte("entry")}); err != nil {
		t.Fatal(err)
	}
	if s, ok, err := w.eng.Staged(); !ok || err != nil || string(s.Bytes) != "list" || string(s.Entry) != "entry" {
		t.Errorf("staged %v %v, %v", s, ok, err)
	}
	w.daily() // applying a list ends the staging
	if _, ok, err := w.eng.Staged(); ok || err != nil {
		t.Errorf("staged after the list: %v, %v", ok, err)
	}
	if err := w.eng.SetSentCursor(4); err != nil || w.eng.SentCursor() != 4 {
		t.Errorf("cursor %d, %v", w.eng.SentCursor(), err)
	}
}

// A notice that the sender's policy stops waits for a person, who may have a
// new one made; one whose holder is struck off ends quietly.
func TestStopAndWithdraw(t *testing.T) {
	w := holder(t)
	w.outcomeOf(1, register.Death, attr.Attributes{})
	if err := w.eng.Stop(0, []string{"N304"}); err != nil {
		t.Fatal(err)
	}
	c := w.openCases()[0]
	w.want(c.Why, match.Denied)
	w.decide(c.ID, match.Identified, 0)
	w.want(w.notices(), "[0 0]")
	due, err := w.eng.ToLog(10)
	if err != nil || len(due) != 1 || due[0].ID != 1 {
		t.Fatalf("due %+v, %v", due, err)
	}
	if err := w.eng.Withdraw(1); err != nil {
		t.Fatal(err)
	}
	if due, err = w.eng.ToLog(10); err != nil || len(due) != 0 {
		t.Errorf("due %+v, %v", due, err)
	}
	n, err := w.eng.Counts()
	if err != nil || n.Notices[match.Stopped] != 1 || n.Notices[match.Withdrawn] != 1 {
		t.Errorf("counts %+v, %v", n, err)
	}
}

func TestAdopt(t *testing.T) {
	w := holder(t)
	var h holders.Holder
	if err := w.eng.Holders(func(x holders.Holder) error { h = x; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := w.eng.Adopt(h, 5, 77, []byte("notice")); err != nil {
		t.Fatal(err)
	}
	i, ok, err := w.eng.NextToSend()
	if err != nil || !ok || *i.Seq != 5 || *i.Index != 77 || string(i.Bytes) != "notice" {
		t.Errorf("%+v %v %v", i, ok, err)
	}
	w.want(w.outcomeOf(1, register.Death, attr.Attributes{}), match.AlreadyNotified)
	if _, err := w.eng.BySeq(4); err == nil {
		t.Error("found a notice that is not there")
	}
}
