package revocation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	encasn1 "encoding/asn1"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// query is an OCSP request by parts, well formed or not.
type query struct {
	ids      [][]byte
	single   []byte // singleRequestExtensions, with their tag
	nonces   [][]byte
	critical bool
	other    encasn1.ObjectIdentifier
	version  bool
	name     bool
	signed   bool
}

func certIDFor(i *profile.Issuer, h crypto.Hash, serial []byte, null bool) []byte {
	var name, key []byte
	oid := encasn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	switch h {
	case crypto.SHA1:
		a, b := sha1.Sum(i.Subject), sha1.Sum(i.KeyBits)
		name, key = a[:], b[:]
	case crypto.SHA256:
		oid = encasn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
		a, b := sha256.Sum256(i.Subject), sha256.Sum256(i.KeyBits)
		name, key = a[:], b[:]
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			if null {
				b.AddBytes([]byte{5, 0})
			}
		})
		b.AddASN1OctetString(name)
		b.AddASN1OctetString(key)
		b.AddASN1BigInt(new(big.Int).SetBytes(serial))
	})
	return b.BytesOrPanic()
}

func (q query) encode() []byte {
	zero := asn1.Tag(0).ContextSpecific().Constructed()
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if q.version {
				b.AddASN1(zero, func(b *cryptobyte.Builder) { b.AddASN1Int64(0) })
			}
			if q.name {
				b.AddASN1(zero+1, func(b *cryptobyte.Builder) { b.AddBytes([]byte{0xa4, 0x02, 0x30, 0x00}) })
			}
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, id := range q.ids {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddBytes(id)
						b.AddBytes(q.single)
					})
				}
			})
			if len(q.nonces) > 0 || q.other != nil {
				b.AddASN1(zero+2, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						if q.other != nil {
							profile.AddExtension(b, q.other, q.critical, []byte{5, 0})
						}
						for _, n := range q.nonces {
							var v cryptobyte.Builder
							v.AddASN1OctetString(n)
							profile.AddExtension(b, oidNonce, q.critical, v.BytesOrPanic())
						}
					})
				})
			}
		})
		if q.signed {
			b.AddASN1(zero, func(b *cryptobyte.Builder) { b.AddASN1(asn1.SEQUENCE, func(*cryptobyte.Builder) {}) })
		}
	})
	return b.BytesOrPanic()
}

func ocspRequestFor(i *profile.Issuer, h crypto.Hash, serial []byte) []byte {
	return query{ids: [][]byte{certIDFor(i, h, serial, true)}}.encode()
}

