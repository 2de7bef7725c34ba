package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	calink "github.com/sukashi-project/sukashi/ca/link"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
)

// Names in the TLS certificates of the servers at the link, each of its own
// network's root. The two gateways are the only ones that another network ever
// hears.
const (
	nameCA       = entry.ByCA           // zone lgwan: the role ca
	nameJukiLink = entry.ByCALink       // zone lgwan: the role juki-link
	nameCALink   = entry.ByRegisterLink // zone juki: the role ca-link
	nameJuki     = "business-subsystem" // zone juki: the role juki
)

// LinkEnd is one end of the link: where its gateway brings messages, and where
// it hands over its own. The end calls the gateway with the certificate that it
// shows to the ledger.
type LinkEnd struct {
	Listen string  `yaml:"listen"` // address that hears the gateway alone
	URL    string  `yaml:"url"`    // the gateway's address for this end, https://HOST:PORT
	Counts *Counts `yaml:"counts"` // keys that sign the daily counts; without them none are exchanged
	// DailyAt is the time of the day's work in Japan, as 02:00: the CA makes
	// the list of holders then (M1), the register states how much has crossed.
	// A process that was down at that time does it when it starts.
	DailyAt string `yaml:"dailyAt"`
}

func (l *LinkEnd) validate() error {
	if l == nil {
		return errors.New("needs the section link")
	}
	if _, err := time.Parse("15:04", l.DailyAt); err != nil {
		return errors.New("link needs dailyAt as HH:MM")
	}
	return errors.Join(address("link's listen", l.Listen), httpsURL("link", l.URL), l.Counts.validate())
}

// dueDay is the day in Japan whose work is due at a moment, "" before its time.
func (l *LinkEnd) dueDay(now time.Time) string {
	now = now.In(jtext.JST())
	if now.Format("15:04") < l.DailyAt {
		return ""
	}
	return now.Format(time.DateOnly)
}

// background runs f beside the requests until the role ends.
func (r *runner) background(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f(ctx) // ends with the context; what fails meanwhile is logged where it fails
	}()
	r.closers = append(r.closers, func() error {
		cancel()
		<-done
		return nil
	})
}

// openCAEnd opens the CA's end: notices in, daily lists out.
func (r *runner) openCAEnd(a *ca.Authority, own zone.Peers, conf *tls.Config, m *metrics) error {
	l := r.cfg.CA.Link
	if l.Counts != nil {
		key, peer, err := r.countsKeys(l.Counts)
		if err != nil {
			return err
		}
		if err := a.ExchangeCounts(ca.LinkKeys{Own: key, Peer: peer}); err != nil {
			return err
		}
	}
	h, err := calink.Handler(a, roles.Behind(own, zone.LGWAN, nameJukiLink))
	if err != nil {
		return err
	}
	if err := r.listen("link", l.Listen, conf, m.count("link", h)); err != nil {
		return err
	}
	gateway, err := r.gatewayClient(r.cfg.CA.Ledger, zone.LGWAN)
	if err != nil {
		return err
	}
	sender, err := calink.NewSender(calink.SenderConfig{Outbox: a, Client: gateway, URL: l.URL, Logger: r.log})
	if err != nil {
		return err
	}
	r.background(sender.Run)
	made := ""
	r.daily(func(ctx context.Context) error {
		day := l.dueDay(time.Now())
		if day == "" || day == made {
			return nil
		}
		list, err := a.DailyHolders(ctx, day)
		if err != nil {
			return err
		}
		made = day
		r.log.Info("the day's list of holders is in the log", "day", day, "number", list.Seq, "new", list.New, "gone", list.Gone)
		sender.Wake()
		return nil
	})
	return nil
}

