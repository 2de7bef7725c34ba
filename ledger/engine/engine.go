// Package engine opens a log with the engine that a configuration names, and
// moves a log from one engine to the other.
//
// Which engine keeps a log is the operator's affair alone: entries, order,
// roots, tiles and proofs are the same bytes (package ledger/logtest shows it),
// so nobody outside sees a migration.
//
//	l, err := engine.Open(ctx, engine.Config{Place: engine.Place{Address: "trillian:8090", TLS: tls, CacheDir: "cache", HeadDir: "head"},
//		Origin: "log.example/1", Signer: signer, VKey: vkey, Now: time.Now})
package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/clusterlog"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

// Place is where a log is kept: Dir for the embedded engine, or Address and
// CacheDir for a cluster; HeadDir for both.
type Place struct {
	Dir string // embedded: the store

	Address    string      // cluster: Trillian's log server, host:port
	TLS        *tls.Config // cluster: nil only for loopback
	MaxMessage int         // cluster: the log server's --max_msg_size_bytes; 0: 4 MiB
	CacheDir   string      // cluster: tiles and index, rebuilt when lost

	HeadDir string // the head, outside the store
}

func (p *Place) validate() error {
	if (p.Dir == "") == (p.Address == "") {
		return errors.New("a log is kept in a directory or on a cluster: name one of the two")
	}
	if p.HeadDir == "" {
		return errors.New("a log needs a directory for its head")
	}
	return nil
}

// Config of a log. The fields are those of trillianlog.Config.
type Config struct {
	Place
	Origin  string
	Signer  note.Signer
	VKey    string
	Retired []proof.LogKey
	Now     func() time.Time

	PublishEvery time.Duration
	RefreshEvery time.Duration // as in trillianlog.Config
	Cosign       func(ctx context.Context, checkpoint []byte, prove func(oldSize uint64) ([]tlog.Hash, error)) ([]byte, error)
	CheckHead    func(ctx context.Context, size uint64, rootAt func(ctx context.Context, n uint64) (tlog.Hash, error)) error
	AdoptHead    bool
	Logger       *slog.Logger
}

// Log is an open log, whichever engine keeps it.
type Log interface {
	ledger.Log
	publish.Source
	// Publish publishes what is committed.
	Publish(ctx context.Context) ([]byte, error)
	// Consistency proves that one committed size follows from another.
	Consistency(ctx context.Context, old, new uint64) ([]tlog.Hash, error)
	Close() error
}

// Open opens or makes the log in its place.
func Open(ctx context.Context, c Config) (Log, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Dir != "" {
		return orNil(trillianlog.Open(ctx, c.onDisk()))
	}
	return orNil(clusterlog.Open(ctx, c.onCluster()))
}

// Rotate goes over from the log's key to the next one, see trillianlog.Rotate.
func Rotate(ctx context.Context, c Config, next note.Signer, nextVKey string, record entry.Digest) ([]proof.LogKey, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Dir != "" {
		return trillianlog.Rotate(ctx, c.onDisk(), next, nextVKey, record)
	}
	return clusterlog.Rotate(ctx, c.onCluster(), next, nextVKey, record)
}

func (c *Config) onDisk() trillianlog.Config {
	return trillianlog.Config{Dir: c.Dir, HeadDir: c.HeadDir, Origin: c.Origin, Signer: c.Signer,
		VKey: c.VKey, Retired: c.Retired, Now: c.Now, PublishEvery: c.PublishEvery, RefreshEvery: c.RefreshEvery, Cosign: c.Cosign, CheckHead: c.CheckHead,
		AdoptHead: c.AdoptHead, Logger: c.Logger}
}

func (c *Config) onCluster() clusterlog.Config {
	k := c.cluster()
	k.Origin, k.Signer, k.VKey, k.Retired, k.Now = c.Origin, c.Signer, c.VKey, c.Retired, c.Now
	k.PublishEvery, k.RefreshEvery, k.Cosign, k.CheckHead = c.PublishEvery, c.RefreshEvery, c.Cosign, c.CheckHead
	k.AdoptHead, k.Logger = c.AdoptHead, c.Logger
	return k
}

func (p *Place) cluster() clusterlog.Config {
	return clusterlog.Config{Address: p.Address, TLS: p.TLS, MaxMessage: p.MaxMessage, CacheDir: p.CacheDir, HeadDir: p.HeadDir}
}

// orNil keeps a nil pointer from becoming an interface that isn't nil.
func orNil[L Log](l L, err error) (Log, error) {
	if err != nil {
		return nil, err
	}
	return l, nil
}
