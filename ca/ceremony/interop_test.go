package ceremony

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// policies of our certificates and of the test's bridge.
const ours, bridges = "1.2.392.200149.8.5.1.0.20", "2.999.20040129.2.1"

var town = profile.Place{Code: "202029", Prefecture: "Nagano-ken", Municipality: "Matsumoto-shi"}

// open lends a generation's key to a function.
func (r *room) open(n int, f func(k keystore.Key)) {
	r.t.Helper()
	k, err := r.host.Issuer(IssuerLabel(n), r.ceremony().gate(IssuerLabel(n)))
	must(r.t, err)
	f(k)
	must(r.t, k.Close())
}

func (r *room) writer(by string) *ledger.Writer {
	r.t.Helper()
	w, err := ledger.NewWriter(r.t.Context(), r.engine, by, func() time.Time { return r.now })
	must(r.t, err)
	return w
}

// resident issues a certificate by a generation, as the CA does.
func (r *room) resident(n int, ordinal uint64) []byte {
	r.t.Helper()
	g := r.generations()[n-1]
	issuer, err := profile.NewIssuer(g.Issuer)
	must(r.t, err)
	p, err := profile.Shipped(profile.Resident)
	must(r.t, err)
	card, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(r.t, err)
	cn, err := profile.CommonName(r.now, uint32(ordinal), "202029A01")
	must(r.t, err)
	serial, err := profile.NewSerial(rand.Reader)
	must(r.t, err)
	tbs, err := p.BuildCertificateTBS(profile.Request{Serial: serial, PublicKey: card.Public(), NotBefore: r.now.Add(-time.Minute), NotAfter: profile.EndOfDay(r.now, 4),
		BaseURL: g.Base, Issuer: issuer, Ordinal: ordinal, Place: town, CommonName: cn, Subject: attr.Certified{Name: "透見　花子", NameMap: "00000",
			BirthDate: "320000229", Sex: "2", Address: "長野県架空町１丁目２－３", AddressMap: "000000000000"}})
	must(r.t, err)
	w := r.writer(entry.ByCA)
	defer w.Close()
	l, err := w.Append(r.t.Context(), &entry.CertIntent{Decision: keystoretest.Decision("issue"), Issuer: issuer.Key, Municipality: town.Code, Ordinal: ordinal,
		Profile: p.Digest(), Serial: hex.EncodeToString(serial), Subject: entry.Sum([]byte("s")), TBS: entry.Sum(tbs)})
	must(r.t, err)
	var der []byte
	r.open(n, func(k keystore.Key) {
		sig, err := k.Sign(r.t.Context(), tbs, l.Bytes, l.Receipt)
		must(r.t, err)
		der, err = profile.Assemble(tbs, issuer.Alg, sig)
		must(r.t, err)
	})
	_, err = w.Append(r.t.Context(), &entry.CertIssued{Certificate: entry.Sum(der), Ordinal: ordinal})
	must(r.t, err)
	return der
}

// state is what the log says about certificates.
func (r *room) state() *revocation.State {
	r.t.Helper()
	state := revocation.NewState()
	size, err := r.engine.Size(r.t.Context())
	must(r.t, err)
	must(r.t, r.engine.Entries(r.t.Context(), 0, size, func(i uint64, b []byte) error {
		e, err := entry.Parse(b)
		if err != nil {
			return err
		}
		return state.Apply(i, e)
	}))
	return state
}

// lists publishes a generation's list of CA certificates and its complete one.
func (r *room) lists(n int) (ders [][]byte) {
	r.t.Helper()
	g := r.generations()[n-1]
	issuer, err := profile.NewIssuer(g.Issuer)
	must(r.t, err)
	p, err := profile.Shipped(profile.Resident)
	must(r.t, err)
	for _, partition := range []string{revocation.CA, revocation.Full} {
		lists, err := revocation.NewLists(revocation.ListsConfig{State: r.state(), Issuer: issuer, Resident: p, BaseURL: g.Base, Validity: 25 * time.Hour,
			Places: func(string) (profile.Place, bool) { return town, true }})
		must(r.t, err)
		l, err := lists.Build(partition, r.now)
		must(r.t, err)
		w := r.writer(entry.ByCA)
		logged, err := w.Append(r.t.Context(), l.Body())
		must(r.t, err)
		w.Close()
		r.open(n, func(k keystore.Key) {
			sig, err := k.SignStream(r.t.Context(), l, logged.Bytes, logged.Receipt)
			must(r.t, err)
			der, err := l.Assemble(sig)
			must(r.t, err)
			ders = append(ders, der)
		})
	}
	return ders
}

