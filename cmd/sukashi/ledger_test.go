package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/ledger/witness"
)

// startLog runs a log with one witness for a script, laid out as a demo's
// folder: $WORK/log, its policy $WORK/witness.policy, TLS files $WORK/tls, three
// entries of the CA. $LOG is its address; creating $WORK/stop ends it, and it
// leaves $WORK/stopped.
func startLog(t *testing.T, e *testscript.Env) error {
	dir := e.WorkDir
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for _, d := range []string{in("log", "ledger"), in("log", "out"), in("tls")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	key, err := logkey.CreateFile(in("log", "log.key"), "log.test/cli", rand.Reader)
	if err != nil {
		return err
	}
	_, wkey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	w, err := witness.Open(witness.Config{Dir: in("witness"), Name: "w.test", Key: wkey, Logs: []string{key.VKey()}, Now: time.Now})
	if err != nil {
		return err
	}
	wsrv := httptest.NewServer(w)
	text := "log " + key.VKey() + "\nwitness w " + w.VKey() + " " + wsrv.URL + "\nquorum w\n"
	policy, err := proof.ParsePolicy([]byte(text))
	if err != nil {
		return err
	}
	client, err := witness.NewClient(witness.ClientConfig{Policy: policy, HTTP: wsrv.Client(), Now: time.Now})
	if err != nil {
		return err
	}
	log, err := trillianlog.Open(context.Background(), trillianlog.Config{Dir: in("log", "ledger", "store"), HeadDir: in("log", "head"), Origin: key.Name(),
		Signer: key, VKey: key.VKey(), Now: time.Now, PublishEvery: 50 * time.Millisecond, Cosign: client.Cosign, CheckHead: client.CheckHead})
	if err != nil {
		return err
	}
	// What is published before the script begins ends in a status.root, so that
	// the script's first entry has a place that it knows.
	if _, err := log.Publish(context.Background()); err != nil {
		return err
	}
	root, err := zone.NewRoot(zone.LGWAN, time.Now(), rand.Reader)
	if err != nil {
		return err
	}
	mine, err := root.Issue("ledger", time.Now(), rand.Reader)
	if err != nil {
		return err
	}
	peers := zone.Peers{root}
	srv := httptest.NewUnstartedServer(publish.Handler(publish.Config{Source: log, Log: log, Authorize: func(r *http.Request) []string {
		if id, ok := peers.Identify(r); ok {
			return []string{id.Name}
		}
		return nil
	}}))
	srv.TLS = peers.Server(mine)
	srv.StartTLS()
	e.Setenv("LOG", srv.URL)
	for name, b := range map[string][]byte{"log/out/log.vkey": []byte(key.VKey() + "\n"), "witness.policy": []byte(text),
		"tls/ca.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Cert.Raw})} {
		if err := os.WriteFile(in(name), b, 0o600); err != nil {
			return err
		}
	}
	for _, by := range []string{entry.ByCA, entry.ByOperator} {
		c, err := root.Issue(by, time.Now(), rand.Reader)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			return err
		}
		for kind, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, ".key": {Type: "PRIVATE KEY", Bytes: der}} {
			if err := os.WriteFile(in("tls", by+kind), pem.EncodeToMemory(block), 0o600); err != nil {
				return err
			}
		}
	}
	at := entry.At(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	for i, name := range []string{"0.json", "1.json", "2.json"} {
		b, err := entry.Entry{At: at, By: entry.ByCA, Seq: uint64(i), Body: &entry.SecurityEvent{Code: "test", From: at, To: at}}.Marshal()
		if err != nil {
			return err
		}
		if err := os.WriteFile(in(name), b, 0o600); err != nil {
			return err
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for { // until the script or the test ends
			if _, err := os.Stat(in("stop")); err == nil {
				break
			}
			if _, err := os.Stat(dir); err != nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		_ = os.WriteFile(in("stopped"), nil, 0o600) // the folder may be gone
	}()
	e.Defer(func() {
		_ = os.WriteFile(in("stop"), nil, 0o600) // the folder may be gone
		<-done
		srv.Close()
		wsrv.Close()
		_ = w.Close()
	})
	return nil
}
