// Package counter is the CA's side of the town hall: the reception terminal
// (受付窓口端末, CounterTerminal) of DOMAIN 3.1.
//
// It takes the transfer file that an officer carries over from the register's
// terminal, the form that the applicant filled in (DOMAIN 5.1) and the
// certification request from the applicant's card, and makes one Application
// of them. It answers the two questions of the identity check: does the person
// exist (the form equals the transfer file), and is it this person (a document
// was shown; its kind is recorded, never its number). Characters that a
// certificate can't carry are replaced by the applicant's own designated
// substitutes, never guessed.
//
// It never takes a resident code: every field of the form is scanned for one
// in every script before anything leaves the terminal (PR-06, PR-07). It never
// makes keys, and it stores nothing.
//
//	term, err := counter.New(counter.Config{…})
//	app, err := term.Apply(transferFile, form, counter.Passport, request)
//	delivery, err := term.Submit(ctx, app)
//	err = residentsCard.Install(delivery.Certificate)
package counter

import (
	"errors"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/say"
)

// Form is the issuance application form (電子証明書発行申請書) as filled in.
type Form struct {
	AppliedOn         string // date in Japanese era: 令和8年11月23日
	NameKana          string // reading in hiragana; stays at the counter
	Name              string // exactly as on the resident record
	BirthDate         string // era date: 昭和37年6月17日
	Sex               string // 男, 女 or 不明
	Address           string // as on the resident record
	HasSubstitutes    bool   // 代替文字 有・無
	SubstituteName    string // 指定代替文字: the whole name with the substitutes in place; "" if none needed
	SubstituteAddress string // likewise the address
	Twin              bool   // an officer looked into it: the equal certificate in force is another person's
	Renews            string // serial of the certificate that this one replaces, "" for a first one
}

// fields are all texts that a person could have written anything into.
func (f *Form) fields() []string {
	return []string{f.AppliedOn, f.NameKana, f.Name, f.BirthDate, f.Sex, f.Address, f.SubstituteName, f.SubstituteAddress}
}

// maxField bounds one field of the form in bytes.
const maxField = 1024

// attributes reads the four attributes from the form.
func (f *Form) attributes() (attr.Attributes, error) {
	for _, s := range f.fields() {
		if len(s) > maxField {
			return attr.Attributes{}, errors.New("a field of the form is too long")
		}
	}
	if _, err := jtext.ParseJapanese(f.AppliedOn); err != nil {
		return attr.Attributes{}, errors.New("the date of application is not a date of a Japanese era")
	}
	born, err := jtext.ParseJapanese(f.BirthDate)
	if err != nil {
		return attr.Attributes{}, errors.New("the birth date is not a date of a Japanese era")
	}
	a := attr.Attributes{Name: f.Name, BirthDate: born.String(), Address: f.Address}
	switch f.Sex {
	case "男":
		a.Sex = attr.Male
	case "女":
		a.Sex = attr.Female
	case "不明":
		a.Sex = attr.SexUnknown
	default:
		return attr.Attributes{}, errors.New("the sex on the form is not 男, 女 or 不明")
	}
	return a, a.Validate()
}

// certified replaces what a certificate can't carry by the designated
// substitutes and keeps one map digit per character (DOMAIN 10.6). The flag
// on the form must agree with what was found.
func (f *Form) certified(a attr.Attributes) (attr.Certified, error) {
	c := attr.Certified{BirthDate: a.BirthDate, Sex: a.Sex}
	var err error
	if c.Name, c.NameMap, err = jtext.Substitute(a.Name, f.SubstituteName); err != nil {
		return c, substituteError("氏名", "name", err)
	}
	if c.Address, c.AddressMap, err = jtext.Substitute(a.Address, f.SubstituteAddress); err != nil {
		return c, substituteError("住所", "address", err)
	}
	if needed := replaced(c.NameMap) || replaced(c.AddressMap); needed && !f.HasSubstitutes {
		return c, say.New("counter.substitute-flag", "申請書の「代替文字」が「無」ですが、代替文字が必要です。",
			"The form says that no substitute characters are used, but some are needed.").
			Hint("申請者に確認し、「有」にして指定代替文字を記入してください。", "Ask the applicant, tick \"yes\" and enter the designated substitutes.")
	}
	return c, c.Validate()
}

func replaced(subs string) bool {
	for _, d := range subs {
		if d == '1' {
			return true
		}
	}
	return false
}

func substituteError(ja, en string, err error) error {
	return say.New("counter.substitute", ja+"に、証明書で使えない文字があり、指定代替文字が正しくありません。",
		"The "+en+" has a character that a certificate can't carry, and the designated substitutes don't fit.").
		Hint("申請者が普段使う文字を、1文字に1文字ずつ指定してもらってください。",
			"Ask the applicant for the characters they normally use, one for each character.").Because(err)
}
