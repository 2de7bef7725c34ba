package scenario

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/review/agency"
	"github.com/sukashi-project/sukashi/review/application"
	"github.com/sukashi-project/sukashi/review/audit"
	"github.com/sukashi-project/sukashi/review/pki"
)

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// shifted is a clock that runs at real speed and is moved forward by hand,
// into the future too.
type shifted struct {
	mu sync.Mutex
	by time.Duration
}

func (s *shifted) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.by)
}

func (s *shifted) jump(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by += d
}

const day = 24 * time.Hour

// town is a world with residents, most of whom are somebody's neighbour in a
// scenario.
type town struct {
	t     testing.TB
	w     *world.World
	clock *shifted
	log   *publish.Client // what everybody can read
	rs    []people.Resident
	used  map[string]bool
	early map[string]*holder // issued before the years of a story went by
}

// open starts a world whose story begins at now plus start.
func open(t testing.TB, mode string, start time.Duration) *town {
	t.Helper()
	v := &town{t: t, clock: &shifted{by: start}, used: map[string]bool{}, early: map[string]*holder{}}
	dirs := world.In(t.TempDir())
	for _, d := range []string{dirs.Juki, dirs.CA, dirs.Ledger, dirs.Head, dirs.Witness, dirs.Out} {
		must(t, os.MkdirAll(d, 0o700))
	}
	var err error
	v.w, err = world.Open(ctx, world.Config{Dirs: dirs, Now: v.clock.Now, NoticeMode: mode, IssuerAlg: keystore.P256})
	must(t, err)
	t.Cleanup(func() {
		if err := v.w.Close(); err != nil {
			t.Error(err)
		}
	})
	v.log, err = publish.NewClient(v.w.Ledger.PublicURL, http.DefaultClient)
	must(t, err)
	v.rs, err = people.Generate(11, 1500)
	must(t, err)
	must(t, v.w.Import(v.rs))
	return v
}

// on gives the town to a subtest.
func (v *town) on(t testing.TB) *town {
	c := *v
	c.t = t
	return &c
}

// plain is a resident whose data hold no difficulty.
func plain(r people.Resident) bool {
	return r.SubstituteName == "" && r.SubstituteAddress == "" && !strings.HasSuffix(r.Attr.BirthDate, "00") && !strings.HasSuffix(r.Attr.BirthDate, "0229")
}

// pick returns a resident whom no scenario has had, and who has no twin.
func (v *town) pick(want func(people.Resident) bool) people.Resident {
	v.t.Helper()
	for i, r := range v.rs {
		if v.used[r.Code] || !want(r) || i+1 < len(v.rs) && v.rs[i+1].Attr == r.Attr || i > 0 && v.rs[i-1].Attr == r.Attr {
			continue
		}
		v.used[r.Code] = true
		return r
	}
	v.t.Fatal("the generator made no such resident")
	return people.Resident{}
}

// twins returns two residents with equal attributes.
func (v *town) twins() (a, b people.Resident) {
	v.t.Helper()
	for i := range v.rs[1:] {
		if v.rs[i].Attr == v.rs[i+1].Attr && plain(v.rs[i]) && !v.used[v.rs[i].Code] {
			v.used[v.rs[i].Code], v.used[v.rs[i+1].Code] = true, true
			return v.rs[i], v.rs[i+1]
		}
	}
	v.t.Fatal("the generator made no twins")
	return a, b
}

// holder is a resident with a card.
type holder struct {
	people.Resident
	card *card.Card
	*counter.Delivery
}

func (v *town) apply(r people.Resident, edit func(*counter.Form)) (*holder, error) {
	v.t.Helper()
	c, err := world.NewCard(card.P256)
	must(v.t, err)
	d, err := v.w.Apply(ctx, r, c, edit)
	if err != nil {
		return nil, err
	}
	return &holder{r, c, d}, nil
}

func (v *town) issue(r people.Resident) *holder {
	v.t.Helper()
	h, err := v.apply(r, nil)
	must(v.t, err)
	return h
}

// issued is a plain resident with a certificate that the register side knows.
func (v *town) issued() *holder {
	v.t.Helper()
	h := v.issue(v.pick(plain))
	v.tomorrow()
	return h
}

// tomorrow ends the day: the daily list goes over, the day's revocation lists
// and status are published, a day passes.
func (v *town) tomorrow() {
	v.t.Helper()
	_, err := v.w.SendHolders(ctx)
	must(v.t, err)
	_, err = v.w.CA.Authority.PublishCRLs(ctx)
	must(v.t, err)
	_, err = v.w.CloseDay(ctx)
	must(v.t, err)
	v.publish()
	v.clock.jump(day)
}

