package world

import (
	"context"
	"net/http"
	"time"

	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/link"
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

	mux *http.ServeMux
}

func (w *World) openJuki(ctx context.Context) error {
	n := &JukiNode{mux: http.NewServeMux()}
	w.Juki = n
	var err error
	if n.Decider, err = w.decider(ctx); err != nil {
		return err
	}
	if n.Office, err = juki.Open(juki.Config{Dir: w.Dirs.Juki, Now: w.Now}); err != nil {
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
		Peer: peerIn(zone.Peers{w.roots[zone.LGWAN]}, zone.LGWAN), Keys: w.links.ofRegister(), Now: w.Now, Logger: w.Logger})
	if err != nil {
		return err
	}
	n.mux.Handle("/link/", n.Link.Handler())
	return w.openCALink()
}

// peerIn names a client of one zone by its verified certificate.
func peerIn(peers zone.Peers, z zone.Zone) func(*http.Request) (string, bool) {
	return func(r *http.Request) (string, bool) {
		id, ok := peers.Identify(r)
		return id.Name, ok && id.Zone == z
	}
}

func (n *JukiNode) close() error {
	if n.Office == nil {
		return nil
	}
	return n.Office.Close()
}