// want asks openssl and the JDK for one path.
type want struct {
	root, leaf, certs, crls string
	policy                  string // "" or the one that is demanded
	ok                      bool
	openssl                 string // in openssl's answer
	sameName                bool   // several CAs of one name: the JDK is asked without lists (testdata/Path.java)
	java                    string // before the JDK's answer; "": it is not asked
}

func (r *room) paths(list []want) {
	r.t.Helper()
	var args []string
	var asked []want
	for i, w := range list {
		a := []string{"verify", "-x509_strict", "-extended_crl", "-crl_check_all", "-policy_check", "-CAfile", w.root, "-untrusted", w.certs, "-CRLfile", w.crls}
		policy := "-"
		if w.policy != "" {
			a = append(a, "-explicit_policy", "-policy", w.policy)
			policy = w.policy
		}
		r.tool(w.ok, w.openssl, "openssl", append(a, w.leaf)...)
		if w.java == "" {
			continue
		}
		if len(asked) > 0 {
			args = append(args, "--")
		}
		crls := w.crls
		if w.sameName {
			crls = "-"
		}
		asked, args = append(asked, list[i]), append(args, w.root, w.leaf, w.certs, crls, policy)
	}
	if len(asked) == 0 {
		return
	}
	if testing.Short() {
		return // the Java virtual machine takes seconds to start
	}
	if _, err := exec.LookPath("java"); err != nil {
		r.t.Skip("skipped: java is not installed")
	}
	src, err := filepath.Abs("testdata/Path.java")
	must(r.t, err)
	cmd := exec.Command("java", append([]string{"-Xshare:auto", src}, args...)...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, w := range asked {
		if i >= len(lines) || !strings.HasPrefix(lines[i], w.java) {
			r.t.Errorf("java, %s under %s: %q, want %q", w.leaf, w.root, lines[min(i, len(lines)-1)], w.java)
		}
	}
}

// Three generations of one name, linked both ways: who knows one root reaches the
// certificates of every other, and no further once a link is revoked. Then the
// first key leaks: its link disappears from under the second root.
func TestLinksAndTheirRevocation(t *testing.T) {
	r := newRoom(t, keystore.P256, false)
	r.hold(r.ceremony().PlanInit())
	first := r.resident(1, 0)
	r.hold(r.ceremony().PlanRollover())
	if got := kinds(r.bodies()[2:]); got != "key.created key.created cross.intent cross.intent key.succeeded" {
		t.Errorf("the log holds %s", got)
	}
	r.hold(r.ceremony().PlanRollover())
	third := r.resident(3, 1)
	gs := r.generations()
	if len(gs) != 3 || gs[2].Base != "http://127.0.0.1:8080/g3" {
		t.Fatalf("%d generations", len(gs))
	}
	for i, g := range gs {
		r.pem([]string{"root1.pem", "root2.pem", "root3.pem"}[i], "CERTIFICATE", g.Issuer)
		if !bytes.Equal(parse(t, g.Issuer).RawSubject, parse(t, gs[0].Issuer).RawSubject) {
			t.Error("the generations have different names")
		}
	}
	r.pem("first.pem", "CERTIFICATE", first)
	r.pem("third.pem", "CERTIFICATE", third)
	r.pem("up.pem", "CERTIFICATE", r.file(gs[1].Dir, fileNewWithOld), r.file(gs[2].Dir, fileNewWithOld))
	r.pem("down.pem", "CERTIFICATE", r.file(gs[1].Dir, fileOldWithNew), r.file(gs[2].Dir, fileOldWithNew))
	crls := func(name string) {
		var all [][]byte
		for n := 1; n <= 3; n++ {
			all = append(all, r.lists(n)...)
		}
		r.pem(name, "X509 CRL", all...)
	}
	crls("crls.pem")
	r.paths([]want{
		{"root1.pem", "first.pem", "up.pem", "crls.pem", ours, true, "OK", true, "VALID 1"},
		{"root3.pem", "third.pem", "up.pem", "crls.pem", ours, true, "OK", true, "VALID 1"},
		{"root1.pem", "third.pem", "up.pem", "crls.pem", ours, true, "OK", true, "VALID 3"},
		{"root3.pem", "first.pem", "down.pem", "crls.pem", ours, true, "OK", true, "VALID 3"},
		{"root2.pem", "first.pem", "down.pem", "crls.pem", ours, true, "OK", true, "VALID 2"},
		{"root2.pem", "third.pem", "up.pem", "crls.pem", ours, true, "OK", true, "VALID 2"},
	})

	r.hold(r.ceremony().PlanLeak(1))
	if got := kinds(r.bodies()[12:]); got != "key.leaked cross.revoked" {
		t.Errorf("the log holds %s", got)
	}
	if _, err := r.ceremony().PlanLeak(4); say.Code(err) != "ceremony.generation" {
		t.Errorf("a leak of no generation: %v", err)
	}
	r.now = r.now.Add(time.Second)
	var all [][]byte
	all = append(all, r.lists(2)...)
	all = append(all, r.lists(3)...)
	all = append(all, r.lists(1)...)
	r.pem("later.pem", "X509 CRL", all...)
	r.paths([]want{
		{"root2.pem", "first.pem", "down.pem", "later.pem", ours, false, "certificate revoked", true, ""},
		{"root3.pem", "first.pem", "down.pem", "later.pem", ours, false, "certificate revoked", true, ""},
		{"root2.pem", "third.pem", "up.pem", "later.pem", ours, true, "OK", true, ""},
	})
	r.tool(true, "CA Compromise", "openssl", "crl", "-in", "later.pem", "-noout", "-text")
}

// bridge is another organisation's CA, made by the test.
type bridge struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func (r *room) otherCA(name string, by *bridge, policy string) *bridge {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(r.t, err)
	id, err := profile.KeyIdentifier(key.Public())
	must(r.t, err)
	tpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: r.now.Add(-time.Hour), NotAfter: r.now.AddDate(8, 0, 0), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: id}
	tpl.Subject.Country, tpl.Subject.Organization = []string{"JP"}, []string{name}
	parent, signer := tpl, key
	if by != nil {
		parent, signer = by.cert, by.key
		oid, err := x509.ParseOID(policy)
		must(r.t, err)
		tpl.Policies = []x509.OID{oid}
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, parent, key.Public(), signer)
	must(r.t, err)
	return &bridge{key, parse(r.t, der)}
}

