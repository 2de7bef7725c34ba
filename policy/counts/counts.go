// Package counts signs what both ends of the link state at the end of a day
// (entry.Counts): how much has crossed.
//
// The register's end logs its statement (counts.sent) and posts the entry's
// own bytes; the CA's end counts for itself, logs its counter-signature
// (counts.received) and answers with that entry's bytes. So what crosses the
// wall here is, byte for byte, what anybody can read in the log already: given
// the log it carries 0 bits. That holds for the signature too, because it is
// RSA PKCS #1 v1.5: for one key and one text there is exactly one, and nobody
// can hide data in the choice of a nonce or a salt as ECDSA, Ed25519 and
// RSA-PSS would let a dishonest signer do.
//
//	sig, err := counts.Sign(key, c)
//	err = counts.Verify(pub, c, sig)
//
// The package does no I/O.
package counts

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/internal/canon"
)

// header begins the signed text, so that a signature is good for nothing else.
const header = "sukashi/counts/v1\n"

// Text is what both ends sign: the header and the statement in RFC 8785 form.
func Text(c entry.Counts) []byte {
	b := append([]byte(header), `{"day":`...)
	b = canon.AppendString(b, c.Day)
	for _, m := range []struct {
		name string
		n    uint64
	}{{"gone", c.Gone}, {"lists", c.Lists}, {"new", c.New}, {"notices", c.Notices}, {"number", c.Number}, {"received", c.Received}, {"refused", c.Refused}} {
		b = append(b, `,"`+m.name+`":`...)
		b = canon.AppendUint(b, m.n)
	}
	return append(b, '}')
}

// CheckKey reports whether a key is of the one size that signatures have room for.
func CheckKey(pub *rsa.PublicKey) error {
	if pub == nil || pub.Size() != entry.CountsSignature {
		return errors.New("the daily counts are signed with RSA keys of 2,048 bits")
	}
	return nil
}

// Sign signs a statement; the result is as in the entry, in base64.
func Sign(key *rsa.PrivateKey, c entry.Counts) (string, error) {
	if key == nil {
		return "", errors.New("there is no key to sign the daily counts with")
	}
	if err := CheckKey(&key.PublicKey); err != nil {
		return "", err
	}
	sum := sha256.Sum256(Text(c))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", errors.New("couldn't sign the daily counts")
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

// ErrSignature says that a signature is not the one of this key and statement.
var ErrSignature = errors.New("the signature of the daily counts doesn't hold")

// Verify checks a signature over a statement.
func Verify(pub *rsa.PublicKey, c entry.Counts, signature string) error {
	if err := CheckKey(pub); err != nil {
		return err
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(signature)
	sum := sha256.Sum256(Text(c))
	if err != nil || len(signature) != base64.StdEncoding.EncodedLen(len(sig)) || rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig) != nil {
		return ErrSignature
	}
	return nil
}
