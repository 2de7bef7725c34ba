package entry

import (
	"errors"
	"fmt"
)

// Notice modes (DESIGN section 6).
const (
	ModeReference = "reference"
	ModeEcho      = "echo"
)

// NoticeSent is written by the register's link server before M3 leaves.
type NoticeSent struct {
	Decision Decision `json:"decision"`
	Digest   Digest   `json:"digest"` // HMAC of the notice's bytes under the record key (commitment.Key.Notice)
	Holder   Digest   `json:"holder"` // commitment of the holder's ordinal (commitment.Key.Holder)
	Mode     string   `json:"mode"`
	Notice   uint64   `json:"notice"` // notice sequence; equals the entry's seq
}

// Kind returns KindNoticeSent.
func (*NoticeSent) Kind() Kind { return KindNoticeSent }

// Validate implements Body.
func (b *NoticeSent) Validate() error {
	if !b.Decision.Allow {
		return errors.New("a notice is sent only on a decision that allows")
	}
	return firstError(b.Decision.validate(), set("digest", b.Digest), set("holder", b.Holder),
		oneOf("mode", b.Mode, ModeReference, ModeEcho), small("notice", b.Notice))
}

// NoticeReceived is written by the CA's link server before it acts on M3.
type NoticeReceived struct {
	Decision Decision `json:"decision"`
	Digest   Digest   `json:"digest"` // as in NoticeSent, computed again by the receiver
	Notice   uint64   `json:"notice"`
}

// Kind returns KindNoticeReceived.
func (*NoticeReceived) Kind() Kind { return KindNoticeReceived }

// Validate implements Body.
func (b *NoticeReceived) Validate() error {
	if !b.Decision.Allow {
		return errors.New("a notice is received only on a decision that allows")
	}
	return firstError(b.Decision.validate(), set("digest", b.Digest), small("notice", b.Notice))
}

// NoticeRefused is written by the CA's link server instead of NoticeReceived.
// It never holds the offending value (PR-09).
type NoticeRefused struct {
	Decision Decision `json:"decision"`
	Notice   uint64   `json:"notice"` // the sequence that was expected next
}

// Kind returns KindNoticeRefused.
func (*NoticeRefused) Kind() Kind { return KindNoticeRefused }

// Validate implements Body.
func (b *NoticeRefused) Validate() error {
	if b.Decision.Allow {
		return errors.New("a refusal needs a decision that refuses")
	}
	return firstError(b.Decision.validate(), small("notice", b.Notice))
}

// Grounds of a revocation, by class: the public sees one class for all of
// Article 12, so that a list never shows who died (PR-08).
const (
	GroundRequest      = "art9"        // the holder asked
	GroundKeyLeak      = "art10"       // the holder's key leaked, was lost or damaged
	GroundChange       = "art12"       // the resident record was corrected or deleted
	GroundError        = "art13"       // error in the certificate
	GroundIssuerKey    = "art14"       // the issuer's key leaked
	GroundRenewed      = "renewed"     // a newer certificate of the same holder replaces it
	GroundNotDelivered = "undelivered" // destroyed before delivery
)

// Grounds are all ground classes.
var Grounds = []string{GroundRequest, GroundKeyLeak, GroundChange, GroundError, GroundIssuerKey, GroundRenewed, GroundNotDelivered}

// RevocationRequested is the cause of a revocation that does not come from a
// notice: a holder's request, a leak report, an error found, a renewal.
type RevocationRequested struct {
	Decision Decision `json:"decision"`
	Ground   string   `json:"ground"`
	Ordinal  uint64   `json:"ordinal"`
}

// Kind returns KindRevocationRequested.
func (*RevocationRequested) Kind() Kind { return KindRevocationRequested }

// Validate implements Body.
func (b *RevocationRequested) Validate() error {
	if b.Ground == GroundChange {
		return errors.New("an Article 12 revocation comes from a notice, not from a request")
	}
	return firstError(b.Decision.validate(), oneOf("ground", b.Ground, Grounds...), small("ordinal", b.Ordinal))
}

// Revocation is R1 without the person: irreversible (IN-06) and never without
// a cause (IN-04).
type Revocation struct {
	Cause    uint64 `json:"cause"`    // index of the notice.received or revocation.requested entry
	Ground   string `json:"ground"`   // one of Grounds
	Ordinal  uint64 `json:"ordinal"`  //
	Recorded Time   `json:"recorded"` // date of recording (Article 12)
	Serial   string `json:"serial"`
}

// Kind returns KindRevocation.
func (*Revocation) Kind() Kind { return KindRevocation }

// Validate implements Body.
func (b *Revocation) Validate() error {
	return firstError(small("cause", b.Cause), oneOf("ground", b.Ground, Grounds...), small("ordinal", b.Ordinal), serial(b.Serial))
}

// StatusRoot commits to the status of every certificate; the last entry under
// each published checkpoint (DESIGN section 5).
type StatusRoot struct {
	Covers  uint64 `json:"covers"`  // number of entries that the status tree was computed from: those before this one
	Issued  uint64 `json:"issued"`  // certificates ever issued
	Revoked uint64 `json:"revoked"` // of these, revoked
	Root    Digest `json:"root"`    // root hash of the status tree
	Size    uint64 `json:"size"`    // ordinals in the status tree (issued, aborted and pending)
}

// Kind returns KindStatusRoot.
func (*StatusRoot) Kind() Kind { return KindStatusRoot }

