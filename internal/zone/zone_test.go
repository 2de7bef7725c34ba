package zone_test

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/zone"
)

func root(t *testing.T, z zone.Zone) *zone.Root {
	t.Helper()
	r, err := zone.NewRoot(z, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func issue(t *testing.T, r *zone.Root, name string) tls.Certificate {
	t.Helper()
	c, err := r.Issue(name, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The wall: a server of one zone never hears a client of another unless it
// lists that zone's root, and a zone is never taken from a certificate's words.
func TestWall(t *testing.T) {
	juki, lgwan := root(t, zone.Juki), root(t, zone.LGWAN)
	serve := func(peers zone.Peers) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, ok := peers.Identify(r)
			if !ok {
				w.WriteHeader(http.StatusForbidden)
			}
			io.WriteString(w, string(id.Zone)+" "+id.Name)
		}))
		s.TLS = peers.Server(issue(t, lgwan, "server"))
		s.Config.ErrorLog = nil
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	get := func(s *httptest.Server, from *zone.Root, name string) (string, error) {
		c := zone.Peers{lgwan}.Client(issue(t, from, name), 5*time.Second)
		defer c.CloseIdleConnections()
		resp, err := c.Get(s.URL)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	both, own := serve(zone.Peers{lgwan, juki}), serve(zone.Peers{lgwan})
	if got, err := get(both, juki, "ca-link-server"); err != nil || got != "juki ca-link-server" {
		t.Errorf("listed zone: %q, %v", got, err)
	}
	if got, err := get(own, lgwan, "counter"); err != nil || got != "lgwan counter" {
		t.Errorf("own zone: %q, %v", got, err)
	}
	if got, err := get(own, juki, "counter"); err == nil {
		t.Errorf("a client of another zone was heard: %q", got)
	}
	if got, err := get(own, root(t, zone.LGWAN), "counter"); err == nil {
		t.Errorf("another root that calls itself lgwan was heard: %q", got)
	}
	if _, ok := (zone.Peers{lgwan}).Identify(httptest.NewRequest("GET", "/", nil)); ok {
		t.Error("a request without TLS got an identity")
	}
}

func TestSaveLoad(t *testing.T) {
	dir := t.TempDir()
	r := root(t, zone.Juki)
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := zone.Load(zone.Juki, dir)
	if err != nil || !got.Cert.Equal(r.Cert) {
		t.Fatalf("not the same root: %v", err)
	}
	issue(t, got, "again")
	if fi, _ := os.Stat(filepath.Join(dir, "root.key")); fi.Mode().Perm() != 0o600 {
		t.Errorf("key file has mode %v", fi.Mode())
	}
	if err := root(t, zone.Juki).Save(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, "b", "root.pem"))
	os.WriteFile(filepath.Join(dir, "root.pem"), b, 0o644)
	if _, err := zone.Load(zone.Juki, dir); err == nil {
		t.Error("a key with another root's certificate was loaded")
	}
	os.WriteFile(filepath.Join(dir, "root.pem"), []byte("x"), 0o644)
	if _, err := zone.Load(zone.Juki, dir); err == nil {
		t.Error("a broken file was loaded")
	}
}
