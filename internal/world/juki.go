package world

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
)

// JukiNode is the register side: IdentityInfoDB, matching, terminals and the
// CALinkServer.
type JukiNode struct {
	Office  *juki.Office
	Link    *link.Server
	Decider *policy.Decider
	URL     string // CALinkServer, mTLS
	// BusinessURL is the business subsystem, which only zone juki reaches:
	// changes (M2) from the town halls' terminals, and the officer's pages.
	BusinessURL string

	mux       *http.ServeMux
	mu        sync.Mutex
	terminals map[string]*http.Client // by municipality
}

// MatchingOfficer is the TLS name and operator id of the demo's officer who
// decides about unclear matches.
const MatchingOfficer = "matching-01"

func (w *World) openJuki(ctx context.Context) error {
	n := &JukiNode{mux: http.NewServeMux(), terminals: map[string]*http.Client{}}
	w.Juki = n
	var err error
	if n.Decider, err = w.decider(ctx); err != nil {
		return err
	}
	if n.Office, err = juki.Open(juki.Config{Dir: w.Dirs.Juki, Now: w.Now}); err != nil {
		return err
	}
	if err := w.serveBusiness(n); err != nil {
		return err
	}
	cert, err := w.roots[zone.Juki].Issue(entry.ByRegisterLink, w.Now(), w.Rand)
	if err != nil {
		return err
	}
	// The only foreign root that this server hears is the CA side's.
	n.URL, err = w.servers.start(entry.ByRegisterLink, "", zone.Peers{w.roots[zone.LGWAN]}.Server(cert), n.mux)
	return err
}

// serveBusiness starts the business subsystem's server, inside zone juki.
func (w *World) serveBusiness(n *JukiNode) error {
	own := zone.Peers{w.roots[zone.Juki]}
	mux, err := roles.Business(roles.BusinessConfig{Office: n.Office, Own: own, Terminals: jukiTerminals(), Officers: []string{MatchingOfficer}})
	if err != nil {
		return err
	}
	cert, err := w.roots[zone.Juki].Issue("business-subsystem", w.Now(), w.Rand)
	if err != nil {
		return err
	}
	n.BusinessURL, err = w.servers.start("business-subsystem", "", own.Server(cert), mux)
	return err
}

// terminalPrefix begins the TLS name of a municipality's JukiTerminal.
const terminalPrefix = "juki-terminal-"

func jukiTerminals() []roles.Terminal {
	var out []roles.Terminal
	for _, m := range append(municipality.List(), municipality.Former()...) {
		out = append(out, roles.Terminal{Name: terminalPrefix + m.Code, Municipality: m.Code})
	}
	return out
}

// report sends changes to the business subsystem as the town hall's terminal
// does (M2).
func (w *World) report(ctx context.Context, events ...register.Event) error {
	n := w.Juki
	for _, e := range events {
		n.mu.Lock()
		c := n.terminals[e.Municipality]
		if c == nil {
			cert, err := w.roots[zone.Juki].Issue(terminalPrefix+e.Municipality, w.Now(), w.Rand)
			if err != nil {
				n.mu.Unlock()
				return err
			}
			c = zone.Peers{w.roots[zone.Juki]}.Client(cert, time.Minute)
			n.terminals[e.Municipality] = c
		}
		n.mu.Unlock()
		if _, err := juki.Report(ctx, c, n.BusinessURL, e); err != nil {
			return err
		}
	}
	return nil
}

// joinLinks gives the two link servers each other's address. Each hears only
// the other zone's root, and of it only the other link server.
func (w *World) joinLinks(ctx context.Context) error {
	cert, err := w.roots[zone.Juki].Issue(entry.ByRegisterLink, w.Now(), w.Rand)
	if err != nil {
		return err
	}
	log, err := w.ledgerClientWith(cert)
	if err != nil {
		return err
	}
	n := w.Juki
	n.Link, err = link.New(link.Config{Engine: n.Office.Matching, Register: n.Office.Register, Log: log, Decider: n.Decider,
		Mode: w.NoticeMode, Client: zone.Peers{w.roots[zone.LGWAN]}.Client(cert, time.Minute), URL: w.CA.LinkURL,
		Peer: roles.Peer(zone.Peers{w.roots[zone.LGWAN]}, zone.LGWAN), Keys: w.links.ofRegister(), Now: w.Now, Logger: w.Logger})
	if err != nil {
		return err
	}
	n.mux.Handle("/", n.Link.Handler())
	return w.openCALink()
}

func (n *JukiNode) close() error {
	if n.Office == nil {
		return nil
	}
	return n.Office.Close()
}
