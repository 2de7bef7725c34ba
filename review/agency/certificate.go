package agency

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/review/pki"
)

// chain checks the certificate itself: DOMAIN 6.2, RFC 5280 6.1 for a path of
// one certificate under a trust anchor.
func (v *verification) chain() (say.Text, error) {
	if v.cert == nil {
		return say.Text{}, errNotRun
	}
	c := v.cert
	iss, err := v.issuer()
	if err != nil {
		return refuse("電子証明書は、信頼する発行者の署名によるものではありません。", "The certificate is not signed by a trusted issuer.")
	}
	v.iss = iss
	const usage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	switch {
	case v.now.Before(c.NotBefore) || v.now.After(c.NotAfter):
		return refuse("電子証明書の有効期間外です。", "The certificate is outside its validity period.")
	case v.now.Before(iss.NotBefore) || v.now.After(iss.NotAfter):
		return refuse("発行者の証明書の有効期間外です。", "The issuer's certificate is outside its validity period.")
	case len(c.UnknownCritical) > 0:
		return refuse("電子証明書に、意味の分からない重要な拡張があります。", "The certificate has a critical extension that is not known.")
	case c.IsCA || c.KeyUsage != usage:
		return refuse("電子証明書の鍵の用途が、署名用のものではありません。", "The certificate's key usage is not that of a signing certificate.")
	case len(c.Policies) == 0 || !anyOf(c.Policies, v.t.Policies):
		return refuse("電子証明書の証明書ポリシーが、受け入れるものではありません。", "The certificate's policy is not an accepted one.")
	}
	return accept("電子証明書は、信頼する発行者のもので、有効期間内の署名用証明書です。", "The certificate is a signing certificate of a trusted issuer, within its validity.")
}

// issuer finds the generation that signed the certificate: by key identifier,
// and where that is missing by trying each key. All generations have one name,
// so the name says nothing.
func (v *verification) issuer() (*pki.Certificate, error) {
	var tried []*pki.Certificate
	for _, der := range v.t.Issuers {
		iss, err := pki.ParseCertificate(der)
		if err != nil || !iss.IsCA || iss.KeyUsage&x509.KeyUsageCertSign == 0 || len(iss.UnknownCritical) > 0 {
			continue
		}
		if !bytes.Equal(iss.X509().RawSubject, v.cert.X509().RawIssuer) {
			continue
		}
		if len(v.cert.IssuerID) > 0 && len(iss.SubjectID) > 0 && !bytes.Equal(v.cert.IssuerID, iss.SubjectID) {
			continue
		}
		tried = append(tried, iss)
	}
	for _, iss := range tried {
		if v.cert.SignedBy(iss) == nil {
			return iss, nil
		}
	}
	return nil, pki.ErrSignature
}

// proof checks that the certificate was issued in the open.
func (v *verification) proof() (say.Text, error) {
	if v.cert == nil {
		return say.Text{}, errNotRun
	}
	if len(v.t.Receipt) == 0 {
		return refuse("状態証明がありません。ログに載っていることを示せない電子証明書は受け付けません。", "There is no status receipt. A certificate that can't show its place in the log is not accepted.")
	}
	if v.t.Policy == nil {
		return refuse("信頼方針が設定されていないため、状態証明を確かめられません。", "No trust policy is configured, so the status receipt can't be checked.")
	}
	s, err := proof.ParseStatusReceipt(v.t.Receipt)
	if err != nil {
		ja, _ := say.For(err, say.Japanese)
		en, _ := say.For(err, say.English)
		return refuse(ja, en)
	}
	res, err := v.t.Policy.VerifyStatus(s, v.cert.Raw)
	if err != nil {
		ja, _ := say.For(err, say.Japanese)
		en, _ := say.For(err, say.English)
		return refuse(ja, en)
	}
	v.stat = res
	v.r.Ordinal, v.r.AsOf, v.r.Witnessed = res.Ordinal, res.AsOf, res.Witnessed
	return accept("電子証明書は、ログに記録されたうえで発行されています。", "The certificate was issued with its place in the log.")
}

// status judges what the receipt says about validity.
func (v *verification) status() (say.Text, error) {
	if v.stat == nil {
		return say.Text{}, errNotRun
	}
	age := v.now.Sub(v.stat.AsOf)
	asOf := japanTime(v.stat.AsOf)
	switch {
	case v.stat.State == status.Revoked:
		return refuse(fmt.Sprintf("この電子証明書は失効しています(%s 時点)。", asOf.JA), fmt.Sprintf("The certificate is revoked (as of %s).", asOf.EN))
	case v.stat.State != status.Valid:
		return refuse(fmt.Sprintf("この電子証明書は有効ではありません(%s 時点)。", asOf.JA), fmt.Sprintf("The certificate is not in force (as of %s).", asOf.EN))
	case age < -Skew:
		return refuse("状態証明の時刻が未来になっています。時計を確かめてください。", "The status receipt is from the future. Check the clock.")
	case age > v.t.MaxAge:
		return refuse(fmt.Sprintf("状態証明が古すぎます(%s 時点)。新しいものを取り寄せてください。", asOf.JA), fmt.Sprintf("The status receipt is too old (as of %s). Get a newer one.", asOf.EN))
	}
	return accept(fmt.Sprintf("この電子証明書は有効です(%s 時点)。", asOf.JA), fmt.Sprintf("The certificate is valid (as of %s).", asOf.EN))
}

// crl checks the revocation list and holds it against the receipt.
func (v *verification) crl() (say.Text, error) {
	if v.cert == nil || v.iss == nil {
		return say.Text{}, errNotRun
	}
	list, err := pki.ParseCRL(v.t.CRL)
	if err != nil {
		return refuse("失効リストを読み取れません。", "The revocation list can't be read.")
	}
	switch {
	case errors.Is(list.SignedBy(v.iss), pki.ErrSignature) || v.iss.KeyUsage&x509.KeyUsageCRLSign == 0:
		return refuse("失効リストは、この電子証明書の発行者によるものではありません。", "The revocation list is not by this certificate's issuer.")
	case !list.Covers(v.cert):
		return refuse("失効リストの対象範囲に、この電子証明書は入っていません。別の市町村の失効リストです。", "The revocation list doesn't cover this certificate: it is another municipality's.")
	case v.now.Before(list.ThisUpdate.Add(-Skew)):
		return refuse("失効リストの作成時刻が未来になっています。", "The revocation list is from the future.")
	case v.now.After(list.NextUpdate):
		return refuse("失効リストの有効期間が過ぎています。新しいものを取り寄せてください。", "The revocation list is past its next update. Get a newer one.")
	}
	if e, revoked := list.Find(v.cert.Serial); revoked {
		at := japanTime(e.Date)
		return refuse(fmt.Sprintf("この電子証明書は %s に失効しています(失効リスト)。", at.JA), fmt.Sprintf("The certificate was revoked on %s (revocation list).", at.EN))
	}
	return accept("失効リストにも、この電子証明書はありません。", "The certificate is not in the revocation list either.")
}

// japanTime writes a moment for people: Japan's time in Japanese, UTC in English.
func japanTime(t time.Time) say.Text {
	jst := t.In(time.FixedZone("JST", 9*3600))
	return say.Text{JA: jst.Format("2006年1月2日 15時04分05秒"), EN: t.UTC().Format("2006-01-02 15:04:05 UTC")}
}