// change takes one change into the register; it is matched at once.
func (v *town) change(k register.Kind, r people.Resident) match.Outcome {
	v.t.Helper()
	e := register.Event{Kind: k, Code: r.Code, Municipality: r.Municipality, Attr: r.Attr}
	if k.Deletes() {
		e.Attr = people.Resident{}.Attr
	}
	if k == register.Reversal {
		for pos := v.w.Juki.Office.Register.Size(); pos > 0; pos-- {
			if c, err := v.w.Juki.Office.Register.Change(pos - 1); err == nil && c.Code == r.Code {
				e.Reverts = pos - 1
				break
			}
		}
	}
	cs, err := v.w.Juki.Office.Change(ctx, e)
	must(v.t, err)
	o, err := v.w.Juki.Office.Matching.Outcome(cs[0].Pos)
	must(v.t, err)
	return o
}

// notify sends what is due and returns how many notices the CA side took.
func (v *town) notify() int {
	v.t.Helper()
	s, err := v.w.SendNotices(ctx)
	must(v.t, err)
	if s.Rejected+s.Stopped > 0 {
		v.t.Errorf("refused: %+v", s)
	}
	return s.Delivered
}

// moved is r at another address of the same town.
func (v *town) moved(r people.Resident) people.Resident {
	return v.like(r, func(o people.Resident) bool {
		return o.Municipality == r.Municipality && o.Attr.Address != r.Attr.Address
	})
}

// away is r in another municipality.
func (v *town) away(r people.Resident) people.Resident {
	return v.like(r, func(o people.Resident) bool { return o.Municipality != r.Municipality })
}

func (v *town) like(r people.Resident, want func(people.Resident) bool) people.Resident {
	v.t.Helper()
	for _, o := range v.rs {
		if plain(o) && want(o) {
			r.Attr.Address, r.Municipality = o.Attr.Address, o.Municipality
			return r
		}
	}
	v.t.Fatal("there is nowhere to move to")
	return r
}

// married is r with another family name.
func (v *town) married(r people.Resident) people.Resident {
	v.t.Helper()
	_, given, _ := strings.Cut(r.Attr.Name, "　")
	for _, o := range v.rs {
		if family, _, ok := strings.Cut(o.Attr.Name, "　"); ok && plain(o) && family+"　"+given != r.Attr.Name {
			r.Attr.Name = family + "　" + given
			return r
		}
	}
	v.t.Fatal("nobody to marry")
	return r
}

// mark is the size of the log now.
func (v *town) mark() uint64 {
	v.t.Helper()
	n, err := v.w.Ledger.Engine.Size(ctx)
	must(v.t, err)
	return n
}

// publish publishes a checkpoint that the witnesses have signed.
func (v *town) publish() {
	v.t.Helper()
	_, err := v.w.Publish(ctx)
	must(v.t, err)
}

// since are the published entries of some kinds from a mark on, as anybody
// reads them; no kinds: all but the log's own.
func (v *town) since(mark uint64, kinds ...entry.Kind) []entry.Entry {
	v.t.Helper()
	v.publish()
	note, err := v.log.Checkpoint(ctx)
	must(v.t, err)
	cp, err := v.w.Ledger.Policy.VerifyCheckpoint(note)
	must(v.t, err)
	var out []entry.Entry
	must(v.t, v.log.Entries(ctx, mark, cp.Size, func(_ uint64, b []byte) error {
		e, err := entry.Parse(b)
		if err == nil && (slices.Contains(kinds, e.Body.Kind()) || len(kinds) == 0 && e.By != entry.ByLog) {
			out = append(out, e)
		}
		return err
	}))
	return out
}

// logged checks which entries of the notice and revocation kinds came since a
// mark, in order, joined by spaces.
func (v *town) logged(mark uint64, want string) {
	v.t.Helper()
	var got []string
	for _, e := range v.since(mark, entry.KindNoticeSent, entry.KindNoticeReceived, entry.KindNoticeRefused, entry.KindRevocationRequested, entry.KindRevocation) {
		got = append(got, string(e.Body.Kind()))
	}
	equal(v.t, "entries", strings.Join(got, " "), want)
}

const wholeWay = "notice.sent notice.received revocation"

// receipt fetches a certificate's status receipt.
func (v *town) receipt(h *holder) *proof.StatusReceipt {
	v.t.Helper()
	v.publish()
	s, err := v.log.Status(ctx, h.Ordinal)
	must(v.t, err)
	return s
}

