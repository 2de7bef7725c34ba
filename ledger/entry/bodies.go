package entry

import (
	"errors"
	"time"
)

func newBody(k Kind) Body {
	switch k {
	case KindGenesis:
		return new(Genesis)
	case KindKeyCreated:
		return new(KeyCreated)
	case KindKeyRetired:
		return new(KeyRetired)
	case KindKeySucceeded:
		return new(KeySucceeded)
	case KindKeyLeaked:
		return new(KeyLeaked)
	case KindCrossIntent:
		return new(CrossIntent)
	case KindCrossRevoked:
		return new(CrossRevoked)
	case KindPolicyApproved:
		return new(PolicyApproved)
	case KindCertIntent:
		return new(CertIntent)
	case KindCertIssued:
		return new(CertIssued)
	case KindCertAborted:
		return new(CertAborted)
	case KindHoldersSent:
		return new(HoldersSent)
	case KindHoldersReceived:
		return new(HoldersReceived)
	case KindNoticeSent:
		return new(NoticeSent)
	case KindNoticeReceived:
		return new(NoticeReceived)
	case KindNoticeRefused:
		return new(NoticeRefused)
	case KindRevocationRequested:
		return new(RevocationRequested)
	case KindRevocation:
		return new(Revocation)
	case KindStatusRoot:
		return new(StatusRoot)
	case KindCRLPublished:
		return new(CRLPublished)
	case KindDisclosure:
		return new(Disclosure)
	case KindErasure:
		return new(Erasure)
	case KindReviewDraw:
		return new(ReviewDraw)
	case KindReviewReport:
		return new(ReviewReport)
	case KindSecurityEvent:
		return new(SecurityEvent)
	case KindTestAnnounced:
		return new(TestAnnounced)
	case KindCountsSent:
		return new(CountsSent)
	case KindCountsReceived:
		return new(CountsReceived)
	case KindOperatorAct:
		return new(OperatorAct)
	}
	return nil
}

// Decision is a policy decision as logged: enough for anyone to decide it
// again, nothing that identifies a person (DESIGN section 3).
type Decision struct {
	Allow   bool     `json:"allow"`
	Bundle  Digest   `json:"bundle"`  // digest of the policy bundle that decided
	Codes   []string `json:"codes"`   // rule codes such as "N203", ascending; empty when allowed
	Engine  string   `json:"engine"`  // engine and version, such as "opa-1.22.2"
	Facts   string   `json:"facts"`   // fact bitmap, lower-case hex; bit i of byte i/8 (LSB first) is fact i of the rule set
	Policy  uint64   `json:"policy"`  // index of the policy.approved entry; must be smaller than this entry's index
	Ruleset string   `json:"ruleset"` // which rule set: "issue", "notice-send", "notice-receive", …
}

func (d Decision) validate() error {
	if len(d.Codes) > 64 {
		return errors.New("decision has more than 64 codes")
	}
	for i, c := range d.Codes {
		if err := word("rule code", c, 8); err != nil {
			return err
		}
		if i > 0 && d.Codes[i-1] >= c {
			return errors.New("rule codes are not in ascending order")
		}
	}
	if d.Codes == nil {
		return errors.New("codes must be a list, if an empty one")
	}
	if d.Allow == (len(d.Codes) > 0) {
		return errors.New("a decision has rule codes exactly when it refuses")
	}
	if len(d.Facts) == 0 || len(d.Facts) > 32 || len(d.Facts)%2 != 0 || !isLowerHex(d.Facts) {
		return errors.New("facts must be 1 to 16 bytes in lower-case hex")
	}
	return firstError(set("bundle", d.Bundle), word("engine", d.Engine, 32),
		word("ruleset", d.Ruleset, 32), small("policy", d.Policy))
}

// Genesis is the first entry of every log.
type Genesis struct {
	Key    string `json:"key"`    // the log's verifier key, signed-note vkey form
	Origin string `json:"origin"` // checkpoint origin line
	Rules  string `json:"rules"`  // version of the entry rules, such as "sukashi-1"
}

// Kind returns KindGenesis.
func (*Genesis) Kind() Kind { return KindGenesis }

// Validate implements Body.
func (b *Genesis) Validate() error {
	return firstError(word("key", b.Key, 256), word("origin", b.Origin, 128), word("rules", b.Rules, 32))
}

// KeyCreated says that a key came into use. For a key with a certificate
// (issuer, OCSP responder) TBS is the digest of that certificate's
// TBSCertificate: the keystore signs it only with a receipt for this entry.
type KeyCreated struct {
	Alg    string  `json:"alg"`           // "rsa2048", "p256", "ed25519", …
	Record Digest  `json:"record"`        // digest of the ceremony record
	Role   string  `json:"role"`          // "issuer", "ocsp", "council", "transfer", …
	SPKI   Digest  `json:"spki"`          // SHA-256 of SubjectPublicKeyInfo
	TBS    *Digest `json:"tbs,omitempty"` // SHA-256 of the TBSCertificate, where the key gets a certificate
}

// Kind returns KindKeyCreated.
func (*KeyCreated) Kind() Kind { return KindKeyCreated }

// Validate implements Body.
func (b *KeyCreated) Validate() error {
	if b.TBS != nil && b.TBS.IsZero() {
		return errors.New("tbs is zero")
	}
	return firstError(word("role", b.Role, 32), word("alg", b.Alg, 32), set("spki", b.SPKI), set("record", b.Record))
}

// KeyRetired says that a key is no longer used for new signatures.
type KeyRetired struct {
	Role string `json:"role"`
	SPKI Digest `json:"spki"`
}

// Kind returns KindKeyRetired.
func (*KeyRetired) Kind() Kind { return KindKeyRetired }

