package ca

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/notice"
)

func (w *world) receive(raw []byte, from Arrival) *Outcome {
	w.t.Helper()
	out, err := w.ca.ReceiveNotice(ctx, raw, from)
	must(w.t, err)
	return out
}

// Scenario 13: a replayed notice is acknowledged and does nothing.
func TestReplayedNotice(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	raw, from := w.sendNotice(0)
	first := w.receive(raw, from)
	for range 2 {
		again := w.receive(raw, from)
		if !again.Repeated || again.Index != first.Index || again.Revocation == nil || *again.Revocation != *first.Revocation {
			t.Fatalf("again: %+v", again)
		}
		w.restart()
	}
	es := w.entries()
	if count[*entry.NoticeReceived](es) != 1 || count[*entry.Revocation](es) != 1 {
		t.Error("a replay was logged or acted on")
	}
	// A copy with something beside its bytes is no copy: refused on record.
	aside := from
	aside.Metadata.Header = maps.Clone(from.Metadata.Header)
	aside.Metadata.Header["X-Code"] = []string{"12345678902"}
	stranger := from
	stranger.Sender = "juki-terminal"
	for code, from := range map[string]Arrival{"N406": aside, "N201": stranger} {
		if _, err := w.ca.ReceiveNotice(ctx, raw, from); !strings.Contains(codes(err), code) {
			t.Errorf("a copy, %s: %v", code, err)
		}
		w.restart() // the same bytes refused twice in a row are on record once
	}
	if n := count[*entry.NoticeRefused](w.entries()); n != 2 {
		t.Errorf("%d refusals on record", n)
	}
	// Other bytes under a used number are refused and change nothing.
	w.issue("総務　花子")
	other, err := notice.Notice{Mode: notice.Reference, Seq: 0, Ordinal: 1}.Marshal()
	must(t, err)
	if _, err := w.ca.ReceiveNotice(ctx, other, from); !strings.Contains(codes(err), "N203") {
		t.Errorf("another notice under a used number: %v", err)
	}
	w.check()
}

// Scenarios 14 and 15: nothing is left to revoke, and that is on record.
func TestNoticeForDeadCertificate(t *testing.T) {
	for name, kill := range map[string]func(w *world){
		"expired": func(w *world) { w.clock.set(w.clock.now().AddDate(5, 0, 1)) },
		"revoked on request": func(w *world) {
			_, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: 0, Ground: entry.GroundRequest, Role: RoleCounter, Operators: [2]string{"op-1", "op-2"}})
			must(w.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, worldOptions{})
			w.issue("総務　太郎")
			kill(w)
			revoked := count[*entry.Revocation](w.entries())
			raw, from := w.sendNotice(0)
			if out := w.receive(raw, from); out.Revocation != nil {
				t.Errorf("outcome %+v", out)
			}
			if out := w.receive(raw, from); !out.Repeated || out.Revocation != nil {
				t.Errorf("again: %+v", out)
			}
			es := w.entries()
			if count[*entry.NoticeReceived](es) != 1 || count[*entry.Revocation](es) != revoked {
				t.Error("the notice must be on record and revoke nothing")
			}
			w.issue("総務　花子")
			raw, from = w.sendNotice(1)
			if out := w.receive(raw, from); out.Revocation == nil {
				t.Error("the next notice is stuck")
			}
			w.check()
		})
	}
}

// Scenario 5: marriage with a move on one day: two corrections reach the
// register, one revocation follows, whatever the number of notices.
func TestTwoCorrectionsOneRevocation(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　花子")
	for i := range 2 {
		raw, from := w.sendNotice(0)
		if out := w.receive(raw, from); (out.Revocation != nil) != (i == 0) {
			t.Errorf("notice %d: %+v", i, out)
		}
	}
	w.check()
}

// Scenario 16: the holder asks for revocation while a change is pending. Both
// come in at the same moment; one of them revokes.
func TestRequestWhileChangeIsPending(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	raw, from := w.sendNotice(0)
	done := make(chan error)
	go func() {
		_, err := w.ca.RevokeOnRequest(ctx, RevocationRequest{Ordinal: 0, Ground: entry.GroundKeyLeak, Role: RoleCounter, Operators: [2]string{"op-1", "op-2"}})
		done <- err
	}()
	w.receive(raw, from)
	if err := <-done; err != nil && codes(err) != "R205" {
		t.Error(err)
	}
	if n := count[*entry.Revocation](w.entries()); n != 1 {
		t.Errorf("%d revocations", n)
	}
	w.check()
}

