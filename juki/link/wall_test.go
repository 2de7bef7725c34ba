package link_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/canary"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/invented"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// wire keeps every byte that leaves the link server for the CA side.
type wire struct {
	next  http.RoundTripper
	bytes *bytes.Buffer
}

func (t wire) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	fmt.Fprintf(t.bytes, "%s %s %v\n%s\n", r.Method, r.URL, r.Header, b)
	return t.next.RoundTrip(r)
}

// A month of invented residents, in both modes: nothing that leaves the zone
// (requests, ledger entries, log lines, answers) holds a canary.
func TestNothingLeavesTheZone(t *testing.T) {
	for _, mode := range []string{notice.Reference, notice.Echo} {
		t.Run(mode, func(t *testing.T) {
			out, net, sent := playMonth(t, mode)
			if hits := net.Scan("link", out); len(hits) > 0 {
				t.Errorf("%d hits, such as %v", len(hits), hits[0])
			}
			if sent.Delivered < 20 {
				t.Errorf("only %d notices", sent.Delivered)
			}
		})
	}
}

func playMonth(t *testing.T, mode string) ([]byte, *canary.Net, link.Sent) {
	ctx := context.Background()
	w := newWorldOn(t, mode, "/juki", kv.NewMemFS())
	office := &juki.Office{Register: w.reg, Matching: w.eng}
	rs, err := people.Generate(3, 300)
	if err != nil {
		t.Fatal(err)
	}
	p, err := invented.Load(office, rs, people.Changes(3, rs, 0.3))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w.srv, err = link.New(link.Config{Engine: w.eng, Register: w.reg, Log: w.log, Decider: w.dec, Mode: mode,
		Client: &http.Client{Transport: wire{direct{w.ca}, &out}}, URL: caURL, Now: w.now,
		Peer:   func(r *http.Request) (string, bool) { return entry.ByCALink, true },
		Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rs {
		if i%3 == 2 {
			continue // has no certificate
		}
		if _, err := w.reg.RecordExport(r.Code, r.Municipality, "op-1", nil); err != nil {
			t.Fatal(err)
		}
		w.certify(r)
	}
	w.mustReceive(w.daily())
	var sum link.Sent
	for day := range p.Last() + 1 {
		if _, err := p.Day(ctx, day); err != nil {
			t.Fatal(err)
		}
		n, err := w.srv.Flush(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sum.Delivered += n.Delivered
		if n.Rejected+n.Stopped > 0 {
			t.Errorf("day %d: %+v", day, n)
		}
	}
	w.settled()
	for _, b := range w.log.entries {
		out.Write(b)
		out.WriteByte('\n')
	}
	s, err := office.Stats()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%+v", s) // figures may leave the zone
	var lines bytes.Buffer
	if err := office.WriteCanaries(&lines); err != nil {
		t.Fatal(err)
	}
	net := canary.NewNet(canary.Lines(lines.Bytes()))
	w.plantedLeakIsFound(net, rs[0].Code)
	return out.Bytes(), net, sum
}

// plantedLeakIsFound is the test of the test.
func (w *world) plantedLeakIsFound(net *canary.Net, values ...string) {
	w.t.Helper()
	for _, v := range values {
		if len(net.Scan("leak", []byte("x"+v))) == 0 {
			w.t.Error("a planted leak was not found")
		}
	}
}

// certify issues a certificate with the resident's own substitutes.
func (w *world) certify(r people.Resident) {
	w.t.Helper()
	c := attr.Certified{BirthDate: r.Attr.BirthDate, Sex: r.Attr.Sex}
	var err error
	if c.Name, c.NameMap, err = jtext.Substitute(r.Attr.Name, r.SubstituteName); err != nil {
		w.t.Fatal(err)
	}
	if c.Address, c.AddressMap, err = jtext.Substitute(r.Attr.Address, r.SubstituteAddress); err != nil {
		w.t.Fatal(err)
	}
	h := holders.Holder{Ordinal: w.next, Key: commitment.Key{9, byte(w.next), byte(w.next >> 8)}, Certified: c}
	w.next++
	w.new = append(w.new, h)
	w.ca.keys[h.Ordinal] = h
}

// Any bytes as M1: an answer, never a change of what is held.
func FuzzReceive(f *testing.F) {
	w := newWorldOn(f, "", "/juki", kv.NewMemFS())
	f.Cleanup(w.close)
	w.residents(2)
	again := holders.List{Day: "2026-12-01", Seq: 1, Total: 2}
	b, err := again.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add(append(b[:len(b):len(b)], '\n'))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		w.t = t
		status, code := w.post(b)
		if status != http.StatusConflict || code == "internal" {
			t.Errorf("status %d, code %s", status, code)
		}
		if c, err := w.eng.Counts(); err != nil || c.Holders != 2 || c.Lists != 1 || c.Arrivals[match.InForce] != 2 {
			t.Errorf("counts %+v, %v", c, err)
		}
	})
}
