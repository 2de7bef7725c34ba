package link_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/policy"
)

// The two servers on the real ledger, each in its zone, over mutual TLS.
func TestRealLedgerAndTLS(t *testing.T) {
	ctx := context.Background()
	skey, vkey, err := note.GenerateKey(rand.Reader, "log.test/link")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	log, err := trillianlog.Open(ctx, trillianlog.Config{Dir: t.TempDir(), HeadDir: t.TempDir(), Origin: "log.test/link",
		Signer: signer, VKey: vkey, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()

	w := newWorld(t, "")
	w.ca.log, w.log2 = log, log
	roots := map[zone.Zone]*zone.Root{}
	for _, z := range []zone.Zone{zone.Juki, zone.LGWAN} {
		if roots[z], err = zone.NewRoot(z, time.Now(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	juki, err := roots[zone.Juki].Issue(entry.ByRegisterLink, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := roots[zone.LGWAN].Issue(entry.ByCALink, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	caHTTP := httptest.NewUnstartedServer(w.ca)
	caHTTP.TLS = zone.Peers{roots[zone.Juki]}.Server(ca)
	caHTTP.StartTLS()
	defer caHTTP.Close()
	peers := zone.Peers{roots[zone.LGWAN]}
	w.srv, err = link.New(link.Config{Engine: w.eng, Register: w.reg, Log: log, Decider: w.dec, Now: w.now,
		Client: peers.Client(juki, 10*time.Second), URL: caHTTP.URL,
		Peer: func(r *http.Request) (string, bool) {
			id, ok := peers.Identify(r)
			return id.Name, ok && id.Zone == zone.LGWAN
		}})
	if err != nil {
		t.Fatal(err)
	}
	jukiHTTP := httptest.NewUnstartedServer(w.srv.Handler())
	jukiHTTP.TLS = peers.Server(juki)
	jukiHTTP.StartTLS()
	defer jukiHTTP.Close()

	caWriter, err := ledger.NewWriter(ctx, log, entry.ByCALink, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer caWriter.Close()
	w.import3()
	l := w.daily()
	if _, err := caWriter.Append(ctx, &entry.HoldersSent{Holders: l.Entry()}); err != nil {
		t.Fatal(err)
	}
	b, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		client := zone.Peers{roots[zone.Juki]}.Client(ca, 10*time.Second)
		if a := postTo(t, client, jukiHTTP.URL, b); a != policy.Taken {
			t.Fatalf("list: %+v", a)
		}
	}
	w.die(1)
	w.die(2)
	w.want(w.mustFlush(), link.Sent{Logged: 2, Delivered: 2})
	w.want(w.ca.ordinals(), "[1 2]")
	if _, _, err := log.Lookup(ctx, entry.ByNoticeSender, 1); err != nil {
		t.Error(err)
	}
	if c, err := w.eng.Counts(); err != nil || c.Notices[match.Delivered] != 2 {
		t.Errorf("counts %+v, %v", c, err)
	}
}
