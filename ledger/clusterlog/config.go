package clusterlog

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Config of an engine. Address, CacheDir, HeadDir, Origin, Signer, VKey and Now
// are needed; the others are as in trillianlog.Config.
type Config struct {
	// Address of the Trillian log server, host:port.
	Address string
	// TLS of the connection; nil is allowed for a loopback address only: the
	// log server itself asks nobody who they are.
	TLS *tls.Config
	// MaxMessage is what the log server takes in one call in bytes, its
	// --max_msg_size_bytes; 0: gRPC's default of 4 MiB. One Append must fit.
	MaxMessage int
	// CatchUp bounds the wait at a start for entries that the signer has not
	// integrated yet; 0: one minute.
	CatchUp time.Duration

	CacheDir string // tiles and index; may be deleted while the log is closed
	HeadDir  string // the head; outside CacheDir
	Origin   string
	Signer   note.Signer
	VKey     string
	Retired  []proof.LogKey // keys before VKey, as in trillianlog.Config
	Now      func() time.Time

	PublishEvery time.Duration
	RefreshEvery time.Duration // as in trillianlog.Config
	Cosign       func(ctx context.Context, checkpoint []byte, prove func(oldSize uint64) ([]tlog.Hash, error)) ([]byte, error)
	CheckHead    func(ctx context.Context, size uint64, rootAt func(ctx context.Context, n uint64) (tlog.Hash, error)) error
	AdoptHead    bool
	rotatingTo   string // Rotate: the verifier key to come

	FS         kv.FS        // of CacheDir and HeadDir; nil: the operating system's
	CacheBytes int64        // block cache; 0: 64 MiB
	Logger     *slog.Logger // nil: silent
	MaxBatch   int          // entries in one call [4096]
	QueueBytes int64        // as in trillianlog.Config
	// SnapshotEvery is how many entries come between two snapshots of the
	// status tree, which a start then need not replay [100,000].
	SnapshotEvery uint64
}

// defaultMessage is gRPC's limit for a received message.
const defaultMessage = 4 << 20

// messageRoom is what a call needs besides its entries.
const messageRoom = 4096

func (c *Config) validate() error {
	switch {
	case c.Address == "" || c.CacheDir == "":
		return errors.New("config needs Address and CacheDir")
	case c.CacheDir == c.HeadDir:
		return errors.New("config: the head must not be in the cache's directory")
	case c.TLS == nil && !isLoopback(c.Address):
		return errors.New("config: a log server that is not on this machine needs TLS")
	case len(c.Origin) > maxDescription:
		return errors.New("config: the origin is too long for the name of a tree")
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = defaultMessage
	}
	if c.MaxMessage < 1<<20 {
		return errors.New("config: MaxMessage is below 1 MiB")
	}
	if c.CatchUp == 0 {
		c.CatchUp = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// firstKey is the key that log.genesis holds.
func (c *Config) firstKey() string {
	if len(c.Retired) > 0 {
		return c.Retired[0].VKey
	}
	return c.VKey
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// common is the part that the rules shared by all engines need.
func (c *Config) common() sequence.Config {
	return sequence.Config{HeadDir: c.HeadDir, Origin: c.Origin, Signer: c.Signer, VKey: c.VKey, Retired: c.Retired, Now: c.Now,
		PublishEvery: c.PublishEvery, RefreshEvery: c.RefreshEvery, Cosign: c.Cosign, CheckHead: c.CheckHead, AdoptHead: c.AdoptHead,
		RotatingTo: c.rotatingTo, Patient: true, MaxBatchBytes: int64(c.MaxMessage - messageRoom),
		FS: c.FS, Logger: c.Logger, MaxBatch: c.MaxBatch, QueueBytes: c.QueueBytes,
		SnapshotEvery: c.SnapshotEvery}
}
