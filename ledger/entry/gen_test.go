package entry_test

import (
	"bytes"
	"encoding/base64"
	"slices"
	"time"

	"pgregory.net/rapid"

	. "github.com/sukashi-project/sukashi/ledger/entry"
)

// allKinds is every kind, in the order of the source.
var allKinds = []Kind{KindGenesis, KindKeyCreated, KindKeyRetired, KindPolicyApproved, KindCertIntent, KindCertIssued,
	KindCertAborted, KindHoldersSent, KindHoldersReceived, KindNoticeSent, KindNoticeReceived, KindNoticeRefused,
	KindRevocationRequested, KindRevocation, KindStatusRoot, KindCRLPublished, KindDisclosure, KindErasure,
	KindReviewDraw, KindReviewReport, KindSecurityEvent, KindKeySucceeded, KindKeyLeaked, KindCrossIntent, KindCrossRevoked,
	KindTestAnnounced, KindCountsSent, KindCountsReceived, KindOperatorAct}

// g draws the parts of valid bodies.
type g struct{ t *rapid.T }

func (d g) digest() (x Digest) {
	copy(x[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(d.t, "digest"))
	x[5] |= 1
	return x
}

func (d g) count() uint64 {
	return rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64Range(0, MaxSafeInteger), rapid.Just[uint64](MaxSafeInteger)).Draw(d.t, "count")
}

func (d g) word(max int) string {
	return rapid.StringMatching(`[A-Za-z0-9._/+:=-]{1,`+itoa(max)+`}`).Draw(d.t, "word")
}

func itoa(n int) string {
	if n >= 10 {
		return itoa(n/10) + itoa(n%10)
	}
	return string(rune('0' + n))
}

func (d g) hex(max int) string {
	return rapid.StringMatching(`([0-9a-f]{2}){1,`+itoa(max)+`}`).Draw(d.t, "hex")
}

func (d g) time() Time {
	return At(time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(d.t, "time"), 999))
}

func (d g) pick(list ...string) string { return rapid.SampledFrom(list).Draw(d.t, "pick") }

func (d g) bytes64(n int) string {
	some := min(n, 64) // drawing each of 256 bytes is slow
	return base64.StdEncoding.EncodeToString(bytes.Repeat(rapid.SliceOfN(rapid.Byte(), some, some).Draw(d.t, "bytes"), n/some))
}

func (d g) decision(allow bool) Decision {
	x := Decision{Allow: allow, Bundle: d.digest(), Codes: []string{}, Engine: d.word(32), Facts: d.hex(16), Policy: d.count(), Ruleset: d.word(32)}
	if !allow {
		x.Codes = rapid.SliceOfNDistinct(rapid.StringMatching(`N[0-9]{3}`), 1, 8, rapid.ID).Draw(d.t, "codes")
		slices.Sort(x.Codes)
	}
	return x
}

func (d g) ordinals() []uint64 {
	o := rapid.SliceOfNDistinct(rapid.Uint64Range(0, MaxSafeInteger), 1, 20, rapid.ID).Draw(d.t, "ordinals")
	slices.Sort(o)
	return o
}

func (d g) holders() Holders {
	return Holders{Day: d.time().Std().Format(time.DateOnly), Gone: d.count(), New: d.count(), Set: d.digest(), Total: d.count()}
}

func (d g) counts() Counts {
	c := Counts{Day: d.time().Std().Format(time.DateOnly), New: d.count(), Lists: d.count(), Notices: d.count(), Number: d.count()}
	c.Gone = rapid.Uint64Range(0, c.New).Draw(d.t, "gone")
	c.Received = rapid.Uint64Range(0, c.Notices).Draw(d.t, "received")
	c.Refused = c.Notices - c.Received
	return c
}

