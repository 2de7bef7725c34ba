package revocation

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	mrand "math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
	"golang.org/x/crypto/ocsp"
	"pgregory.net/rapid"
)

// bare is an issuer with a plain key for tests that make thousands of lists; the
// gate has its own tests.
type bare struct {
	key     *ecdsa.PrivateKey
	root    *x509.Certificate
	issuer  *profile.Issuer
	ocspKey *ecdsa.PrivateKey
	ocspDER []byte
}

// bareIssuer has the same keys in every process: those of a fuzz run exchange
// requests that name it.
var bareIssuer = sync.OnceValue(func() *bare { return newBare("the first") })

// newBare makes an issuer whose keys follow from its name.
func newBare(name string) *bare {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	b := new(bare)
	var err error
	key := func(of string) *ecdsa.PrivateKey {
		d := entry.Sum([]byte(name + " " + of))
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
		must(err)
		return k
	}
	b.key, b.ocspKey = key("issuer"), key("responder")
	make := func(r profile.Role, req profile.Request) []byte {
		p, err := profile.Shipped(r)
		must(err)
		req.Serial, err = profile.NewSerial(rand.Reader)
		must(err)
		req.NotBefore, req.BaseURL = start.AddDate(0, 0, -1), base
		tbs, err := p.BuildCertificateTBS(req)
		must(err)
		der, err := profile.Assemble(tbs, profile.ECDSAWithSHA256, b.sign(tbs))
		must(err)
		return der
	}
	root := make(profile.Root, profile.Request{PublicKey: b.key.Public()})
	b.root, err = x509.ParseCertificate(root)
	must(err)
	b.issuer, err = profile.NewIssuer(root)
	must(err)
	b.ocspDER = make(profile.OCSP, profile.Request{PublicKey: b.ocspKey.Public(), NotAfter: start.AddDate(0, 6, 0), Issuer: b.issuer})
	return b
}

func (b *bare) sign(tbs []byte) []byte {
	d := entry.Sum(tbs)
	sig, err := ecdsa.SignASN1(rand.Reader, b.key, d[:])
	if err != nil {
		panic(err)
	}
	return sig
}

var start = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

func bareLists(t testing.TB, s *State, deltas bool) *Lists {
	t.Helper()
	return bareIssuer().lists(t, s, deltas)
}

func (b *bare) lists(t testing.TB, s *State, deltas bool) *Lists {
	t.Helper()
	p, err := profile.Shipped(profile.Resident)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLists(ListsConfig{State: s, Issuer: b.issuer, Resident: p, Places: placeOf, BaseURL: base, Validity: 24 * time.Hour, DeltaLife: life(deltas)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func intentEntry(ordinal uint64, serial []byte, place string) *entry.CertIntent {
	return &entry.CertIntent{Decision: keystoretest.Decision("issue"), Issuer: bareIssuer().issuer.Key, Municipality: place, Ordinal: ordinal,
		Profile: entry.Sum([]byte("p")), Serial: hex.EncodeToString(serial), Subject: entry.Sum([]byte("s")), TBS: entry.Sum(serial)}
}

// model is what a certificate should be, computed by other code than the state.
type model struct {
	serial   []byte
	place    string
	status   Status
	open     bool
	ground   string
	recorded time.Time
}

// wantReason is the table of DOMAIN 6.4 once more, by hand.
var wantReason = map[string]int{"art9": 5, "art10": 1, "art12": 3, "art13": 4, "art14": 2, "renewed": 4, "undelivered": 0}

// draw chooses: from package rapid, which shrinks what fails, or from a plain
// generator, which is fast enough for ten thousand histories.
type draw interface {
	upTo(n int, label string) int // 0 to n
	bytes(n int) []byte
	Fatalf(format string, args ...any)
	Helper()
}

type rapidDraw struct{ *rapid.T }

func (d rapidDraw) upTo(n int, label string) int { return rapid.IntRange(0, n).Draw(d.T, label) }
func (d rapidDraw) bytes(n int) []byte           { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(d.T, "bytes") }

type plainDraw struct {
	*testing.T
	r *mrand.Rand
}

func (d plainDraw) upTo(n int, _ string) int { return d.r.IntN(n + 1) }
func (d plainDraw) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.r.Uint32())
	}
	return b
}

// history is a random run of a CA: the log that it left, and what the code
// under test made of it.
type history struct {
	s    *State
	tree *status.Tree
	log  []entry.Entry
	now  time.Time

	based *published // a complete list of the middle of the run
	delta []byte     // what was made on it in the end
}

func (h *history) apply(t draw, body entry.Body) {
	t.Helper()
	e := entry.Entry{At: entry.At(h.now), By: entry.ByCA, Seq: uint64(len(h.log)), Body: body}
	if err := h.s.Apply(e.Seq, e); err != nil {
		t.Fatalf("%v", err)
	}
	if err := h.tree.Apply(e); err != nil {
		t.Fatalf("%v", err)
	}
	h.log = append(h.log, e)
}

