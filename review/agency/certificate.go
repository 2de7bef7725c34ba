package agency

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
	"github.com/sukashi-project/sukashi/review/pki"
	"github.com/sukashi-project/sukashi/review/pki/path"
)

// chain checks the certificate itself: DOMAIN 6.2 and a path by RFC 5280 6 to
// a trusted issuer. Its own status comes from the receipt; that of links above
// it from Trust.Lists.
func (v *verification) chain() (say.Text, error) {
	if v.cert == nil {
		return say.Text{}, errNotRun
	}
	const usage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	if v.cert.IsCA || v.cert.KeyUsage != usage {
		return refuse("電子証明書の鍵の用途が、署名用のものではありません。", "The certificate's key usage is not that of a signing certificate.")
	}
	r, err := v.findPath(path.CheckIssuers, v.t.Lists)
	if err != nil {
		return refusePath(err)
	}
	v.path = r.Path
	if anchor := r.Path[len(r.Path)-1]; v.now.Before(anchor.NotBefore) || v.now.After(anchor.NotAfter) {
		return refuse("発行者の証明書の有効期間外です。", "The issuer's certificate is outside its validity period.")
	}
	return accept("電子証明書は、信頼する発行者のもので、有効期間内の署名用証明書です。", "The certificate is a signing certificate of a trusted issuer, within its validity.")
}

// findPath asks for a path to one of the trusted issuers, found by key: all
// generations have one name, so the name says nothing.
func (v *verification) findPath(check path.Check, lists [][]byte) (*path.Result, error) {
	target, err := path.ParseCertificate(v.cert.Raw)
	if err != nil {
		return nil, err
	}
	o := path.Options{Pool: path.NewPool(), Time: v.now, Skew: Skew, Check: check, Policies: v.t.Policies, RequireExplicit: true}
	for _, der := range v.t.Issuers {
		// A trusted issuer that is not one (an agency's mistake) helps nobody.
		if c, err := path.ParseCertificate(der); err == nil && isIssuer(der) {
			o.Anchors = append(o.Anchors, c)
		}
	}
	if len(o.Anchors) == 0 {
		return nil, &path.Error{Code: path.NoPath, Why: "no trusted issuer"}
	}
	for _, der := range v.t.Links {
		if c, err := path.ParseCertificate(der); err == nil {
			o.Pool.AddCertificate(c)
		}
	}
	for _, der := range lists {
		if l, err := path.ParseCRL(der); err == nil {
			o.Pool.AddCRL(l)
		}
	}
	return path.Verify(target, o)
}

// isIssuer reports whether a trusted certificate is that of a CA without
// critical extensions that are not known.
func isIssuer(der []byte) bool {
	c, err := pki.ParseCertificate(der)
	return err == nil && c.IsCA && c.KeyUsage&x509.KeyUsageCertSign != 0 && len(c.UnknownCritical) == 0
}

// refusePath says in words why there is no path.
func refusePath(err error) (say.Text, error) {
	var e *path.Error
	if !errors.As(err, &e) {
		return refuse("電子証明書を読み取れません。", "The certificate can't be read.")
	}
	switch {
	case (e.Code == path.Expired || e.Code == path.NotYetValid) && e.Depth == 0:
		return refuse("電子証明書の有効期間外です。", "The certificate is outside its validity period.")
	case e.Code == path.Expired || e.Code == path.NotYetValid:
		return refuse("発行者の証明書の有効期間外です。", "The issuer's certificate is outside its validity period.")
	case e.Code == path.UnknownCritical:
		return refuse("電子証明書に、意味の分からない重要な拡張があります。", "The certificate has a critical extension that is not known.")
	case e.Code == path.Policy:
		return refuse("電子証明書の証明書ポリシーが、受け入れるものではありません。", "The certificate's policy is not an accepted one.")
	case e.Code == path.Revoked:
		return refuse("発行者の証明書が失効しています。", "An issuer's certificate is revoked.")
	case e.Code == path.RevocationUnknown:
		return refuse("発行者の証明書が失効していないことを、失効リストで確かめられません。", "No revocation list shows that an issuer's certificate is not revoked.")
	case e.Code == path.Limit:
		return refuse("証明書のつながりが複雑すぎるため、確かめられません。", "The chain of certificates is too complex to check.")
	}
	return refuse("電子証明書は、信頼する発行者の署名によるものではありません。", "The certificate is not signed by a trusted issuer.")
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

// crl asks the revocation list and holds its answer against the receipt.
func (v *verification) crl() (say.Text, error) {
	if v.cert == nil || v.path == nil {
		return say.Text{}, errNotRun
	}
	_, err := v.findPath(path.CheckAll, append([][]byte{v.t.CRL}, v.t.Lists...))
	var e *path.Error
	switch {
	case err == nil:
		return accept("失効リストにも、この電子証明書はありません。", "The certificate is not in the revocation list either.")
	case errors.As(err, &e) && e.Code == path.Revoked && e.Depth == 0:
		at := japanTime(e.At)
		return refuse(fmt.Sprintf("この電子証明書は %s に失効しています(失効リスト)。", at.JA), fmt.Sprintf("The certificate was revoked on %s (revocation list).", at.EN))
	case errors.As(err, &e) && e.Code == path.RevocationUnknown:
		return v.useless()
	}
	return refusePath(err)
}

// useless says why a list settles nothing for this certificate. The decision
// has been made; this only finds the words for it.
func (v *verification) useless() (say.Text, error) {
	list, err := path.ParseCRL(v.t.CRL)
	if err != nil {
		return refuse("失効リストを読み取れません。", "The revocation list can't be read.")
	}
	switch {
	case v.now.Before(list.ThisUpdate.Add(-Skew)):
		return refuse("失効リストの作成時刻が未来になっています。", "The revocation list is from the future.")
	case v.now.After(list.NextUpdate):
		return refuse("失効リストの有効期間が過ぎています。新しいものを取り寄せてください。", "The revocation list is past its next update. Get a newer one.")
	}
	full, err := pki.ParseCRL(v.t.CRL)
	issuer, err2 := pki.ParseCertificate(v.path[1].Raw)
	if err == nil && err2 == nil && full.SignedBy(issuer) == nil && !full.Covers(v.cert) {
		return refuse("失効リストの対象範囲に、この電子証明書は入っていません。別の市町村の失効リストです。", "The revocation list doesn't cover this certificate: it is another municipality's.")
	}
	return refuse("失効リストは、この電子証明書の発行者によるものではないか、この電子証明書について何も言いません。", "The revocation list is not by this certificate's issuer, or says nothing about this certificate.")
}

// japanTime writes a moment for people: Japan's time in Japanese, UTC in English.
func japanTime(t time.Time) say.Text {
	jst := t.In(time.FixedZone("JST", 9*3600))
	return say.Text{JA: jst.Format("2006年1月2日 15時04分05秒"), EN: t.UTC().Format("2006-01-02 15:04:05 UTC")}
}
