//go:build cgo

package revocation

import (
	"crypto"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ca/profile"
)

// BenchmarkOCSPToken answers requests with a nonce over loopback HTTP, each
// signed by a P-256 responder key in SoftHSM, beside the token alone behind the
// same bare handler and the bare handler without it.
func BenchmarkOCSPToken(b *testing.B) {
	w := newWorld(b, keystore.P256)
	for range 64 {
		w.issue("x", "202029")
	}
	tok := keystoretest.Tokens(b, "ocsp")[0]
	w.check(keystore.GenerateToken(tok, keystore.LabelOCSP, keystore.P256))
	key, err := keystore.OpenTokenResponder(keystore.TokenConfig{Tokens: []keystore.Token{tok}, Label: keystore.LabelOCSP,
		Gate: keystore.GateConfig{Journal: filepath.Join(w.dir, "token-responder"), Now: w.clock}})
	w.check(err)
	b.Cleanup(func() { key.Close() })
	der := w.announced(profile.OCSP, keystore.RoleOCSP, profile.Request{Serial: w.serial(), PublicKey: key.Public(), NotBefore: w.now.Add(-time.Hour),
		NotAfter: w.now.AddDate(0, 3, 0), BaseURL: base, Issuer: w.issuer}, key.KeyID(), w.issuer)
	r, err := NewResponder(ResponderConfig{State: w.state, Issuer: w.issuer, Certificate: der, Key: key, Now: w.clock, Validity: 15 * time.Minute, Path: "/ocsp"})
	w.check(err)
	nonced := make([][]byte, 64)
	for i := range nonced {
		id := certIDFor(w.issuer, crypto.SHA1, w.state.certs[i].serial.bytes(), true)
		nonced[i] = query{ids: [][]byte{id}, nonces: [][]byte{make([]byte, 32)}}.encode()
	}
	// A ResponseData as the key store wants it, to use the key and nothing else.
	data := []byte{0x30, 0x19, 0xa2, 0x04, 0x04, 0x02, 0x01, 0x02, 0x18, 0x0f, '2', '0', '2', '6', '0', '4', '0', '1', '0', '0', '0', '0', '0', '0', 'Z', 0x30, 0x00}
	b.Run("bare/http", overHTTP(bareHandler(), nonced))
	b.Run("bare-signed/http", overHTTP(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		sig, err := key.SignResponse(req.Context(), data)
		if err != nil {
			b.Error(err)
		}
		w.Write(sig)
	}), nonced))
	b.Run("nonce/http", overHTTP(r, nonced))
}
