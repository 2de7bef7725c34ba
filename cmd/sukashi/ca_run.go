package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/ceremony"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/engine"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

// room is an open ceremony: log, keys, configuration.
type room struct {
	cfg    *ceremony.Config
	ce     *ceremony.Ceremony
	host   ceremony.Host
	log    ledger.Log
	reader ledger.Reader
	closes []func() error
}

func (r *room) close() error {
	var errs []error
	for i := len(r.closes) - 1; i >= 0; i-- {
		errs = append(errs, r.closes[i]())
	}
	return errors.Join(errs...)
}

// open opens the log and, if asked for, the keys' host.
func (c *caCmd) open(ctx context.Context, keys bool) (*room, error) {
	cfg, err := ceremony.Load(c.config)
	if err != nil {
		return nil, err
	}
	r := &room{cfg: cfg}
	if err := r.openLog(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	if keys {
		host, done, err := ceremony.OpenHost(cfg)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.host, r.closes = host, append(r.closes, done)
	}
	r.ce, err = ceremony.New(cfg, ceremony.Env{Log: r.log, Reader: r.reader, Host: r.host, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// openLog reaches the log over mTLS, or opens its store on this machine.
func (r *room) openLog(ctx context.Context) error {
	l := r.cfg.Log
	if l.URL != "" {
		return r.dialLog(l)
	}
	key, err := logkey.OpenFile(l.KeyFile)
	if err != nil {
		return err
	}
	r.closes = append(r.closes, key.Close)
	if key.VKey() != l.VKey {
		return say.New("ca.log-key", "ログの鍵が、設定の vkey と違います。", "The log's key is not the configuration's vkey.")
	}
	e, err := engine.Open(ctx, engine.Config{Place: engine.Place{Dir: l.Store, HeadDir: l.Head}, Origin: key.Name(), Signer: key, VKey: l.VKey, Now: time.Now})
	if err != nil {
		return err
	}
	r.closes = append(r.closes, e.Close)
	r.log, r.reader = e, e
	return nil
}

func (r *room) dialLog(l ceremony.LogConfig) error {
	cert, err := tls.LoadX509KeyPair(l.Certificate, l.Key)
	if err != nil {
		return fmt.Errorf("couldn't read the operator's TLS identity: %w", err)
	}
	pem, err := os.ReadFile(l.Roots)
	if err != nil {
		return fmt.Errorf("couldn't read the log's TLS root: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("couldn't read the log's TLS root: no certificate in it")
	}
	client, err := publish.NewClient(l.URL, &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, MinVersion: tls.VersionTLS13}}})
	if err != nil {
		return err
	}
	r.log, r.reader = client, client
	return nil
}

// run carries an act out. Some acts have a part that the CA's records are needed
// for; they are opened first, so that the act does not stop half-way for want of
// them.
func (c *caCmd) run(cmd *cobra.Command, words []string) (err error) {
	r, err := c.open(cmd.Context(), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	p, other, err := planOf(r.ce, words)
	if err != nil {
		return err
	}
	if p.Act == ceremony.ActLeak || p.Act == ceremony.ActRetire {
		return c.end(cmd, r, p)
	}
	res, err := r.ce.Run(cmd.Context(), p, other)
	if err != nil {
		return err
	}
	c.report(cmd, res)
	return nil
}

func (c *caCmd) report(cmd *cobra.Command, res *ceremony.Result) {
	if res.Again {
		fmt.Fprintf(cmd.OutOrStdout(), c.text("〇 すでに終わっています: %s\n", "〇 it had been done before: %s\n"), res.Dir)
		return
	}
	fmt.Fprintf(cmd.OutOrStdout(), c.text("〇 終わりました: %s\n", "〇 done: %s\n"), res.Dir)
	fmt.Fprintf(cmd.OutOrStdout(), c.text("記録書 %s(ログの記録 %v)\n", "transcript %s (log entries %v)\n"), res.Record, res.Indices)
}

// end carries out the end of a key: a leak (Article 14) or its retirement.
func (c *caCmd) end(cmd *cobra.Command, r *room, p *ceremony.Plan) error {
	ctx := cmd.Context()
	if r.cfg.Authority == nil {
		return say.New("ca.authority", "設定に authority(発行記録の場所)がありません。", "The configuration has no authority (where the CA's records are).")
	}
	approvals, err := r.ce.Approvals(p)
	if err != nil {
		return err
	}
	if err := r.ce.Approved(p); err != nil {
		return err
	}
	two, err := officersOf(approvals)
	if err != nil {
		return err
	}
	a, err := c.authority(ctx, r) // first of all: with the keys here, no running CA has them
	if err != nil {
		return err
	}
	return errors.Join(c.endKey(cmd, r, p, a.Authority, two), a.Close())
}

// endKey: a retired key makes its last lists before it is retired; a leak is
// recorded before anything is revoked for it.
func (c *caCmd) endKey(cmd *cobra.Command, r *room, p *ceremony.Plan, a *ca.Authority, two [2]string) error {
	ctx, w := cmd.Context(), cmd.OutOrStdout()
	if p.Act == ceremony.ActRetire {
		lists, err := a.PublishLast(ctx, *p.Previous)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, c.text("最後の失効リスト %d 件\n", "%d last lists\n"), len(lists))
	}
	res, err := r.ce.Run(ctx, p, nil)
	if err != nil {
		return err
	}
	c.report(cmd, res)
	if p.Act == ceremony.ActRetire {
		return nil
	}
	n, err := a.RevokeLeaked(ctx, *p.Previous, two)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, c.text("失効させた証明書 %d 件\n", "%d certificates revoked\n"), n)
	return nil
}

func (c *caCmd) withAuthority(cmd *cobra.Command, f func(*roles.CA) error) (err error) {
	r, err := c.open(cmd.Context(), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	a, err := c.authority(cmd.Context(), r)
	if err != nil {
		return err
	}
	return errors.Join(f(a), a.Close())
}

// authority opens the CA with the newest generation's key as the issuing one.
func (c *caCmd) authority(ctx context.Context, r *room) (*roles.CA, error) {
	return roles.OpenCA(ctx, roles.CAConfig{Keys: r.cfg, Host: r.host, Log: r.log, Reader: r.reader, Holder: "sukashi ca", Now: time.Now})
}

// revoke finds a certificate by its serial and revokes it.
func revoke(ctx context.Context, a *roles.CA, serial, ground string, by [2]string) (*ca.Revocation, error) {
	size, err := a.Registry.Size()
	if err != nil {
		return nil, err
	}
	role := ca.RoleCounter
	if ground == entry.GroundError {
		role = ca.RoleOperator
	}
	for o := range size {
		rec, err := a.Registry.Get(o)
		if err != nil {
			return nil, err
		}
		if rec.Serial == serial {
			return a.Authority.RevokeOnRequest(ctx, ca.RevocationRequest{Ordinal: o, Ground: ground, Role: role, Operators: by})
		}
	}
	return nil, ca.ErrNotFound
}

func (c *caCmd) writeLists(cmd *cobra.Command, dir string, a *roles.CA, lists []ca.PublishedCRL) error {
	for _, l := range lists {
		sub := filepath.Join(dir, fmt.Sprintf("generation-%d", a.Numbers[l.Issuer]))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return err
		}
		name := l.Partition + ".crl"
		if l.Base > 0 {
			name = l.Partition + "-delta.crl"
		}
		path := filepath.Join(sub, name)
		if err := writeWhole(path, l.DER); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), c.text("%s  番号 %d、%d 件\n", "%s  number %d, %d entries\n"), path, l.Number, l.Entries)
	}
	return nil
}

// writeWhole writes a file under another name first.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = io.Writer.Write(f, b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
}
