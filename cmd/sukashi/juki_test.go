package main

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sukashi-project/sukashi/ca"
	calink "github.com/sukashi-project/sukashi/ca/link"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// startRegister lays out what a register officer works with: $WORK/reg with
// three residents whose certificates are hit by a change each; a log at $LOG
// with the council's approval; the CA's end of the link at $CA, which is down
// while $WORK/down exists and refuses the third notice.
func startRegister(e *testscript.Env) error {
	ctx := context.Background()
	in := func(name string) string { return filepath.Join(e.WorkDir, name) }
	key, err := logkey.CreateFile(in("log.key"), "log.test/juki", rand.Reader)
	if err != nil {
		return err
	}
	log, err := trillianlog.Open(ctx, trillianlog.Config{Dir: in("log"), HeadDir: in("head"), Origin: key.Name(), Signer: key, VKey: key.VKey(), Now: time.Now})
	if err != nil {
		return err
	}
	e.Defer(func() { _ = log.Close() })
	if err := approveShipped(ctx, log); err != nil {
		return err
	}
	files := map[string][]byte{}
	if err := linkServers(e, log, files); err != nil {
		return err
	}
	if err := seedRegister(ctx, in("reg")); err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(in(name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func linkServers(e *testscript.Env, log *trillianlog.Engine, files map[string][]byte) error {
	roots := map[zone.Zone]*zone.Root{}
	for _, z := range []zone.Zone{zone.Juki, zone.LGWAN, zone.Open} {
		root, err := zone.NewRoot(z, time.Now(), rand.Reader)
		if err != nil {
			return err
		}
		roots[z] = root
		files[string(z)+".pem"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Cert.Raw})
	}
	own, err := roots[zone.Juki].Issue(entry.ByRegisterLink, time.Now(), rand.Reader)
	if err != nil {
		return err
	}
	if err := zone.WritePEM(e.WorkDir, "link", own); err != nil {
		return err
	}
	peers := zone.Peers{roots[zone.Juki]}
	serve := func(z zone.Zone, name, env string, h http.Handler) error {
		cert, err := roots[z].Issue(name, time.Now(), rand.Reader)
		if err != nil {
			return err
		}
		srv := httptest.NewUnstartedServer(h)
		srv.TLS = peers.Server(cert)
		srv.StartTLS()
		e.Defer(srv.Close)
		e.Setenv(env, srv.URL)
		return nil
	}
	h, err := calink.Handler(otherEnd{e.WorkDir}, roles.Peer(peers, zone.Juki))
	if err != nil {
		return err
	}
	if err := serve(zone.LGWAN, entry.ByCALink, "CA", h); err != nil {
		return err
	}
	return serve(zone.Open, "ledger", "LOG", publish.Handler(publish.Config{Source: log, Log: log, Authorize: func(r *http.Request) []string {
		if id, ok := peers.Identify(r); ok && id.Name == entry.ByRegisterLink {
			return []string{entry.ByNoticeSender, entry.ByRegisterLink}
		}
		return nil
	}}))
}

// otherEnd answers as its folder says, and knows no certificate 2.
type otherEnd struct{ dir string }

func (o otherEnd) ReceiveNotice(_ context.Context, raw []byte, _ ca.Arrival) (*ca.Outcome, error) {
	if _, err := os.Stat(filepath.Join(o.dir, "down")); err == nil {
		return nil, ca.ErrClosed
	}
	if n, err := notice.Parse(raw); err != nil || n.Ordinal == 2 {
		return nil, &ca.Refused{Codes: []string{"N204"}}
	}
	return &ca.Outcome{}, nil
}

func (otherEnd) ReceiveCounts(context.Context, []byte, ca.Arrival) ([]byte, error) {
	return nil, ca.ErrCountsOff
}

// seedRegister takes over three residents and one daily list, then all die.
func seedRegister(ctx context.Context, dir string) error {
	o, err := juki.Open(juki.Config{Dir: dir, Now: time.Now})
	if err != nil {
		return err
	}
	defer o.Close()
	rs, err := people.Generate(7, 3)
	if err != nil {
		return err
	}
	list := holders.List{Day: "2026-11-23", Total: 3}
	var deaths []register.Event
	for i, r := range rs {
		r.Attr.Name, r.Attr.Address = fmt.Sprintf("透見　%d", i), fmt.Sprintf("長野県長野市大字鶴賀%d番地", i+1)
		zeros := func(s string) string { return strings.Repeat("0", len([]rune(s))) }
		if _, err := o.Register.Import([]register.Resident{{Code: r.Code, Municipality: "202011", Attr: r.Attr}}); err != nil {
			return err
		}
		deaths = append(deaths, register.Event{Kind: register.Death, Code: r.Code, Municipality: "202011"})
		list.New = append(list.New, holders.Holder{Ordinal: uint64(i), Key: commitment.Key{byte(i + 1)}, Certified: attr.Certified{Name: r.Attr.Name, NameMap: zeros(r.Attr.Name),
			BirthDate: r.Attr.BirthDate, Sex: r.Attr.Sex, Address: r.Attr.Address, AddressMap: zeros(r.Attr.Address)}})
	}
	if err := o.Matching.ApplyList(ctx, list, 0); err != nil {
		return err
	}
	_, err = o.Change(ctx, deaths...)
	return err
}