// is checks that receipt, OCSP and revocation list say the same: valid, or
// revoked with the public reason.
func (v *town) is(h *holder, want status.State, reason int) {
	v.t.Helper()
	res, err := v.w.Ledger.Policy.VerifyStatus(v.receipt(h), h.Certificate)
	must(v.t, err)
	equal(v.t, "state", res.State, want)
	a := v.ask(h)
	listed, found := v.crl().Find(pki.NormalSerial(h.Serial))
	if want == status.Valid {
		equal(v.t, "OCSP status", a.Status, ocsp.Good)
		equal(v.t, "on the list", found, false)
		return
	}
	equal(v.t, "OCSP status", a.Status, ocsp.Revoked)
	equal(v.t, "OCSP reason", a.RevocationReason, reason)
	equal(v.t, "on the list", found, true)
	equal(v.t, "list's reason", listed.Reason, reason)
}

func (v *town) valid(h *holder)   { v.t.Helper(); v.is(h, status.Valid, 0) }
func (v *town) changed(h *holder) { v.t.Helper(); v.is(h, status.Revoked, pki.ReasonAffiliation) }

// ask asks the OCSP responder over HTTP.
func (v *town) ask(h *holder) *ocsp.Response {
	v.t.Helper()
	must(v.t, v.w.CA.Authority.Follow(ctx))
	cert, err := x509.ParseCertificate(h.Certificate)
	must(v.t, err)
	req, err := ocsp.CreateRequest(cert, v.w.CA.Issuer, nil)
	must(v.t, err)
	resp, err := http.Post(v.w.Ledger.PublicURL+"/ocsp", "application/ocsp-request", bytes.NewReader(req))
	must(v.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(v.t, err)
	a, err := ocsp.ParseResponseForCert(b, cert, v.w.CA.Issuer)
	must(v.t, err)
	return a
}

// crlDER makes today's lists and fetches the complete one.
func (v *town) crlDER() []byte {
	v.t.Helper()
	_, err := v.w.CA.Authority.PublishCRLs(ctx)
	must(v.t, err)
	resp, err := http.Get(v.w.Ledger.PublicURL + "/crl/full.crl")
	must(v.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(v.t, err)
	return b
}

func (v *town) crl() *pki.CRL {
	v.t.Helper()
	l, err := pki.ParseCRL(v.crlDER())
	must(v.t, err)
	return l
}

// agency lets a relying agency judge an application that the holder signs now;
// change may alter what the agency trusts.
func (v *town) agency(h *holder, change func(*agency.Trust)) *agency.Result {
	v.t.Helper()
	a := h.Attr
	raw, err := application.Sign(application.Form{Procedure: "納税証明書交付請求", Name: a.Name, BirthDate: a.BirthDate, Sex: a.Sex, Address: a.Address,
		Date: v.clock.Now().UTC().Format(time.DateOnly)}, h.card, h.Certificate)
	must(v.t, err)
	trust := agency.Trust{Issuers: [][]byte{v.w.CA.Ceremony.Issuer}, Policy: v.w.Ledger.Policy, Receipt: v.receipt(h).Marshal()}
	if change != nil {
		change(&trust)
	}
	return agency.Verify(raw, trust, v.clock.Now())
}

// accepted and refused check the agency's answer.
func (v *town) accepted(h *holder) {
	v.t.Helper()
	if r := v.agency(h, nil); !r.Accepted {
		v.t.Errorf("refused: %s", r.Refusal().EN)
	}
}

func (v *town) refused(h *holder, step string) {
	v.t.Helper()
	r := v.agency(h, nil)
	equal(v.t, "accepted", r.Accepted, false)
	equal(v.t, "refused at", r.Failed(), step)
}

// queue is how many cases wait for a person.
func (v *town) queue() []match.Case {
	v.t.Helper()
	cs, err := v.w.Juki.Office.Matching.Cases(true)
	must(v.t, err)
	return cs
}

// audit is the council's audit of the world as it is now.
func (v *town) audit(change func(*audit.Source)) *audit.Result {
	v.t.Helper()
	v.publish()
	src, err := v.w.Gather(ctx)
	must(v.t, err)
	if change != nil {
		change(&src)
	}
	r, err := audit.Audit(ctx, src, audit.Options{Now: v.clock.Now()})
	must(v.t, err)
	return r
}

// sound checks that an audit found no promise broken.
func (v *town) sound(r *audit.Result) {
	v.t.Helper()
	for _, f := range r.Findings() {
		if f.Class == audit.ClassD {
			v.t.Errorf("%s: %s", f.Check, f.Text.EN)
		}
	}
}
