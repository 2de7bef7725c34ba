package revocation

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// clients has three certificates in two towns, one revoked, and the lists.
func clients(t *testing.T, alg string) *world {
	t.Helper()
	w := newWorld(t, alg)
	w.issue("good", "202029")
	w.revoke(w.issue("bad", "202029"), entry.GroundChange)
	w.issue("other", "202011")
	w.publish("full", w.build(Full))
	w.publish("matsumoto", w.build("202029"))
	w.publish("nagano", w.build("202011"))
	return w
}

func TestOpenSSLVerify(t *testing.T) {
	for _, alg := range []string{keystore.RSA2048, keystore.P256, keystore.P384} {
		t.Run(alg, func(t *testing.T) {
			w := clients(t, alg)
			verify := func(ok bool, contains, crl, leaf string) {
				t.Helper()
				w.want(ok, contains, "openssl", "verify", "-x509_strict", "-CAfile", "root.pem", "-CRLfile", crl+".pem", "-crl_check", leaf+".pem")
			}
			for _, crl := range []string{"full", "matsumoto"} {
				verify(true, "good.pem: OK", crl, "good")
				verify(false, "certificate revoked", crl, "bad")
			}
			verify(true, "other.pem: OK", "nagano", "other")
			verify(false, "different CRL scope", "nagano", "good")
			verify(false, "different CRL scope", "nagano", "bad")
			verify(false, "different CRL scope", "matsumoto", "other")
			w.want(true, "verify OK", "openssl", "crl", "-in", "matsumoto.pem", "-CAfile", "root.pem", "-noout")
			w.want(true, "Affiliation Changed", "openssl", "crl", "-in", "full.pem", "-noout", "-text")
			w.want(true, "Issuing Distribution Point: critical", "openssl", "crl", "-in", "matsumoto.pem", "-noout", "-text")
			w.want(true, "ocsp.pem: OK", "openssl", "verify", "-x509_strict", "-CAfile", "root.pem", "ocsp.pem")
		})
	}
}

// deltas has a base list with "early" and a delta with "late".
func deltas(t *testing.T, partition string) *world {
	t.Helper()
	w := newWorld(t, keystore.P256)
	w.issue("good", "202029")
	w.revoke(w.issue("early", "202029"), entry.GroundRequest)
	late := w.issue("late", "202029")
	first, err := w.lists(true).Build(partition, w.now)
	w.check(err)
	w.publish("base", first)
	w.revoke(late, entry.GroundKeyLeak)
	delta, err := w.lists(true).BuildDelta(partition, w.now, Base{first.Number, first.Covers})
	w.check(err)
	if delta.Entries != 1 || delta.Number != first.Number+1 {
		t.Fatalf("delta has %d entries and number %d", delta.Entries, delta.Number)
	}
	w.publish("delta", delta)
	return w
}

func TestOpenSSLDelta(t *testing.T) {
	w := deltas(t, "202029")
	verify := func(ok bool, contains, leaf string, crls ...string) {
		t.Helper()
		args := []string{"verify", "-x509_strict", "-CAfile", "root.pem", "-crl_check", "-extended_crl", "-use_deltas"}
		for _, c := range crls {
			args = append(args, "-CRLfile", c+".pem")
		}
		w.want(ok, contains, "openssl", append(args, leaf+".pem")...)
	}
	verify(true, "late.pem: OK", "late", "base")
	verify(false, "certificate revoked", "late", "base", "delta")
	verify(false, "certificate revoked", "early", "base", "delta")
	verify(true, "good.pem: OK", "good", "base", "delta")
}

func TestOpenSSLOCSP(t *testing.T) {
	w := clients(t, keystore.RSA2048)
	w.pem("unissued", "CERTIFICATE", unissued(w))
	s := httptest.NewServer(w.responder())
	defer s.Close()
	ask := func(leaf string, more ...string) string {
		t.Helper()
		args := append([]string{"ocsp", "-url", s.URL + "/ocsp", "-issuer", "root.pem", "-CAfile", "root.pem"}, more...)
		out, err := w.tool("openssl", append(args, "-cert", leaf+".pem")...)
		if err != nil || !strings.Contains(out, "Response verify OK") {
			t.Fatalf("%v: %s", err, out)
		}
		if strings.Contains(out, "WARNING") {
			t.Errorf("openssl warns: %s", out)
		}
		return out
	}
	for _, more := range [][]string{{"-no_nonce"}, {"-nonce"}, {"-sha256"}, {"-sha1", "-no_nonce"}} {
		if out := ask("good", more...); !strings.Contains(out, "good.pem: good") {
			t.Error(out)
		}
		if out := ask("bad", more...); !strings.Contains(out, "bad.pem: revoked") || !strings.Contains(out, "affiliationChanged") {
			t.Error(out)
		}
		if out := ask("unissued", more...); !strings.Contains(out, "unissued.pem: unknown") {
			t.Error(out)
		}
	}
	out := ask("good", "-cert", "bad.pem", "-cert", "other.pem")
	if strings.Count(out, ": good") != 2 || strings.Count(out, ": revoked") != 1 {
		t.Error(out)
	}
	out, err := w.tool("openssl", "ocsp", "-url", s.URL+"/ocsp", "-issuer", "root.pem", "-CAfile", "root.pem", "-no_nonce", "-sha512", "-cert", "good.pem")
	if err == nil || !strings.Contains(out, "unauthorized (6)") {
		t.Errorf("a CertID by SHA-512 says nothing about its issuer: %v %s", err, out)
	}
	resp, err := http.Get(s.URL + "/ocsp/nonsense")
	w.check(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("nonsense: %s", resp.Status)
	}
}

// unissued is a certificate by the issuer that the log never saw; no gate would
// sign it, so its signature is noise.
func unissued(w *world) []byte {
	der := append([]byte{}, w.leaves["good"]...)
	for i := range der {
		if len(der)-i > 16 && string(der[i:i+16]) == string(w.state.certs[0].serial.bytes()) {
			der[i+15] ^= 1
			return der
		}
	}
	w.t.Fatal("no serial")
	return nil
}