// Validate implements Body.
func (b *KeyRetired) Validate() error {
	return firstError(word("role", b.Role, 32), set("spki", b.SPKI))
}

// Approval is one council member's Ed25519 signature over the SHA-256 of the
// policy bundle and of its proof certificate.
type Approval struct {
	Key string `json:"key"` // base64 of the 32-byte Ed25519 public key
	Sig string `json:"sig"` // base64 of the 64-byte signature
}

// PolicyApproved puts a policy bundle into force from its index on (promise P5).
type PolicyApproved struct {
	Approvals    []Approval `json:"approvals"`
	Bundle       Digest     `json:"bundle"`       // digest of the bundle's bytes
	Capabilities Digest     `json:"capabilities"` // digest of the OPA capabilities list
	Grammar      Digest     `json:"grammar"`      // digest of the notice grammars
	Proof        Digest     `json:"proof"`        // digest of the proof certificate that the council had before it
	Scanner      Digest     `json:"scanner"`      // digest of the residual-text scanner's tables
}

// Kind returns KindPolicyApproved.
func (*PolicyApproved) Kind() Kind { return KindPolicyApproved }

// Validate implements Body.
func (b *PolicyApproved) Validate() error {
	if len(b.Approvals) == 0 || len(b.Approvals) > 32 {
		return errors.New("a policy needs 1 to 32 approvals")
	}
	for _, a := range b.Approvals {
		if err := firstError(base64Of("approval key", a.Key, 32), base64Of("approval signature", a.Sig, 64)); err != nil {
			return err
		}
	}
	return firstError(set("bundle", b.Bundle), set("capabilities", b.Capabilities), set("grammar", b.Grammar), set("proof", b.Proof), set("scanner", b.Scanner))
}

// CertIntent announces a certificate before it is signed (promise P2).
type CertIntent struct {
	Decision     Decision `json:"decision"`
	Issuer       Digest   `json:"issuer"`       // SHA-256 of the issuer key's SubjectPublicKeyInfo
	Municipality string   `json:"municipality"` // 全国地方公共団体コード, 6 digits
	Ordinal      uint64   `json:"ordinal"`      // position in the status tree, gapless from 0
	Profile      Digest   `json:"profile"`      // digest of the certificate profile
	Serial       string   `json:"serial"`       // lower-case hex
	Subject      Digest   `json:"subject"`      // subject commitment (package commitment)
	TBS          Digest   `json:"tbs"`          // SHA-256 of the TBSCertificate
}

// Kind returns KindCertIntent.
func (*CertIntent) Kind() Kind { return KindCertIntent }

// Validate implements Body.
func (b *CertIntent) Validate() error {
	if !b.Decision.Allow {
		return errors.New("an intent needs a decision that allows")
	}
	return firstError(b.Decision.validate(), set("issuer", b.Issuer), digits("municipality", b.Municipality, 6),
		small("ordinal", b.Ordinal), set("profile", b.Profile), serial(b.Serial), set("subject", b.Subject), set("tbs", b.TBS))
}

// CertIssued closes an intent: the certificate with this digest exists.
type CertIssued struct {
	Certificate Digest `json:"certificate"` // SHA-256 of the certificate's DER
	Ordinal     uint64 `json:"ordinal"`
}

// Kind returns KindCertIssued.
func (*CertIssued) Kind() Kind { return KindCertIssued }

// Validate implements Body.
func (b *CertIssued) Validate() error {
	return firstError(set("certificate", b.Certificate), small("ordinal", b.Ordinal))
}

// Reasons of CertAborted.
const (
	AbortCrash     = "crash"     // found open after a restart, no signature in the journal
	AbortSign      = "sign"      // the key store refused or failed
	AbortOvertaken = "overtaken" // the resident record changed while the application was processed (IN-08)
)

// CertAborted closes an intent without a certificate.
type CertAborted struct {
	Ordinal uint64 `json:"ordinal"`
	Reason  string `json:"reason"`
}

// Kind returns KindCertAborted.
func (*CertAborted) Kind() Kind { return KindCertAborted }

// Validate implements Body.
func (b *CertAborted) Validate() error {
	return firstError(oneOf("reason", b.Reason, AbortCrash, AbortSign, AbortOvertaken), small("ordinal", b.Ordinal))
}

// Holders is the common content of HoldersSent and HoldersReceived: M1, the
// daily list of certificate holders, as count and set digest.
type Holders struct {
	Day   string `json:"day"`   // JST day, "2026-11-23"
	Gone  uint64 `json:"gone"`  // holders struck off since the last list
	New   uint64 `json:"new"`   // holders added since the last list
	Set   Digest `json:"set"`   // digest of the whole message's canonical set (package policy/holders)
	Total uint64 `json:"total"` // holders in force after this list
}

func (h Holders) validate() error {
	if d, err := time.Parse(time.DateOnly, h.Day); err != nil || d.Format(time.DateOnly) != h.Day {
		return errors.New("day is not a calendar day of the form 2026-11-23")
	}
	return firstError(small("new", h.New),
		small("gone", h.Gone), small("total", h.Total), set("set", h.Set))
}

// HoldersSent is written by the CA's link server before M1 leaves.
type HoldersSent struct{ Holders }

// Kind returns KindHoldersSent.
func (*HoldersSent) Kind() Kind { return KindHoldersSent }

// Validate implements Body.
func (b *HoldersSent) Validate() error { return b.validate() }

// HoldersReceived is written by the register's link server when M1 arrived.
type HoldersReceived struct{ Holders }

// Kind returns KindHoldersReceived.
func (*HoldersReceived) Kind() Kind { return KindHoldersReceived }

// Validate implements Body.
func (b *HoldersReceived) Validate() error { return b.validate() }
