// Package world puts every role together on one machine: register side, CA
// side, ledger, witnesses, and the public read side, each with its own key,
// store and TLS identity, speaking over real loopback connections. One process
// runs them all for the demo and the tests; the wall stays a wall, because a
// node gets nothing of another zone but an address and the roots it may trust.
//
//	w, err := world.Open(ctx, world.Config{Dir: dir, Now: time.Now})
//	defer w.Close()
//	err = w.Juki.Office.Register.Import(…)
//
// All keys are software keys: this is never a production set-up.
package world

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
)

// Dirs are the directories of the zones and of what outsiders read.
type Dirs struct {
	Juki    string // register zone: the only one that may hold a resident code
	CA      string // CA zone
	Ledger  string // the log's store and key
	Head    string // the log's head, apart from its store
	Witness string // one directory per witness below it
	Out     string // what outsiders read
}

// In lays the directories out under one root.
func In(root string) Dirs {
	return Dirs{Juki: filepath.Join(root, "juki"), CA: filepath.Join(root, "ca"), Ledger: filepath.Join(root, "ledger"),
		Head: filepath.Join(root, "head"), Witness: filepath.Join(root, "witness"), Out: filepath.Join(root, "out")}
}

// Config of a world. Dirs and Now are required.
type Config struct {
	Dirs       Dirs
	Now        func() time.Time
	NoticeMode string    // entry.ModeReference ("" too) or entry.ModeEcho
	PublicAddr string    // address of the public pages; "": a free loopback port
	IssuerAlg  string    // keystore.RSA2048 ("" too) or keystore.P256
	Council    int       // council members who approve the policy; 0: 3
	Tap        Tap       // sees what every server takes; may be nil
	Rand       io.Reader // nil: crypto/rand.Reader
	Logger     *slog.Logger
}

// World is a running set of roles.
type World struct {
	Config
	Ledger *LedgerNode
	CA     *CANode
	Juki   *JukiNode
	// Rules and PolicyIndex name the policy in force.
	Rules       policy.Proposal
	PolicyIndex uint64
	Members     *Council

	servers servers
	roots   map[zone.Zone]*zone.Root
	links   linkKeys
	closing sync.Once
	closed  error // what the first Close returned
}

// Names of the TLS identities.
const (
	nameLedger   = "ledger"
	nameCouncil  = entry.ByCouncil
	nameOperator = entry.ByOperator
)

// Open starts every role, in the order in which they need each other: the
// ledger, the council's approval of the policy, the CA's keys, the two link
// servers. On an error everything that was started is stopped.
func Open(ctx context.Context, c Config) (*World, error) {
	if c.Now == nil || c.Dirs == (Dirs{}) {
		return nil, errors.New("a world needs directories and a clock")
	}
	if c.NoticeMode == "" {
		c.NoticeMode = entry.ModeReference
	}
	if c.Council == 0 {
		c.Council = 3
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	w := &World{Config: c, roots: map[zone.Zone]*zone.Root{}}
	w.servers.tap = c.Tap
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) open(ctx context.Context) error {
	for z, dir := range map[zone.Zone]string{zone.Juki: w.Dirs.Juki, zone.LGWAN: w.Dirs.CA, zone.Open: w.Dirs.Ledger} {
		root, err := zone.NewRoot(z, w.Now(), w.Rand)
		if err != nil {
			return err
		}
		if err := root.Save(filepath.Join(dir, "tls")); err != nil {
			return fmt.Errorf("couldn't keep the TLS root of zone %s: %w", z, err)
		}
		w.roots[z] = root
	}
	for _, step := range []func(context.Context) error{w.makeLinkKeys, w.openLedger, w.approvePolicy, w.openCA, w.openJuki, w.joinLinks} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Endpoints returns the address of every server by role name.
func (w *World) Endpoints() map[string]string { return w.servers.addresses() }

// Close stops every role. The directories stay. Closing twice does nothing the
// second time.
func (w *World) Close() error {
	w.closing.Do(func() { w.closed = w.stop() })
	return w.closed
}

func (w *World) stop() error {
	errs := []error{w.servers.stop()}
	if w.Juki != nil {
		errs = append(errs, w.Juki.close())
	}
	if w.CA != nil {
		errs = append(errs, w.CA.close())
	}
	if w.Ledger != nil {
		errs = append(errs, w.Ledger.close())
	}
	return errors.Join(errs...)
}