// answering is a responder over three certificates: 1 good, 2 revoked, 3 aborted.
func answering(t testing.TB, now func() time.Time) (*Responder, *State) {
	t.Helper()
	s := NewState()
	for i, b := range []entry.Body{
		intentEntry(0, []byte{1}, "202029"), &entry.CertIssued{Ordinal: 0},
		intentEntry(1, []byte{2}, "202029"), &entry.CertIssued{Ordinal: 1},
		&entry.Revocation{Ground: entry.GroundKeyLeak, Ordinal: 1, Recorded: entry.At(start), Serial: "02"},
		intentEntry(2, []byte{3}, "202029"), &entry.CertAborted{Ordinal: 2},
	} {
		if err := s.Apply(uint64(i), entry.Entry{Body: b}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := NewResponder(ResponderConfig{State: s, Issuer: bareIssuer().issuer, Certificate: bareIssuer().ocspDER,
		Key: plainSigner{bareIssuer().ocspKey}, Now: now, Validity: 15 * time.Minute, Path: "/ocsp"})
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

func atStart() time.Time { return start.Add(time.Hour) }

func TestMalformedRequests(t *testing.T) {
	r, _ := answering(t, atStart)
	id := certIDFor(bareIssuer().issuer, crypto.SHA1, []byte{1}, true)
	one := [][]byte{id}
	many := make([][]byte, MaxCertIDs+1)
	for i := range many {
		many[i] = id
	}
	other := encasn1.ObjectIdentifier{1, 2, 3}
	for name, q := range map[string]query{
		"no certificate":            {},
		"too many certificates":     {ids: many},
		"empty nonce":               {ids: one, nonces: [][]byte{{}}},
		"long nonce":                {ids: one, nonces: [][]byte{make([]byte, MaxNonce+1)}},
		"two nonces":                {ids: one, nonces: [][]byte{{1}, {2}}},
		"unknown critical":          {ids: one, other: other, critical: true},
		"unknown critical, single":  {ids: one, single: []byte{0xa0, 0x0d, 0x30, 0x0b, 0x30, 0x09, 0x06, 0x02, 0x2a, 0x03, 0x01, 0x01, 0xff, 0x04, 0x00}},
		"certificate id is no list": {ids: [][]byte{{0x30, 0x03, 2, 1, 5}}},
	} {
		if got := r.Respond(t.Context(), q.encode()); !bytes.Equal(got, errorResponse(statusMalformed)) {
			t.Errorf("%s: %x", name, got)
		}
	}
	good := query{ids: one}.encode()
	for name, b := range map[string][]byte{"nothing": nil, "trailing byte": append(bytes.Clone(good), 0), "too large": make([]byte, MaxRequest+1), "half": good[:len(good)/2]} {
		if got := r.Respond(t.Context(), b); !bytes.Equal(got, errorResponse(statusMalformed)) {
			t.Errorf("%s: %x", name, got)
		}
	}
}

// Forms that are allowed get an answer.
func TestAcceptedForms(t *testing.T) {
	r, _ := answering(t, atStart)
	for name, q := range map[string]query{
		"plain": {}, "version": {version: true}, "name": {name: true}, "signed": {signed: true},
		"unknown extension": {other: encasn1.ObjectIdentifier{1, 2, 3}},
		"single extension":  {single: []byte{0xa0, 0x0a, 0x30, 0x08, 0x30, 0x06, 0x06, 0x02, 0x2a, 0x03, 0x04, 0x00}},
		"nonce of 1":        {nonces: [][]byte{{7}}},
		"nonce of 128":      {nonces: [][]byte{bytes.Repeat([]byte{7}, 128)}},
		"critical nonce":    {nonces: [][]byte{bytes.Repeat([]byte{7}, 32)}, critical: true},
	} {
		for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			for _, null := range []bool{true, false} {
				q.ids = [][]byte{certIDFor(bareIssuer().issuer, h, []byte{1}, null)}
				got := r.Respond(t.Context(), q.encode())
				resp, err := ocsp.ParseResponse(got, bareIssuer().root)
				if err != nil || resp.Status != ocsp.Good {
					t.Fatalf("%s %v: %v", name, h, err)
				}
				if len(q.nonces) == 1 && !bytes.Contains(got, q.nonces[0]) {
					t.Errorf("%s: the nonce is not in the response", name)
				}
			}
		}
	}
}

// Never good for what was not issued, whatever is asked.
func TestNeverGoodForTheUnissued(t *testing.T) {
	r, _ := answering(t, atStart)
	other := *bareIssuer().issuer
	other.KeyBits = []byte("another key")
	for name, id := range map[string][]byte{
		"never announced": certIDFor(bareIssuer().issuer, crypto.SHA1, []byte{99}, true),
		"aborted":         certIDFor(bareIssuer().issuer, crypto.SHA1, []byte{3}, true),
		"zero":            certIDFor(bareIssuer().issuer, crypto.SHA256, []byte{0}, true),
		"huge serial":     certIDFor(bareIssuer().issuer, crypto.SHA256, bytes.Repeat([]byte{1}, 300), true),
	} {
		resp, err := ocsp.ParseResponse(r.Respond(t.Context(), query{ids: [][]byte{id}}.encode()), bareIssuer().root)
		if err != nil || resp.Status != ocsp.Unknown {
			t.Errorf("%s: %v %v", name, resp, err)
		}
	}
	// Another issuer's alone is none of this responder's business; beside one of
	// its own it is unknown.
	own := certIDFor(bareIssuer().issuer, crypto.SHA1, []byte{1}, true)
	for name, id := range map[string][]byte{
		"other issuer": certIDFor(&other, crypto.SHA1, []byte{1}, true),
		"no hash":      certIDFor(bareIssuer().issuer, crypto.SHA512, []byte{1}, true),
	} {
		if got := r.Respond(t.Context(), query{ids: [][]byte{id}}.encode()); !bytes.Equal(got, errorResponse(statusForbidden)) {
			t.Errorf("%s: %x", name, got)
		}
		got := r.Respond(t.Context(), query{ids: [][]byte{id, own}}.encode())
		if resp, err := ocsp.ParseResponse(got, bareIssuer().root); err == nil && resp.Status != ocsp.Unknown {
			t.Errorf("%s beside its own: %v", name, resp.Status)
		}
	}
	// -5 is not 5's certificate
	id := bytes.Clone(certIDFor(bareIssuer().issuer, crypto.SHA1, []byte{1}, true))
	id[len(id)-1] = 0xff
	got := r.Respond(t.Context(), query{ids: [][]byte{id}}.encode())
	if resp, err := ocsp.ParseResponse(got, bareIssuer().root); err == nil && resp.Status == ocsp.Good {
		t.Error("a negative serial is good")
	}
}

// Archive cutoff and ledger proof stand beside a known certificate only; a
// proof only where it was asked for, and an answer stays one without it.
func TestAnswerExtensions(t *testing.T) {
	r, _ := answering(t, atStart)
	r.c.Archive = 24 * time.Hour
	fail := false
	r.c.Proof = func(_ context.Context, ordinal uint64) ([]byte, error) {
		if fail {
			return nil, errBusy
		}
		return []byte{'p', byte(ordinal)}, nil
	}
	ask := func(proof bool, serials ...byte) map[string][]byte {
		t.Helper()
		q := query{}
		if proof {
			q.other = profile.OIDLedgerProof
		}
		for _, s := range serials {
			q.ids = append(q.ids, certIDFor(bareIssuer().issuer, crypto.SHA256, []byte{s}, true))
		}
		resp, err := ocsp.ParseResponse(r.Respond(t.Context(), q.encode()), bareIssuer().root)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]byte{}
		for _, e := range resp.Extensions {
			if e.Critical {
				t.Error("a critical extension")
			}
			got[e.Id.String()] = e.Value
		}
		return got
	}
	cutoff, proof := oidArchive.String(), profile.OIDLedgerProof.String()
	got := ask(false, 1)
	var at time.Time
	if _, err := encasn1.UnmarshalWithParams(got[cutoff], &at, "generalized"); err != nil || !at.Equal(atStart().Add(-24*time.Hour)) || len(got) != 1 {
		t.Errorf("archive cutoff %v, %v, %d extensions", at, err, len(got))
	}
	for serial, ordinal := range map[byte]byte{1: 0, 2: 1} {
		if got := ask(true, serial); !bytes.Equal(got[proof], []byte{4, 2, 'p', ordinal}) {
			t.Errorf("proof of %d: %x", serial, got[proof])
		}
	}
	if got := ask(true, 3); len(got) != 0 {
		t.Error("an extension beside an unknown certificate")
	}
	fail = true
	if got := ask(true, 1); got[proof] != nil {
		t.Error("a proof that was not to be had")
	}
	// The next one without the wish comes from the cache, without a proof.
	if got := ask(false, 1); got[proof] != nil {
		t.Error("a proof for everyone")
	}
}

// A cached response is served until the log says something else or it is half
// as old as it may get.
func TestCache(t *testing.T) {
	now := atStart()
	r, s := answering(t, func() time.Time { return now })
	req := ocspRequestFor(bareIssuer().issuer, crypto.SHA256, []byte{1})
	first := r.Respond(t.Context(), req)
	now = now.Add(7 * time.Minute)
	if !bytes.Equal(first, r.Respond(t.Context(), req)) {
		t.Error("signed again without need")
	}
	now = now.Add(time.Minute)
	second := r.Respond(t.Context(), req)
	if bytes.Equal(first, second) {
		t.Error("served when half of its time was over")
	}
	if err := s.Apply(7, entry.Entry{Body: &entry.Revocation{Ground: entry.GroundChange, Ordinal: 0, Recorded: entry.At(now), Serial: "01"}}); err != nil {
		t.Fatal(err)
	}
	resp, err := ocsp.ParseResponse(r.Respond(t.Context(), req), bareIssuer().root)
	if err != nil || resp.Status != ocsp.Revoked || resp.RevocationReason != 3 {
		t.Errorf("after the revocation: %v %v", resp, err)
	}
	now = now.Add(-2 * time.Minute) // the clock steps back behind the revocation
	if got := r.Respond(t.Context(), req); !bytes.Equal(got, errorResponse(statusInternal)) {
		t.Errorf("a revocation from the future: %x", got[:5])
	}
	c := newCache(16)
	for i := range uint64(1000) {
		c.put(cacheKey{i, 0}, Answer{}, answer{}, now)
	}
	for i := range c.shards {
		if n := len(c.shards[i].m); n > 1 {
			t.Errorf("%d responses in a shard for one", n)
		}
	}
}

func TestBusyAndExpired(t *testing.T) {
	now := atStart()
	r, _ := answering(t, func() time.Time { return now })
	req := ocspRequestFor(bareIssuer().issuer, crypto.SHA256, []byte{1})
	for range cap(r.inFlight) {
		r.inFlight <- struct{}{}
	}
	if got := r.Respond(t.Context(), req); !bytes.Equal(got, errorResponse(statusTryLater)) {
		t.Errorf("busy: %x", got)
	}
	for range cap(r.inFlight) {
		<-r.inFlight
	}
	now = now.AddDate(1, 0, 0)
	if got := r.Respond(t.Context(), req); !bytes.Equal(got, errorResponse(statusInternal)) {
		t.Errorf("expired responder: %x", got)
	}
}

func TestHTTP(t *testing.T) {
	r, _ := answering(t, atStart)
	s := httptest.NewServer(r)
	defer s.Close()
	req := ocspRequestFor(bareIssuer().issuer, crypto.SHA1, []byte{2})
	do := func(method, path, typ string, body []byte, header ...string) (*http.Response, []byte) {
		t.Helper()
		q, err := http.NewRequest(method, s.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", typ)
		for i := 0; i+1 < len(header); i += 2 {
			q.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, b
	}
	resp, b := do("POST", "/ocsp", "application/ocsp-request", req)
	if got, err := ocsp.ParseResponse(b, bareIssuer().root); err != nil || got.Status != ocsp.Revoked || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("POST: %v, %s", err, resp.Header.Get("Cache-Control"))
	}
	enc := base64.StdEncoding.EncodeToString(req)
	for _, path := range []string{"/ocsp/" + enc, "/ocsp/" + strings.NewReplacer("/", "%2F", "+", "%2B", "=", "%3D").Replace(enc), "/ocsp/" + strings.TrimRight(enc, "=")} {
		resp, b := do("GET", path, "", nil)
		if got, err := ocsp.ParseResponse(b, bareIssuer().root); err != nil || got.Status != ocsp.Revoked {
			t.Errorf("GET: %v", err)
		}
		if resp.Header.Get("Content-Type") != "application/ocsp-response" || !strings.HasPrefix(resp.Header.Get("Cache-Control"), "max-age=60,") || resp.Header.Get("ETag") == "" {
			t.Errorf("headers %v", resp.Header)
		}
		if resp, b := do("GET", path, "", nil, "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != http.StatusNotModified || len(b) != 0 {
			t.Errorf("not modified: %s", resp.Status)
		}
		if resp, b := do("HEAD", path, "", nil); resp.StatusCode != http.StatusOK || len(b) != 0 || resp.ContentLength < 100 {
			t.Errorf("HEAD: %s", resp.Status)
		}
	}
	if resp, _ := do("POST", "/ocsp", "text/plain", req); resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("text: %s", resp.Status)
	}
	if resp, _ := do("DELETE", "/ocsp", "", nil); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %s", resp.Status)
	}
	for _, path := range []string{"/ocsp/!!!", "/ocsp", "/ocsp/" + strings.Repeat("A", 3*MaxRequest)} {
		if _, b := do("GET", path, "", nil); !bytes.Equal(b, errorResponse(statusMalformed)) {
			t.Errorf("%.20s: %x", path, b)
		}
	}
	if _, b := do("POST", "/ocsp", "application/ocsp-request; charset=x", make([]byte, MaxRequest*2)); !bytes.Equal(b, errorResponse(statusMalformed)) {
		t.Errorf("too large: %x", b)
	}
}