// compute says what each certificate should be, from the log alone and by
// other code than the state.
func (h *history) compute() []model {
	var certs []model
	for _, e := range h.log {
		switch b := e.Body.(type) {
		case *entry.CertIntent:
			serial, _ := hex.DecodeString(b.Serial)
			certs = append(certs, model{serial: serial, place: b.Municipality, open: true})
		case *entry.CertIssued:
			certs[b.Ordinal].open, certs[b.Ordinal].status = false, Good
		case *entry.CertAborted:
			certs[b.Ordinal].open = false
		case *entry.Revocation:
			m := &certs[b.Ordinal]
			m.status, m.ground, m.recorded = Revoked, b.Ground, b.Recorded.Std()
		}
	}
	return certs
}

var historyPlaces = []string{"202029", "202011", "203611"}

func (h *history) step(t draw) {
	h.now = h.now.Add(time.Duration(t.upTo(3600, "seconds")) * time.Second)
	certs := h.compute()
	kind := t.upTo(3, "step")
	if kind == 0 || len(certs) == 0 {
		n := t.upTo(19, "length")
		serial := append([]byte{byte(len(certs) + 1)}, t.bytes(n)...)
		h.apply(t, intentEntry(uint64(len(certs)), serial, historyPlaces[t.upTo(2, "place")]))
		return
	}
	o := t.upTo(len(certs)-1, "ordinal")
	m := certs[o]
	switch {
	case kind == 1 && m.open && t.upTo(3, "issue") > 0:
		h.apply(t, &entry.CertIssued{Certificate: entry.Sum(m.serial), Ordinal: uint64(o)})
	case kind == 1 && m.open:
		h.apply(t, &entry.CertAborted{Ordinal: uint64(o), Reason: entry.AbortCrash})
	case kind == 2 && m.status == Good:
		ground := entry.Grounds[t.upTo(len(entry.Grounds)-1, "ground")]
		h.apply(t, &entry.Revocation{Ground: ground, Ordinal: uint64(o), Recorded: entry.At(h.now), Serial: hex.EncodeToString(m.serial)})
	case kind == 3:
		h.apply(t, &entry.SecurityEvent{Code: "other", From: entry.At(h.now), To: entry.At(h.now)})
	}
}

// live lives through a history and compares lists (read by Go's parser), OCSP
// (read by x/crypto's) and the status tree with what the log says.
func live(t draw, steps int) *history {
	t.Helper()
	h := &history{s: NewState(), tree: status.New(), now: start}
	middle := t.upTo(steps-1, "middle")
	for i := range steps {
		h.step(t)
		if i == middle {
			h.publish(t, append([]string{Full}, historyPlaces...)[t.upTo(len(historyPlaces), "partition")])
		}
	}
	certs := h.compute()
	h.checkDelta(t)
	for _, partition := range append([]string{Full}, historyPlaces...) {
		h.checkList(t, partition, certs)
	}
	r, err := NewResponder(ResponderConfig{State: h.s, Issuer: bareIssuer().issuer, Certificate: bareIssuer().ocspDER, Key: plainSigner{bareIssuer().ocspKey},
		Now: func() time.Time { return h.now }, Validity: time.Hour})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for i, m := range certs {
		h.checkOCSP(t, r, uint64(i), m)
	}
	return h
}

// Whatever the history: what was found by chance shrinks to a small case.
func TestHistoriesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { live(rapidDraw{t}, rapid.IntRange(1, 60).Draw(t, "steps")) })
}

