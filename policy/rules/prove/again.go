package prove

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sukashi-project/sukashi/policy/rules"
)

// ErrOtherTools is returned by Again when the certificate was made with other
// versions of Go, OPA, Cedar or Unicode, and the new proof holds but can't be
// compared byte for byte.
var ErrOtherTools = errors.New("the proof holds, but the certificate was made with other tools")

// maxCertificate is the largest certificate that is read, in bytes.
const maxCertificate = 1 << 20

// ParseCertificate reads a certificate from exactly the bytes that Marshal
// writes.
func ParseCertificate(b []byte) (Certificate, error) {
	var c Certificate
	if len(b) > maxCertificate {
		return c, fmt.Errorf("a proof certificate has at most %d bytes", maxCertificate)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil || c.Version != 1 {
		return Certificate{}, errors.New("not a proof certificate of version 1")
	}
	if !bytes.Equal(c.Marshal(), b) {
		return Certificate{}, errors.New("the proof certificate is not in the form that it is written in")
	}
	return c, nil
}

// Again proves a bundle again, as completely as the certificate says it was
// proved, and compares. It returns nil when the new certificate is the same
// byte for byte, ErrNotProved when the bundle is another, does not hold or the
// certificate says something else, and ErrOtherTools when only the tools
// differ.
func Again(ctx context.Context, certificate []byte, b rules.Bundle) error {
	was, err := ParseCertificate(certificate)
	if err != nil {
		return err
	}
	if was.Bundle != b.Digest {
		return fmt.Errorf("%w: the certificate is for another bundle", ErrNotProved)
	}
	o := Options{Full: len(was.Rulesets) > 0, Quick: was.Mutations.Total == 0}
	for _, r := range was.Rulesets {
		o.Full = o.Full && r.Exhaustive
	}
	is, err := RunWith(ctx, b, o)
	if err != nil {
		return err
	}
	if bytes.Equal(is.Marshal(), certificate) {
		return nil
	}
	if was.Tools != is.Tools {
		return ErrOtherTools
	}
	return fmt.Errorf("%w: the certificate says something else than the proof", ErrNotProved)
}
