package world

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/sukashi-project/sukashi/internal/zone"
)

// LinkClient is a client of one zone that speaks to link servers of the other,
// in HTTP/1.1 if h1, under any name.
func (w *World) LinkClient(from, to zone.Zone, name string, h1 bool) (*http.Client, error) {
	cert, err := w.roots[from].Issue(name, w.Now(), w.Rand)
	if err != nil {
		return nil, err
	}
	c := zone.Peers{w.roots[to]}.Client(cert, time.Minute)
	if t := c.Transport.(*http.Transport); h1 {
		t.ForceAttemptHTTP2, t.TLSNextProto = false, map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return c, nil
}
