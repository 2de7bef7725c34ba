package office_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/ceremony"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/office"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/policy"
)

var ctx = context.Background()

// house is a CA with its office, which can be closed and opened again.
type house struct {
	t      *testing.T
	now    time.Time
	engine *trillianlog.Engine
	conf   ca.Config
	disk   *kv.MemFS // of the registry
	ca     *ca.Authority
	log    ledger.Log                      // nil: the engine
	keeps  func(office.Store) office.Store // nil: as it is
	issued int
	office http.Handler
	close  func()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC), disk: kv.NewCrashableFS()}
	now := func() time.Time { return h.now }
	skey, vkey, err := note.GenerateKey(rand.Reader, "log.test/1")
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	h.engine, err = trillianlog.Open(ctx, trillianlog.Config{Dir: "/ledger", HeadDir: "/head", Origin: "log.test/1", Signer: signer, VKey: vkey,
		Now: now, FS: kv.NewCrashableFS(), CacheBytes: 1 << 20})
	must(t, err)
	t.Cleanup(func() { h.engine.Close() })
	h.approve()
	key, issuer := h.ceremony(vkey)
	resident, err := profile.Shipped(profile.Resident)
	must(t, err)
	decider, err := policy.NewDecider(ctx, policy.Shipped(), 1)
	must(t, err)
	h.conf = ca.Config{Log: h.engine, Reader: h.engine, Key: key, Issuer: issuer, Profile: resident, BaseURL: base,
		Decider: decider, NoticeMode: entry.ModeReference, Now: now, Rand: rand.Reader}
	h.open()
	return h
}

const base = "http://127.0.0.1:8080"

// ceremony makes the CA's keys.
func (h *house) ceremony(vkey string) (keystore.Key, []byte) {
	h.t.Helper()
	trust, err := proof.LogOnly(vkey)
	must(h.t, err)
	dir := h.t.TempDir()
	cfg := &ceremony.Config{Format: 1, Dir: filepath.Join(dir, "ca"), Journals: filepath.Join(dir, "journals"), Base: base, Demo: true, Threshold: 2,
		Issuer: ceremony.KeyKind{Algorithm: keystore.P256}, Responder: ceremony.KeyKind{Algorithm: keystore.P256}, Log: ceremony.LogConfig{VKey: vkey}}
	keys := map[string]ed25519.PrivateKey{}
	for _, id := range []string{"op-1", "op-2"} {
		pub, priv, err := ed25519.GenerateKey(rand.Reader)
		must(h.t, err)
		keys[id] = priv
		cfg.Officers = append(cfg.Officers, ceremony.Officer{ID: id, Key: base64.StdEncoding.EncodeToString(pub)})
	}
	host := ceremony.SoftwareHost(filepath.Join(dir, "keys"), []byte("demo-passphrase"), nil)
	now := func() time.Time { return h.now }
	c, err := ceremony.New(cfg, ceremony.Env{Log: h.engine, Reader: h.engine, Host: host, Now: now, Rand: rand.Reader})
	must(h.t, err)
	plan, err := c.PlanInit()
	must(h.t, err)
	for _, key := range keys {
		a, err := plan.Approve(key)
		must(h.t, err)
		must(h.t, c.KeepApproval(a))
	}
	_, err = c.Run(ctx, plan, nil)
	must(h.t, err)
	gs, err := ceremony.Generations(cfg)
	must(h.t, err)
	label := ceremony.IssuerLabel(gs[0].Number)
	key, err := host.Issuer(label, ceremony.Gate(cfg, trust, label, now))
	must(h.t, err)
	h.t.Cleanup(func() { key.Close() })
	return key, gs[0].Issuer
}

func (h *house) approve() {
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	must(h.t, err)
	body, err := policy.Approve(policy.ShippedProposal(), priv)
	must(h.t, err)
	w, err := ledger.NewWriter(ctx, h.engine, entry.ByCouncil, func() time.Time { return h.now })
	must(h.t, err)
	defer w.Close()
	_, err = w.Append(ctx, &body)
	must(h.t, err)
}

