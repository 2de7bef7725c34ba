package world

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// Tap sees every request body that a server of the world takes, with the
// server's name, before the server acts on it. Tests search what it saw for
// values that must not cross.
type Tap func(server string, r *http.Request, body []byte)

// maxTapped bounds what a tap copies of one request; servers have lower limits
// of their own.
const maxTapped = 64 << 20

// servers are the world's listeners, all on loopback.
type servers struct {
	mu   sync.Mutex
	list []*http.Server
	wg   sync.WaitGroup
	tap  Tap
	urls map[string]string
}

// start serves h on a free loopback port, or on addr, and returns the URL. A
// nil TLS configuration serves plain HTTP: for what is signed in itself.
func (s *servers) start(name, addr string, conf *tls.Config, h http.Handler) (string, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("couldn't open %s for %s: %w", addr, name, err)
	}
	srv := &http.Server{
		Handler:           s.tapped(name, h),
		TLSConfig:         conf,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // handshake errors name addresses; counts are in the metrics
	}
	scheme, serve := "http", srv.Serve
	if conf != nil {
		scheme = "https"
		serve = func(ln net.Listener) error { return srv.ServeTLS(ln, "", "") } // the certificate is in conf
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, srv)
	s.wg.Go(func() {
		if err := serve(ln); !errors.Is(err, http.ErrServerClosed) {
			_ = ln.Close()
		}
	})
	url := scheme + "://" + ln.Addr().String()
	if s.urls == nil {
		s.urls = map[string]string{}
	}
	s.urls[name] = url
	return url, nil
}

func (s *servers) tapped(name string, h http.Handler) http.Handler {
	if s.tap == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxTapped))
		if err != nil {
			http.Error(w, "couldn't read the request", http.StatusBadRequest)
			return
		}
		s.tap(name, r, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

// stop ends every server; requests under way get a few seconds.
func (s *servers) stop() error {
	s.mu.Lock()
	list := s.list
	s.list = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	var errs []error
	for _, srv := range list {
		if err := srv.Shutdown(ctx); err != nil {
			errs = append(errs, srv.Close())
		}
	}
	s.wg.Wait()
	return errors.Join(errs...)
}

// addresses returns a copy of the URLs by server name.
func (s *servers) addresses() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.urls)
}
