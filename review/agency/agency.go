// Package agency is what a relying agency (行政機関等) runs when a signed
// application arrives: the three checks of DOMAIN 4.5 and one more that only a
// transparency log makes possible.
//
//	signature   (a) the signature over the form, with the certificate's key
//	attributes  (b) the form's four attributes are the certificate's
//	chain       (c) the certificate: issuer's signature, validity, usage, policy
//	proof       (d) the certificate was issued in the open: a status receipt
//	            proves its cert.issued entry under a checkpoint that enough
//	            witnesses signed
//	status          … and that it is valid as of a time not too long ago
//	crl             optional: the revocation list says the same
//
// Everything fails closed: an application without a receipt is refused, and so
// is one whose receipt is too old. The agency needs no connection to the CA
// for it: a receipt, a trust policy and the issuer's certificate are files.
//
//	r := agency.Verify(raw, agency.Trust{Issuers: issuers, Policy: policy, Receipt: receipt}, time.Now())
//	if !r.Accepted {
//		fmt.Println(r.Refusal().JA)
//	}
//
// The package shares no code with the CA; it reads certificates and lists by
// package review/pki and validates paths by package review/pki/path. It holds no state and does no I/O. Sentences never quote
// an attribute.
package agency

import (
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/review/application"
	"github.com/sukashi-project/sukashi/review/pki"
	"github.com/sukashi-project/sukashi/review/pki/path"
)

// Step codes, in the order of the checks.
const (
	StepForm       = "form"       // the file can be read as a signed application
	StepSignature  = "signature"  // DOMAIN 4.5 (a)
	StepAttributes = "attributes" // DOMAIN 4.5 (b)
	StepChain      = "chain"      // DOMAIN 4.5 (c), the certificate itself
	StepProof      = "proof"      // the certificate is in the log
	StepStatus     = "status"     // DOMAIN 4.5 (c), not revoked
	StepCRL        = "crl"        // the revocation list agrees
)

// DefaultMaxAge is how old a status may be: the present service refreshes its
// revocation list once a day (DOMAIN 6.5).
const DefaultMaxAge = 24 * time.Hour

// Skew is how far the clocks of log, CA and agency may differ.
const Skew = 5 * time.Minute

// Trust is what the agency believes and the material it got for one
// application.
type Trust struct {
	// Issuers are the issuer certificates (DER) of all generations that the
	// agency trusts. They share one name; the right one is found by its key
	// (DOMAIN 6.1).
	Issuers [][]byte
	// Links are certificates (DER) that lead from a trusted issuer to another:
	// link certificates of a key rollover, cross certificates of a bridge.
	Links [][]byte
	// Lists are revocation lists (DER) for Links. A link without a list that
	// covers it is not followed.
	Lists [][]byte
	// Policy names the log and the witnesses that must have signed.
	Policy *proof.Policy
	// Receipt is the status receipt of the certificate, as a file. Without it
	// every application is refused.
	Receipt []byte
	// CRL is a revocation list (DER) to cross-check with; nil: not asked for.
	CRL []byte
	// MaxAge is how old the status may be; 0 means DefaultMaxAge.
	MaxAge time.Duration
	// Policies are the certificate policies accepted; nil means pki.TestPolicy.
	Policies []string
}

// Step is the outcome of one check.
type Step struct {
	Code string
	OK   bool
	Ran  bool     // false: an earlier step left nothing to check
	Text say.Text // one sentence in both languages
}

// Result is the outcome of all checks, in order.
type Result struct {
	Accepted bool
	Steps    []Step

	Form        application.Form // as read; only to be trusted when Accepted
	Certified   attr.Certified   // the certificate's attributes
	Serial      string           // lower-case hex
	Ordinal     uint64           // position in the log's status tree
	AsOf        time.Time        // time as of which the status holds
	Witnessed   bool             // AsOf was signed by witnesses
	Substituted int              // characters where a substitute stands for what the form has
}

// Refusal returns the sentence of the first step that failed; empty when
// accepted.
func (r *Result) Refusal() say.Text {
	for _, s := range r.Steps {
		if s.Ran && !s.OK {
			return s.Text
		}
	}
	return say.Text{}
}

// Failed returns the code of the first step that failed, or "".
func (r *Result) Failed() string {
	for _, s := range r.Steps {
		if s.Ran && !s.OK {
			return s.Code
		}
	}
	return ""
}

// verification is the state of one call of Verify.
type verification struct {
	raw  []byte
	t    Trust
	now  time.Time
	r    *Result
	app  *application.Signed
	cert *pki.Certificate
	stat *proof.StatusResult
	path []*path.Certificate // from the certificate to a trusted issuer
}

