package revocation

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"bytes"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// revokedState has n revoked certificates with serials of 16 bytes.
func revokedState(t testing.TB, n int) *State {
	t.Helper()
	s := NewState()
	at := entry.At(start)
	index := uint64(0)
	apply := func(b entry.Body) {
		if err := s.Apply(index, entry.Entry{Body: b}); err != nil {
			t.Fatal(err)
		}
		index++
	}
	serial := make([]byte, 16)
	for i := range uint64(n) {
		binary.BigEndian.PutUint64(serial, 0x1122334455667788)
		binary.BigEndian.PutUint64(serial[8:], i*0x9e3779b97f4a7c15)
		apply(intentEntry(i, serial, "202029"))
		apply(&entry.CertIssued{Ordinal: i})
		apply(&entry.Revocation{Ground: entry.GroundChange, Ordinal: i, Recorded: at, Serial: hex.EncodeToString(serial)})
	}
	return s
}

// heapPeak samples the heap while f runs and returns its growth in bytes.
func heapPeak(f func()) uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() uint64 { metrics.Read(sample); return sample[0].Value.Uint64() }
	before := read()
	var peak atomic.Uint64
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			peak.Store(max(peak.Load(), read()))
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return peak.Load() - min(peak.Load(), before)
}

// BenchmarkCRL builds, signs and writes a list of a million entries, and does
// the same with Go's CreateRevocationList.
func BenchmarkCRL(b *testing.B) {
	const n = 1_000_000
	s := revokedState(b, n)
	sign := func(l *List) []byte {
		h := crypto.SHA256.New()
		if _, err := l.WriteTo(h); err != nil {
			b.Fatal(err)
		}
		sig, err := bareIssuer().key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
		if err != nil {
			b.Fatal(err)
		}
		return sig
	}
	b.Run("streamed", func(b *testing.B) {
		lists := bareLists(b, s, false)
		var peak uint64
		for b.Loop() {
			peak = max(peak, heapPeak(func() {
				l, err := lists.Build(Full, start)
				if err != nil {
					b.Fatal(err)
				}
				if err := l.Write(io.Discard, sign(l)); err != nil {
					b.Fatal(err)
				}
			}))
		}
		b.ReportMetric(float64(peak)/1e6, "MB")
	})
	b.Run("go", func(b *testing.B) {
		var peak uint64
		for b.Loop() {
			peak = max(peak, heapPeak(func() {
				list := make([]x509.RevocationListEntry, n)
				for i := range list {
					list[i] = x509.RevocationListEntry{SerialNumber: new(big.Int).SetBytes(s.certs[i].serial.bytes()), RevocationTime: start, ReasonCode: 3}
				}
				if _, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{RevokedCertificateEntries: list, Number: big.NewInt(1),
					ThisUpdate: start, NextUpdate: start.AddDate(0, 0, 1)}, bareIssuer().root, bareIssuer().key); err != nil {
					b.Fatal(err)
				}
			}))
		}
		b.ReportMetric(float64(peak)/1e6, "MB")
	})
}

func BenchmarkApply(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		revokedState(b, n)
	}
	b.ReportMetric(float64(b.N)*3*n/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkOCSP answers in the process and over loopback HTTP, from the cache
// and signed anew.
func BenchmarkOCSP(b *testing.B) {
	w := newWorld(b, keystore.P256)
	for range 64 {
		w.issue("x", "202029")
	}
	r := w.responder()
	reqs := make([][]byte, 64)
	nonced := make([][]byte, 64)
	for i := range reqs {
		id := certIDFor(w.issuer, crypto.SHA1, w.state.certs[i].serial.bytes(), true)
		reqs[i] = query{ids: [][]byte{id}}.encode()
		nonced[i] = query{ids: [][]byte{id}, nonces: [][]byte{make([]byte, 32)}}.encode()
	}
	direct := func(reqs [][]byte) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if len(r.Respond(b.Context(), reqs[i%len(reqs)])) < 100 {
						b.Error("an error")
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "responses/s")
		}
	}
	b.Run("cached/direct", direct(reqs))
	b.Run("nonce/direct", direct(nonced))
	b.Run("bare/http", overHTTP(bareHandler(), reqs))
	b.Run("cached/http", overHTTP(r, reqs))
	b.Run("nonce/http", overHTTP(r, nonced))
}

// overHTTP posts the requests to a handler on loopback, from 64 clients on the
// same processors.
func overHTTP(h http.Handler, reqs [][]byte) func(b *testing.B) {
	return func(b *testing.B) {
		s := httptest.NewServer(h)
		defer s.Close()
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				resp, err := client.Post(s.URL+"/ocsp", typeRequest, bytes.NewReader(reqs[i%len(reqs)]))
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "responses/s")
	}
}

// bareHandler reads the request and answers as many bytes as an OCSP response
// has: what net/http alone costs.
func bareHandler() http.Handler {
	fixed := make([]byte, 900)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		w.Write(fixed)
	})
}