// Scenario 9, seen from the receiving end: what is not a notice is refused on
// record, without its content, and leaves the number to the real one.
func TestForeignNotices(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	w.issue("総務　花子")
	raw, from := w.sendNotice(0)
	s := string(raw)
	meta := arrival()
	meta.Metadata.Header = map[string][]string{"Content-Type": {"application/octet-stream"}, "User-Agent": {"99999000017"}}
	for name, c := range map[string]struct {
		raw  string
		from Arrival
		code string
	}{
		"extra field":        {strings.Replace(s, `"v":1`, `"code":"99999000017","v":1`, 1), from, "N103"},
		"space":              {s + " ", from, "N102"},
		"empty":              {"", from, "N101"},
		"garbage":            {"\x00\xff", from, "N101"},
		"huge":               {strings.Repeat("9", notice.MaxSize+1), from, "N101"},
		"other mode":         {strings.Replace(s, "reference", "verbose", 1), from, "N104"},
		"future number":      {strings.Replace(s, `"seq":0`, `"seq":7`, 1), from, "N203"},
		"another ordinal":    {strings.Replace(s, `"ordinal":0`, `"ordinal":1`, 1), from, "N206"},
		"unknown sender":     {s, Arrival{Sender: "ca-server", Metadata: from.Metadata}, "N201"},
		"code in the header": {s, meta, "N406"},
	} {
		if name == "unknown sender" || name == "code in the header" {
			continue // these are the very notice: see TestRefusedForGood
		}
		if _, err := w.ca.ReceiveNotice(ctx, []byte(c.raw), c.from); !strings.Contains(codes(err), c.code) {
			t.Errorf("%s: want %s, got %v", name, c.code, err)
		}
		_, err := w.ca.ReceiveNotice(ctx, []byte(c.raw), c.from)
		var r *Refused
		if !errors.As(err, &r) {
			t.Errorf("%s again: %v", name, err)
		}
	}
	if n := count[*entry.NoticeRefused](w.entries()); n != 8 {
		t.Errorf("%d refusals on record for 8 different messages", n)
	}
	if out := w.receive(raw, from); out.Revocation == nil {
		t.Error("the real notice must still be taken in")
	}
	size, err := w.engine.Size(ctx)
	must(t, err)
	must(t, w.engine.Entries(ctx, 0, size, func(i uint64, b []byte) error {
		if bytes.Contains(b, []byte("99999000017")) {
			t.Errorf("entry %d holds the code", i)
		}
		return nil
	}))
	w.check()
}

// A refusal of exactly what the sender logged is final: it uses up the number,
// so that the next notice isn't held up, and the same bytes get the same answer.
func TestRefusedForGood(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	w.issue("総務　花子")
	raw, from := w.sendNotice(0)
	from.Metadata.Header["X-Extra"] = []string{"1"}
	if _, err := w.ca.ReceiveNotice(ctx, raw, from); codes(err) != "N406" {
		t.Fatal(err)
	}
	w.restart()
	if _, err := w.ca.ReceiveNotice(ctx, raw, arrival()); codes(err) != "N406" {
		t.Errorf("a final refusal turned into %v", err)
	}
	raw, from = w.sendNotice(1)
	if out := w.receive(raw, from); out.Revocation == nil || out.Seq != 1 {
		t.Errorf("next notice: %+v", out)
	}
	w.check()
}

// An unknown certificate: nobody can tell whether these are the logged bytes,
// and nothing that arrives later can help, so the refusal is final.
func TestNoticeForUnknownCertificate(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	rec, err := w.reg.Get(0)
	must(t, err)
	rec.Ordinal = 99
	raw, from := w.sendNoticeAs(rec)
	if _, err := w.ca.ReceiveNotice(ctx, raw, from); !strings.Contains(codes(err), "N204") {
		t.Fatal(err)
	}
	raw, from = w.sendNotice(0)
	if out := w.receive(raw, from); out.Seq != 1 || out.Revocation == nil {
		t.Errorf("%+v", out)
	}
	w.check()
}

// Scenario 10, seen from the receiving end: an echo of anything but the
// certified attributes is refused.
func TestEchoMustBeAsCertified(t *testing.T) {
	w := newWorld(t, worldOptions{mode: notice.Echo})
	w.issue("総務　太郎")
	raw, from := w.sendNotice(0)
	moved := bytes.Replace(raw, []byte("鶴賀"), []byte("松代"), 1)
	if _, err := w.ca.ReceiveNotice(ctx, moved, from); codes(err) == "" {
		t.Fatal("an address that was never certified was taken in")
	}
	if len(w.entries()) == 0 || count[*entry.Revocation](w.entries()) != 0 {
		t.Error("it revoked something")
	}
	w.check()
}

// Scenario 17: a correction that is taken back doesn't bring a certificate
// back; the holder gets a new one.
func TestRevertedCorrection(t *testing.T) {
	w := newWorld(t, worldOptions{})
	w.issue("総務　太郎")
	raw, from := w.sendNotice(0)
	w.receive(raw, from)
	w.clock.add(time.Hour)
	again := w.issue("総務　太郎")
	if again.Ordinal != 1 {
		t.Errorf("ordinal %d", again.Ordinal)
	}
	old, err := w.ca.Certificate(0)
	must(t, err)
	if !old.Revoked {
		t.Error("a revoked certificate came back")
	}
	w.check()
}
