// Package zone keeps the networks apart by trust (DESIGN section 2).
//
// Each zone has a TLS root of its own. A server names the roots whose clients
// it hears and learns from the verified chain which zone a client is of: a
// certificate's own words never decide that. The register's zone and the CA's
// zone meet only where a server lists both roots: the two link servers and the
// ledger.
//
//	root, err := zone.NewRoot(zone.LGWAN, time.Now(), rand.Reader)
//	cert, err := root.Issue("ca-server", time.Now(), rand.Reader)
//	peers := zone.Peers{root, jukiRoot}
//	srv := &http.Server{TLSConfig: peers.Server(cert)}
//	…
//	id, ok := peers.Identify(r) // {LGWAN juki-link-server}
//
// Keys are P-256, sessions TLS 1.3 only. These certificates secure channels;
// they are not the certificates that sukashi issues to residents.
package zone

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Zone names a network of DESIGN section 2.
type Zone string

// Zones.
const (
	Juki  Zone = "juki"  // Juki-net: the resident register
	LGWAN Zone = "lgwan" // the CA, counters, agencies
	Open  Zone = "open"  // the ledger's own servers, witnesses
)

// Root is a zone's TLS certification authority.
type Root struct {
	Zone Zone
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

const (
	rootLife   = 10 * 365 * 24 * time.Hour
	serverLife = 365 * 24 * time.Hour
	// A peer's clock may be behind, and a demo's story starts some days ago.
	backdate = 7 * 24 * time.Hour
)

// NewRoot makes a zone's root, valid from a week before now for ten years.
func NewRoot(z Zone, now time.Time, rand io.Reader) (*Root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return nil, fmt.Errorf("couldn't make the TLS root key of zone %s: %w", z, err)
	}
	tmpl := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "sukashi TLS root " + string(z)},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(rootLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	cert, err := sign(tmpl, tmpl, key.Public().(*ecdsa.PublicKey), key, rand)
	if err != nil {
		return nil, fmt.Errorf("couldn't sign the TLS root of zone %s: %w", z, err)
	}
	return &Root{Zone: z, Cert: cert, key: key}, nil
}

func sign(tmpl, parent *x509.Certificate, pub *ecdsa.PublicKey, key *ecdsa.PrivateKey, rand io.Reader) (*x509.Certificate, error) {
	var serial [16]byte
	if _, err := io.ReadFull(rand, serial[:]); err != nil {
		return nil, err
	}
	serial[0] &= 0x7f // positive
	tmpl.SerialNumber = new(big.Int).SetBytes(serial[:])
	der, err := x509.CreateCertificate(rand, tmpl, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Issue makes a certificate for one role's server and client sides, valid for a
// year, on these hosts (names or IP addresses); without any, on loopback
// addresses only.
func (r *Root) Issue(name string, now time.Time, rand io.Reader, hosts ...string) (tls.Certificate, error) {
	dns, ips := []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if len(hosts) > 0 {
		dns, ips = nil, nil
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			ips = append(ips, ip)
		} else {
			dns = append(dns, h)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("couldn't make a TLS key for %s: %w", name, err)
	}
	return r.issue(name, key, now, rand, dns, ips)
}

// Renew makes the next certificate of whom old is, for the same hosts and a year
// from now, with a new key; old stays valid until its end. old must be of this
// root.
func (r *Root) Renew(old *x509.Certificate, now time.Time, rand io.Reader) (tls.Certificate, error) {
	if err := old.CheckSignatureFrom(r.Cert); err != nil || old.IsCA {
		return tls.Certificate{}, fmt.Errorf("the certificate of %s is not of zone %s's root", old.Subject.CommonName, r.Zone)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("couldn't make a TLS key for %s: %w", old.Subject.CommonName, err)
	}
	return r.issue(old.Subject.CommonName, key, now, rand, old.DNSNames, old.IPAddresses)
}

func (r *Root) issue(name string, key *ecdsa.PrivateKey, now time.Time, rand io.Reader, dns []string, ips []net.IP) (tls.Certificate, error) {
	end := now.Add(serverLife)
	if r.Cert.NotAfter.Before(end) {
		end = r.Cert.NotAfter
	}
	cert, err := sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotBefore:   now.Add(-backdate),
		NotAfter:    end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    dns,
		IPAddresses: ips,
	}, r.Cert, &key.PublicKey, r.key, rand)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("couldn't sign the TLS certificate of %s: %w", name, err)
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw, r.Cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

// Identity is a peer as its verified chain names it.
type Identity struct {
	Zone Zone
	Name string // common name of its certificate, such as "ca-link-server"
}

// Peers are the roots whose certificates a server or client accepts.
type Peers []*Root

func (p Peers) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, r := range p {
		pool.AddCert(r.Cert)
	}
	return pool
}

