package entry

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Role identifiers: who may write entries. Which kinds each may write is in
// Writers.
const (
	ByLog          = "log"                   // the ledger itself
	ByOperator     = "operator"              // the person who runs ceremonies
	ByCouncil      = "council"               // 本人確認情報保護審議会 (PrivacyCouncil)
	ByCA           = "ca-server"             // CAServer, zone lgwan
	ByCALink       = "juki-link-server"      // JukiLinkServer, the CA's end of the link, zone lgwan
	ByRegisterLink = "ca-link-server"        // CALinkServer, the register's end of the link, zone juki
	ByNoticeSender = "ca-link-server/notice" // the same server's change notices: seq is the notice sequence

	ByRegisterCounts = "ca-link-server/counts"   // the register's end states what has crossed: seq is the statement's number
	ByCACounts       = "juki-link-server/counts" // the CA's end counter-signs it, under the same number
)

// Entry kinds (DESIGN section 3).
const (
	KindGenesis             Kind = "log.genesis"
	KindKeyCreated          Kind = "key.created"
	KindKeyRetired          Kind = "key.retired"
	KindKeySucceeded        Kind = "key.succeeded"
	KindKeyLeaked           Kind = "key.leaked"
	KindCrossIntent         Kind = "cross.intent"
	KindCrossRevoked        Kind = "cross.revoked"
	KindPolicyApproved      Kind = "policy.approved"
	KindCertIntent          Kind = "cert.intent"
	KindCertIssued          Kind = "cert.issued"
	KindCertAborted         Kind = "cert.aborted"
	KindHoldersSent         Kind = "holders.sent"
	KindHoldersReceived     Kind = "holders.received"
	KindNoticeSent          Kind = "notice.sent"
	KindNoticeReceived      Kind = "notice.received"
	KindNoticeRefused       Kind = "notice.refused"
	KindRevocationRequested Kind = "revocation.requested"
	KindRevocation          Kind = "revocation"
	KindStatusRoot          Kind = "status.root"
	KindCRLPublished        Kind = "crl.published"
	KindDisclosure          Kind = "disclosure"
	KindErasure             Kind = "erasure"
	KindReviewDraw          Kind = "review.draw"
	KindReviewReport        Kind = "review.report"
	KindSecurityEvent       Kind = "security.event"
	KindTestAnnounced       Kind = "test.announced"
	KindCountsSent          Kind = "counts.sent"
	KindCountsReceived      Kind = "counts.received"
	KindOperatorAct         Kind = "operator.act"
)

// Writers says which kinds each role identifier may write. The ledger refuses
// everything else, whoever signs the connection.
var Writers = map[string][]Kind{
	ByLog:          {KindGenesis, KindStatusRoot, KindKeyCreated, KindKeyRetired, KindSecurityEvent}, // keys: its own
	ByOperator:     {KindKeyCreated, KindKeyRetired, KindKeySucceeded, KindKeyLeaked, KindCrossIntent, KindCrossRevoked, KindSecurityEvent, KindTestAnnounced},
	ByCouncil:      {KindPolicyApproved, KindReviewDraw, KindReviewReport, KindTestAnnounced},
	ByCA:           {KindKeyCreated, KindKeyRetired, KindCertIntent, KindCertIssued, KindCertAborted, KindRevocationRequested, KindRevocation, KindCRLPublished, KindDisclosure, KindErasure, KindSecurityEvent, KindOperatorAct},
	ByCALink:       {KindHoldersSent, KindNoticeReceived, KindNoticeRefused, KindSecurityEvent},
	ByRegisterLink: {KindHoldersReceived, KindSecurityEvent},
	ByNoticeSender: {KindNoticeSent},

	ByRegisterCounts: {KindCountsSent},
	ByCACounts:       {KindCountsReceived},
}

func knownBy(by string) bool { _, ok := Writers[by]; return ok }

// MayWrite reports whether the role by may write entries of kind k.
func MayWrite(by string, k Kind) bool {
	for _, w := range Writers[by] {
		if w == k {
			return true
		}
	}
	return false
}

// Digest is a SHA-256 value; its text is 64 lower-case hex digits.
type Digest [sha256.Size]byte

// Sum returns the SHA-256 of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// String is the text form, as in the entry.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether the digest was never set. A zero digest is refused in
// every entry.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText gives 64 lower-case hex digits.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads exactly 64 lower-case hex digits.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) != 2*len(d) || !isLowerHex(string(b)) {
		return errors.New("not 64 lower-case hex digits")
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// ParseDigest reads 64 lower-case hex digits.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	err := d.UnmarshalText([]byte(s))
	return d, err
}

func isLowerHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// word accepts identifiers: 1 to max bytes of a-z A-Z 0-9 and . _ / + : = -.
// It is what keeps every string of an entry from being free text.
func word(what, s string, max int) error {
	if len(s) == 0 || len(s) > max {
		return fmt.Errorf("%s must have 1 to %d bytes", what, max)
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.' || c == '_' || c == '/' || c == '+' || c == ':' || c == '=' || c == '-':
		default:
			return fmt.Errorf("%s holds a character that an identifier may not have", what)
		}
	}
	return nil
}

func oneOf(what, s string, allowed ...string) error {
	for _, a := range allowed {
		if s == a {
			return nil
		}
	}
	return fmt.Errorf("%s is not one of the %d allowed values", what, len(allowed))
}

func set(what string, d Digest) error {
	if d.IsZero() {
		return fmt.Errorf("%s is missing", what)
	}
	return nil
}

func digits(what, s string, n int) error {
	if len(s) != n {
		return fmt.Errorf("%s must have %d digits", what, n)
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return fmt.Errorf("%s must have %d digits", what, n)
		}
	}
	return nil
}

func serial(s string) error {
	if len(s) < 2 || len(s) > 40 || len(s)%2 != 0 || !isLowerHex(s) {
		return errors.New("serial must be 1 to 20 bytes in lower-case hex")
	}
	return nil
}

// sextet is the value of a base64 character, 0xff for every other byte.
var sextet = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	return t
}()

// base64Of accepts the one base64 spelling of n bytes.
func base64Of(what, s string, n int) error {
	if !isBase64(s, n) {
		return fmt.Errorf("%s is not base64 of %d bytes", what, n)
	}
	return nil
}

func isBase64(s string, n int) bool {
	if len(s) != (n+2)/3*4 {
		return false
	}
	digits, pad := (n*8+5)/6, ""
	switch n % 3 {
	case 1:
		pad = "=="
	case 2:
		pad = "="
	}
	var odd, last byte
	for i := range digits {
		last = sextet[s[i]]
		odd |= last
	}
	unused := byte(1)<<(digits*6-n*8) - 1 // bits of the last digit
	return odd < 64 && last&unused == 0 && s[digits:] == pad
}

func small(what string, n uint64) error {
	if n > maxSafeInteger {
		return fmt.Errorf("%s is larger than 2^53-1", what)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
