package revocation

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
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

var bareIssuer = sync.OnceValue(newBare)

func newBare() *bare {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	b := new(bare)
	var err error
	b.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	b.ocspKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
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
	l, err := NewLists(ListsConfig{State: s, Issuer: b.issuer, Resident: p, Places: placeOf, BaseURL: base, Validity: 24 * time.Hour, Deltas: deltas})
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

// history is a random run of a CA.
type history struct {
	s     *State
	tree  *status.Tree
	certs []model
	now   time.Time
	seq   uint64
}

func (h *history) apply(t *rapid.T, body entry.Body) {
	e := entry.Entry{At: entry.At(h.now), By: entry.ByCA, Seq: h.seq, Body: body}
	if err := h.s.Apply(h.seq, e); err != nil {
		t.Fatal(err)
	}
	if err := h.tree.Apply(e); err != nil {
		t.Fatal(err)
	}
	h.seq++
}

func (h *history) step(t *rapid.T) {
	h.now = h.now.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds")) * time.Second)
	pick := func() *model {
		if len(h.certs) == 0 {
			return nil
		}
		return &h.certs[rapid.IntRange(0, len(h.certs)-1).Draw(t, "ordinal")]
	}
	ordinal := func(m *model) uint64 {
		return uint64(slices.IndexFunc(h.certs, func(x model) bool { return string(x.serial) == string(m.serial) }))
	}
	switch rapid.IntRange(0, 3).Draw(t, "step") {
	case 0:
		m := model{place: rapid.SampledFrom([]string{"202029", "202011", "203611"}).Draw(t, "place"), open: true}
		n := rapid.IntRange(1, 20).Draw(t, "length")
		m.serial = append([]byte{byte(len(h.certs) + 1)}, rapid.SliceOfN(rapid.Byte(), n-1, n-1).Draw(t, "serial")...)
		if slices.ContainsFunc(h.certs, func(x model) bool { return string(x.serial) == string(m.serial) }) || len(h.certs) > 200 {
			return
		}
		h.apply(t, intentEntry(uint64(len(h.certs)), m.serial, m.place))
		h.certs = append(h.certs, m)
	case 1:
		if m := pick(); m != nil && m.open {
			m.open = false
			if rapid.Bool().Draw(t, "issue") {
				m.status = Good
				h.apply(t, &entry.CertIssued{Certificate: entry.Sum(m.serial), Ordinal: ordinal(m)})
			} else {
				h.apply(t, &entry.CertAborted{Ordinal: ordinal(m), Reason: entry.AbortCrash})
			}
		}
	case 2:
		if m := pick(); m != nil && m.status == Good {
			m.status, m.ground, m.recorded = Revoked, rapid.SampledFrom(entry.Grounds).Draw(t, "ground"), h.now
			h.apply(t, &entry.Revocation{Ground: m.ground, Ordinal: ordinal(m), Recorded: entry.At(h.now), Serial: hex.EncodeToString(m.serial)})
		}
	case 3:
		h.apply(t, &entry.SecurityEvent{Code: "other", From: entry.At(h.now), To: entry.At(h.now)})
	}
}

// Whatever the history: lists (read by Go's parser), OCSP (read by x/crypto's)
// and the status tree say the same, and it is what the model says.
func TestHistoriesAgree(t *testing.T) {
	key := plainSigner{bareIssuer().ocspKey}
	rapid.Check(t, func(t *rapid.T) {
		h := &history{s: NewState(), tree: status.New(), now: start}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			h.step(t)
		}
		h.checkLists(t)
		r, err := NewResponder(ResponderConfig{State: h.s, Issuer: bareIssuer().issuer, Certificate: bareIssuer().ocspDER, Key: key,
			Now: func() time.Time { return h.now }, Validity: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		for i := range h.certs {
			h.checkOCSP(t, r, uint64(i))
		}
	})
}

func (h *history) checkLists(t *rapid.T) {
	s := h.s
	p, _ := profile.Shipped(profile.Resident)
	lists, err := NewLists(ListsConfig{State: s, Issuer: bareIssuer().issuer, Resident: p, Places: placeOf, BaseURL: base, Validity: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, partition := range []string{Full, "202029", "202011", "203611"} {
		l, err := lists.Build(partition, h.now)
		if err != nil {
			t.Fatal(err)
		}
		der, err := l.Assemble(bareIssuer().sign(l.TBS()))
		if err != nil {
			t.Fatal(err)
		}
		crl, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := crl.CheckSignatureFrom(bareIssuer().root); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range crl.RevokedCertificateEntries {
			got[string(e.SerialNumber.Bytes())] = fmt.Sprint(e.RevocationTime.UTC(), e.ReasonCode)
		}
		want := map[string]string{}
		for _, m := range h.certs {
			if m.status == Revoked && (partition == Full || partition == m.place) {
				want[string(m.serial)] = fmt.Sprint(m.recorded, wantReason[m.ground])
			}
		}
		if len(got) != len(want) || uint64(len(got)) != l.Entries || len(got) != len(crl.RevokedCertificateEntries) {
			t.Fatalf("%s: %d entries, want %d", partition, len(got), len(want))
		}
		for k, v := range want {
			if got[k] != v {
				t.Fatalf("%s: entry %q, want %q", partition, got[k], v)
			}
		}
	}
}

func (h *history) checkOCSP(t *rapid.T, r *Responder, ordinal uint64) {
	m := h.certs[ordinal]
	req := ocspRequestFor(bareIssuer().issuer, crypto.SHA256, m.serial)
	resp, err := ocsp.ParseResponse(r.Respond(context.Background(), req), bareIssuer().root)
	if err != nil {
		t.Fatal(err)
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

// What can't follow changes nothing.
func TestApplyRefuses(t *testing.T) {
	serial := []byte{1, 2, 3}
	at := entry.At(start)
	revocation := func(ordinal uint64, serial string) *entry.Revocation {
		return &entry.Revocation{Ground: entry.GroundChange, Ordinal: ordinal, Recorded: at, Serial: serial}
	}
	for name, steps := range map[string][]entry.Body{
		"gap in ordinals":       {intentEntry(1, serial, "202029")},
		"serial twice":          {intentEntry(0, serial, "202029"), intentEntry(1, append([]byte{0}, serial...), "202029")},
		"bad serial":            {&entry.CertIntent{Serial: "xx", Municipality: "202029"}},
		"long serial":           {intentEntry(0, make([]byte, 30), "202029"), intentEntry(1, slices.Repeat([]byte{1}, 21), "202029")},
		"no place":              {intentEntry(0, serial, "2020")},
		"issued from nothing":   {&entry.CertIssued{}},
		"aborted from nothing":  {&entry.CertAborted{}},
		"revoked from nothing":  {revocation(0, "010203")},
		"issued twice":          {intentEntry(0, serial, "202029"), &entry.CertIssued{}, &entry.CertIssued{}},
		"aborted after issue":   {intentEntry(0, serial, "202029"), &entry.CertIssued{}, &entry.CertAborted{}},
		"revoked while pending": {intentEntry(0, serial, "202029"), revocation(0, "010203")},
		"revoked twice":         {intentEntry(0, serial, "202029"), &entry.CertIssued{}, revocation(0, "010203"), revocation(0, "010203")},
		"another serial":        {intentEntry(0, serial, "202029"), &entry.CertIssued{}, revocation(0, "010204")},
		"serial is not hex":     {intentEntry(0, serial, "202029"), &entry.CertIssued{}, revocation(0, "zz")},
		"CRL number stands":     {&entry.CRLPublished{Partition: Full, Number: 3}, &entry.CRLPublished{Partition: Full, Number: 3}},
		"CRL from the future":   {&entry.CRLPublished{Partition: Full, Number: 3, Covers: 99}},
		"CRL of no place":       {&entry.CRLPublished{Partition: "nagano", Number: 3}},
		"no body":               {nil},
	} {
		s := NewState()
		for i, b := range steps {
			err := s.Apply(uint64(i), entry.Entry{At: at, By: entry.ByCA, Body: b})
			if last := i == len(steps)-1; (err != nil) != last && name != "long serial" {
				t.Errorf("%s: step %d: %v", name, i, err)
			}
		}
		if s.Covers() != uint64(len(steps)-1) && name != "long serial" {
			t.Errorf("%s: %d entries counted", name, s.Covers())
		}
	}
	if err := NewState().Apply(1, entry.Entry{Body: &entry.CertIssued{}}); err == nil {
		t.Error("a gap in the log")
	}
	if got := NewState().Lookup(entry.Digest{}, nil); got != (Answer{}) {
		t.Errorf("an empty serial is %v", got)
	}
}

func TestListsConfigRefuses(t *testing.T) {
	p, _ := profile.Shipped(profile.Resident)
	good := ListsConfig{State: NewState(), Issuer: bareIssuer().issuer, Resident: p, Places: placeOf, BaseURL: base, Validity: time.Hour}
	for name, change := range map[string]func(*ListsConfig){
		"no state": func(c *ListsConfig) { c.State = nil }, "no issuer": func(c *ListsConfig) { c.Issuer = nil },
		"no places": func(c *ListsConfig) { c.Places = nil }, "no address": func(c *ListsConfig) { c.BaseURL = "" },
		"short": func(c *ListsConfig) { c.Validity = time.Second }, "fraction": func(c *ListsConfig) { c.Validity += time.Millisecond },
	} {
		c := good
		change(&c)
		if _, err := NewLists(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	s := NewState()
	for i, b := range []entry.Body{intentEntry(0, []byte{9}, "202029"), &entry.CertIssued{},
		&entry.Revocation{Ground: entry.GroundChange, Recorded: entry.At(start), Serial: "09"}} {
		if err := s.Apply(uint64(i), entry.Entry{Body: b}); err != nil {
			t.Fatal(err)
		}
	}
	l := bareLists(t, s, false)
	if _, err := l.Build(Full, start.Add(-time.Second)); err == nil {
		t.Error("a list older than a revocation in it")
	}
	for _, p := range []string{"nagano", "202030", ""} {
		if _, err := l.Build(p, start); err == nil {
			t.Errorf("a list of %q", p)
		}
	}
	for _, b := range []Base{{0, 0}, {1, 0}, {1, 99}} {
		if _, err := l.BuildDelta(Full, start, b); err == nil {
			t.Errorf("a delta of %v", b)
		}
	}
	if got := l.Partitions(); !slices.Equal(got, []string{Full, "202029"}) {
		t.Errorf("partitions %v", got)
	}
	list, err := l.Build("202029", start)
	if err != nil {
		t.Fatal(err)
	}
	sig := bareIssuer().sign(list.TBS())
	if err := list.Write(failingWriter{}, sig); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
	sig[10] ^= 1
	if _, err := list.Assemble(sig); err == nil {
		t.Error("a list with a wrong signature")
	}
	if _, err := list.Assemble(make([]byte, 1000)); err == nil {
		t.Error("a list with a huge signature")
	}
	if list.Size() != len(list.TBS()) || list.Digest() != entry.Sum(list.TBS()) || list.Body().TBS != list.Digest() {
		t.Error("the list does not know itself")
	}
}

var errFull = errors.New("no room")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

var _ io.Writer = failingWriter{}
