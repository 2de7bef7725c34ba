package revocation

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

const base = "http://127.0.0.1:8080"

var places = map[string]profile.Place{
	"202029": {Code: "202029", Prefecture: "Nagano-ken", Municipality: "Matsumoto-shi"},
	"202011": {Code: "202011", Prefecture: "Nagano-ken", Municipality: "Nagano-shi"},
	"203611": {Code: "203611", Prefecture: "Nagano-ken", Municipality: "Shimosuwa-machi"},
}

func placeOf(code string) (profile.Place, bool) { p, ok := places[code]; return p, ok }

// card is one key for all residents of the tests.
var card = sync.OnceValue(func() crypto.PublicKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k.Public()
})

// world is a CA in small: a log, an issuer key behind its gate, a responder and
// the state that follows the log.
type world struct {
	t        testing.TB
	dir      string
	now      time.Time
	log      *keystoretest.Log
	key      keystore.Key
	rootDER  []byte
	issuer   *profile.Issuer
	ocspKey  *keystore.Responder
	ocspDER  []byte
	state    *State
	resident *profile.Profile
	leaves   map[string][]byte // file name → DER
}

var pass = []byte("correct horse")

// newWorld starts at the real time: other programs check validity against it.
func newWorld(t testing.TB, alg string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Now().UTC().Truncate(time.Second), log: keystoretest.NewLog("log.example/revocation"),
		state: NewState(), leaves: map[string][]byte{}}
	w.log.SetTime(w.now)
	w.append(entry.ByLog, &entry.Genesis{Key: w.log.VKey(), Origin: "log.example/revocation", Rules: "sukashi-1"})
	gate := keystore.GateConfig{Log: w.log.Policy(), Journal: filepath.Join(w.dir, "journal"), Now: w.clock}
	var err error
	w.key, err = keystore.CreateSoftware(keystore.SoftwareConfig{Path: filepath.Join(w.dir, "issuer.key"), Passphrase: pass, Algorithm: alg, Gate: gate})
	w.check(err)
	gate.Journal = filepath.Join(w.dir, "responder")
	w.ocspKey, err = keystore.CreateResponder(keystore.SoftwareConfig{Path: filepath.Join(w.dir, "ocsp.key"), Passphrase: pass, Algorithm: keystore.P256, Gate: gate})
	w.check(err)
	t.Cleanup(func() { w.key.Close(); w.ocspKey.Close() })

	w.rootDER = w.announced(profile.Root, keystore.RoleIssuer, profile.Request{Serial: w.serial(), PublicKey: w.key.Public(), NotBefore: w.now.AddDate(-1, 0, 0), BaseURL: base}, w.key.KeyID(), nil)
	w.issuer, err = profile.NewIssuer(w.rootDER)
	w.check(err)
	w.ocspDER = w.announced(profile.OCSP, keystore.RoleOCSP, profile.Request{Serial: w.serial(), PublicKey: w.ocspKey.Public(), NotBefore: w.now.Add(-time.Hour),
		NotAfter: w.now.AddDate(0, 3, 0), BaseURL: base, Issuer: w.issuer}, w.ocspKey.KeyID(), w.issuer)
	w.resident = w.profile(profile.Resident)
	w.pem("root", "CERTIFICATE", w.rootDER)
	w.pem("ocsp", "CERTIFICATE", w.ocspDER)
	return w
}

func (w *world) clock() time.Time { return w.now }

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) profile(r profile.Role) *profile.Profile {
	p, err := profile.Shipped(r)
	w.check(err)
	return p
}

func (w *world) serial() []byte {
	s, err := profile.NewSerial(rand.Reader)
	w.check(err)
	return s
}

// append logs an entry and lets the state follow.
func (w *world) append(by string, body entry.Body) *keystoretest.Logged {
	w.t.Helper()
	l, err := w.log.Append(by, body)
	w.check(err)
	w.check(w.state.Apply(l.Index, l.Entry))
	return l
}

// announced makes a certificate of the CA itself by key.created.
func (w *world) announced(r profile.Role, role string, req profile.Request, spki entry.Digest, issuer *profile.Issuer) []byte {
	w.t.Helper()
	tbs, err := w.profile(r).BuildCertificateTBS(req)
	w.check(err)
	d := entry.Sum(tbs)
	l := w.append(entry.ByOperator, &entry.KeyCreated{Alg: "test", Record: d, Role: role, SPKI: spki, TBS: &d})
	sig, err := w.key.Sign(w.t.Context(), tbs, l.Bytes, l.Receipt)
	w.check(err)
	alg, err := profile.AlgFor(w.key.Public())
	w.check(err)
	der, err := profile.Assemble(tbs, alg, sig)
	w.check(err)
	return der
}

