package world

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/keystore"
	calink "github.com/sukashi-project/sukashi/ca/link"
	"github.com/sukashi-project/sukashi/ca/office"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
)

// CANode is the CA side: CAFrontServer, CAServer with its keys, registry, OCSP
// responder, and the JukiLinkServer.
type CANode struct {
	Authority *ca.Authority
	Registry  *registry.Registry
	Key       keystore.Key
	Ceremony  *KeyCeremony
	Issuer    *x509.Certificate
	Sender    *calink.Sender // M1
	Decider   *policy.Decider

	FrontURL string // CAFrontServer, mTLS
	LinkURL  string // JukiLinkServer, mTLS

	responder *keystore.Responder
	linkMux   *http.ServeMux
	mu        sync.Mutex
	counters  map[string]*townHall
}

// passphrase unlocks the demo's key files: it protects nothing, and the demo
// says so.
const passphrase = "demo keys are never for production"

func (w *World) openCA(ctx context.Context) error {
	n := &CANode{linkMux: http.NewServeMux(), counters: map[string]*townHall{}}
	w.CA = n
	for _, sub := range []string{"keys", "ceremony", "journal"} {
		if err := os.MkdirAll(filepath.Join(w.Dirs.CA, sub), 0o700); err != nil {
			return fmt.Errorf("couldn't make the CA's directories: %w", err)
		}
	}
	var err error
	if n.Decider, err = w.decider(ctx); err != nil {
		return err
	}
	if err := w.holdCeremony(ctx, n); err != nil {
		return err
	}
	if n.Registry, err = w.openRegistry(); err != nil {
		return err
	}
	return w.openAuthority(ctx, n)
}

func (w *World) openRegistry() (*registry.Registry, error) {
	key := make([]byte, registry.KeySize)
	if _, err := io.ReadFull(w.Rand, key); err != nil {
		return nil, fmt.Errorf("couldn't draw the registry's key: %w", err)
	}
	// A token or the operator holds this key in earnest; the demo keeps it in a
	// file so that a test can open the registry and search it in the clear.
	if err := os.WriteFile(RegistryKeyFile(w.Dirs.CA), []byte(hex.EncodeToString(key)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("couldn't keep the registry's key: %w", err)
	}
	return registry.Open(filepath.Join(w.Dirs.CA, "registry"), registry.Config{Key: key, Rand: w.Rand})
}

// RegistryKeyFile is where a demo keeps the registry's sealing key, in hex.
func RegistryKeyFile(caDir string) string { return filepath.Join(caDir, "keys", "registry.key") }

// deltaLife is that of complete lists, because a story's clock goes by days.
const deltaLife = 48 * time.Hour

func (w *World) openAuthority(ctx context.Context, n *CANode) error {
	log, err := w.ledgerClient(zone.LGWAN, entry.ByCA)
	if err != nil {
		return err
	}
	resident, err := profile.Shipped(profile.Resident)
	if err != nil {
		return err
	}
	n.Authority, err = ca.Open(ctx, ca.Config{Log: log, Reader: log, Registry: n.Registry, Key: n.Key, Issuer: n.Ceremony.Issuer,
		Profile: resident, BaseURL: w.Ledger.PublicURL, Decider: n.Decider, NoticeMode: w.NoticeMode, StateDir: filepath.Join(w.Dirs.CA, "state"), DeltaLife: deltaLife, Now: w.Now, Rand: w.Rand, Logger: w.Logger})
	if err != nil {
		return err
	}
	if err := n.Authority.ExchangeCounts(w.links.ofCA()); err != nil {
		return err
	}
	ocsp, err := roles.Responder(n.Authority, roles.OCSP{Issuer: n.Ceremony.Issuer, Certificate: n.Ceremony.Responder, Key: n.responder,
		Path: roles.OCSPPath, Status: log.Status, Now: w.Now})
	if err != nil {
		return err
	}
	public := ca.Public(n.Authority, ocsp)
	for _, pattern := range []string{"/issuer.cer", "/crl/", roles.OCSPPath, roles.OCSPPath + "/"} {
		w.Ledger.Public(pattern, public)
	}
	return w.serveCA(n)
}

func (w *World) serveCA(n *CANode) error {
	own := zone.Peers{w.roots[zone.LGWAN]}
	api, err := roles.Office(roles.OfficeConfig{Authority: n.Authority, Own: own, Counters: counters(), Officers: officeRoles, Now: w.Now})
	if err != nil {
		return err
	}
	cert, err := w.roots[zone.LGWAN].Issue("ca-front-server", w.Now(), w.Rand)
	if err != nil {
		return err
	}
	if n.FrontURL, err = w.servers.start("ca-front-server", "", own.Server(cert), api); err != nil {
		return err
	}
	if cert, err = w.roots[zone.LGWAN].Issue(entry.ByCALink, w.Now(), w.Rand); err != nil {
		return err
	}
	// The only foreign root that this server hears is the register side's.
	n.LinkURL, err = w.servers.start(entry.ByCALink, "", zone.Peers{w.roots[zone.Juki]}.Server(cert), n.linkMux)
	return err
}

// officeRoles are the persons who may call the CA's API, by the names in their
// TLS certificates.
var officeRoles = map[string]office.Role{
	"counter-officer-1": office.Counter, "counter-officer-2": office.Counter,
	"ca-officer-1": office.Operator, "ca-officer-2": office.Operator,
	"auditor-1": office.Auditor,
}

// Officer returns an HTTP client with a TLS certificate of the CA's network
// for a name, such as "ca-officer-1", or one that is on no list.
func (w *World) Officer(name string) (*http.Client, error) {
	cert, err := w.roots[zone.LGWAN].Issue(name, w.Now(), w.Rand)
	if err != nil {
		return nil, err
	}
	return zone.Peers{w.roots[zone.LGWAN]}.Client(cert, time.Minute), nil
}

// openCALink mounts the receiver of M3 and sets up the sender of M1, once the
// register's link server has an address.
func (w *World) openCALink() error {
	n := w.CA
	h, err := calink.Handler(n.Authority, roles.Peer(zone.Peers{w.roots[zone.Juki]}, zone.Juki))
	if err != nil {
		return err
	}
	n.linkMux.Handle("/", h)
	cert, err := w.roots[zone.LGWAN].Issue(entry.ByCALink, w.Now(), w.Rand)
	if err != nil {
		return err
	}
	n.Sender, err = calink.NewSender(calink.SenderConfig{Outbox: n.Authority, Client: zone.Peers{w.roots[zone.Juki]}.Client(cert, time.Minute),
		URL: w.Juki.URL, Logger: w.Logger})
	return err
}

// counterName is the TLS name of a municipality's reception terminal.
func counterName(code string) string { return "counter-" + code }

// counterID is the counter identifier in a certificate's CN (DOMAIN 6.2).
func counterID(code string) string { return "NAG" + code }

func counters() []roles.Counter {
	var out []roles.Counter
	for _, m := range append(municipality.List(), municipality.Former()...) {
		out = append(out, roles.Counter{Name: counterName(m.Code), Municipality: m.Code, Counter: counterID(m.Code)})
	}
	return out
}

func (n *CANode) close() error {
	var errs []error
	if n.Authority != nil {
		errs = append(errs, n.Authority.Close())
	}
	if n.Registry != nil {
		errs = append(errs, n.Registry.Close())
	}
	if n.Key != nil {
		errs = append(errs, n.Key.Close())
	}
	if n.responder != nil {
		errs = append(errs, n.responder.Close())
	}
	return errors.Join(errs...)
}