// leaf is somebody's certificate by another CA.
func (r *room) leaf(by *bridge, policy string) []byte {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(r.t, err)
	oid, err := x509.ParseOID(policy)
	must(r.t, err)
	tpl := &x509.Certificate{SerialNumber: big.NewInt(77), NotBefore: r.now.Add(-time.Minute), NotAfter: r.now.AddDate(1, 0, 0), Policies: []x509.OID{oid}}
	tpl.Subject.CommonName = "somebody"
	der, err := x509.CreateCertificate(rand.Reader, tpl, by.cert, key.Public(), by.key)
	must(r.t, err)
	return der
}

func (r *room) emptyList(by *bridge) []byte {
	r.t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: r.now.Add(-time.Minute), NextUpdate: r.now.AddDate(0, 1, 0)}, by.cert, by.key)
	must(r.t, err)
	return der
}

// certifiesUs is the bridge's certificate for our current key, by the cross
// profile turned round.
func (b *bridge) certifiesUs(r *room, change func(string) string) []byte {
	r.t.Helper()
	p, err := profile.Shipped(profile.Cross)
	must(r.t, err)
	text := strings.NewReplacer(ours, "OURS", bridges, "BRIDGES").Replace(string(p.Source()))
	text = strings.NewReplacer("OURS", bridges, "BRIDGES", ours).Replace(text)
	if change != nil {
		text = change(text)
	}
	p, err = profile.Load([]byte(text))
	must(r.t, err)
	gs := r.generations()
	us := parse(r.t, gs[len(gs)-1].Issuer)
	spki := entry.Sum(b.cert.RawSubjectPublicKeyInfo)
	issuer := &profile.Issuer{Subject: b.cert.RawSubject, KeyID: b.cert.SubjectKeyId, Key: spki, PublicKey: b.key.Public(), Alg: profile.ECDSAWithSHA256}
	tbs, err := p.BuildCertificateTBS(profile.Request{Serial: []byte{0x51, 2, 3, 4, 5, 6, 7, 8}, PublicKey: us.PublicKey, Name: us.RawSubject,
		NotBefore: r.now.Add(-time.Minute), NotAfter: profile.EndOfDay(r.now, 3), BaseURL: "http://bridge.example", Issuer: issuer})
	must(r.t, err)
	sum := entry.Sum(tbs)
	sig, err := ecdsa.SignASN1(rand.Reader, b.key, sum[:])
	must(r.t, err)
	der, err := profile.Assemble(tbs, profile.ECDSAWithSHA256, sig)
	must(r.t, err)
	return der
}

