package testlog

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Entries implements the auditor's source.
func (l *Log) Entries(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	for i := from; i < min(to, uint64(len(l.bytes))); i++ {
		if err := fn(i, l.bytes[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Council is the council member's key that approves the story's rules.
func Council() ed25519.PublicKey { return keyFrom("council").Public().(ed25519.PublicKey) }

// Approval is the council's approval of a bundle.
func Approval(bundle entry.Digest) *entry.PolicyApproved {
	proof := entry.Sum([]byte("p"))
	signed := append(append([]byte("sukashi/v1/policy.approved\n"), bundle[:]...), proof[:]...)
	return &entry.PolicyApproved{Bundle: bundle, Capabilities: entry.Sum([]byte("c")), Grammar: entry.Sum([]byte("g")), Proof: proof, Scanner: entry.Sum([]byte("s")),
		Approvals: []entry.Approval{{Key: base64.StdEncoding.EncodeToString(Council()), Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(keyFrom("council"), signed))}}}
}

// Size is the number of entries.
func (l *Log) Size() uint64 { return uint64(len(l.bytes)) }

// Story is a short history: eight certificates, two notices (one refused
// once), one request, lists and summaries. It is published at the end.
func Story(t testing.TB, now time.Time) *Log {
	l := New(t, "log.nagano.example/jpki-2026", now)
	dig := func(f string, a ...any) entry.Digest { return entry.Sum(fmt.Appendf(nil, f, a...)) }
	l.Append(entry.ByOperator, &entry.KeyCreated{Alg: "p256", Record: dig("record"), Role: "issuer", SPKI: dig("issuer")})
	policy := l.Append(entry.ByCouncil, Approval(dig("bundle")))
	decide := func(rules string, codes ...string) entry.Decision {
		return entry.Decision{Allow: len(codes) == 0, Bundle: dig("bundle"), Codes: append([]string{}, codes...), Engine: "opa-1.22.2", Facts: "ffff", Policy: policy, Ruleset: rules}
	}
	for o := range uint64(8) {
		l.Append(entry.ByCA, &entry.CertIntent{Decision: decide("issue"), Issuer: dig("issuer"), Municipality: "202011", Ordinal: o,
			Profile: dig("p"), Serial: fmt.Sprintf("%016x", 0x8000+o), Subject: dig("subject %d", o), TBS: dig("tbs %d", o)})
		l.Now = l.Now.Add(40 * time.Second)
		l.Append(entry.ByCA, &entry.CertIssued{Certificate: dig("cert %d", o), Ordinal: o})
	}
	l.Publish()
	key := commitment.Key(dig("record key"))
	for n := range uint64(2) {
		holder, _ := key.Holder(n, n)
		digest, _ := key.Notice(n, []byte{byte(n)})
		l.Append(entry.ByNoticeSender, &entry.NoticeSent{Decision: decide("notice-send"), Digest: digest, Holder: holder, Mode: entry.ModeReference, Notice: n})
		if n == 1 {
			l.Append(entry.ByCALink, &entry.NoticeRefused{Decision: decide("notice-receive", "N101", "N103"), Notice: n})
		}
		cause := l.Append(entry.ByCALink, &entry.NoticeReceived{Decision: decide("notice-receive"), Digest: digest, Notice: n})
		l.Append(entry.ByCA, &entry.Revocation{Cause: cause, Ground: entry.GroundChange, Ordinal: n, Recorded: entry.At(l.Now), Serial: fmt.Sprintf("%016x", 0x8000+n)})
		l.Now = l.Now.Add(30 * time.Second)
	}
	cause := l.Append(entry.ByCA, &entry.RevocationRequested{Decision: decide("revoke"), Ground: entry.GroundRequest, Ordinal: 5})
	l.Append(entry.ByCA, &entry.Revocation{Cause: cause, Ground: entry.GroundRequest, Ordinal: 5, Recorded: entry.At(l.Now), Serial: fmt.Sprintf("%016x", 0x8005)})
	l.Publish()
	for _, p := range []string{"full", "202011"} {
		l.Append(entry.ByCA, &entry.CRLPublished{Covers: uint64(len(l.bytes)), Entries: 3, Issuer: dig("issuer"), Number: 1, Partition: p, TBS: dig("crl %s", p)})
	}
	l.Append(entry.ByOperator, &entry.SecurityEvent{Code: "ids.alarm", Count: 2, From: entry.At(l.Now.Add(-time.Hour)), To: entry.At(l.Now)})
	l.Publish()
	return l
}
