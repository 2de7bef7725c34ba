package pki

import (
	"encoding/asn1"
)

// oidOrdinal names the extension that holds a certificate's position in the
// status tree (docs/formats.md): it tells an agency which receipt to ask for.
var oidOrdinal = asn1.ObjectIdentifier{2, 999, 20040129, 1}

// Ordinal returns the certificate's position in the log's status tree, as the
// certificate says; false if it doesn't or not in a readable form. It proves
// nothing: a receipt does.
func (c *Certificate) Ordinal() (uint64, bool) {
	for _, e := range c.std.Extensions {
		if !e.Id.Equal(oidOrdinal) {
			continue
		}
		var n int64
		rest, err := asn1.Unmarshal(e.Value, &n)
		return uint64(max(n, 0)), err == nil && len(rest) == 0 && n >= 0
	}
	return 0, false
}