// Cross certification with a bridge, both ways, and its end.
func TestBridge(t *testing.T) {
	r := newRoom(t, keystore.P256, false)
	r.hold(r.ceremony().PlanInit())
	resident := r.resident(1, 0)
	b := r.otherCA("Example Bridge", nil, "")
	other := r.otherCA("Another Government CA", b, bridges)
	plan, err := r.ceremony().PlanCross(b.cert.Raw, r.now.AddDate(3, 0, 0))
	res := r.holdWith(plan, err, b.cert.Raw)
	to := r.file(res.Dir, fileCross)
	if c := parse(t, to); c.MaxPathLen != 1 || !c.RequireExplicitPolicyZero || len(c.PolicyMappings) != 1 || c.NotAfter.UTC().Format("150405") != "145959" {
		t.Errorf("the cross certificate: path %d, %d mappings", c.MaxPathLen, len(c.PolicyMappings))
	}
	from := b.certifiesUs(r, nil)
	dir, err := r.ceremony().Accept(b.cert.Raw, from)
	must(t, err)
	r.pem("us.pem", "CERTIFICATE", r.generations()[0].Issuer)
	r.pem("bridge.pem", "CERTIFICATE", b.cert.Raw)
	r.pem("resident.pem", "CERTIFICATE", resident)
	r.pem("foreign.pem", "CERTIFICATE", r.leaf(other, bridges))
	r.pem("stranger.pem", "CERTIFICATE", r.leaf(other, "2.999.20040129.2.9"))
	r.pem("between.pem", "CERTIFICATE", to, r.file(dir, fileAccepted), other.cert.Raw)
	lists := func(name string) {
		r.pem(name, "X509 CRL", append(r.lists(1), r.emptyList(b), r.emptyList(other))...)
	}
	lists("before.pem")
	r.paths([]want{
		{"us.pem", "foreign.pem", "between.pem", "before.pem", ours, true, "OK", false, "VALID 3"},         // root → bridge → other CA → somebody
		{"us.pem", "foreign.pem", "between.pem", "before.pem", bridges, false, "policy", false, "INVALID"}, // mapped away: it counts as ours
		{"us.pem", "stranger.pem", "between.pem", "before.pem", "", false, "policy", false, "INVALID"},     // a policy that nobody mapped
		{"bridge.pem", "resident.pem", "between.pem", "before.pem", bridges, true, "OK", false, "VALID 2"}, // bridge → us → resident
	})

	serial := hex.EncodeToString(parse(t, to).SerialNumber.Bytes())
	if _, err := r.ceremony().PlanUncross(2, serial, entry.GroundRequest); say.Code(err) != "ceremony.generation" {
		t.Errorf("%v", err)
	}
	r.hold(r.ceremony().PlanUncross(1, serial, entry.GroundRequest))
	lists("after.pem")
	r.paths([]want{
		{"us.pem", "foreign.pem", "between.pem", "after.pem", ours, false, "certificate revoked", false, "INVALID"},
		{"bridge.pem", "resident.pem", "between.pem", "after.pem", bridges, true, "OK", false, "VALID 2"},
	})
	r.tool(true, "Only CA Certificates", "openssl", "crl", "-in", "after.pem", "-noout", "-text")
	plan, err = r.ceremony().PlanUncross(1, strings.Repeat("ab", 16), entry.GroundRequest)
	must(t, err)
	r.approve(plan, "officer-a", "officer-b")
	if _, err := r.ceremony().Run(t.Context(), plan, nil); say.Code(err) != "ceremony.state" {
		t.Errorf("revoked what was never announced: %v", err)
	}
}

// What another CA gives us is taken only if it is for us and binds policies.
func TestAcceptRefuses(t *testing.T) {
	r := newRoom(t, keystore.P256, false)
	r.hold(r.ceremony().PlanInit())
	b, stranger := r.otherCA("Example Bridge", nil, ""), r.otherCA("Stranger", nil, "")
	good := b.certifiesUs(r, nil)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	unmapped := b.certifiesUs(r, func(s string) string { return strings.Replace(s, "subject: "+ours, "subject: 2.999.20040129.2.8", 1) })
	for name, c := range map[string]struct{ by, given []byte }{
		"by another CA":       {stranger.cert.Raw, good},
		"a bad signature":     {b.cert.Raw, flipped},
		"another mapping":     {b.cert.Raw, unmapped},
		"the bridge's own":    {b.cert.Raw, b.cert.Raw},
		"not a certificate":   {b.cert.Raw, []byte("x")},
		"a CA that is no CA":  {r.resident(1, 0), good},
		"a CA by another one": {r.otherCA("Below", b, bridges).cert.Raw, good},
	} {
		if _, err := r.ceremony().Accept(c.by, c.given); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	r.now = r.now.AddDate(4, 0, 0)
	if _, err := r.ceremony().Accept(b.cert.Raw, good); err == nil {
		t.Error("an expired one: accepted")
	}
	r.now = r.now.AddDate(-4, 0, 0)
	if _, err := r.ceremony().Accept(b.cert.Raw, good); err != nil {
		t.Error(err)
	}
	if _, err := r.ceremony().Accept(b.cert.Raw, good); say.Code(err) != "ceremony.accepted" {
		t.Errorf("accepted twice: %v", err)
	}
}
