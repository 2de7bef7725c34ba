package serve

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/engine"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/witness"
)

// refreshEvery keeps receipts fresh on quiet days: the present service refreshes
// its OCSP data as often (DOMAIN 6.5).
const refreshEvery = 15 * time.Minute

// witnessTimeout bounds one request to a witness.
const witnessTimeout = 5 * time.Second

// openLedger opens the log under its witnesses' eyes: before the first
// signature every witness is asked what it has seen (witness.Client.CheckHead),
// so that a restored backup can't sign back in time (promise P9).
func (r *runner) openLedger(ctx context.Context) error {
	l := r.cfg.Ledger
	policy, err := r.policy(l.Policy)
	if err != nil {
		return err
	}
	key, err := r.logKey()
	if err != nil {
		return err
	}
	r.closers = append(r.closers, key.Close)
	keys := policy.Keys(l.Origin)
	if len(keys) == 0 || keys[len(keys)-1].VKey != key.VKey() {
		return say.New("serve.policy-key", "証人の方針が、別のログの鍵を示しています。", "The witness policy names another log's key.").
			Hint("log 行の鍵は次のとおりです: "+key.VKey(), "The key of its log line must be: "+key.VKey())
	}
	client, err := witness.NewClient(witness.ClientConfig{Policy: policy, HTTP: &http.Client{Timeout: witnessTimeout}, Now: time.Now})
	if err != nil {
		return err
	}
	every, err := l.every()
	if err != nil {
		return err
	}
	place, err := l.place(r.cfg)
	if err != nil {
		return err
	}
	log, err := engine.Open(ctx, engine.Config{Place: place, Origin: l.Origin, Signer: key, VKey: key.VKey(), Retired: keys[:len(keys)-1],
		Now: time.Now, PublishEvery: every, RefreshEvery: refreshEvery, Cosign: client.Cosign, CheckHead: client.CheckHead, Logger: r.log})
	if err != nil {
		return err
	}
	r.closers = append(r.closers, log.Close)
	r.addresses["vkey"] = key.VKey()
	return r.serveLedger(log)
}

// policy reads a C2SP tlog-policy.
func (r *runner) policy(path string) (*proof.Policy, error) {
	raw, err := readLimited(r.cfg.path(path), maxConfig)
	if err != nil {
		return nil, say.New("serve.policy", "証人の方針のファイルを読めません。", "The witness policy can't be read.").Because(err)
	}
	return proof.ParsePolicy(raw)
}

func (r *runner) logKey() (*logkey.Key, error) {
	k := r.cfg.Ledger.Key
	if k.File != "" {
		return logkey.OpenFile(r.cfg.path(k.File))
	}
	pin, err := readSecret(r.cfg.path(k.PIN))
	if err != nil {
		return nil, err
	}
	return logkey.OpenModule(logkey.OnToken{Module: k.Module, Token: k.Token, Label: k.Label, PIN: string(bytes.TrimRight(pin, "\r\n"))}, r.cfg.Ledger.Origin)
}

// serveLedger opens the two listeners: appends for the writers that the
// configuration names, reads for everyone.
func (r *runner) serveLedger(log engine.Log) error {
	l := r.cfg.Ledger
	var peers zone.Peers
	for z, path := range r.cfg.TLS.Roots {
		root, err := r.root(z, path)
		if err != nil {
			return err
		}
		peers = append(peers, root)
	}
	cert, err := r.certificate()
	if err != nil {
		return err
	}
	writers := map[zone.Identity][]string{}
	for _, w := range l.Writers {
		writers[zone.Identity{Zone: w.Zone, Name: w.Name}] = w.By
	}
	authorize := func(req *http.Request) []string {
		id, ok := peers.Identify(req)
		if !ok {
			return nil
		}
		return writers[id]
	}
	restrict := l.restriction(peers)
	m := r.newMetrics()
	m.gauge("sukashi_ledger_entries", "Entries in the log.", func() float64 {
		n, err := log.Size(context.Background())
		if err != nil {
			return -1
		}
		return float64(n)
	})
	m.gauge("sukashi_ledger_published_entries", "Entries under the newest published checkpoint.", func() float64 { return float64(log.PublishedSize()) })

	write := publish.Handler(publish.Config{Source: log, Log: log, Authorize: authorize, Restrict: restrict, EntriesPerSecond: l.EntriesPerSecond, Logger: r.log})
	if err := r.listen("append", r.cfg.Listen, serveAs(peers, cert), m.count("append", write)); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", m.count("read", publish.Handler(publish.Config{Source: log, Restrict: restrict, Logger: r.log})))
	m.mount(mux, func(ctx context.Context) error {
		_, err := log.Checkpoint(ctx)
		if err != nil {
			r.log.Error("the newest checkpoint can't be shown", "error", err.Error())
		}
		return err
	})
	return r.listen("public", r.cfg.Public, nil, mux)
}

// restriction keeps entries from the public when readers are named.
func (l *Ledger) restriction(peers zone.Peers) *publish.Restriction {
	if len(l.Readers) == 0 {
		return nil
	}
	x := &publish.Restriction{All: func(req *http.Request) bool {
		id, ok := peers.Identify(req)
		return ok && slices.Contains(l.Readers, Peer{Zone: id.Zone, Name: id.Name})
	}}
	for _, k := range l.Public {
		x.Public = append(x.Public, entry.Kind(k))
	}
	return x
}