func TestResponderConfigRefuses(t *testing.T) {
	b := bareIssuer()
	good := ResponderConfig{State: NewState(), Issuer: b.issuer, Certificate: b.ocspDER, Key: plainSigner{b.ocspKey}, Now: atStart, Validity: time.Hour}
	other := *b.issuer
	other.KeyID = []byte{1, 2, 3}
	forged := bytes.Clone(b.ocspDER)
	forged[len(forged)-3] ^= 1
	for name, change := range map[string]func(*ResponderConfig){
		"no state":     func(c *ResponderConfig) { c.State = nil },
		"no key":       func(c *ResponderConfig) { c.Key = nil },
		"long":         func(c *ResponderConfig) { c.Validity = 30 * 24 * time.Hour },
		"noise":        func(c *ResponderConfig) { c.Certificate = []byte("noise") },
		"the issuer's": func(c *ResponderConfig) { c.Certificate = b.root.Raw },
		"other issuer": func(c *ResponderConfig) { c.Issuer = &other },
		"forged":       func(c *ResponderConfig) { c.Certificate = forged },
		"other key":    func(c *ResponderConfig) { c.Key = plainSigner{b.key} },
	} {
		c := good
		change(&c)
		if _, err := NewResponder(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzRequest(f *testing.F) {
	i := bareIssuer().issuer
	id := certIDFor(i, crypto.SHA256, []byte{1}, true)
	f.Add(query{ids: [][]byte{id}}.encode())
	f.Add(query{ids: [][]byte{id, certIDFor(i, crypto.SHA1, []byte{2}, false)}, nonces: [][]byte{{1, 2, 3}}, version: true, name: true, signed: true}.encode())
	r, _ := answering(f, atStart)
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := parseRequest(b)
		if err != nil {
			return
		}
		if len(req.ids) == 0 || len(req.ids) > MaxCertIDs || (req.hasNonce && (len(req.nonce) == 0 || len(req.nonce) > MaxNonce)) {
			t.Fatal("limits do not hold")
		}
		own := slices.ContainsFunc(req.ids, func(id certID) bool { _, own := r.lookup(&id); return own })
		got := r.Respond(context.Background(), b)
		if unsigned := len(got) <= 5; unsigned == own || unsigned && !bytes.Equal(got, errorResponse(statusForbidden)) {
			t.Fatalf("a request that could be read, of this issuer %v, got %x", own, got)
		}
	})
}
