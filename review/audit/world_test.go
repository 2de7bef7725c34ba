package audit

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/review/internal/testca"
	"github.com/sukashi-project/sukashi/review/pki"
)

const nagano, matsumoto = "202011", "202029"

// world is a small register, CA and log in memory: it writes the history that
// an audit reads. Each act is a method, so that a saboteur can leave one out,
// repeat it or do it differently.
type world struct {
	t       testing.TB
	now     time.Time
	entries []entry.Entry
	seqs    map[string]uint64
	raw     map[int][]byte // entries replaced by other bytes after signing

	logKey  note.Signer
	vkey    string
	council []ed25519.PrivateKey

	unlinked []x509.RevocationListEntry // revoked certificates between CAs
	ca       *testca.CA
	tree     *status.Tree
	policy   uint64
	bundle   entry.Digest

	holders  []holder
	listed   map[uint64]bool
	based    map[string]testca.List // newest complete list of each partition
	gone     map[uint64]bool
	m1       uint64
	crlNo    map[string]int64
	journal  Journal
	certs    []File
	crls     []File
	ocsps    []File
	resp     *testca.Responder
	earlier  [][]byte
	openings []Opening
	proofs   []File
	replay   func(context.Context, entry.Decision) error
}

type holder struct {
	key          commitment.Key
	serial       string
	municipality string
	subject      entry.Digest
	recorded     time.Time
	ground       string
	intent       uint64
	revokedAt    uint64 // index+1
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), seqs: map[string]uint64{}, raw: map[int][]byte{},
		listed: map[uint64]bool{}, gone: map[uint64]bool{}, crlNo: map[string]int64{}, based: map[string]testca.List{}, tree: status.New(), bundle: entry.Sum([]byte("bundle"))}
	seed := sha256.Sum256([]byte("log"))
	priv := ed25519.NewKeyFromSeed(seed[:])
	pub := priv.Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey("log.example/audit", pub)
	must(t, err)
	w.vkey = vkey
	skey := fmt.Sprintf("PRIVATE+KEY+log.example/audit+%s+%s", vkey[len("log.example/audit+"):len("log.example/audit+")+8],
		base64.StdEncoding.EncodeToString(append([]byte{1}, seed[:]...)))
	w.logKey, err = note.NewSigner(skey)
	must(t, err)
	for i := range 3 {
		s := sha256.Sum256(fmt.Appendf(nil, "council %d", i))
		w.council = append(w.council, ed25519.NewKeyFromSeed(s[:]))
	}
	w.ca = testca.New(t, w.now.AddDate(-1, 0, 0))
	w.replay = func(context.Context, entry.Decision) error { return nil }
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// add appends an entry with the writer's next number, one second later.
func (w *world) add(by string, b entry.Body) uint64 {
	w.t.Helper()
	e := entry.Entry{At: entry.At(w.now), By: by, Seq: w.seqs[by], Body: b}
	w.seqs[by]++
	w.now = w.now.Add(time.Second)
	w.entries = append(w.entries, e)
	_ = w.tree.Apply(e) // an impossible step is the saboteur's business
	return uint64(len(w.entries) - 1)
}

func (w *world) begin() {
	w.add(entry.ByLog, &entry.Genesis{Key: w.vkey, Origin: "log.example/audit", Rules: "sukashi-1"})
	tbs := entry.Sum(w.ca.Cert.RawTBSCertificate)
	w.add(entry.ByOperator, &entry.KeyCreated{Alg: "p256", Record: entry.Sum([]byte("ceremony")), Role: "issuer", SPKI: entry.Sum(w.ca.SPKI()), TBS: &tbs})
	w.journal.Lines = append(w.journal.Lines, JournalLine{Index: 1, TBS: tbs})
	w.resp = w.ca.Responder(w.t, w.now.AddDate(0, -1, 0), nil)
	rtbs := entry.Sum(w.resp.Cert.RawTBSCertificate)
	w.add(entry.ByCA, &entry.KeyCreated{Alg: "p256", Record: entry.Sum([]byte("ceremony")), Role: "ocsp", SPKI: entry.Sum(w.resp.Cert.RawSubjectPublicKeyInfo), TBS: &rtbs})
	w.journal.Lines = append(w.journal.Lines, JournalLine{Index: 2, TBS: rtbs})
	w.approve(w.bundle, w.council...)
}

