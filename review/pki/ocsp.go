package pki

import (
	"encoding/asn1"

	"golang.org/x/crypto/ocsp"
)

// oidLedgerProof names the extension of an OCSP answer that carries a status
// receipt (docs/formats.md).
var oidLedgerProof = asn1.ObjectIdentifier{2, 999, 20040129, 2}

// LedgerProof returns the status receipt that came with an OCSP answer, as a
// file for proof.ParseStatusReceipt; false if there is none. The answer's
// signature says nothing about it and need not: the receipt proves itself, and
// goes on proving after the answer has expired.
func LedgerProof(r *ocsp.Response) ([]byte, bool) {
	for _, e := range r.Extensions {
		if !e.Id.Equal(oidLedgerProof) || e.Critical {
			continue
		}
		var receipt []byte
		rest, err := asn1.Unmarshal(e.Value, &receipt)
		return receipt, err == nil && len(rest) == 0 && len(receipt) > 0
	}
	return nil, false
}
