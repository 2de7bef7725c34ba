package serve

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
)

// identity is a TLS certificate with its key, as the files have it: a renewed
// one (sukashi tls renew) is shown from the next handshake on, connections that
// are open stay. Files that don't fit each other, as in the middle of a renewal,
// or that name somebody else leave the one before in use.
type identity struct {
	load  func() (tls.Certificate, error)
	files [2]string
	name  string // common name; a role keeps its name

	mu     sync.Mutex
	now    tls.Certificate
	seen   [2]fs.FileInfo
	looked time.Time
}

// lookEach is how long a certificate is used without a look at the files.
const lookEach = 5 * time.Second

func (r *runner) identity(certFile, keyFile string) (*identity, error) {
	id := &identity{load: func() (tls.Certificate, error) { return r.keyPair(certFile, keyFile) }, files: [2]string{r.cfg.path(certFile), r.cfg.path(keyFile)}}
	id.seen = id.stat()
	var err error
	if id.now, err = id.load(); err != nil {
		return nil, err
	}
	id.name, id.looked = id.now.Leaf.Subject.CommonName, time.Now()
	r.idMu.Lock()
	defer r.idMu.Unlock()
	r.identities = append(r.identities, id)
	return id, nil
}

func (id *identity) stat() (out [2]fs.FileInfo) {
	for i, f := range id.files {
		out[i], _ = os.Stat(f) // a file that is away is one that has changed
	}
	return out
}

func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// current is the certificate to show now.
func (id *identity) current() *tls.Certificate {
	id.mu.Lock()
	defer id.mu.Unlock()
	if time.Since(id.looked) >= lookEach {
		id.look()
	}
	c := id.now
	return &c
}

// look reads the files again when they have changed. mu is held.
func (id *identity) look() {
	id.looked = time.Now()
	seen := id.stat()
	if same(seen[0], id.seen[0]) && same(seen[1], id.seen[1]) {
		return
	}
	c, err := id.load()
	if err != nil || c.Leaf.Subject.CommonName != id.name {
		return // looked at again
	}
	id.now, id.seen = c, seen
}

// server and client put the identity into a configuration instead of a fixed
// certificate.
func (id *identity) server(conf *tls.Config) {
	conf.Certificates = nil
	conf.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return id.current(), nil }
}

func (id *identity) client(conf *tls.Config) {
	conf.Certificates = nil
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.current(), nil }
}

// soon is when the operator is told that a certificate ends.
const soon = 30 * 24 * time.Hour

// left is how long the certificate that ends first is still valid.
func (r *runner) left(now time.Time) (least time.Duration, name string, err error) {
	r.idMu.Lock()
	defer r.idMu.Unlock()
	if len(r.identities) == 0 {
		return 0, "", errors.New("this role has no TLS certificate")
	}
	for i, id := range r.identities {
		if d := id.current().Leaf.NotAfter.Sub(now); i == 0 || d < least {
			least, name = d, id.name
		}
	}
	return least, name, nil
}

// warnOfEnd tells the operator, now and then, of a certificate that ends soon.
func (r *runner) warnOfEnd(now time.Time) {
	d, name, err := r.left(now)
	if err != nil || d > soon {
		return
	}
	r.log.Warn("a TLS certificate ends soon: sukashi tls renew", "code", say.Code(errEnds), "name", name, "days", int(d.Hours()/24))
}

var errEnds = say.New("serve.tls-ends", "TLS の証明書の期限が近づいています。", "A TLS certificate ends soon.").
	Hint("sukashi tls renew で更新してください。再起動は要りません。", "Renew it with sukashi tls renew; no restart is needed.")