// ask lets the responder answer about a certificate, as it is now; change may
// spoil the answer.
func (w *world) ask(ord uint64, change func(*ocsp.Response)) {
	a := ocsp.Response{Status: ocsp.Unknown, ThisUpdate: w.now, ProducedAt: w.now, SerialNumber: big.NewInt(77)}
	if ord < uint64(len(w.holders)) {
		h := w.holders[ord]
		a.Status = ocsp.Good
		a.SerialNumber, _ = new(big.Int).SetString(h.serial, 16)
		if h.revokedAt != 0 {
			a.Status, a.RevokedAt, a.RevocationReason = ocsp.Revoked, h.recorded, reasons[h.ground][0]
		}
	}
	if change != nil {
		change(&a)
	}
	w.ocsps = append(w.ocsps, File{fmt.Sprintf("ocsp/%d.der", len(w.ocsps)), w.ca.Answer(w.t, w.resp, a)})
}

// proofFile is a proof certificate as the council has it before it.
func proofFile(bundle entry.Digest) File {
	return File{"policy/rules.proof", fmt.Appendf(nil, `{"v":1,"holds":true,"bundle":%q,"tools":{"opa":"opa-1.22.2"},"rulesets":[{"facts":["a","b"],"conditions":[0,0],"enumerated":4,"allowed":1}],`+
		`"grammars":[{"freeBits":0,"outsideRun":2}],"mutations":{"total":9,"noticed":9}}`, bundle.String())}
}

func (w *world) approve(bundle entry.Digest, by ...ed25519.PrivateKey) {
	w.approveProved(bundle, proofFile(bundle), by...)
}

func (w *world) approveProved(bundle entry.Digest, proof File, by ...ed25519.PrivateKey) {
	w.proofs = append(w.proofs, proof)
	b := &entry.PolicyApproved{Bundle: bundle, Capabilities: entry.Sum([]byte("c")), Grammar: entry.Sum([]byte("g")), Proof: entry.Sum(proof.Bytes), Scanner: entry.Sum([]byte("s"))}
	for _, k := range by {
		b.Approvals = append(b.Approvals, entry.Approval{
			Key: base64.StdEncoding.EncodeToString(k.Public().(ed25519.PublicKey)),
			Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(k, approvalMessage(bundle, b.Proof))),
		})
	}
	w.policy = w.add(entry.ByCouncil, b)
	w.bundle = bundle
}

func (w *world) decide(ruleset string, codes ...string) entry.Decision {
	if codes == nil {
		codes = []string{}
	}
	return entry.Decision{Allow: len(codes) == 0, Bundle: w.bundle, Codes: codes, Engine: "opa-1.22.2", Facts: "ff7f", Policy: w.policy, Ruleset: ruleset}
}

// certificate makes the next resident's certificate without logging it.
func (w *world) certificate(municipality string, change func(*testca.Leaf)) (der []byte, h holder) {
	key := testca.Key(w.t)
	n := uint64(len(w.holders))
	l := testca.Leaf{Serial: new(big.Int).SetUint64(0x8000000000000000 + n*7919), Key: &key.PublicKey, Attr: testca.Sample, Municipality: municipality, NotBefore: w.now}
	if change != nil {
		change(&l)
	}
	der = w.ca.Issue(w.t, l)
	seed := sha256.Sum256(fmt.Appendf(nil, "record %d", n))
	h = holder{key: commitment.Key(seed), serial: fmt.Sprintf("%x", l.Serial), municipality: municipality}
	s, err := h.key.Subject(testca.Sample.Slots())
	must(w.t, err)
	h.subject = s
	return der, h
}

func (w *world) intent(der []byte, h *holder) *entry.CertIntent {
	c, err := x509.ParseCertificate(der)
	must(w.t, err)
	return &entry.CertIntent{Decision: w.decide("issue"), Issuer: entry.Sum(w.ca.SPKI()), Municipality: h.municipality,
		Ordinal: uint64(len(w.holders)), Profile: entry.Sum([]byte("profile")), Serial: h.serial, Subject: h.subject, TBS: entry.Sum(c.RawTBSCertificate)}
}

// issue announces, signs and records a certificate.
func (w *world) issue(municipality string) uint64 {
	der, h := w.certificate(municipality, nil)
	return w.issueThis(der, h)
}

func (w *world) issueThis(der []byte, h holder) uint64 {
	b := w.intent(der, &h)
	h.intent = w.add(entry.ByCA, b)
	w.journal.Lines = append(w.journal.Lines, JournalLine{Index: h.intent, TBS: b.TBS})
	ord := uint64(len(w.holders))
	w.holders = append(w.holders, h)
	w.add(entry.ByCA, &entry.CertIssued{Certificate: entry.Sum(der), Ordinal: ord})
	w.certs = append(w.certs, File{fmt.Sprintf("certs/%d.pem", ord), der})
	return ord
}

