package audit

import (
	"crypto/x509"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// finishOCSP compares OCSP answers at hand with the log (P6: list, answer and
// status tree say the same).
func (a *auditor) finishOCSP() error {
	if a.src.OCSP == nil {
		a.skip(ckOCSP, "OCSPの回答が渡されていません。", "No OCSP answers were handed over.")
		return nil
	}
	return a.src.OCSP(func(f File) error {
		a.count(ckOCSP)
		a.ocspFile(f)
		return nil
	})
}

func (a *auditor) ocspFile(f File) {
	resp, issuer := a.readOCSP(f)
	if resp == nil {
		return
	}
	if c := resp.Certificate; c != nil {
		k := a.keys[entry.Sum(c.RawSubjectPublicKeyInfo)]
		if k == nil || k.role != "ocsp" {
			a.failFile(ckOCSP, f.Name, text("このOCSPの回答に署名した鍵は、ログに登録されていません。", "The key that signed this OCSP answer is not registered in the log."))
			return
		}
		if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) || resp.ThisUpdate.Before(c.NotBefore) || resp.ThisUpdate.After(c.NotAfter) {
			a.failFile(ckOCSP, f.Name, text("このOCSPの回答に署名した証明書は、OCSP用でないか、期限外です。", "The certificate that signed this OCSP answer is not for OCSP or was out of its validity."), k.created)
			return
		}
	}
	if resp.ThisUpdate.After(a.o.Now.Add(a.o.Clock)) {
		a.failFile(ckOCSP, f.Name, text("このOCSPの回答の時刻が未来になっています。", "This OCSP answer is from the future."))
	}
	a.ocspAnswer(f.Name, resp, issuer)
}

// readOCSP reads an answer and checks its signature against each issuer.
func (a *auditor) readOCSP(f File) (*ocsp.Response, entry.Digest) {
	for _, c := range a.issuers {
		if resp, err := ocsp.ParseResponse(f.Bytes, c.X509()); err == nil {
			return resp, c.SPKI
		}
	}
	if len(a.issuers) > 0 {
		a.failFile(ckOCSP, f.Name, text("このファイルは、知られている発行者によるOCSPの回答として確かめられません。", "This file does not verify as an OCSP answer by a known issuer."))
		return nil, entry.Digest{}
	}
	a.add(ckOCSP, Finding{Class: ClassB, Severity: Warn, File: f.Name,
		Text: text("発行者証明書がないため、OCSPの回答を確かめられません。", "Without an issuer certificate the OCSP answer can't be checked.")})
	return nil, entry.Digest{}
}

// ocspAnswer holds one answer against the state that the log had at its time.
// Around the moment of an issue or a revocation both answers are right, for as
// long as clocks may differ and a state may take to be published.
func (a *auditor) ocspAnswer(name string, resp *ocsp.Response, issuer entry.Digest) {
	at := resp.ThisUpdate
	o, known := a.serials[makeSerialKey(issuer, bigHex(resp.SerialNumber.Bytes()))]
	var c *certState
	var issued, revoked time.Time
	if known {
		c = &a.certs[o]
		if c.issued {
			issued = c.endAt.Std()
		}
	}
	if c != nil && c.revoked != 0 {
		revoked = a.revOf(c).at.Std()
	}
	surely := func(from time.Time, late time.Duration) bool { return !from.IsZero() && at.After(from.Add(late)) }
	notYet := func(from time.Time) bool { return from.IsZero() || at.Before(from.Add(-a.o.Clock)) }
	switch resp.Status {
	case ocsp.Good:
		if notYet(issued) {
			a.failFile(ckOCSP, name, text("このOCSPの回答は、発行されていない証明書を「有効」としています。", "This OCSP answer says good of a certificate that was not issued."))
		} else if surely(revoked, a.o.Status) {
			a.failFile(ckOCSP, name, text("このOCSPの回答は、失効した証明書(番号 %d)を「有効」としています。", "This OCSP answer says good of certificate %d, which was revoked.", o), c.revoked-1)
		}
	case ocsp.Revoked:
		if notYet(revoked) {
			a.failFile(ckOCSP, name, text("このOCSPの回答は、ログでは失効していない証明書を「失効」としています。", "This OCSP answer says revoked of a certificate that the log did not revoke."))
			return
		}
		if r := a.revOf(c); !resp.RevokedAt.Equal(r.recorded.Std()) || !contains(reasons[r.ground], resp.RevocationReason) {
			a.failFile(ckOCSP, name, text("このOCSPの回答の失効日時か理由が、記録(記録 %d)と違います。", "The date or reason of this OCSP answer is not the recorded one (entry %d).", r.index), r.index)
		}
	default:
		if surely(issued, a.o.Status) {
			a.failFile(ckOCSP, name, text("このOCSPの回答は、発行済みの証明書(番号 %d)を「不明」としています。", "This OCSP answer says unknown of certificate %d, which was issued.", o), c.end-1)
		}
	}
}

// revOf returns the revocation of a revoked certificate.
func (a *auditor) revOf(c *certState) *revState {
	i, _ := slices.BinarySearchFunc(a.revs, c.revoked-1, func(r revState, x uint64) int {
		switch {
		case r.index < x:
			return -1
		case r.index > x:
			return 1
		}
		return 0
	})
	return &a.revs[i]
}

// bigHex is a serial in the form of the log's entries.
func bigHex(b []byte) string {
	if len(b) == 0 {
		return "00"
	}
	if len(b) > 20 {
		return ""
	}
	return hexText(b)
}