// Ten thousand histories; one in 250 is shown to openssl as well.
func TestTenThousandHistories(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 200
	}
	var mu sync.Mutex
	revoked, certs, sample := 0, 0, 0
	t.Run("histories", func(t *testing.T) {
		const workers = 2
		for w := range workers {
			t.Run(fmt.Sprint(w), func(t *testing.T) {
				t.Parallel()
				for seed := w; seed < n; seed += workers {
					d := plainDraw{t, mrand.New(mrand.NewPCG(uint64(seed), 7))}
					h := live(d, 1+d.upTo(29, "steps"))
					shown := seed%250 == 0 && h.openssl(t)
					mu.Lock()
					certs += len(h.compute())
					revoked += int(h.tree.Revoked())
					if shown {
						sample++
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d histories with %d certificates, %d of them revoked: %d lists and %d OCSP answers agree with the log, %d histories also by openssl",
		n, certs, revoked, n*(1+len(historyPlaces)), certs, sample)
}

// openssl compares the lists as `openssl crl -text` prints them; false when
// there is no openssl.
func (h *history) openssl(t *testing.T) bool {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		return false
	}
	for _, partition := range append([]string{Full}, historyPlaces...) {
		got := printedBy(t, h.list(plainDraw{T: t}, partition))
		if partition == h.based.list.Partition { // base and delta print what the complete list prints
			h.opensslDelta(t, got)
		}
		var want []string
		for _, m := range h.compute() {
			if m.status == Revoked && (partition == Full || partition == m.place) {
				want = append(want, fmt.Sprintf("%X %s %s", m.serial, m.recorded.Format("Jan _2 15:04:05 2006 GMT"), opensslReasons[wantReason[m.ground]]))
			}
		}
		slices.Sort(want)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: openssl prints\n%q, want\n%q", partition, got, want)
		}
	}
	return true
}

var opensslReasons = map[int]string{0: "", 1: "Key Compromise", 2: "CA Compromise", 3: "Affiliation Changed", 4: "Superseded", 5: "Cessation Of Operation"}

// printedEntries reads openssl's text: serial, date and reason of each entry.
func printedEntries(text string) []string {
	var out []string
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		serial, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "Serial Number: ")
		if !ok || i+1 == len(lines) {
			continue
		}
		date := strings.TrimPrefix(strings.TrimSpace(lines[i+1]), "Revocation Date: ")
		reason := ""
		for j := i + 2; j+1 < len(lines) && !strings.Contains(lines[j], "Serial Number: ") && !strings.Contains(lines[j], "Signature Algorithm"); j++ {
			if strings.Contains(lines[j], "CRL Reason Code") {
				reason = strings.TrimSpace(lines[j+1])
			}
		}
		out = append(out, serial+" "+date+" "+reason)
	}
	return out
}

var residentProfile = sync.OnceValue(func() *profile.Profile {
	p, err := profile.Shipped(profile.Resident)
	if err != nil {
		panic(err)
	}
	return p
})

// list makes the signed list of a partition.
func (h *history) list(t draw, partition string) []byte {
	t.Helper()
	l, err := h.lists(t).Build(partition, h.now)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return signed(t, l)
}

func (h *history) lists(t draw) *Lists {
	t.Helper()
	l, err := NewLists(ListsConfig{State: h.s, Issuer: bareIssuer().issuer, Resident: residentProfile(), Places: placeOf, BaseURL: base,
		Validity: 24 * time.Hour, DeltaLife: 6 * time.Hour})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return l
}

func signed(t draw, l *List) []byte {
	t.Helper()
	der, err := l.Assemble(bareIssuer().sign(l.TBS()))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return der
}

func (h *history) checkList(t draw, partition string, certs []model) {
	t.Helper()
	crl, err := x509.ParseRevocationList(h.list(t, partition))
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := crl.CheckSignatureFrom(bareIssuer().root); err != nil {
		t.Fatalf("%v", err)
	}
	got := entriesOf(crl)
	want := map[string]string{}
	for _, m := range certs {
		if m.status == Revoked && (partition == Full || partition == m.place) {
			want[string(m.serial)] = fmt.Sprint(m.recorded, wantReason[m.ground])
		}
	}
	if len(got) != len(want) || len(got) != len(crl.RevokedCertificateEntries) || !maps.Equal(got, want) {
		t.Fatalf("%s: %d entries, want %d: %v, want %v", partition, len(got), len(want), got, want)
	}
}

// entriesOf is what a list says, by serial.
func entriesOf(crl *x509.RevocationList) map[string]string {
	out := map[string]string{}
	for _, e := range crl.RevokedCertificateEntries {
		out[string(e.SerialNumber.Bytes())] = fmt.Sprint(e.RevocationTime.UTC(), e.ReasonCode)
	}
	return out
}

func (h *history) checkOCSP(t draw, r *Responder, ordinal uint64, m model) {
	t.Helper()
	req := ocspRequestFor(bareIssuer().issuer, crypto.SHA256, m.serial)
	var root *x509.Certificate // the responder's certificate is the same in every answer: once is enough
	if ordinal == 0 {
		root = bareIssuer().root
	}
	resp, err := ocsp.ParseResponse(r.Respond(context.Background(), req), root)
	if err != nil {
		t.Fatalf("%v", err)
	}
	want := map[Status]int{Good: ocsp.Good, Revoked: ocsp.Revoked, Unknown: ocsp.Unknown}[m.status]
	if resp.Status != want || (m.status == Revoked && (!resp.RevokedAt.Equal(m.recorded) || resp.RevocationReason != wantReason[m.ground])) {
		t.Fatalf("certificate %d: OCSP says %d, want %d", ordinal, resp.Status, want)
	}
	tree := map[Status]status.State{Good: status.Valid, Revoked: status.Revoked, Unknown: status.None}[m.status]
	if got := h.tree.State(ordinal); got != tree {
		t.Fatalf("certificate %d: the status tree says %v, OCSP %v", ordinal, got, m.status)
	}
}

// plainSigner signs responses without a journal.
type plainSigner struct{ k *ecdsa.PrivateKey }

func (p plainSigner) Public() crypto.PublicKey { return p.k.Public() }
func (p plainSigner) Alg() profile.SigAlg      { return profile.ECDSAWithSHA256 }
func (p plainSigner) SignResponse(_ context.Context, tbs []byte) ([]byte, error) {
	d := entry.Sum(tbs)
	return ecdsa.SignASN1(rand.Reader, p.k, d[:])
}
