package sequence

import (
	"fmt"

	"github.com/sukashi-project/sukashi/internal/say"
)

// Why a log refuses to start. Codes are stable.
const (
	CodeBehind  = "ledger.behind"
	CodeForked  = "ledger.forked"
	CodeLost    = "ledger.lost"
	CodeHead    = "ledger.head"
	CodeDamaged = "ledger.damaged"
	CodeOrigin  = "ledger.origin"
	CodeFormat  = "ledger.format"
	CodeKey     = "ledger.key"
)

const restoreJA, restoreEN = "新しいバックアップを戻すか、複製から作り直してください。ヘッドは消さないでください。",
	"Restore a newer backup or rebuild the store from a copy. Don't delete the head."

// ErrBehind refuses a store that holds fewer entries than were signed for.
func ErrBehind(store, head uint64) error {
	return say.New(CodeBehind,
		fmt.Sprintf("ログの保存内容は %d 件ですが、署名済みのヘッドは %d 件です。記録が失われています。", store, head),
		fmt.Sprintf("The log's store has %d entries, but its head was signed for %d. Entries are missing.", store, head)).
		Hint(restoreJA, restoreEN)
}

// ErrForked refuses a store whose first entries are not the signed ones.
func ErrForked(size uint64) error {
	return say.New(CodeForked,
		fmt.Sprintf("%d 件目までの記録が、署名済みのチェックポイントと一致しません。", size),
		fmt.Sprintf("The first %d entries are not the ones that were signed for.", size)).Hint(restoreJA, restoreEN)
}

// Other reasons to refuse a store.
var (
	ErrLost = say.New(CodeLost, "ヘッドはありますが、ログの保存内容がありません。", "There is a head, but the log's store is empty.").
		Hint(restoreJA, restoreEN)
	ErrHeadLost = say.New(CodeHead, "ログには記録がありますが、ヘッドがありません。", "The log has entries, but its head is missing.").
			Hint("ヘッドのディレクトリーを確かめてください。本当に失われたときは、証人の最新チェックポイントと照合してから、ヘッドを引き継ぐ指定で起動してください。",
			"Check the head directory. If it is really lost, compare the log with the witnesses' newest checkpoint, then start with the option that adopts the store as head.")
	ErrHeadForeign = say.New(CodeHead, "ヘッドは、このログの鍵で署名されたものではありません。", "The head is not signed with this log's key.").
			Hint("ヘッドのディレクトリーとログの鍵の組み合わせを確かめてください。", "See whether head directory and log key belong together.")
	ErrDamaged = say.New(CodeDamaged, "ログの保存内容が壊れています。", "The log's store is damaged.").
			Hint("sukashi ledger fsck で調べてください。"+restoreJA, "Look into it with sukashi ledger fsck. "+restoreEN)
	ErrKey = say.New(CodeKey, "ログの鍵が、このログを作ったときの鍵と違います。", "The log key is not the one that this log was made with.").
		Hint("正しい鍵ファイルを指定してください。", "Give the right key file.")
)

// ErrOrigin refuses another log's store.
func ErrOrigin(have, want string) error {
	return say.New(CodeOrigin, fmt.Sprintf("この保存先は別のログ %s のものです（指定は %s）。", have, want),
		fmt.Sprintf("This store belongs to another log, %s (asked for %s).", have, want)).
		Hint("保存先か origin の指定を直してください。", "Correct the directory or the origin.")
}

// ErrFormat refuses a store in another format than the one this program reads.
func ErrFormat(version string, reads int) error {
	return say.New(CodeFormat, fmt.Sprintf("保存形式の版 %s は、このプログラムでは読めません（対応は %d）。", version, reads),
		fmt.Sprintf("This program can't read store format %s (it reads %d).", version, reads)).
		Hint("対応する版の sukashi を使ってください。", "Use the version of sukashi that wrote it.")
}
