package roles

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// PeerHeader is how a gateway tells its own server who of the other network
// sent a request: the name in the certificate that it verified. It exists
// inside one network only; whatever a client writes into it is replaced.
const PeerHeader = "Sukashi-Peer"

// Behind identifies who sent a request that a gateway brought: only the gateway
// itself is heard, by its certificate of this network, and its word for the
// sender is taken. The header is removed, so that what is left is exactly what
// the sender sent.
func Behind(own zone.Peers, z zone.Zone, gateway string) func(*http.Request) (string, bool) {
	peer := Peer(own, z)
	return func(r *http.Request) (string, bool) {
		name, ok := peer(r)
		sender := r.Header.Get(PeerHeader)
		r.Header.Del(PeerHeader)
		return sender, ok && name == gateway && sender != ""
	}
}

// GatewayConfig is one link server that stands between two networks
// (CALinkServer of zone juki, JukiLinkServer of zone lgwan).
type GatewayConfig struct {
	Arrives []string                           // paths on which the other network's messages may come in
	Leaves  []string                           // paths on which its own server's messages may go out
	Foreign func(*http.Request) (string, bool) // who of the other network sent a request
	Own     func(*http.Request) (string, bool) // who of its own network sent a request
	Server  string                             // TLS name of its own server, the only one of its network that it hears

	ToServer *http.Client // into its own network
	Inner    string       // https address of its own server's link
	ToPeer   *http.Client // to the other network
	Outer    string       // https address of the other link server

	Logger *slog.Logger
}

// Gateway passes messages of the link through, and keeps none: a daily list
// holds attributes and record keys, and a copy of it here could not be erased
// with the record. What waits, waits at the ends, where it is sealed.
type Gateway struct{ c GatewayConfig }

// codeForm is logged when something was kept from leaving.
const codeForm = "gateway.form"

// NewGateway checks the configuration.
func NewGateway(c GatewayConfig) (*Gateway, error) {
	if len(c.Arrives) == 0 || len(c.Leaves) == 0 || c.Foreign == nil || c.Own == nil || c.Server == "" || c.ToServer == nil || c.Inner == "" || c.ToPeer == nil || c.Outer == "" {
		return nil, errors.New("a link server needs paths, callers, addresses and clients for both of its sides")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Gateway{c}, nil
}

// Arriving takes in what comes from the other network and brings it to its own
// server, which decides about it by the rules and puts the decision on record:
// also about what a stranger of the other network sent. Only paths of the link
// are known here.
func (g *Gateway) Arriving() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := g.c.Foreign(r)
		if !ok {
			policy.Status(http.StatusForbidden).Write(w)
			return
		}
		body, ok := g.read(w, r, g.c.Arrives)
		if !ok {
			return
		}
		h := r.Header.Clone()
		h.Set(PeerHeader, name)
		g.pass(w, r, g.c.ToServer, g.c.Inner, h, body)
	})
}

// Leaving takes what its own server sends and lets it out if it is a message of
// the link, with nothing beside it: the last check before the wall, by another
// process than the one that made the message.
func (g *Gateway) Leaving() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := g.c.Own(r); !ok || name != g.c.Server {
			policy.Status(http.StatusForbidden).Write(w)
			return
		}
		wire, ok := g.read(w, r, g.c.Leaves)
		if !ok {
			return
		}
		message, meta := policy.Arrived(r, wire)
		if !meta.Clean(r.URL.Path, len(message)) || !wellFormed(r.URL.Path, message) {
			g.c.Logger.Error("a message was kept from leaving: was the sending server tampered with?", "code", codeForm, "path", r.URL.Path)
			policy.Status(http.StatusForbidden).Write(w)
			return
		}
		g.pass(w, r, g.c.ToPeer, g.c.Outer, policy.LinkHeader(), wire)
	})
}

// wellFormed says whether a message is in the closed grammar of its path. What
// it says is for the sender's and the receiver's rules to decide.
func wellFormed(path string, message []byte) bool {
	switch path {
	case policy.PathNotices:
		_, err := notice.Parse(message)
		return err == nil
	case policy.PathHolders:
		_, err := holders.Parse(message)
		return err == nil
	case policy.PathCounts:
		e, err := entry.Parse(message)
		if err != nil {
			return false
		}
		_, ok := e.Body.(*entry.CountsSent)
		return ok
	}
	return false
}

// read reads a request's body within its path's limit, and one byte more: a
// message that is too long by that is refused on record by its receiver.
func (g *Gateway) read(w http.ResponseWriter, r *http.Request, paths []string) ([]byte, bool) {
	if !slices.Contains(paths, r.URL.Path) || r.Method != http.MethodPost {
		policy.Nowhere(w, r)
		return nil, false
	}
	limit := policy.WireSize(r.URL.Path, notice.MaxSize)
	if r.URL.Path == policy.PathHolders {
		limit = policy.WireSize(r.URL.Path, holders.MaxSize)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	if err != nil || len(r.Trailer) > 0 {
		policy.Status(http.StatusForbidden).Write(w)
		return nil, false
	}
	return b, true
}

// pass sends a body on and the answer back. An answer is read here and written
// anew: a word of the closed list, or that the message has to wait.
func (g *Gateway) pass(w http.ResponseWriter, r *http.Request, c *http.Client, base string, h http.Header, body []byte) {
	answer := policy.Status(http.StatusServiceUnavailable)
	defer func() { answer.Write(w) }()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, base+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		g.c.Logger.Error("a message can't be passed on", "path", r.URL.Path)
		return
	}
	req.Header = h
	resp, err := c.Do(req)
	if err != nil {
		g.c.Logger.Warn("a message waits: the server behind can't be reached", "path", r.URL.Path)
		return
	}
	defer resp.Body.Close()
	a, err := policy.ReadAnswer(resp)
	if err != nil {
		g.c.Logger.Error("an answer was dropped", "code", say.Code(err), "path", r.URL.Path)
		return
	}
	answer = a
}