// Validate implements Body.
func (b *StatusRoot) Validate() error {
	if b.Revoked > b.Issued || b.Issued > b.Size {
		return errors.New("counts must satisfy revoked <= issued <= size")
	}
	return firstError(set("root", b.Root), small("covers", b.Covers), small("size", b.Size))
}

// CRLPublished announces a revocation list before it is signed. TBS is the
// digest of its TBSCertList: the bytes that the signature covers. Complete and
// delta lists of a partition share one sequence of numbers (RFC 5280 5.2.3).
type CRLPublished struct {
	Base      *uint64 `json:"base,omitempty"` // of a delta list: number of the complete list that it builds on
	Covers    uint64  `json:"covers"`         // number of log entries that the list reflects
	Entries   uint64  `json:"entries"`        // revoked certificates in the list
	Issuer    Digest  `json:"issuer"`         // SHA-256 of the issuer key's SubjectPublicKeyInfo
	Number    uint64  `json:"number"`         // CRL number, strictly increasing per partition
	Partition string  `json:"partition"`      // "full", "ca" (CA certificates alone) or a municipality code
	TBS       Digest  `json:"tbs"`
}

// Kind returns KindCRLPublished.
func (*CRLPublished) Kind() Kind { return KindCRLPublished }

// Validate implements Body.
func (b *CRLPublished) Validate() error {
	if b.Partition != "full" && b.Partition != "ca" {
		if err := digits("partition", b.Partition, 6); err != nil {
			return err
		}
	}
	if b.Base != nil && (*b.Base == 0 || *b.Base >= b.Number) {
		return errors.New("base is not the number of an earlier list")
	}
	return firstError(small("covers", b.Covers), small("entries", b.Entries), small("number", b.Number), set("issuer", b.Issuer), set("tbs", b.TBS))
}

// Basis codes of Disclosure and Erasure.
const (
	BasisCouncilSample = "council-sample"
	BasisOwnRequest    = "own-request"
	BasisRetentionEnd  = "retention-end"
	BasisLawfulRequest = "lawful-request"
)

// Disclosure says whose commitments were opened, to whom by basis.
type Disclosure struct {
	Basis    string   `json:"basis"`
	Ordinals []uint64 `json:"ordinals"`
}

// Kind returns KindDisclosure.
func (*Disclosure) Kind() Kind { return KindDisclosure }

// Validate implements Body.
func (b *Disclosure) Validate() error { return ordinalList(b.Basis, b.Ordinals) }

// Erasure says whose record keys were destroyed (promise P8).
type Erasure struct {
	Basis    string   `json:"basis"`
	Ordinals []uint64 `json:"ordinals"`
}

// Kind returns KindErasure.
func (*Erasure) Kind() Kind { return KindErasure }

// Validate implements Body.
func (b *Erasure) Validate() error { return ordinalList(b.Basis, b.Ordinals) }

func ordinalList(basis string, ords []uint64) error {
	if len(ords) == 0 || len(ords) > 4096 {
		return errors.New("needs 1 to 4096 ordinals")
	}
	for i, o := range ords {
		if err := small("ordinal", o); err != nil {
			return err
		}
		if i > 0 && ords[i-1] >= o {
			return errors.New("ordinals are not in ascending order")
		}
	}
	return oneOf("basis", basis, BasisCouncilSample, BasisOwnRequest, BasisRetentionEnd, BasisLawfulRequest)
}

// ReviewDraw fixes the randomness of a council sample before it is drawn.
type ReviewDraw struct {
	Covers uint64 `json:"covers"` // entries that the sample is drawn from
	Seed   Digest `json:"seed"`
}

// Kind returns KindReviewDraw.
func (*ReviewDraw) Kind() Kind { return KindReviewDraw }

// Validate implements Body.
func (b *ReviewDraw) Validate() error {
	return firstError(small("covers", b.Covers), set("seed", b.Seed))
}

// ReviewReport puts a council report's digest into the log.
type ReviewReport struct {
	Covers uint64 `json:"covers"` // entries that the report was computed from
	Digest Digest `json:"digest"` // SHA-256 of report.json
	Items  Items  `json:"items"`  // 判定区分: how many items fell into each class
}

// Items counts a report's items by the council's own classes (DOMAIN 5.4).
type Items struct {
	A uint64 `json:"a"` // confirmed safe
	B uint64 `json:"b"` // to be confirmed from how it is operated
	C uint64 `json:"c"` // safe given the prefecture's own measures
	D uint64 `json:"d"` // safety not confirmed
}

// Kind returns KindReviewReport.
func (*ReviewReport) Kind() Kind { return KindReviewReport }

// Validate implements Body.
func (b *ReviewReport) Validate() error {
	for _, n := range []uint64{b.Items.A, b.Items.B, b.Items.C, b.Items.D} {
		if n > 1<<20 {
			return fmt.Errorf("item count %d is out of range", n)
		}
	}
	return firstError(small("covers", b.Covers), set("digest", b.Digest))
}

// SecurityEvent counts events of one code in one window, without content.
type SecurityEvent struct {
	Code  string `json:"code"`
	Count uint64 `json:"count"`
	From  Time   `json:"from"`
	To    Time   `json:"to"`
}

// Kind returns KindSecurityEvent.
func (*SecurityEvent) Kind() Kind { return KindSecurityEvent }

// Validate implements Body.
func (b *SecurityEvent) Validate() error {
	if b.To.Std().Before(b.From.Std()) {
		return errors.New("window ends before it starts")
	}
	return firstError(word("code", b.Code, 32), small("count", b.Count))
}
