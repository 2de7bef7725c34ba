// Package juki is the register side of the service: the only zone in which a
// resident code may appear (DESIGN section 2, DOMAIN 3.3).
//
// It joins its parts: the identity information database (package
// juki/register), matching with the list of certificate holders (package
// juki/match), the terminals that export four attributes, and the link to the
// CA side (package juki/link).
//
// What it promises: what crosses the wall from here is a transfer file with
// four attributes, carried by hand, and change notices through the link;
// nothing else. WriteCanaries lists what a search of the other zones must not
// find.
//
// What it never does: it never imports the CA's packages, and its errors,
// counts and log lines hold no personal data.
//
//	o, err := juki.Open(juki.Config{Dir: dir, Now: time.Now})
//	_, err = o.Register.Import(residents)
//	t, err := o.Terminal(juki.TerminalConfig{Municipality: "202011", Signer: key, Verifier: pub, Decider: d})
//	file, err := t.Export(ctx, code, "op-7")
//	_, err = o.Change(ctx, events...)
package juki

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
)

// Config of an Office.
type Config struct {
	Dir string           // own directory; holds identity/ and holders/
	Now func() time.Time // required
	KV  kv.Options       // for both stores
}

// Office is the register side's data and work: IdentityInfoDB and the business
// subsystem with CertHolderDB. Safe for concurrent use.
type Office struct {
	Register *register.Register // 本人確認情報DB
	Matching *match.Engine      // 突合, 証明書発行者DB, 担当者の確認待ち, 送信待ち
	now      func() time.Time
}

// Open opens or creates the register side in c.Dir.
func Open(c Config) (*Office, error) {
	if c.Dir == "" || c.Now == nil {
		return nil, errors.New("the register side needs a directory and a clock")
	}
	r, err := register.Open(filepath.Join(c.Dir, "identity"), register.Config{KV: c.KV, Now: c.Now})
	if err != nil {
		return nil, err
	}
	o, err := OpenOn(c, r)
	if err != nil {
		r.Close()
		return nil, err
	}
	return o, nil
}

// OpenOn opens the register side on an identity information database that is
// open already, such as one in PostgreSQL; c.Dir holds holders/ only. Closing
// the Office closes the database.
func OpenOn(c Config, r *register.Register) (*Office, error) {
	if c.Dir == "" || c.Now == nil || r == nil {
		return nil, errors.New("the register side needs a directory, a clock and a database")
	}
	m, err := match.Open(filepath.Join(c.Dir, "holders"), match.Config{KV: c.KV, Now: c.Now, Register: r})
	if err != nil {
		return nil, err
	}
	return &Office{Register: r, Matching: m, now: c.Now}, nil
}

// Close closes both stores.
func (o *Office) Close() error { return errors.Join(o.Matching.Close(), o.Register.Close()) }

// Change takes changes into the register and matches them. When only the
// matching fails, the changes stand and the next call, or Match, goes on.
func (o *Office) Change(ctx context.Context, events ...register.Event) ([]register.Change, error) {
	cs, err := o.Register.Apply(events...)
	if err != nil {
		return nil, err
	}
	if _, err := o.Matching.Match(ctx); err != nil {
		return cs, fmt.Errorf("the changes stand, but couldn't be matched yet: %w", err)
	}
	return cs, nil
}

// Stats are the register side's figures. They hold no person and may leave
// the zone.
type Stats struct {
	Register register.Counts
	Matching match.Counts
	Daily    map[string]match.Day // by day in Japan, "2026-11-23"
}

// Stats reads all figures.
func (o *Office) Stats() (Stats, error) {
	var s Stats
	var err error
	if s.Register, err = o.Register.Counts(); err != nil {
		return s, err
	}
	if s.Matching, err = o.Matching.Counts(); err != nil {
		return s, err
	}
	s.Daily, err = o.Matching.Daily()
	return s, err
}