func (d g) body(k Kind) Body {
	basis := []string{BasisCouncilSample, BasisOwnRequest, BasisRetentionEnd, BasisLawfulRequest}
	switch k {
	case KindGenesis:
		return &Genesis{Key: d.word(256), Origin: d.word(128), Rules: d.word(32)}
	case KindKeyCreated:
		b := &KeyCreated{Alg: d.word(32), Record: d.digest(), Role: d.word(32), SPKI: d.digest()}
		if rapid.Bool().Draw(d.t, "tbs") {
			x := d.digest()
			b.TBS = &x
		}
		return b
	case KindKeyRetired:
		return &KeyRetired{Role: d.word(32), SPKI: d.digest()}
	case KindKeySucceeded:
		return &KeySucceeded{Record: d.digest(), SPKI: d.digest(), Successor: d.digest()}
	case KindKeyLeaked:
		return &KeyLeaked{Record: d.digest(), SPKI: d.digest()}
	case KindCrossIntent:
		return &CrossIntent{Issuer: d.digest(), Purpose: d.pick(PurposeLink, PurposeCross), Record: d.digest(), Serial: d.hex(20), SPKI: d.digest(), TBS: d.digest()}
	case KindCrossRevoked:
		return &CrossRevoked{Ground: d.pick(GroundIssuerKey, GroundRenewed, GroundRequest), Issuer: d.digest(), Record: d.digest(), Recorded: d.time(), Serial: d.hex(20)}
	case KindPolicyApproved:
		b := &PolicyApproved{Bundle: d.digest(), Capabilities: d.digest(), Grammar: d.digest(), Proof: d.digest(), Scanner: d.digest()}
		for range rapid.IntRange(1, 4).Draw(d.t, "approvals") {
			b.Approvals = append(b.Approvals, Approval{d.bytes64(32), d.bytes64(64)})
		}
		return b
	case KindCertIntent:
		return &CertIntent{Decision: d.decision(true), Issuer: d.digest(), Municipality: rapid.StringMatching(`[0-9]{6}`).Draw(d.t, "m"), Ordinal: d.count(),
			Profile: d.digest(), Serial: d.hex(20), Subject: d.digest(), TBS: d.digest()}
	case KindCertIssued:
		return &CertIssued{Certificate: d.digest(), Ordinal: d.count()}
	case KindCertAborted:
		return &CertAborted{Ordinal: d.count(), Reason: d.pick(AbortCrash, AbortSign, AbortOvertaken)}
	case KindHoldersSent:
		return &HoldersSent{d.holders()}
	case KindHoldersReceived:
		return &HoldersReceived{d.holders()}
	case KindNoticeSent:
		return &NoticeSent{Decision: d.decision(true), Digest: d.digest(), Holder: d.digest(), Mode: d.pick(ModeReference, ModeEcho), Notice: d.count()}
	case KindNoticeReceived:
		return &NoticeReceived{Decision: d.decision(true), Digest: d.digest(), Notice: d.count()}
	case KindNoticeRefused:
		return &NoticeRefused{Decision: d.decision(false), Notice: d.count()}
	case KindRevocationRequested:
		return &RevocationRequested{Decision: d.decision(rapid.Bool().Draw(d.t, "allow")), Ground: d.pick(slices.DeleteFunc(slices.Clone(Grounds), func(s string) bool { return s == GroundChange })...), Ordinal: d.count()}
	case KindRevocation:
		return &Revocation{Cause: d.count(), Ground: d.pick(Grounds...), Ordinal: d.count(), Recorded: d.time(), Serial: d.hex(20)}
	case KindStatusRoot:
		n := []uint64{d.count(), d.count(), d.count()}
		slices.Sort(n)
		return &StatusRoot{Covers: d.count(), Issued: n[1], Revoked: n[0], Root: d.digest(), Size: n[2]}
	case KindCRLPublished:
		b := &CRLPublished{Covers: d.count(), Entries: d.count(), Issuer: d.digest(), Number: d.count(), Partition: d.pick("full", "ca", "202011"), TBS: d.digest()}
		if b.Number > 1 && rapid.Bool().Draw(d.t, "delta") {
			n := rapid.Uint64Range(1, b.Number-1).Draw(d.t, "base")
			b.Base = &n
		}
		return b
	case KindDisclosure:
		return &Disclosure{Basis: d.pick(basis...), Ordinals: d.ordinals()}
	case KindErasure:
		return &Erasure{Basis: d.pick(basis...), Ordinals: d.ordinals()}
	case KindReviewDraw:
		return &ReviewDraw{Covers: d.count(), Seed: d.digest()}
	case KindReviewReport:
		n := func() uint64 { return rapid.Uint64Range(0, 1<<20).Draw(d.t, "items") }
		return &ReviewReport{Covers: d.count(), Digest: d.digest(), Items: Items{n(), n(), n(), n()}}
	case KindSecurityEvent:
		a, b := d.time(), d.time()
		if b.Std().Before(a.Std()) {
			a, b = b, a
		}
		return &SecurityEvent{Code: d.word(32), Count: d.count(), From: a, To: b}
	case KindTestAnnounced:
		from := rapid.Int64Range(0, 253402300799-14*86400).Draw(d.t, "from")
		to := from + rapid.Int64Range(1, 14*86400).Draw(d.t, "length")
		return &TestAnnounced{Code: d.word(32), From: At(time.Unix(from, 0)), To: At(time.Unix(to, 0))}
	case KindOperatorAct:
		return &OperatorAct{Act: rapid.SampledFrom([]string{ActRevoke, ActRevokeAll, ActErase, ActDisclose, ActPublishLists}).Draw(d.t, "act"),
			Phase:   rapid.SampledFrom([]string{PhaseProposed, PhaseApproved, PhaseWithdrawn, PhaseExpired, PhaseSingle}).Draw(d.t, "phase"),
			Officer: d.digest(), Proposal: d.digest()}
	case KindCountsSent:
		return &CountsSent{Counts: d.counts(), Signature: d.bytes64(CountsSignature)}
	case KindCountsReceived:
		return &CountsReceived{Counts: d.counts(), Sender: d.bytes64(CountsSignature), Signature: d.bytes64(CountsSignature)}
	}
	panic("kind without a generator: " + string(k))
}

// entryOf draws a valid entry of one kind.
func entryOf(t *rapid.T, k Kind) Entry {
	d := g{t}
	var by []string
	for b := range Writers {
		by = append(by, b)
	}
	slices.Sort(by)
	return Entry{At: d.time(), By: d.pick(by...), Seq: d.count(), Body: d.body(k)}
}
