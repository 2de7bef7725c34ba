package entry

import (
	"errors"
	"time"
)

// EventAlarm is the code of the security.event that reports alarms of an
// intrusion detection system (IDS) at a network operation centre.
const EventAlarm = "ids.alarm"

// Codes of the security.events about revocation lists without a successor:
// nextUpdate is near, or over. Count is how many lists are concerned.
const (
	EventListEnding = "crl.ending"
	EventListOver   = "crl.over"
)

// Codes of the security.events about OCSP responders without a successor: the end
// of their certificates is near, or over. Count is how many are concerned.
const (
	EventResponderEnding = "ocsp.ending"
	EventResponderOver   = "ocsp.over"
)

// MaxTest is the longest window that can be announced: one without end would
// excuse every alarm.
const MaxTest = 14 * 24 * time.Hour

// TestAnnounced says beforehand that a test (a penetration test, say) is
// allowed to raise security events of one code in a window. In 2003 a test
// raised alarms of which nobody had been told; here the announcement is in the
// log before the test, and an alarm without one is told apart from it.
type TestAnnounced struct {
	Code string `json:"code"` // of the security events that the test may raise
	From Time   `json:"from"`
	To   Time   `json:"to"`
}

// Kind returns KindTestAnnounced.
func (*TestAnnounced) Kind() Kind { return KindTestAnnounced }

// Validate implements Body.
func (b *TestAnnounced) Validate() error {
	if d := b.To.Std().Sub(b.From.Std()); d <= 0 || d > MaxTest {
		return errors.New("a test's window must end after it starts, within 14 days")
	}
	return word("code", b.Code, 32)
}

// CountsSignature is the length of a signature over Counts in bytes: RSA-2048,
// PKCS #1 v1.5. Such a signature is unique: for a key and a text there is
// exactly one, so whoever makes it can't choose anything in it and hide data
// there. Ed25519, ECDSA and RSA-PSS leave that choice.
const CountsSignature = 256

// Counts is what both ends of the link state at the end of a day: how much has
// crossed since the beginning, with every notice below Notices answered and
// every list below Lists in force. Cumulative numbers by sequence agree to the
// unit, whatever the two clocks say; the day's own numbers are the differences
// to the statement before.
type Counts struct {
	Day      string `json:"day"`      // JST day that ended, "2026-11-23"
	Gone     uint64 `json:"gone"`     // holders that the lists struck off
	Lists    uint64 `json:"lists"`    // daily lists (M1) in force: sequences 0 to Lists-1
	New      uint64 `json:"new"`      // holders that the lists added
	Notices  uint64 `json:"notices"`  // notices (M3) sent and answered: sequences 0 to Notices-1
	Number   uint64 `json:"number"`   // of the statement, gapless from 0; equals the entry's seq
	Received uint64 `json:"received"` // of the notices, received
	Refused  uint64 `json:"refused"`  // of the notices, refused
}

func (c Counts) validate() error {
	if d, err := time.Parse(time.DateOnly, c.Day); err != nil || d.Format(time.DateOnly) != c.Day {
		return errors.New("day is not a calendar day of the form 2026-11-23")
	}
	if c.Received > c.Notices || c.Refused != c.Notices-c.Received {
		return errors.New("every notice must be either received or refused")
	}
	if c.Gone > c.New {
		return errors.New("more holders struck off than ever added")
	}
	return firstError(small("gone", c.Gone), small("lists", c.Lists), small("new", c.New), small("notices", c.Notices), small("number", c.Number))
}

// CountsSent is the register's end's statement, logged before it leaves.
type CountsSent struct {
	Counts
	Signature string `json:"signature"` // base64, by the register's link server over the statement (package policy/counts)
}

// Kind returns KindCountsSent.
func (*CountsSent) Kind() Kind { return KindCountsSent }

// Validate implements Body.
func (b *CountsSent) Validate() error {
	return firstError(b.validate(), base64Of("signature", b.Signature, CountsSignature))
}

// CountsReceived is the CA's end's counter-signature, logged before it is
// given: its own count of the same, and both signatures.
type CountsReceived struct {
	Counts
	Sender    string `json:"sender"`    // base64, the signature of CountsSent
	Signature string `json:"signature"` // base64, by the CA's link server over the same bytes
}

// Kind returns KindCountsReceived.
func (*CountsReceived) Kind() Kind { return KindCountsReceived }

// Validate implements Body.
func (b *CountsReceived) Validate() error {
	return firstError(b.validate(), base64Of("sender", b.Sender, CountsSignature), base64Of("signature", b.Signature, CountsSignature))
}
