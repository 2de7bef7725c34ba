package roles

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/desk"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/juki/register/pgstore"
)

// OpenOffice opens the register side's data in dir; with a connection string,
// the identity information database lies in PostgreSQL.
func OpenOffice(ctx context.Context, dir, postgres string) (*juki.Office, error) {
	conf := juki.Config{Dir: dir, Now: time.Now}
	if postgres == "" {
		return juki.Open(conf)
	}
	s, err := pgstore.Open(ctx, postgres)
	if err != nil {
		return nil, err
	}
	r, err := register.OpenStore(s, register.Config{Now: time.Now}) // closes the store when it fails
	if err != nil {
		return nil, err
	}
	o, err := juki.OpenOn(conf, r)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return o, nil
}

// Terminal is a town hall's JukiTerminal as the business subsystem knows it.
type Terminal struct {
	Name         string `yaml:"name"`         // of its TLS certificate
	Municipality string `yaml:"municipality"` // 全国地方公共団体コード
}

// BusinessConfig says who may call the business subsystem.
type BusinessConfig struct {
	Office    *juki.Office
	Own       zone.Peers // the register's network, and no other
	Terminals []Terminal
	Officers  []string // who decide about unclear matches
	Changed   func()   // there may be something to send; may be nil
}

// Business is the business subsystem's server, inside zone juki: changes (M2)
// and exports for the town halls' terminals, and the officers' pages.
func Business(c BusinessConfig) (http.Handler, error) {
	peer := Peer(c.Own, zone.Juki)
	changed := c.Changed
	if changed == nil {
		changed = func() {}
	}
	towns := map[string]string{}
	for _, t := range c.Terminals {
		towns[t.Name] = t.Municipality
	}
	town := func(r *http.Request) (string, bool) {
		name, ok := peer(r)
		code, listed := towns[name]
		return code, ok && listed
	}
	pages, err := desk.Handler(desk.Config{Queue: c.Office.Matching, Decided: changed, Officer: func(r *http.Request) (string, bool) {
		name, ok := peer(r)
		return name, ok && slices.Contains(c.Officers, name)
	}})
	if err != nil {
		return nil, err
	}
	changes := c.Office.ChangesHandler(town)
	mux := http.NewServeMux()
	mux.Handle("/queue", pages)
	mux.Handle("/queue/", pages)
	mux.HandleFunc(juki.PathChanges, func(w http.ResponseWriter, r *http.Request) {
		changes.ServeHTTP(w, r)
		changed()
	})
	mux.Handle(juki.PathExports, c.Office.ExportsHandler(town))
	return mux, nil
}
