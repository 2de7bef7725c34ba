package register

import (
	"fmt"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

// Codes of the sentences that this package says.
const (
	CodeForm         = "register.form"         // a value breaks the form of DOMAIN 6.2 / 10
	CodeResidentCode = "register.code"         // resident code is not 11 digits with the right check digit
	CodeUnknown      = "register.unknown"      // no record has this resident code
	CodeDeleted      = "register.deleted"      // the record is deleted
	CodeExists       = "register.exists"       // the resident code is taken
	CodeKind         = "register.kind"         // unknown kind of change
	CodeContent      = "register.content"      // the change's content does not fit its kind
	CodeMunicipality = "register.municipality" // municipality code is not valid or not the record's
	CodeReverts      = "register.reverts"      // a reversal does not undo the record's last change
	CodeOperator     = "register.operator"     // operator id is not an identifier
	CodeVersion      = "register.version"      // the directory is of another version
)

var (
	errCode = say.New(CodeResidentCode, "住民票コードの桁数または検査数字が正しくありません。",
		"The resident code does not have 11 digits with the right check digit.").
		Hint("住民票コードを確かめて、入力し直してください。", "Check the code and enter it again.")
	errUnknown = say.New(CodeUnknown, "この住民票コードの記録はありません。", "No record has this resident code.").
			Hint("住民票コードを確かめてください。", "Check the resident code.")
	errDeleted = say.New(CodeDeleted, "この方の住民票は消除されています。", "This resident's record is deleted.").
			Hint("転入などの届出があるか、戸籍・住民記録の担当に確かめてください。",
			"Ask the resident record desk whether a move-in or other notification is due.")
	errExists = say.New(CodeExists, "この住民票コードの記録はすでにあります。", "A record with this resident code exists already.").
			Hint("二重に取り込んでいないか確かめてください。", "Check whether the data were imported twice.")
	errKind = say.New(CodeKind, "異動の種類が正しくありません。", "The kind of change is not known.")
	errTown = say.New(CodeMunicipality, "市町村コードが正しくないか、この記録の市町村ではありません。",
		"The municipality code is not valid, or it is not this record's municipality.").
		Hint("全国地方公共団体コード(6桁)を確かめてください。", "Check the 6-digit local government code.")
	errReverts = say.New(CodeReverts, "取り消せるのは、その記録の直前の異動だけです。",
		"A reversal can take back only the record's last change, to exactly the values before it.").
		Hint("取り消す異動の番号と、戻す内容を確かめてください。", "Check the position of the change and the values to restore.")
	errOperator = say.New(CodeOperator, "操作者番号は英小文字・数字・ハイフン24字以内、数字は6桁までです。",
		"An operator id is 1 to 24 lower-case letters, digits and hyphens, with at most six digits.")
)

// CheckOperator checks that s is an operator id: an identifier, never a name,
// and with too few digits to hold a resident code (transfer.IsOperator).
func CheckOperator(s string) error {
	if !transfer.IsOperator(s) {
		return errOperator
	}
	return nil
}

func errForm(err error) error {
	return say.New(CodeForm, "基本4情報の形式が正しくありません。", "The four attributes do not have the right form.").
		Hint("氏名・生年月日・男女の別・住所を確かめてください。", "Check name, birth date, sex and address.").Because(err)
}

func errContent(k Kind, ja, en string) error {
	return say.New(CodeContent, fmt.Sprintf("異動(%s)の内容が合いません: %s", k, ja),
		fmt.Sprintf("The content does not fit a change of kind %s: %s", k, en))
}

// RowError says which item of a batch was refused. It unwraps to the sentence.
type RowError struct {
	Row int // counted from 0
	Err error
}

// Error names the row and the reason, never a value.
func (e *RowError) Error() string { return fmt.Sprintf("item %d: %v", e.Row, e.Err) }

// Unwrap returns the reason.
func (e *RowError) Unwrap() error { return e.Err }