var subject = attr.Certified{Name: "透見　花子", NameMap: "00000", BirthDate: "320000229", Sex: "2",
	Address: "長野県架空町１丁目２－３", AddressMap: "000000000000"}

// issue makes a resident's certificate as the CA does and returns its ordinal.
func (w *world) issue(name, place string) uint64 {
	w.t.Helper()
	return w.issueUntil(name, place, w.now.Add(-time.Hour), profile.EndOfDay(w.now.AddDate(4, 0, 0), 0))
}

func (w *world) issueUntil(name, place string, from, until time.Time) uint64 {
	w.t.Helper()
	ordinal := uint64(len(w.state.certs))
	cn, err := profile.CommonName(w.now, uint32(ordinal%100000), place+"A01")
	w.check(err)
	serial := w.serial()
	tbs, err := w.resident.BuildCertificateTBS(profile.Request{Serial: serial, PublicKey: card(), NotBefore: from,
		NotAfter: until, BaseURL: base, Issuer: w.issuer, Ordinal: ordinal,
		Place: places[place], CommonName: cn, Subject: subject})
	w.check(err)
	l := w.append(entry.ByCA, &entry.CertIntent{Decision: keystoretest.Decision("issue"), Issuer: w.issuer.Key, Municipality: place, Ordinal: ordinal,
		Profile: w.resident.Digest(), Serial: hex.EncodeToString(serial), Subject: entry.Sum([]byte("s")), TBS: entry.Sum(tbs)})
	sig, err := w.key.Sign(w.t.Context(), tbs, l.Bytes, l.Receipt)
	w.check(err)
	der, err := profile.Assemble(tbs, w.issuer.Alg, sig)
	w.check(err)
	w.append(entry.ByCA, &entry.CertIssued{Certificate: entry.Sum(der), Ordinal: ordinal})
	w.leaves[name] = der
	w.pem(name, "CERTIFICATE", der)
	return ordinal
}

func (w *world) revoke(ordinal uint64, ground string) {
	w.t.Helper()
	c := w.state.certs[ordinal]
	serial := c.serial.bytes()
	w.append(entry.ByCA, &entry.Revocation{Cause: 1, Ground: ground, Ordinal: ordinal, Recorded: entry.At(w.now), Serial: hex.EncodeToString(serial)})
}

func (w *world) lists(deltas bool) *Lists {
	w.t.Helper()
	l, err := NewLists(ListsConfig{State: w.state, Issuer: w.issuer, Resident: w.resident, Places: placeOf, BaseURL: base, Validity: 25 * time.Hour, DeltaLife: life(deltas)})
	w.check(err)
	return l
}

// publish announces, signs and writes a list, as the CA does.
func (w *world) publish(name string, list *List) []byte {
	w.t.Helper()
	l := w.append(entry.ByCA, list.Body())
	sig, err := w.key.SignStream(w.t.Context(), list, l.Bytes, l.Receipt)
	w.check(err)
	der, err := list.Assemble(sig)
	w.check(err)
	w.pem(name, "X509 CRL", der)
	w.check(os.WriteFile(w.path(name+".der"), der, 0o600))
	return der
}

func (w *world) build(partition string) *List {
	w.t.Helper()
	l, err := w.lists(false).Build(partition, w.now)
	w.check(err)
	return l
}

func (w *world) responder() *Responder {
	w.t.Helper()
	r, err := NewResponder(ResponderConfig{State: w.state, Issuer: w.issuer, Certificate: w.ocspDER, Key: w.ocspKey, Now: w.clock, Validity: 15 * time.Minute, Path: "/ocsp"})
	w.check(err)
	return r
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) pem(name, typ string, der []byte) {
	w.t.Helper()
	var b bytes.Buffer
	w.check(pem.Encode(&b, &pem.Block{Type: typ, Bytes: der}))
	w.check(os.WriteFile(w.path(name+".pem"), b.Bytes(), 0o600))
}

// tool runs another program in the world's directory. A machine without it
// skips the test and says so.
func (w *world) tool(name string, args ...string) (string, error) {
	w.t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		w.t.Skipf("skipped: %s is not installed", name)
	}
	c := exec.Command(name, args...)
	c.Dir = w.dir
	out, err := c.CombinedOutput()
	return fmt.Sprintf("%s %s\n%s", name, strings.Join(args, " "), out), err
}

func (w *world) want(ok bool, contains string, name string, args ...string) {
	w.t.Helper()
	out, err := w.tool(name, args...)
	if (err == nil) != ok || !strings.Contains(out, contains) {
		w.t.Errorf("wanted success %v and %q, got %v:\n%s", ok, contains, err, out)
	}
}

// life is how long delta lists live, if there are any.
func life(deltas bool) time.Duration {
	if deltas {
		return 6 * time.Hour
	}
	return 0
}
