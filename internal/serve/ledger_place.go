package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/engine"
)

// Cluster is a log on Trillian's servers instead of a directory.
type Cluster struct {
	Address    string `yaml:"address"`    // Trillian's log server, HOST:PORT
	Roots      string `yaml:"roots"`      // PEM, the CA certificates of its TLS; without it only on this machine
	Cache      string `yaml:"cache"`      // directory for tiles and index, made again when lost
	MaxMessage int    `yaml:"maxMessage"` // its --max_msg_size_bytes; 0: 4 MiB
}

// validatePlace: the log is in dir or on a cluster.
func (l *Ledger) validatePlace() error {
	if (l.Dir == "") == (l.Cluster == nil) {
		return errors.New("ledger needs either dir or cluster")
	}
	c := l.Cluster
	if c == nil {
		return nil
	}
	if err := address("cluster.address", c.Address); err != nil {
		return err
	}
	if c.Cache == "" || c.MaxMessage < 0 {
		return errors.New("cluster needs cache, and a maxMessage that is not negative")
	}
	host, _, _ := net.SplitHostPort(c.Address) // address has looked
	if ip := net.ParseIP(host); c.Roots == "" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("cluster needs roots: %s is not on this machine, and the log server asks nobody who they are", host)
	}
	return nil
}

// folder is what this machine keeps of the log beside its head.
func (l *Ledger) folder() string {
	if l.Cluster != nil {
		return l.Cluster.Cache
	}
	return l.Dir
}

// place is where the engine finds the log.
func (l *Ledger) place(c *Config) (engine.Place, error) {
	if l.Cluster == nil {
		return engine.Place{Dir: c.path(l.Dir), HeadDir: c.path(l.Head)}, nil
	}
	k := l.Cluster
	p := engine.Place{Address: k.Address, MaxMessage: k.MaxMessage, CacheDir: c.path(k.Cache), HeadDir: c.path(l.Head)}
	if k.Roots == "" {
		return p, nil
	}
	unusable := say.New("serve.cluster-roots", "クラスターの TLS 認証局の証明書を読めません: "+k.Roots, "The cluster's CA certificates can't be read: "+k.Roots)
	pem, err := readLimited(c.path(k.Roots), maxConfig)
	if err != nil {
		return p, unusable.Because(err)
	}
	p.TLS = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	if !p.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return p, unusable.Because(errors.New("no certificate in it"))
	}
	return p, nil
}
