package application

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/smallstep/pkcs7"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// MaxSize is the largest signed application in bytes: form, one certificate,
// one signature.
const MaxSize = 40 << 10

// ErrSignature means that the signature was checked and does not cover the form.
var ErrSignature = errors.New("the signature does not match the form")

// Signed is a signed application as read: nothing in it is trusted yet.
type Signed struct {
	Form        Form
	FormBytes   []byte // the exact bytes under the signature
	Certificate []byte // DER of the certificate that came along

	cms *pkcs7.PKCS7
}

// Sign signs the form with the resident's card and returns CMS SignedData in
// DER. card is the card's key: the private key stays inside it (DOMAIN 4.5);
// certDER is the certificate read from the card.
//
// There are no signed attributes: the signature is over the form itself, which
// carries the date, so that the card's answer depends on nothing but the form.
// A form starts with "{" and can therefore never be mistaken for a set of
// signed attributes.
func Sign(f Form, card crypto.Signer, certDER []byte) ([]byte, error) {
	content, err := f.Marshal()
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the card's certificate: %w", err)
	}
	if pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(card.Public()) {
		return nil, errors.New("the card's key does not belong to this certificate")
	}
	sd, err := pkcs7.NewSignedData(content)
	if err != nil {
		return nil, fmt.Errorf("couldn't start the signature: %w", err)
	}
	sd.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := sd.SignWithoutAttr(cert, card, pkcs7.SignerInfoConfig{}); err != nil {
		return nil, fmt.Errorf("the card did not sign: %w", err)
	}
	raw, err := sd.Finish()
	if err != nil {
		return nil, fmt.Errorf("couldn't finish the signature: %w", err)
	}
	return raw, nil
}

// Parse reads a signed application strictly: DER, CMS SignedData over plain
// data, one certificate, one signer named by that certificate's issuer and
// serial, SHA-256 or stronger, no CRLs, no unsigned attributes, no bytes
// before or after. The form must be canonical. It does not check the
// signature; Verify does.
func Parse(raw []byte) (*Signed, error) {
	if len(raw) == 0 || len(raw) > MaxSize {
		return nil, fmt.Errorf("a signed application must have 1 to %d bytes", MaxSize)
	}
	parts, err := readSignedData(raw)
	if err != nil {
		return nil, err
	}
	form, err := ParseForm(parts.content)
	if err != nil {
		return nil, err
	}
	cms, err := pkcs7.Parse(raw)
	if err != nil || len(cms.Signers) != 1 || len(cms.Certificates) != 1 || string(cms.Content) != string(parts.content) {
		return nil, errors.New("not one CMS SignedData with one signer and one certificate")
	}
	return &Signed{Form: form, FormBytes: parts.content, Certificate: parts.certificate, cms: cms}, nil
}

// Verify checks the signature over the form with the public key of the
// certificate that came along: DOMAIN 4.5 step (a). ErrSignature when false.
func (s *Signed) Verify() error {
	if err := s.cms.Verify(); err != nil {
		return ErrSignature
	}
	return nil
}

// cmsParts are the two pieces of SignedData that the caller needs.
type cmsParts struct{ content, certificate []byte }

var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSHA256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	tag0          = cbasn1.Tag(0).ContextSpecific().Constructed()
)

// readSignedData reads the outer shape of RFC 5652 5.1 by itself, because the
// CMS library converts BER and takes several signers.
func readSignedData(raw []byte) (*cmsParts, error) {
	in := cryptobyte.String(raw)
	var outer, wrapped, sd cryptobyte.String
	var typ asn1.ObjectIdentifier
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1ObjectIdentifier(&typ) ||
		!typ.Equal(oidSignedData) || !outer.ReadASN1(&wrapped, tag0) || !outer.Empty() ||
		!wrapped.ReadASN1(&sd, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return nil, errors.New("not CMS SignedData in DER")
	}
	var version int
	var algs cryptobyte.String
	if !sd.ReadASN1Integer(&version) || version != 1 || !sd.ReadASN1(&algs, cbasn1.SET) {
		return nil, errors.New("SignedData is not of version 1")
	}
	if err := readDigest(&algs); err != nil || !algs.Empty() {
		return nil, errors.New("SignedData does not name one accepted digest")
	}
	p := &cmsParts{}
	var encap, eContent, content, certs, cert, signers, signer cryptobyte.String
	if !sd.ReadASN1(&encap, cbasn1.SEQUENCE) || !encap.ReadASN1ObjectIdentifier(&typ) || !typ.Equal(oidData) ||
		!encap.ReadASN1(&eContent, tag0) || !encap.Empty() || !eContent.ReadASN1(&content, cbasn1.OCTET_STRING) || !eContent.Empty() {
		return nil, errors.New("the form is not attached as plain data")
	}
	if !sd.ReadASN1(&certs, tag0) || !certs.ReadASN1Element(&cert, cbasn1.SEQUENCE) || !certs.Empty() {
		return nil, errors.New("there is not exactly one certificate")
	}
	if !sd.ReadASN1(&signers, cbasn1.SET) || !sd.Empty() || !signers.ReadASN1(&signer, cbasn1.SEQUENCE) || !signers.Empty() {
		return nil, errors.New("there is not exactly one signer, or there is something besides")
	}
	p.content, p.certificate = content, cert
	return p, readSigner(signer, cert)
}

// readSigner checks SignerInfo (RFC 5652 5.3): it must name the certificate.
func readSigner(in cryptobyte.String, cert []byte) error {
	x, err := x509.ParseCertificate(cert)
	if err != nil {
		return errors.New("the certificate that came along is not an X.509 certificate")
	}
	var version int
	var who, name cryptobyte.String
	serial := new(big.Int)
	if !in.ReadASN1Integer(&version) || version != 1 || !in.ReadASN1(&who, cbasn1.SEQUENCE) ||
		!who.ReadASN1Element(&name, cbasn1.SEQUENCE) || !who.ReadASN1Integer(serial) || !who.Empty() {
		return errors.New("the signer is not named by issuer and serial")
	}
	if string(name) != string(x.RawIssuer) || serial.Cmp(x.SerialNumber) != 0 {
		return errors.New("the signer is not the certificate that came along")
	}
	if err := readDigest(&in); err != nil {
		return err
	}
	if in.PeekASN1Tag(tag0) {
		return errors.New("signed attributes are not accepted: the signature is over the form itself")
	}
	var alg, sig cryptobyte.String
	if !in.ReadASN1(&alg, cbasn1.SEQUENCE) || !in.ReadASN1(&sig, cbasn1.OCTET_STRING) || !in.Empty() {
		return errors.New("the signature is malformed or has unsigned attributes")
	}
	return nil
}

func readDigest(in *cryptobyte.String) error {
	var alg cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) {
		return errors.New("digest algorithm is malformed")
	}
	if !oid.Equal(oidSHA256) && !oid.Equal(oidSHA384) && !oid.Equal(oidSHA512) {
		return errors.New("digest algorithm is not SHA-256, SHA-384 or SHA-512")
	}
	return nil
}