// send logs a notice as sent and returns its number and digest.
func (w *world) send(ord uint64, mode string) (uint64, entry.Digest) {
	n := w.seqs[entry.ByNoticeSender]
	h := w.holders[ord]
	holder, err := h.key.Holder(n, ord)
	must(w.t, err)
	d, err := h.key.Notice(n, fmt.Appendf(nil, "notice %d", n))
	must(w.t, err)
	w.add(entry.ByNoticeSender, &entry.NoticeSent{Decision: w.decide("notice-send"), Digest: d, Holder: holder, Mode: mode, Notice: n})
	return n, d
}

func (w *world) receive(n uint64, d entry.Digest) uint64 {
	return w.add(entry.ByCALink, &entry.NoticeReceived{Decision: w.decide("notice-receive"), Digest: d, Notice: n})
}

func (w *world) refuse(n uint64, codes ...string) {
	w.add(entry.ByCALink, &entry.NoticeRefused{Decision: w.decide("notice-receive", codes...), Notice: n})
}

func (w *world) revoke(ord uint64, ground string, cause uint64) {
	h := &w.holders[ord]
	h.recorded, h.ground = w.now, ground
	h.revokedAt = 1 + w.add(entry.ByCA, &entry.Revocation{Cause: cause, Ground: ground, Ordinal: ord, Recorded: entry.At(w.now), Serial: h.serial})
}

// change is the whole way of a change notice.
func (w *world) change(ord uint64) {
	n, d := w.send(ord, entry.ModeReference)
	w.revoke(ord, entry.GroundChange, w.receive(n, d))
}

// request is the whole way of a revocation that the holder asks for.
func (w *world) request(ord uint64, ground string) {
	c := w.add(entry.ByCA, &entry.RevocationRequested{Decision: w.decide("revoke"), Ground: ground, Ordinal: ord})
	w.revoke(ord, ground, c)
}

func (w *world) statusRoot() *entry.StatusRoot {
	return &entry.StatusRoot{Covers: uint64(len(w.entries)), Issued: w.tree.Issued(), Revoked: w.tree.Revoked(), Root: w.tree.Root(), Size: w.tree.Size()}
}

// publish appends status.root and keeps the checkpoint.
func (w *world) publish() {
	w.add(entry.ByLog, w.statusRoot())
	w.earlier = append(w.earlier, w.checkpoint())
}

// list makes and announces a revocation list; change may spoil it before it is
// signed and announced.
func (w *world) list(partition string, change func(*testca.List)) []byte {
	l := w.listContent(partition)
	if change != nil {
		change(&l)
	}
	der := w.ca.CRL(w.t, l)
	w.based[partition] = l
	w.announceList(partition, der, uint64(len(l.Entries)), uint64(len(w.entries)))
	w.crls = append(w.crls, File{fmt.Sprintf("crl/%s-%d.crl", partition, l.Number), der})
	return der
}

func (w *world) announceList(partition string, der []byte, n, covers uint64) {
	c, err := pki.ParseList(der)
	must(w.t, err)
	i := w.add(entry.ByCA, &entry.CRLPublished{Base: c.Base, Covers: covers, Entries: n, Issuer: entry.Sum(w.ca.SPKI()), Number: c.Number, Partition: partition, TBS: c.TBS})
	w.journal.Lines = append(w.journal.Lines, JournalLine{Index: i, TBS: c.TBS})
}

func (w *world) listContent(partition string) testca.List {
	w.crlNo[partition]++
	l := testca.List{Number: w.crlNo[partition], ThisUpdate: w.now}
	switch partition {
	case fullPartition:
	case caPartition:
		l.Change = func(l *x509.RevocationList) {
			l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 3, 0x82, 1, 0xff}})
		}
	default:
		l.Partition = partition
	}
	if partition == fullPartition || partition == caPartition {
		l.Entries = append(l.Entries, w.unlinked...)
	}
	for _, h := range w.holders {
		if h.revokedAt == 0 || partition == caPartition || partition != fullPartition && h.municipality != partition {
			continue
		}
		serial, _ := new(big.Int).SetString(h.serial, 16)
		l.Entries = append(l.Entries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: h.recorded, ReasonCode: reasons[h.ground][0]})
	}
	return l
}

// nextKey is the issuer key of a further generation.
var nextKey = entry.Sum([]byte("next generation"))

// succeed hands the issuing over to another generation's key.
func (w *world) succeed() {
	w.add(entry.ByOperator, &entry.KeySucceeded{Record: other, SPKI: entry.Sum(w.ca.SPKI()), Successor: nextKey})
}

func (w *world) digest(i uint64) entry.Digest { return entry.Sum(w.leaf(int(i))) }

