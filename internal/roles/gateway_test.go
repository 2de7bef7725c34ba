package roles

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// network is one of the two networks.
type network struct {
	t    *testing.T
	z    zone.Zone
	root *zone.Root
}

func newNetwork(t *testing.T, z zone.Zone) network {
	root, err := zone.NewRoot(z, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return network{t, z, root}
}

func (n network) cert(name string) tls.Certificate {
	c, err := n.root.Issue(name, time.Now(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// client calls servers of the network to with a certificate of n.
func (n network) client(name string, to network) *http.Client {
	c := zone.Peers{to.root}.Client(n.cert(name), 10*time.Second)
	n.t.Cleanup(c.CloseIdleConnections)
	return c
}

// serve runs a server of n that hears the network from.
func (n network) serve(name string, from network, h http.Handler) string {
	s := httptest.NewUnstartedServer(h)
	s.TLS = zone.Peers{from.root}.Server(n.cert(name))
	s.Config.ErrorLog = nil
	s.StartTLS()
	n.t.Cleanup(s.Close)
	return s.URL
}

// taken is what a server behind a gateway got.
type taken struct {
	mu     sync.Mutex
	sender string
	ok     bool
	body   []byte
	clean  bool
	count  int
	answer policy.Answer
}

func (k *taken) handler(identify func(*http.Request) (string, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.count++
		k.sender, k.ok = identify(r)
		wire, _ := io.ReadAll(r.Body)
		body, meta := policy.Arrived(r, wire)
		k.body, k.clean = body, meta.Clean(r.URL.Path, len(body))
		k.answer.Write(w)
	})
}

// crossing is a JukiLinkServer between the CA's server and the register's link
// server.
type crossing struct {
	juki, lgwan    network
	ca, register   *taken
	outer, inner   string
	registersAddr  string
	gatewayAsJuki  *http.Client // the register's link server as a client
	serverAsSender *http.Client // the CA's server as a client
}

func newCrossing(t *testing.T) *crossing {
	x := &crossing{juki: newNetwork(t, zone.Juki), lgwan: newNetwork(t, zone.LGWAN), ca: &taken{answer: policy.Taken}, register: &taken{answer: policy.Taken}}
	caURL := x.lgwan.serve(entry.ByCA, x.lgwan, x.ca.handler(Behind(zone.Peers{x.lgwan.root}, zone.LGWAN, entry.ByCALink)))
	x.registersAddr = x.juki.serve(entry.ByRegisterLink, x.lgwan, x.register.handler(Peer(zone.Peers{x.lgwan.root}, zone.LGWAN)))
	g, err := NewGateway(GatewayConfig{Arrives: []string{policy.PathNotices, policy.PathCounts}, Leaves: []string{policy.PathHolders},
		Foreign: Peer(zone.Peers{x.juki.root}, zone.Juki), Own: Peer(zone.Peers{x.lgwan.root}, zone.LGWAN), Server: entry.ByCA,
		ToServer: x.lgwan.client(entry.ByCALink, x.lgwan), Inner: caURL, ToPeer: x.lgwan.client(entry.ByCALink, x.juki), Outer: x.registersAddr})
	if err != nil {
		t.Fatal(err)
	}
	x.outer = x.lgwan.serve(entry.ByCALink, x.juki, g.Arriving())
	x.inner = x.lgwan.serve(entry.ByCALink, x.lgwan, g.Leaving())
	x.gatewayAsJuki, x.serverAsSender = x.juki.client(entry.ByRegisterLink, x.lgwan), x.lgwan.client(entry.ByCA, x.lgwan)
	return x
}

func aNotice(t *testing.T) []byte {
	b, err := notice.Notice{Mode: notice.Reference, Ordinal: 5}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What arrives reaches the own server as it was sent, with the verified name of
// whoever sent it, and the answer goes back.
func TestGatewayArriving(t *testing.T) {
	x, ctx, raw := newCrossing(t), context.Background(), aNotice(t)
	a, err := policy.Ask(ctx, x.gatewayAsJuki, x.outer, policy.PathNotices, raw)
	if err != nil || a != policy.Taken {
		t.Fatalf("%+v %v", a, err)
	}
	if !x.ca.ok || x.ca.sender != entry.ByRegisterLink || !bytes.Equal(x.ca.body, raw) || !x.ca.clean {
		t.Errorf("arrived as %q from %q, clean %v", x.ca.body, x.ca.sender, x.ca.clean)
	}
	x.ca.answer = policy.Answer{Status: http.StatusConflict, Code: "N203"}
	if a, err = policy.Ask(ctx, x.gatewayAsJuki, x.outer, policy.PathNotices, raw); err != nil || a != x.ca.answer {
		t.Errorf("a refusal came back as %+v %v", a, err)
	}
	// A stranger of that network is the server's to refuse, on record; it can't
	// pass for the link server by a header.
	req, _ := http.NewRequest(http.MethodPost, x.outer+policy.PathNotices, bytes.NewReader(policy.Padded(policy.PathNotices, raw)))
	req.Header = policy.LinkHeader()
	req.Header.Set(PeerHeader, entry.ByRegisterLink)
	resp, err := x.juki.client("juki-terminal", x.lgwan).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if x.ca.sender != "juki-terminal" {
		t.Errorf("a stranger is taken for %q", x.ca.sender)
	}
	// What a sender puts beside a message is seen by the rules.
	req, _ = http.NewRequest(http.MethodPost, x.outer+policy.PathNotices+"?a=1", bytes.NewReader(policy.Padded(policy.PathNotices, raw)))
	req.Header = policy.LinkHeader()
	if resp, err = x.gatewayAsJuki.Do(req); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if x.ca.clean {
		t.Error("a query was dropped on the way, so that nobody refuses it")
	}
}

func TestGatewayRefuses(t *testing.T) {
	x, ctx, raw := newCrossing(t), context.Background(), aNotice(t)
	before := x.ca.count
	for _, path := range []string{policy.PathHolders, "/ca/v1/applications", "/link/v1/notices/../../ca"} {
		req, _ := http.NewRequest(http.MethodPost, x.outer, bytes.NewReader(raw))
		req.URL.Path = path
		resp, err := x.gatewayAsJuki.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := policy.ReadAnswer(resp); err != nil || a != policy.Status(http.StatusNotFound) {
			t.Errorf("%s: %+v %v", path, a, err)
		}
		resp.Body.Close()
	}
	if x.ca.count != before {
		t.Error("something went through on a path that is not the link's")
	}
	// The CA's own network can't come in by the other network's door, nor the
	// register's by the inner one.
	if _, err := policy.Ask(ctx, x.serverAsSender, x.outer, policy.PathNotices, raw); err == nil {
		t.Error("the outer door hears its own network")
	}
	if _, err := policy.Ask(ctx, x.gatewayAsJuki, x.inner, policy.PathHolders, raw); err == nil {
		t.Error("the inner door hears the other network")
	}
	// Only the one server is heard inside.
	if a, err := policy.Ask(ctx, x.lgwan.client("counter-202011", x.lgwan), x.inner, policy.PathHolders, raw); err != nil || a != policy.Status(http.StatusForbidden) {
		t.Errorf("a counter at the inner door: %+v %v", a, err)
	}
	// And nothing leaves that is not a message of the link.
	for _, body := range [][]byte{raw, []byte("99999000008 長野県長野市"), {}} {
		if a, err := policy.Ask(ctx, x.serverAsSender, x.inner, policy.PathHolders, body); err != nil || a != policy.Status(http.StatusForbidden) {
			t.Errorf("%q: %+v %v", body, a, err)
		}
	}
	if x.register.count != 0 {
		t.Error("something left")
	}
}

// A server behind that is down, or answers anything but a word of the list,
// means: later.
func TestGatewayWaits(t *testing.T) {
	x, ctx, raw := newCrossing(t), context.Background(), aNotice(t)
	x.ca.answer = policy.Answer{}
	chatty := x.lgwan.serve(entry.ByCA, x.lgwan, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "99999000008") }))
	for _, inner := range []string{chatty, "https://127.0.0.1:1"} {
		g, err := NewGateway(GatewayConfig{Arrives: []string{policy.PathNotices}, Leaves: []string{policy.PathHolders},
			Foreign: Peer(zone.Peers{x.juki.root}, zone.Juki), Own: Peer(zone.Peers{x.lgwan.root}, zone.LGWAN), Server: entry.ByCA,
			ToServer: x.lgwan.client(entry.ByCALink, x.lgwan), Inner: inner, ToPeer: x.lgwan.client(entry.ByCALink, x.juki), Outer: x.registersAddr})
		if err != nil {
			t.Fatal(err)
		}
		a, err := policy.Ask(ctx, x.gatewayAsJuki, x.lgwan.serve(entry.ByCALink, x.juki, g.Arriving()), policy.PathNotices, raw)
		if err != nil || say.Code(a.Err()) != "link.later" {
			t.Errorf("%s: %+v %v", inner, a, err)
		}
	}
	if _, err := NewGateway(GatewayConfig{}); err == nil {
		t.Error("a link server of nothing")
	}
}