// Verify makes all checks at time now. It never panics on hostile input and
// never stops early when a later check can still tell something.
func Verify(raw []byte, t Trust, now time.Time) *Result {
	if t.MaxAge == 0 {
		t.MaxAge = DefaultMaxAge
	}
	if t.Policies == nil {
		t.Policies = []string{pki.TestPolicy}
	}
	v := &verification{raw: raw, t: t, now: now.UTC(), r: &Result{}}
	v.step(StepForm, v.form)
	v.step(StepSignature, v.signature)
	v.step(StepAttributes, v.attributes)
	v.step(StepChain, v.chain)
	v.step(StepProof, v.proof)
	v.step(StepStatus, v.status)
	if t.CRL != nil {
		v.step(StepCRL, v.crl)
	}
	v.r.Accepted = true
	for _, s := range v.r.Steps {
		v.r.Accepted = v.r.Accepted && s.Ran && s.OK
	}
	return v.r
}

// errNotRun says that a step has nothing to work on.
var errNotRun = errors.New("not run")

// step runs one check. A check returns the sentence to show, and an error when
// it refuses.
func (v *verification) step(code string, check func() (say.Text, error)) {
	text, err := check()
	s := Step{Code: code, OK: err == nil, Ran: !errors.Is(err, errNotRun), Text: text}
	if !s.Ran {
		s.Text = say.Text{JA: "前の確認が終わらないため、行っていません。", EN: "Not made, because an earlier check could not be completed."}
	}
	v.r.Steps = append(v.r.Steps, s)
}

var errRefused = errors.New("refused")

func refuse(ja, en string) (say.Text, error) { return say.Text{JA: ja, EN: en}, errRefused }

func accept(ja, en string) (say.Text, error) { return say.Text{JA: ja, EN: en}, nil }

func (v *verification) form() (say.Text, error) {
	a, err := application.Parse(v.raw)
	if err != nil {
		return refuse("申請書のファイルを読み取れません。申請用ソフトでもう一度作り直してください。", "The application file can't be read. It must be made again with the application software.")
	}
	c, err := pki.ParseCertificate(a.Certificate)
	if err != nil {
		return refuse("申請書に付いている電子証明書を読み取れません。", "The certificate that came with the application can't be read.")
	}
	v.app, v.cert = a, c
	v.r.Form, v.r.Serial = a.Form, c.Serial
	return accept("申請書を読み取りました。", "The application was read.")
}

func (v *verification) signature() (say.Text, error) {
	if v.app == nil {
		return say.Text{}, errNotRun
	}
	if v.app.Verify() != nil {
		return refuse("電子署名が申請書の内容と合いません。署名のあとで書き換えられています。", "The signature doesn't match the form: it was changed after signing.")
	}
	return accept("電子署名は、この申請書に対する正しいものです。", "The signature is valid for this form.")
}

// attributes compares form and certificate, character by character. Where the
// certificate's map marks a substitute, the form may have the character that
// the certificate could not carry.
func (v *verification) attributes() (say.Text, error) {
	if v.cert == nil {
		return say.Text{}, errNotRun
	}
	c, has := v.cert.Attributes()
	if !has {
		return refuse("電子証明書に基本4情報がありません。署名用の電子証明書ではありません。", "The certificate carries no basic attributes: it is not a signing certificate.")
	}
	v.r.Certified = c
	f := v.app.Form
	name, n := equalText(f.Name, c.Name, c.NameMap)
	address, m := equalText(f.Address, c.Address, c.AddressMap)
	switch {
	case !name:
		return refuse("申請書の氏名が、電子証明書の氏名と違います。", "The name in the form is not the certificate's.")
	case f.BirthDate != c.BirthDate:
		return refuse("申請書の生年月日が、電子証明書の生年月日と違います。", "The birth date in the form is not the certificate's.")
	case f.Sex != c.Sex:
		return refuse("申請書の性別が、電子証明書の性別と違います。", "The sex in the form is not the certificate's.")
	case !address:
		return refuse("申請書の住所が、電子証明書の住所と違います。", "The address in the form is not the certificate's.")
	}
	v.r.Substituted = n + m
	if n+m > 0 {
		return accept(fmt.Sprintf("申請書の基本4情報は、電子証明書と同じです(代替文字 %d 字を含む)。", n+m),
			fmt.Sprintf("The form's four attributes are the certificate's (with %d substitute characters).", n+m))
	}
	return accept("申請書の基本4情報は、電子証明書と同じです。", "The form's four attributes are the certificate's.")
}

// equalText compares a form's value with a certified one and counts the
// characters where a substitute stands for another character. A character of
// the form is a code point with its variation selectors: it stands for one
// glyph on the record and got one substitute.
func equalText(form, certified, subs string) (equal bool, substituted int) {
	f, c := jtext.Characters(form), jtext.Characters(certified)
	if len(f) != len(c) || len(subs) != len(c) {
		return false, 0
	}
	for i := range c {
		if f[i] == c[i] {
			continue
		}
		if subs[i] != '1' {
			return false, 0
		}
		substituted++
	}
	return true, substituted
}