// Server returns the configuration of a server that hears only clients of
// these zones. Without peers it hears nobody.
func (p Peers) Server(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    p.pool(),
	}
}

// Client returns an HTTP client that shows cert and speaks only to servers of
// these zones. It follows no redirect and uses no proxy; timeout bounds a whole
// exchange.
func (p Peers) Client(cert tls.Certificate, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("redirects are not followed between servers")
		},
		Transport: &http.Transport{
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     time.Minute,
			TLSClientConfig: &tls.Config{
				MinVersion:   tls.VersionTLS13,
				Certificates: []tls.Certificate{cert},
				RootCAs:      p.pool(),
			},
		},
	}
}

// Identify says who sent a request: the zone whose root verified the client's
// chain, and the certificate's name.
func (p Peers) Identify(r *http.Request) (Identity, bool) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return Identity{}, false
	}
	chain := r.TLS.VerifiedChains[0]
	top := sha256.Sum256(chain[len(chain)-1].Raw)
	for _, root := range p {
		if sha256.Sum256(root.Cert.Raw) == top {
			return Identity{Zone: root.Zone, Name: chain[0].Subject.CommonName}, true
		}
	}
	return Identity{}, false
}

// Save writes the root to dir as root.pem and root.key (mode 0600).
func (r *Root) Save(dir string) error {
	der, err := x509.MarshalPKCS8PrivateKey(r.key)
	if err != nil {
		return fmt.Errorf("couldn't encode the TLS root key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "root.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "root.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Cert.Raw}), 0o644)
}

// Load reads a root that Save wrote.
func Load(z Zone, dir string) (*Root, error) {
	keyDER, err := readPEM(filepath.Join(dir, "root.key"), "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	certDER, err := readPEM(filepath.Join(dir, "root.pem"), "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	k, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the TLS root key of zone %s: %w", z, err)
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the TLS root key of zone %s is not an ECDSA key", z)
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the TLS root of zone %s: %w", z, err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("the TLS root key of zone %s does not belong to its certificate", z)
	}
	return &Root{Zone: z, Cert: cert, key: key}, nil
}

// LoadCert reads a zone's root without its key, for a server that hears the
// zone's clients.
func LoadCert(z Zone, path string) (*Root, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the TLS root of zone %s: %w", z, err)
	}
	if !cert.IsCA {
		return nil, fmt.Errorf("the TLS root of zone %s is not a certification authority's certificate", z)
	}
	return &Root{Zone: z, Cert: cert}, nil
}

// WritePEM writes a certificate that Issue made to dir as NAME.pem (with its
// root) and NAME.key (mode 0600).
func WritePEM(dir, name string, cert tls.Certificate) error {
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return fmt.Errorf("couldn't encode a TLS key: %w", err)
	}
	if err := replace(filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return err
	}
	var chain []byte
	for _, c := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	return replace(filepath.Join(dir, name+".pem"), chain, 0o644)
}

// replace writes a file whole: who reads it meanwhile sees the old or the new one.
func replace(path string, b []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
}

// ReadCertificate reads the first certificate of a PEM file, such as WritePEM's.
func ReadCertificate(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func readPEM(path, kind string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, _ := pem.Decode(b)
	if p == nil || p.Type != kind {
		return nil, fmt.Errorf("%s holds no %s", filepath.Base(path), kind)
	}
	return p.Bytes, nil
}
