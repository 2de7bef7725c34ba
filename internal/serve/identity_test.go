package serve

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/zone"
)

// TestRenewedIdentity: a certificate that is renewed while the role runs is shown
// from the next handshake on; half a renewal, or somebody else's certificate,
// leaves the one before; an open connection stays; the operator is told in time.
func TestRenewedIdentity(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now().Add(-340 * 24 * time.Hour)
	root, err := zone.NewRoot(zone.LGWAN, began, rand.Reader)
	must(err)
	old, err := root.Issue("ca-server", began, rand.Reader)
	must(err)
	must(zone.WritePEM(dir, "ca-server", old))
	var said strings.Builder
	r := &runner{cfg: &Config{dir: dir}, log: slog.New(slog.NewJSONHandler(&said, nil))}
	id, err := r.identity("ca-server.pem", "ca-server.key")
	must(err)
	peers := zone.Peers{root}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", serveAs(peers, id))
	must(err)
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { // an echo
				b := make([]byte, 1)
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
					_, _ = c.Write(b)
				}
			}()
		}
	}()
	pool := x509.NewCertPool()
	pool.AddCert(root.Cert)
	dial := func() *tls.Conn {
		t.Helper()
		conf := &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS13}
		id.client(conf) // the client's side is renewed as well
		c, err := tls.Dial("tcp", ln.Addr().String(), conf)
		must(err)
		return c
	}
	ping := func(c net.Conn) {
		t.Helper()
		_, err := c.Write([]byte{1})
		must(err)
		_, err = c.Read(make([]byte, 1))
		must(err)
	}
	shown := func() *x509.Certificate {
		t.Helper()
		id.mu.Lock()
		id.looked = time.Time{} // lookEach is over
		id.mu.Unlock()
		c := dial()
		defer c.Close()
		ping(c)
		return c.ConnectionState().PeerCertificates[0]
	}
	r.warnOfEnd(time.Now())
	if !strings.Contains(said.String(), `"days":24`) || !strings.Contains(said.String(), "ca-server") {
		t.Errorf("25 days before the end the operator reads %q", said.String())
	}
	open := dial()
	defer open.Close()
	ping(open)
	if !shown().Equal(old.Leaf) {
		t.Error("not the first certificate")
	}

	next, err := root.Renew(old.Leaf, time.Now(), rand.Reader)
	must(err)
	if next.Leaf.Subject.CommonName != "ca-server" || bytes.Equal(next.Leaf.RawSubjectPublicKeyInfo, old.Leaf.RawSubjectPublicKeyInfo) {
		t.Error("another name, or the old key")
	}
	other, err := root.Issue("counter-202011", time.Now(), rand.Reader)
	must(err)
	elsewhere := t.TempDir()
	must(zone.WritePEM(elsewhere, "ca-server", next))
	must(zone.WritePEM(elsewhere, "other", other))
	put := func(from, to string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(elsewhere, from))
		must(err)
		must(os.WriteFile(filepath.Join(dir, to), b, 0o600))
	}
	put("ca-server.key", "ca-server.key")
	if !shown().Equal(old.Leaf) {
		t.Error("half a renewal is shown")
	}
	put("other.key", "ca-server.key")
	put("other.pem", "ca-server.pem")
	if !shown().Equal(old.Leaf) {
		t.Error("somebody else's certificate is shown")
	}
	must(zone.WritePEM(dir, "ca-server", next))
	if !shown().Equal(next.Leaf) {
		t.Error("the renewed certificate is not shown")
	}
	ping(open)
	said.Reset()
	r.warnOfEnd(time.Now())
	if d, _, err := r.left(time.Now()); err != nil || d < 364*24*time.Hour || said.Len() > 0 {
		t.Errorf("after the renewal %v are left, %v, and the operator reads %q", d, err, said.String())
	}
	foreign, err := zone.NewRoot(zone.LGWAN, began, rand.Reader)
	must(err)
	if _, err := foreign.Renew(old.Leaf, time.Now(), rand.Reader); err == nil {
		t.Error("another root renews it")
	}
	if _, err := root.Renew(root.Cert, time.Now(), rand.Reader); err == nil {
		t.Error("a root is renewed as a server")
	}
}