// openJukiEnd opens the register's end: daily lists in, notices out.
func (r *runner) openJukiEnd(o *juki.Office, log ledger.Log, own zone.Peers, conf *tls.Config, m *metrics) (*link.Server, error) {
	j := r.cfg.Juki
	decider, err := roles.Decider(context.Background(), log)
	if err != nil {
		return nil, err
	}
	gateway, err := r.gatewayClient(j.Ledger, zone.Juki)
	if err != nil {
		return nil, err
	}
	lc := link.Config{Engine: o.Matching, Register: o.Register, Log: log, Decider: decider, Mode: j.NoticeMode, Client: gateway, URL: j.Link.URL,
		Peer: roles.Behind(own, zone.Juki, nameCALink), Now: time.Now, Logger: r.log}
	if j.Link.Counts != nil {
		key, peer, err := r.countsKeys(j.Link.Counts)
		if err != nil {
			return nil, err
		}
		lc.Keys = &link.Keys{Own: key, Peer: peer}
	}
	s, err := link.New(lc)
	if err != nil {
		return nil, err
	}
	if err := r.listen("link", j.Link.Listen, conf, m.count("link", s.Handler())); err != nil {
		return nil, err
	}
	r.background(s.Run)
	if j.Link.Counts == nil {
		return s, nil
	}
	closed := ""
	r.daily(func(ctx context.Context) error {
		day := j.Link.dueDay(time.Now())
		if day == "" || day == closed {
			return nil
		}
		c, err := s.CloseDay(ctx, day)
		if err != nil {
			return err
		}
		closed = day
		r.log.Info("the day's counts are counter-signed", "day", day, "number", c.Number, "notices", c.Notices, "lists", c.Lists)
		return nil
	})
	return s, nil
}

// gatewayClient calls the role's own gateway with the identity of c.
func (r *runner) gatewayClient(c Client, z zone.Zone) (*http.Client, error) {
	c.Root = r.cfg.TLS.Roots[z]
	return r.client(c, z)
}

// Gateway is the role juki-link (JukiLinkServer) or ca-link (CALinkServer): the
// server between the two networks. listen hears the other network's link
// server, inner the own network's server.
type Gateway struct {
	Inner  string `yaml:"inner"`  // address for its own server
	Server string `yaml:"server"` // its own server's link, https://HOST:PORT
	Peer   string `yaml:"peer"`   // the other link server, https://HOST:PORT
}

func (g *Gateway) validate() error {
	return errors.Join(address("inner", g.Inner), httpsURL("server", g.Server), httpsURL("peer", g.Peer))
}

// side is what differs between the two gateways.
type side struct {
	own, foreign    zone.Zone
	name, server    string
	arrives, leaves []string
}

var gateways = map[string]side{
	RoleJukiLink: {zone.LGWAN, zone.Juki, nameJukiLink, nameCA, []string{policy.PathNotices, policy.PathCounts}, []string{policy.PathHolders}},
	RoleCALink:   {zone.Juki, zone.LGWAN, nameCALink, nameJuki, []string{policy.PathHolders}, []string{policy.PathNotices, policy.PathCounts}},
}

// openGateway opens a gateway's two doors, each with the root of one network.
func (r *runner) openGateway() error {
	g, s := r.cfg.Gateway, gateways[r.cfg.Role]
	own, inner, err := r.own(s.own)
	if err != nil {
		return err
	}
	foreign, outer, err := r.own(s.foreign)
	if err != nil {
		return err
	}
	cert, err := r.certificate()
	if err != nil {
		return err
	}
	if cert.name != s.name {
		return fmt.Errorf("the certificate of role %s must be of %s, not %s", r.cfg.Role, s.name, cert.name)
	}
	toServer, toPeer := callAs(own, cert), callAs(foreign, cert)
	h, err := roles.NewGateway(roles.GatewayConfig{Arrives: s.arrives, Leaves: s.leaves, Foreign: roles.Peer(foreign, s.foreign), Own: roles.Peer(own, s.own),
		Server: s.server, ToServer: toServer, Inner: g.Server, ToPeer: toPeer, Outer: g.Peer, Logger: r.log})
	if err != nil {
		return err
	}
	r.closers = append(r.closers, func() error { toServer.CloseIdleConnections(); toPeer.CloseIdleConnections(); return nil })
	m := r.newMetrics()
	ops := http.NewServeMux()
	m.mount(ops, nil)
	return errors.Join(
		r.listen("metrics", r.cfg.Metrics, nil, ops),
		r.listen("arriving", r.cfg.Listen, outer, m.count("arriving", h.Arriving())),
		r.listen("leaving", g.Inner, inner, m.count("leaving", h.Leaving())))
}
