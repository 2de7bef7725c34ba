package policy

import (
	"strings"
	"sync"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/grammar"
	"github.com/sukashi-project/sukashi/policy/notice"
	"github.com/sukashi-project/sukashi/policy/rules"
)

// Referred is the certificate that a notice is about, as the side that asks
// knows it. The zero value means that it knows none.
type Referred struct {
	Issued    bool           // cert.issued of Ordinal is in the ledger; whether it is live since does not matter here
	Ordinal   uint64         //
	Key       commitment.Key // record key; zero once erased
	Certified attr.Certified // the six values as certified
	Subject   entry.Digest   // subject commitment of cert.intent
}

// Secrets are what the register side knows of the person and must not cross
// the wall. They are only compared with, and never kept or shown.
type Secrets struct {
	Numbers    []string // resident code, individual number, …: digits, found in every view
	NewName    string   // name after the change, "" where there is none
	NewAddress string   // address after the change, "" where there is none
}

// NoticeSendCheck is what the register's link server knows when it is about to
// send a notice.
type NoticeSendCheck struct {
	Bytes     []byte   // exactly what would be sent
	Mode      string   // the mode that the link is configured for
	Sender    string   // role identifier that signs, must be entry.ByNoticeSender
	Addressee string   // role identifier of the other end's TLS identity, must be entry.ByCALink
	NextSeq   uint64   // the next notice sequence
	Match     Referred // the certificate that matching hit
	Secrets   Secrets
	Metadata  Metadata // of the request that would carry it
}

// Facts establishes every fact of rule set notice-send. A notice for a
// certificate that is expired or revoked already is not an attack: matching
// hits it, the notice goes out, and the CA side records that there is nothing
// left to revoke (IN-02).
func (c NoticeSendCheck) Facts() *Facts {
	f := NewFacts(NoticeSend)
	n, form := notice.Examine(c.Bytes)
	bound := f.setNotice(n, form, c.Mode, c.NextSeq, c.Match)
	f.Set("sender_is_register", c.Sender == entry.ByNoticeSender)
	f.Set("addressee_is_ca", c.Addressee == entry.ByCALink)
	f.Set("transport_clean", c.Metadata.Clean(PathNotices, len(c.Bytes)))
	rest := residual(c.Bytes, n, form, bound)
	text := strings.Join(rest, "\n")
	f.Set("no_new_address", !holdsNew(text, c.Secrets.NewAddress, c.Match.Certified.Address))
	f.Set("no_new_name", !holdsNew(text, c.Secrets.NewName, c.Match.Certified.Name))
	if holdsNumber(text, c.Secrets.Numbers) {
		f.Set("no_resident_code", false)
	}
	f.SetTextFacts(rest...)
	return f
}

// NoticeReceiveCheck is what the CA's link server knows when a notice arrived.
type NoticeReceiveCheck struct {
	Bytes     []byte            // exactly what arrived
	Mode      string            // the mode that the link is configured for
	Sender    string            // role identifier of the TLS identity, must be entry.ByNoticeSender
	Addressee string            // own role identifier, must be entry.ByCALink
	NextSeq   uint64            // the next notice sequence
	Found     Referred          // the certificate that the notice names, by ordinal or by attributes
	Sent      *entry.NoticeSent // the sender's entry of this sequence from the ledger, nil when there is none
	Metadata  Metadata          // of the request that carried it
}

// Facts establishes every fact of rule set notice-receive.
func (c NoticeReceiveCheck) Facts() *Facts {
	f := NewFacts(NoticeReceive)
	n, form := notice.Examine(c.Bytes)
	bound := f.setNotice(n, form, c.Mode, c.NextSeq, c.Found)
	f.Set("sender_is_register", c.Sender == entry.ByNoticeSender)
	f.Set("addressee_is_ca", c.Addressee == entry.ByCALink)
	f.Set("sender_decision_logged", form.Code() == "" && c.sentLogged(n))
	f.Set("transport_clean", c.Metadata.Clean(PathNotices, len(c.Bytes)))
	f.SetTextFacts(residual(c.Bytes, n, form, bound)...)
	return f
}

// sentLogged reports whether the sender's entry allows exactly these bytes for
// this certificate.
func (c NoticeReceiveCheck) sentLogged(n notice.Notice) bool {
	if c.Sent == nil || !c.Sent.Decision.Allow || c.Sent.Notice != n.Seq || c.Sent.Mode != n.Mode {
		return false
	}
	digest, err := c.Found.Key.Notice(n.Seq, c.Bytes)
	if err != nil || digest != c.Sent.Digest {
		return false
	}
	holder, err := c.Found.Key.Holder(n.Seq, c.Found.Ordinal)
	return err == nil && holder == c.Sent.Holder
}

// setNotice establishes the facts that both ends share and reports whether
// every value of the notice is bound: to the certificate or to the sequence.
func (f *Facts) setNotice(n notice.Notice, form notice.Form, mode string, next uint64, ref Referred) (bound bool) {
	ok := form.Code() == ""
	f.Set("grammar", form.Grammar)
	f.Set("canonical_bytes", form.Canonical)
	f.Set("field_set_exact", form.Fields)
	f.Set("mode_configured", form.Mode && (!ok || n.Mode == mode))
	f.Set("basis_named", form.Basis)
	f.Set("sequence_next", ok && n.Seq == next)
	names := ok && (n.Mode == notice.Echo || n.Ordinal == ref.Ordinal)
	f.Set("certificate_issued", names && ref.Issued)
	equal := ok && echoEquals(n, ref)
	f.Set("echo_equals_certified", equal)
	f.Set("no_free_text", form.Fields && (!ok || equal))
	f.Set("capacity_within_budget", withinBudget(mode))
	return names && equal
}

// echoEquals reports whether the attributes of an echo are those committed to
// at issuance: equal as bytes and, with the maps, opening the commitment that
// cert.intent holds (PR-03). A reference notice has none.
func echoEquals(n notice.Notice, ref Referred) bool {
	if n.Mode != notice.Echo {
		return n.Echo == nil
	}
	if *n.Echo != ref.Certified.Attributes() || ref.Subject.IsZero() {
		return false
	}
	d, err := ref.Key.Subject(ref.Certified.Slots())
	return err == nil && d == ref.Subject
}

// residual is the text that structure does not account for: none of a notice
// whose every value is bound and none of a reference notice, which has no
// text; the attributes of an echo that is not bound; everything of bytes that
// are no notice.
func residual(b []byte, n notice.Notice, form notice.Form, bound bool) []string {
	switch {
	case form.Code() != "":
		return []string{string(b)}
	case bound || n.Echo == nil:
		return nil
	}
	return []string{n.Echo.Name, n.Echo.Address}
}

// holdsNew reports whether text holds a new value. A value equal to the
// certified one is not new: in a name-only change the old and the new address
// are the same.
func holdsNew(text, value, certified string) bool {
	return value != "" && value != certified && holdsValue(text, value)
}

// budgets says for each mode whether its grammar keeps the budget; computed
// once, from the grammars of the shipped bundle.
var budgets = map[string]func() bool{
	notice.Echo:      sync.OnceValue(func() bool { return shippedWithinBudget(notice.Echo) }),
	notice.Reference: sync.OnceValue(func() bool { return shippedWithinBudget(notice.Reference) }),
}

func shippedWithinBudget(mode string) bool {
	f, err := grammar.Parse(Shipped().File(rules.FileGrammar))
	if err != nil {
		return false
	}
	ok, err := f.WithinBudget(mode)
	return ok && err == nil
}

func withinBudget(mode string) bool {
	f, ok := budgets[mode]
	return ok && f()
}