func (h *house) open() {
	h.t.Helper()
	reg, err := registry.Open("/registry", registry.Config{Key: bytes.Repeat([]byte("k"), registry.KeySize), Rand: rand.Reader, FS: h.disk})
	must(h.t, err)
	h.conf.Registry = reg
	if h.log != nil {
		h.conf.Log = h.log
	}
	a, err := ca.Open(ctx, h.conf)
	must(h.t, err)
	h.close = func() {
		h.t.Helper()
		must(h.t, a.Close())
		must(h.t, reg.Close())
	}
	h.t.Cleanup(func() { a.Close(); reg.Close() })
	h.ca = a
	store := office.Store(a)
	if h.keeps != nil {
		store = h.keeps(a)
	}
	h.office, err = office.New(office.Config{Authority: a, Proposals: store, Now: h.conf.Now,
		Roles: map[string]office.Role{"ca-officer-1": office.Operator, "ca-officer-2": office.Operator, "ca-officer-3": office.Operator},
		Identify: func(r *http.Request) (office.Officer, bool) {
			name := r.Header.Get("Officer") // TLS has it in earnest (internal/world)
			return office.Officer{Name: name, Certificate: entry.Sum([]byte(name))}, name != ""
		}})
	must(h.t, err)
}

// restart loses the process: what was not synced is gone.
func (h *house) restart() { h.restartWith(func() {}) }

// restartWith calls gone when nothing of the old process is left.
func (h *house) restartWith(gone func()) {
	h.t.Helper()
	disk := kv.Crash(h.disk, 0, 1)
	h.close()
	gone()
	h.disk = disk
	h.open()
}

func (h *house) call(who, method, path string, body any) (int, map[string]any) {
	h.t.Helper()
	b, err := json.Marshal(body)
	must(h.t, err)
	r := httptest.NewRequest(method, path, bytes.NewReader(b))
	r.Header.Set("Officer", who)
	w := httptest.NewRecorder()
	h.office.ServeHTTP(w, r)
	var m map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &m) // not every answer is JSON
	return w.Code, m
}

func (h *house) propose() string {
	h.t.Helper()
	return h.proposeThat(office.Wish{Act: entry.ActRevokeAll, Ground: entry.GroundIssuerKey, V: 1})
}

func (h *house) proposeThat(w office.Wish) string {
	h.t.Helper()
	status, m := h.call("ca-officer-1", "POST", office.PathProposals, w)
	if status != http.StatusCreated {
		h.t.Fatalf("%d %v", status, m)
	}
	return office.PathProposals + "/" + m["id"].(string)
}

// phases are the officers' acts in the log.
func (h *house) phases() (out []string) {
	h.t.Helper()
	size, err := h.engine.Size(ctx)
	must(h.t, err)
	must(h.t, h.engine.Entries(ctx, 0, size, func(_ uint64, b []byte) error {
		e, err := entry.Parse(b)
		if a, ok := e.Body.(*entry.OperatorAct); ok {
			out = append(out, a.Phase)
		}
		return err
	}))
	return out
}

// The process dies between the two officers: the second one finds the proposal
// as it was, the first one still can't approve it, an approval is used up, also
// over another restart, and what nobody approves ends in the log.
func TestRestartBetweenTheOfficers(t *testing.T) {
	h := newHouse(t)
	done, left, back := h.propose(), h.propose(), h.propose()
	if status, _ := h.call("ca-officer-1", "DELETE", back, nil); status != http.StatusNoContent {
		t.Errorf("withdrawn: %d", status)
	}
	h.restart()
	if status, m := h.call("ca-officer-2", "GET", office.PathProposals, nil); status != http.StatusOK || len(m["proposals"].([]any)) != 2 {
		t.Errorf("after the restart there are %v", m)
	}
	if status, _ := h.call("ca-officer-1", "POST", done+"/approval", nil); status != http.StatusConflict {
		t.Errorf("an officer approves alone after a restart: %d", status)
	}
	if status, m := h.call("ca-officer-2", "POST", done+"/approval", nil); status != http.StatusOK {
		t.Errorf("the second officer after a restart: %d %v", status, m)
	}
	h.restart()
	for _, gone := range []string{done, back} {
		if status, _ := h.call("ca-officer-3", "POST", gone+"/approval", nil); status != http.StatusNotFound {
			t.Errorf("a proposal that was used up can be approved: %d", status)
		}
	}
	h.now = h.now.Add(office.ProposalLife)
	h.restart()
	if status, _ := h.call("ca-officer-2", "POST", left+"/approval", nil); status != http.StatusNotFound {
		t.Errorf("a proposal is approved after its time: %d", status)
	}
	h.restart()
	want := []string{entry.PhaseProposed, entry.PhaseProposed, entry.PhaseProposed, entry.PhaseWithdrawn, entry.PhaseApproved, entry.PhaseExpired}
	got, err := json.Marshal(h.phases())
	must(t, err)
	if w, _ := json.Marshal(want); string(w) != string(got) {
		t.Errorf("the log has %s, want %s", got, w)
	}
	if status, m := h.call("ca-officer-2", "GET", office.PathProposals, nil); status != http.StatusOK || len(m["proposals"].([]any)) != 0 {
		t.Errorf("%d proposals are left: %v", status, m)
	}
}
