package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
)

func TestOrdinal(t *testing.T) {
	with := func(v []byte) *Certificate {
		return &Certificate{std: &x509.Certificate{Extensions: []pkix.Extension{{Id: oidOrdinal, Value: v}}}}
	}
	if n, ok := with([]byte{2, 2, 1, 0}).Ordinal(); !ok || n != 256 {
		t.Errorf("got %d %v", n, ok)
	}
	for name, v := range map[string][]byte{"negative": {2, 1, 0xff}, "not an integer": {4, 1, 0}, "trailing": {2, 1, 1, 0}, "empty": nil} {
		if n, ok := with(v).Ordinal(); ok {
			t.Errorf("%s: got %d", name, n)
		}
	}
	if _, ok := (&Certificate{std: &x509.Certificate{}}).Ordinal(); ok {
		t.Error("an ordinal from no extension")
	}
}
