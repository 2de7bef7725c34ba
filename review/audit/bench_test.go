package audit

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/internal/testlog"
)

// BenchmarkAudit audits a log of 200,000 entries with the kinds in the
// proportions of a year in Nagano (DOMAIN 12): about a third of the
// certificates are revoked by notices.
func BenchmarkAudit(b *testing.B) {
	l := testlog.New(b, "log.example/bench", time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	dig := func(f string, a ...any) entry.Digest { return entry.Sum(fmt.Appendf(nil, f, a...)) }
	l.Append(entry.ByOperator, &entry.KeyCreated{Alg: "p256", Record: dig("record"), Role: "issuer", SPKI: dig("issuer")})
	policy := l.Append(entry.ByCouncil, testlog.Approval(dig("bundle")))
	decide := func(rules string) entry.Decision {
		return entry.Decision{Allow: true, Bundle: dig("bundle"), Codes: []string{}, Engine: "opa-1.22.2", Facts: "ffff07", Policy: policy, Ruleset: rules}
	}
	notice := uint64(0)
	for o := uint64(0); l.Size() < 200_000; o++ {
		serial := fmt.Sprintf("%032x", o*2654435761+1)
		l.Append(entry.ByCA, &entry.CertIntent{Decision: decide("issue"), Issuer: dig("issuer"), Municipality: "202011", Ordinal: o,
			Profile: dig("p"), Serial: serial, Subject: dig("subject %d", o), TBS: dig("tbs %d", o)})
		l.Append(entry.ByCA, &entry.CertIssued{Certificate: dig("cert %d", o), Ordinal: o})
		if o%3 == 0 {
			d := dig("notice %d", notice)
			l.Append(entry.ByNoticeSender, &entry.NoticeSent{Decision: decide("notice-send"), Digest: d, Holder: dig("h"), Mode: entry.ModeReference, Notice: notice})
			cause := l.Append(entry.ByCALink, &entry.NoticeReceived{Decision: decide("notice-receive"), Digest: d, Notice: notice})
			l.Append(entry.ByCA, &entry.Revocation{Cause: cause, Ground: entry.GroundChange, Ordinal: o, Recorded: entry.At(l.Now), Serial: serial})
			notice++
		}
		if o%64 == 0 {
			l.Publish()
		}
	}
	cp := l.Publish()
	src := Source{Log: l, Checkpoint: cp, Policy: l.Policy()}
	o := Options{Now: l.Now, List: 1000 * time.Hour, Status: time.Hour}
	before := cpuTime(b)
	for b.Loop() {
		r, err := Audit(context.Background(), src, o)
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range r.Findings() {
			if f.Class == ClassD && f.Check != "POL-2" {
				b.Fatal(f.Check, f.Text.EN)
			}
		}
	}
	// On a machine that others use as well, processor time is the honest figure.
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N)/float64(l.Size()), "cpu-ns/entry")
	b.ReportMetric(float64(l.Size())*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// cpuTime is the processor time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
