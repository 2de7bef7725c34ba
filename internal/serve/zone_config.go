package serve

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

// Client is a server that a role calls by mTLS, and who it is to it.
type Client struct {
	URL  string `yaml:"url"`  // https://host:port
	Cert string `yaml:"cert"` // PEM, the client certificate first
	Key  string `yaml:"key"`  // PEM, PKCS #8, readable by its owner alone
	Root string `yaml:"root"` // PEM, the root of the network whose server it is
}

func (c Client) validate(what string) error {
	if c.Cert == "" || c.Key == "" || c.Root == "" {
		return fmt.Errorf("%s needs url, cert, key and root", what)
	}
	return httpsURL(what, c.URL)
}

func httpsURL(what, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s needs an address of the form https://HOST:PORT", what)
	}
	return nil
}

// exchange bounds one request to another server.
const exchange = time.Minute

// client makes the HTTP client of a connection into a network.
func (r *runner) client(c Client, z zone.Zone) (*http.Client, error) {
	cert, err := r.identity(c.Cert, c.Key)
	if err != nil {
		return nil, err
	}
	root, err := r.root(z, c.Root)
	if err != nil {
		return nil, err
	}
	h := callAs(zone.Peers{root}, cert)
	r.closers = append(r.closers, func() error { h.CloseIdleConnections(); return nil })
	return h, nil
}

// callAs makes the client of servers of these networks.
func callAs(peers zone.Peers, cert *identity) *http.Client {
	h := peers.Client(tls.Certificate{}, exchange)
	cert.client(h.Transport.(*http.Transport).TLSClientConfig)
	return h
}

// serveAs is the server's side for clients of these networks.
func serveAs(peers zone.Peers, cert *identity) *tls.Config {
	conf := peers.Server(tls.Certificate{})
	cert.server(conf)
	return conf
}

// ledgerClient is the role's own connection to the log.
func (r *runner) ledgerClient(c Client) (*publish.Client, error) {
	h, err := r.client(c, zone.Open)
	if err != nil {
		return nil, err
	}
	return publish.NewClient(c.URL, h)
}

func (r *runner) root(z zone.Zone, path string) (*zone.Root, error) {
	root, err := zone.LoadCert(z, r.cfg.path(path))
	if err != nil {
		return nil, say.New("serve.root", "ゾーンのルート証明書を読めません: "+path, "A zone's root certificate can't be read: "+path).Because(err)
	}
	return root, nil
}

// onlyZones checks a role's tls: exactly the roots of these networks. A server
// that hears another network's clients is a hole in the wall.
func (c *Config) onlyZones(zones ...zone.Zone) error {
	if c.TLS == nil || c.TLS.Cert == "" || c.TLS.Key == "" {
		return fmt.Errorf("role %s needs tls with cert, key and roots", c.Role)
	}
	for _, z := range zones {
		if c.TLS.Roots[z] == "" {
			return fmt.Errorf("role %s needs the TLS root of zone %s", c.Role, z)
		}
	}
	if len(c.TLS.Roots) != len(zones) {
		return fmt.Errorf("role %s hears zone %v and no other", c.Role, zones)
	}
	return nil
}

// own opens the server's side of a role that hears one network.
func (r *runner) own(z zone.Zone) (zone.Peers, *tls.Config, error) {
	root, err := r.root(z, r.cfg.TLS.Roots[z])
	if err != nil {
		return nil, nil, err
	}
	cert, err := r.certificate()
	if err != nil {
		return nil, nil, err
	}
	peers := zone.Peers{root}
	return peers, serveAs(peers, cert), nil
}

// Counts are the keys that sign the daily counts of what crossed the link.
type Counts struct {
	Key  string `yaml:"key"`  // PEM, PKCS #8, RSA-2048, readable by its owner alone
	Peer string `yaml:"peer"` // PEM, the other end's public key
}

func (c *Counts) validate() error {
	if c != nil && (c.Key == "" || c.Peer == "") {
		return errors.New("counts needs key and peer")
	}
	return nil
}

// countsKeys reads both keys. Errors never show what was read.
func (r *runner) countsKeys(c *Counts) (own *rsa.PrivateKey, peer *rsa.PublicKey, err error) {
	bad := say.New("serve.counts-key", "件数の確認書の鍵を読めません。", "The keys for the daily counts can't be read.").
		Hint("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 で作り、openssl pkey -pubout で公開鍵を渡します。",
			"Make one with openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048; openssl pkey -pubout gives its public key.")
	b, err := readSecret(r.cfg.path(c.Key))
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, nil, bad
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	own, ok := k.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, nil, bad
	}
	if b, err = readLimited(r.cfg.path(c.Peer), maxConfig); err != nil {
		return nil, nil, bad.Because(err)
	}
	if block, _ = pem.Decode(b); block == nil {
		return nil, nil, bad
	}
	p, err := x509.ParsePKIXPublicKey(block.Bytes)
	peer, ok = p.(*rsa.PublicKey)
	if err != nil || !ok {
		return nil, nil, bad
	}
	return own, peer, nil
}
