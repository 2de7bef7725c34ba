// Package catest certifies keys for tests: what a key ceremony (ca/ceremony)
// leaves in the log and as certificates, without its officers. No program
// contains it.
package catest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Certifier logs key.created and signs with the receipt.
type Certifier struct {
	T    testing.TB
	Log  ledger.Log
	Key  keystore.Key     // the issuer's
	Base string           // as in ca.Config
	Now  func() time.Time // of entries and notBefore
}

// Root returns the issuer key's self-signed certificate (DOMAIN 6.1), DER.
func (c Certifier) Root() []byte {
	c.T.Helper()
	return c.certify(profile.Root, keystore.RoleIssuer, profile.Request{PublicKey: c.Key.Public(), NotBefore: c.Now(), BaseURL: c.Base})
}

// Responder returns the certificate of a year for an OCSP responder's key, DER.
func (c Certifier) Responder(root []byte, key crypto.PublicKey) []byte {
	c.T.Helper()
	issuer, err := profile.NewIssuer(root)
	c.must(err)
	now := c.Now()
	return c.certify(profile.OCSP, keystore.RoleOCSP, profile.Request{PublicKey: key, NotBefore: now,
		NotAfter: profile.EndOfDay(now, 1).Add(-24 * time.Hour), BaseURL: c.Base, Issuer: issuer})
}

func (c Certifier) certify(p profile.Role, role string, req profile.Request) []byte {
	c.T.Helper()
	ctx := context.Background()
	shipped, err := profile.Shipped(p)
	c.must(err)
	req.Serial, err = profile.NewSerial(rand.Reader)
	c.must(err)
	tbs, err := shipped.BuildCertificateTBS(req)
	c.must(err)
	spki, err := x509.MarshalPKIXPublicKey(req.PublicKey)
	c.must(err)
	w, err := ledger.NewWriter(ctx, c.Log, entry.ByOperator, c.Now)
	c.must(err)
	defer w.Close()
	digest := entry.Sum(tbs)
	logged, err := w.Append(ctx, &entry.KeyCreated{Role: role, Alg: algorithm(req.PublicKey), SPKI: entry.Sum(spki), Record: entry.Sum([]byte("a test's ceremony")), TBS: &digest})
	c.must(err)
	sig, err := c.Key.Sign(ctx, tbs, logged.Bytes, logged.Receipt)
	c.must(err)
	alg, err := profile.AlgFor(c.Key.Public())
	c.must(err)
	der, err := profile.Assemble(tbs, alg, sig)
	c.must(err)
	return der
}

func algorithm(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return fmt.Sprintf("p%d", k.Curve.Params().BitSize)
	}
	return "unknown"
}

func (c Certifier) must(err error) {
	c.T.Helper()
	if err != nil {
		c.T.Fatal(err)
	}
}
