package serve

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/witness"
)

// Options are what a configuration does not say.
type Options struct {
	Logger *slog.Logger // operators' log; no personal data reaches it
	// Ready is told, once every listener is open, the role and its addresses. Its
	// error ends the role: somebody waits for the word.
	Ready func(role string, addresses map[string]string) error
}

// shutdown is how long requests under way get when the role ends.
const shutdown = 10 * time.Second

// Run serves the role until ctx ends, then closes everything in order: no new
// request, the requests under way, the role's own state.
func Run(ctx context.Context, c *Config, o Options) error {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	r := &runner{cfg: c, log: o.Logger, addresses: map[string]string{}, failed: make(chan error, 4)}
	err := r.open(ctx)
	if err == nil {
		if o.Ready != nil {
			err = o.Ready(c.Role, r.addresses)
		}
		if err == nil {
			err = r.wait(ctx)
		}
	} else if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // told to end while it waited, as a standby does
	}
	return errors.Join(err, r.close())
}

// wait returns when ctx ends or the role fails.
func (r *runner) wait(ctx context.Context) error {
	for again := time.NewTicker(12 * time.Hour); ; {
		r.warnOfEnd(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.failed:
			return err
		case <-again.C:
		}
	}
}

// heapFloor is memory that a role asks for and never touches, so that it costs
// addresses only. The collector begins when the heap has doubled: without a floor
// a role with a few megabytes of live data would be collecting fifty times a
// second, and each time some requests wait for it.
const heapFloor = 64 << 20

// runner is one role at work.
type runner struct {
	cfg       *Config
	log       *slog.Logger
	addresses map[string]string
	servers   []*http.Server
	closers   []func() error // in the order they were opened
	failed    chan error     // a listener that ended by itself

	idMu       sync.Mutex // guards identities
	identities []*identity
}

func (r *runner) open(ctx context.Context) error {
	switch r.cfg.Role {
	case RoleWitness:
		return r.openWitness()
	case RoleCA:
		return r.openCA(ctx)
	case RoleJuki:
		return r.openJuki(ctx)
	case RoleJukiLink, RoleCALink:
		return r.openGateway()
	case RolePortal, RoleAgency, RoleCouncil:
		return r.openPages()
	}
	return r.openLedger(ctx)
}

func (r *runner) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdown)
	defer cancel()
	var errs []error
	for _, s := range r.servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, s.Close())
		}
	}
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i]())
	}
	return errors.Join(errs...)
}

// listen serves h on addr, with TLS if conf is given.
func (r *runner) listen(name, addr string, conf *tls.Config, h http.Handler) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	scheme := "http"
	if conf != nil {
		scheme, ln = "https", tls.NewListener(ln, conf)
	}
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // handshake errors name addresses
	}
	r.servers = append(r.servers, s)
	r.addresses[name] = scheme + "://" + ln.Addr().String()
	go func() {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			r.failed <- fmt.Errorf("the listener of %s ended: %w", name, err)
		}
	}()
	return nil
}

// certificate is the server's certificate and key.
func (r *runner) certificate() (*identity, error) {
	return r.identity(r.cfg.TLS.Cert, r.cfg.TLS.Key)
}

// keyPair reads a TLS certificate with its chain and its key.
func (r *runner) keyPair(certFile, keyFile string) (tls.Certificate, error) {
	key, err := readSecret(r.cfg.path(keyFile))
	if err != nil {
		return tls.Certificate{}, err
	}
	chain, err := readLimited(r.cfg.path(certFile), maxConfig)
	if err != nil {
		return tls.Certificate{}, say.New("serve.cert", "TLS の証明書を読めません: "+certFile, "The TLS certificate can't be read: "+certFile).Because(err)
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, say.New("serve.keypair", "TLS の証明書と鍵が合いません: "+certFile, "The TLS certificate and its key don't fit: "+certFile).
			Hint("更新の途中で止まったときは、sukashi tls renew をもう一度実行してください。", "After a renewal that was cut off, run sukashi tls renew again.")
	}
	return cert, nil
}

func (r *runner) openWitness() error {
	w := r.cfg.Witness
	key, err := r.edKey(w.Key)
	if err != nil {
		return err
	}
	s, err := witness.Open(witness.Config{Dir: r.cfg.path(w.Dir), Name: w.Name, Key: key, Logs: w.Logs, Now: time.Now})
	if err != nil {
		return err
	}
	r.closers = append(r.closers, s.Close)
	conf, err := r.forEveryone()
	if err != nil {
		return err
	}
	m := r.newMetrics()
	mux := http.NewServeMux()
	mux.Handle("/", m.count("witness", s))
	m.mount(mux, nil)
	r.addresses["vkey"] = s.VKey()
	return r.listen("witness", r.cfg.Listen, conf, mux)
}

// forEveryone is the TLS of a server that knows no clients; nil: plain HTTP.
func (r *runner) forEveryone() (*tls.Config, error) {
	if r.cfg.TLS == nil {
		return nil, nil
	}
	cert, err := r.certificate()
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS13}
	cert.server(conf)
	return conf, nil
}

// edKey reads an Ed25519 key in PKCS #8. Its errors never show what was read.
func (r *runner) edKey(path string) (ed25519.PrivateKey, error) {
	b, err := readSecret(r.cfg.path(path))
	if err != nil {
		return nil, err
	}
	bad := say.New("serve.key", "Ed25519 の鍵ではありません: "+path, "Not an Ed25519 key: "+path).
		Hint("openssl genpkey -algorithm ed25519 で作れます。", "openssl genpkey -algorithm ed25519 makes one.")
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, bad
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad
	}
	if ed, ok := k.(ed25519.PrivateKey); ok {
		return ed, nil
	}
	return nil, bad
}