func (w *world) leak() {
	w.add(entry.ByOperator, &entry.KeyLeaked{Record: other, SPKI: entry.Sum(w.ca.SPKI())})
}

// act logs a step of a revocation by officers.
func (w *world) act(phase string, officer byte) {
	w.add(entry.ByCA, &entry.OperatorAct{Act: entry.ActRevoke, Phase: phase, Officer: entry.Sum([]byte{officer}), Proposal: entry.Sum([]byte("proposal"))})
}

// link announces a certificate for a further generation's key.
func (w *world) link(serial string) {
	if len(w.unlinked) == 0 {
		w.add(entry.ByOperator, &entry.KeyCreated{Alg: "p256", Record: other, Role: "issuer", SPKI: nextKey})
	}
	w.add(entry.ByOperator, &entry.CrossIntent{Issuer: entry.Sum(w.ca.SPKI()), Purpose: entry.PurposeLink, Record: other, Serial: serial, SPKI: nextKey, TBS: w.digest(uint64(len(w.entries) - 1))})
}

func (w *world) unlink(serial string) {
	n, _ := new(big.Int).SetString(serial, 16)
	w.unlinked = append(w.unlinked, x509.RevocationListEntry{SerialNumber: n, RevocationTime: w.now, ReasonCode: 2})
	w.add(entry.ByOperator, &entry.CrossRevoked{Ground: entry.GroundIssuerKey, Issuer: entry.Sum(w.ca.SPKI()), Record: other, Recorded: entry.At(w.now), Serial: serial})
}

// daily is M1: both sides log the same list.
func (w *world) daily(day string) {
	h := w.listOfHolders(day)
	w.add(entry.ByCALink, &entry.HoldersSent{Holders: h})
	w.add(entry.ByRegisterLink, &entry.HoldersReceived{Holders: h})
}

func (w *world) listOfHolders(day string) entry.Holders {
	var add []holders.Member
	var gone []uint64
	var total uint64
	for o, h := range w.holders {
		ord := uint64(o)
		switch live := h.revokedAt == 0; {
		case live && !w.listed[ord]:
			w.listed[ord] = true
			add = append(add, holders.Member{Ordinal: ord, Subject: h.subject})
		case !live && w.listed[ord] && !w.gone[ord]:
			w.gone[ord] = true
			gone = append(gone, ord)
		}
	}
	total = uint64(len(w.listed) - len(w.gone))
	set := holders.SetDigest(day, w.m1, add, gone, total)
	w.m1++
	return entry.Holders{Day: day, New: uint64(len(add)), Gone: uint64(len(gone)), Total: total, Set: set}
}

// story is a history in which everything is as it should be.
func story(w *world) {
	w.begin()
	for range 3 {
		w.issue(nagano)
		w.issue(matsumoto)
	}
	w.publish()
	w.daily("2026-11-23")
	w.change(0)
	w.change(1)
	w.request(2, entry.GroundRequest)
	w.request(3, entry.GroundKeyLeak)
	w.publish()
	for _, p := range []string{fullPartition, nagano, matsumoto} {
		w.list(p, nil)
	}
	w.close("2026-11-23", nil)
	w.daily("2026-11-24")
	for _, o := range []uint64{0, 2, 4, 99} {
		w.ask(o, nil)
	}
	w.link("0b01")
	w.unlink("0b01")
	w.delta(fullPartition, nil)
	for _, p := range []string{fullPartition, caPartition} {
		w.list(p, nil)
	}
	w.publish()
}

var errReplay = errors.New("another answer")

// vkeyOf is the verifier key of an Ed25519 key under the test log's name.
func vkeyOf(t testing.TB, key ed25519.PrivateKey) string {
	v, err := note.NewEd25519VerifierKey("log.example/audit", key.Public().(ed25519.PublicKey))
	must(t, err)
	return v
}

// resign signs the same TBSCertificate once more: another certificate with the
// same content.
func (w *world) resign(der []byte) []byte {
	c, err := x509.ParseCertificate(der)
	must(w.t, err)
	sum := sha256.Sum256(c.RawTBSCertificate)
	for {
		sig, err := ecdsa.SignASN1(rand.Reader, w.ca.Key, sum[:])
		must(w.t, err)
		if len(sig) != len(c.Signature) {
			continue // keep the outer lengths
		}
		return append(der[:len(der)-len(sig):len(der)-len(sig)], sig...)
	}
}

// opening is what the CA would disclose about a notice.
func (w *world) opening(notice, ordinal uint64) Opening {
	salt, err := w.holders[ordinal].key.HolderSalt(notice)
	if err != nil {
		w.t.Fatal(err)
	}
	return Opening{Notice: notice, Ordinal: ordinal, Salt: salt}
}
