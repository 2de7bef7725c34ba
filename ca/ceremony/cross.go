package ceremony

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// otherCA is another CA as its own certificate shows it.
type otherCA struct {
	cert *x509.Certificate
	spki entry.Digest
}

// readOther reads the self-signed certificate of another CA. Its signature is the
// proof that it holds the key.
func readOther(der []byte) (*otherCA, error) {
	bad := say.New("ceremony.other-ca", "相手の認証局の自己署名証明書として読めません。", "This can't be read as another CA's self-signed certificate.")
	if len(der) == 0 || len(der) > 64<<10 {
		return nil, bad
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, bad.Because(err)
	}
	if !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 || !bytes.Equal(c.RawIssuer, c.RawSubject) {
		return nil, bad.Because(errors.New("it is not a CA's, or not self-issued"))
	}
	if err := c.CheckSignatureFrom(c); err != nil {
		return nil, bad.Because(err)
	}
	if _, err := profile.AlgFor(c.PublicKey); err != nil {
		return nil, bad.Because(err)
	}
	return &otherCA{c, entry.Sum(c.RawSubjectPublicKeyInfo)}, nil
}

// Accept checks a certificate that another CA gave our current key, and keeps it
// beside ours for that CA. It must name us and our key byte for byte, verify under
// the other CA's own certificate, be in force, be of a CA that signs certificates,
// and demand an explicit policy that it maps to ours.
func (c *Ceremony) Accept(other, given []byte) (dir string, err error) {
	o, err := readOther(other)
	if err != nil {
		return "", err
	}
	g, err := c.current()
	if err != nil {
		return "", err
	}
	if err := c.acceptable(g, o, given); err != nil {
		return "", say.New("ceremony.accept", "相手の認証局から受け取った証明書を受け入れられません。", "The certificate from the other CA can't be accepted.").Because(err)
	}
	dir = filepath.Join(c.cfg.Dir, "accepted-"+hex.EncodeToString(o.spki[:8])+fmt.Sprintf("-%d", g.Number))
	if _, err := os.Stat(dir); err == nil {
		return "", say.New("ceremony.accepted", "この認証局からの証明書は、すでに受け入れています。", "A certificate from this CA was accepted before.")
	}
	if err := makeDir(dir); err != nil {
		return "", err
	}
	return dir, writeFile(filepath.Join(dir, fileAccepted), given)
}

func (c *Ceremony) acceptable(g *Generation, o *otherCA, given []byte) error {
	cert, err := x509.ParseCertificate(given)
	if err != nil {
		return err
	}
	root, err := x509.ParseCertificate(g.Issuer)
	if err != nil {
		return err
	}
	switch {
	case !bytes.Equal(cert.RawSubject, root.RawSubject) || !bytes.Equal(cert.RawSubjectPublicKeyInfo, root.RawSubjectPublicKeyInfo):
		return errors.New("it is not for our name and our current key")
	case !bytes.Equal(cert.RawIssuer, o.cert.RawSubject):
		return errors.New("it is by another CA")
	case !cert.IsCA || !cert.BasicConstraintsValid || cert.KeyUsage&x509.KeyUsageCertSign == 0 || cert.KeyUsage&x509.KeyUsageCRLSign == 0:
		return errors.New("it is not one of a CA that signs certificates and lists")
	case len(cert.UnhandledCriticalExtensions) > 0:
		return errors.New("it has a critical extension that is not known")
	case !bytes.Equal(cert.SubjectKeyId, root.SubjectKeyId):
		return errors.New("its key identifier is not ours")
	case c.now().Before(cert.NotBefore) || c.now().After(cert.NotAfter):
		return errors.New("it is not in force")
	case !mapsTo(cert, profile.OIDTestPolicy.String()) || cert.RequireExplicitPolicy < 0 || (cert.RequireExplicitPolicy == 0 && !cert.RequireExplicitPolicyZero):
		return errors.New("it doesn't map a policy to ours, or demands none")
	}
	return o.cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
}

func mapsTo(cert *x509.Certificate, policy string) bool {
	for _, m := range cert.PolicyMappings {
		if m.SubjectDomainPolicy.String() == policy {
			return true
		}
	}
	return false
}
