// Package ledger is the transparency log as its users see it: writers append
// entries and get receipts, readers get what was published.
//
// Promises (DESIGN sections 1 and 3): what was acknowledged stays, in order,
// for everyone alike; each role's entries are numbered without gaps; an entry
// sent twice is logged once; a receipt proves inclusion under a signed
// checkpoint.
//
// The ledger never holds personal data; what may be an entry is fixed in
// package ledger/entry. The engine is in ledger/trillianlog, the HTTP side in
// ledger/publish, offline checks in ledger/proof.
//
//	w, err := ledger.NewWriter(ctx, log, entry.ByCA, time.Now)
//	logged, err := w.Append(ctx, &entry.CertIssued{Ordinal: 7, Certificate: digest})
//	// logged.Receipt proves logged.Bytes at logged.Index
package ledger

import (
	"context"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Log is the writing side. Implementations are safe for concurrent use.
type Log interface {
	// Append logs canonical entries in the given order, all or none, and
	// returns one receipt each, under one commit checkpoint. When it returns
	// without error the entries are on disk and signed for.
	//
	// An entry whose by and seq are already logged with equal bytes gets a
	// receipt again; with other bytes it is ErrConflict. A seq that is not the
	// writer's next is ErrGap. A cancelled context before the entries are
	// taken means that nothing was logged; afterwards Append waits for the
	// result, so the answer is always certain.
	Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error)
	// NextSeq returns the next sequence number of a writer.
	NextSeq(ctx context.Context, by string) (uint64, error)
	// Lookup returns the entry of a writer by its sequence number, or
	// ErrNotFound.
	Lookup(ctx context.Context, by string, seq uint64) (index uint64, entryBytes []byte, err error)
}

// Reader is the reading side. Implementations are safe for concurrent use.
type Reader interface {
	// Checkpoint returns the newest published checkpoint, with cosignatures
	// where there are witnesses. ErrNotFound before the first one.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Entry returns the bytes of a committed entry, or ErrNotFound.
	Entry(ctx context.Context, index uint64) ([]byte, error)
	// Entries calls fn for the committed entries of [from, to) in order. The
	// bytes are valid only during the call.
	Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error
	// Size returns the number of committed entries.
	Size(ctx context.Context) (uint64, error)
	// Proof returns an inclusion proof under the newest published checkpoint,
	// or ErrNotFound for an entry that it does not cover yet.
	Proof(ctx context.Context, index uint64) (*proof.Receipt, error)
	// Status returns the status receipt of a certificate under the newest
	// published checkpoint, or ErrNotFound for one not issued under it.
	Status(ctx context.Context, ordinal uint64) (*proof.StatusReceipt, error)
}

// MaxAppend bounds one Append call: entries and their bytes together.
const (
	MaxAppendEntries = 4096
	MaxAppendBytes   = 16 << 20
)

// Errors of a ledger, equal by code for errors.Is, also across HTTP.
var (
	ErrConflict = say.New("ledger.conflict", "この順番には、すでに別の内容が記録されています。",
		"Another entry is already logged under this sequence number.")
	ErrGap      = say.New("ledger.gap", "順番が続いていません。", "The sequence number is not the writer's next.")
	ErrNotFound = say.New("ledger.notfound", "その記録はログにありません。", "There is no such record in the log.")
	ErrInvalid  = say.New("ledger.invalid", "記録の形式が正しくありません。", "The entry is not a valid canonical entry.")
	ErrWriter   = say.New("ledger.writer", "この役割には、この種類の記録を書く権限がありません。",
		"This role may not write entries of this kind.")
	ErrImpossible = say.New("ledger.impossible", "証明書の状態と矛盾する記録です。",
		"The entry contradicts the status of the certificate.")
	ErrTooLarge = say.New("ledger.toolarge", "一度に送る記録が多すぎます。", "Too many entries, or too large, in one request.")
	ErrBusy     = say.New("ledger.busy", "ログが混み合っています。", "The log is busy.").
			Hint("少し待ってから、もう一度送ってください。", "Wait a moment and send it again.")
	ErrClosed = say.New("ledger.closed", "ログは停止しています。", "The log is closed.")
	ErrBroken = say.New("ledger.broken", "ログは書き込みに失敗したため、停止しました。",
		"The log stopped because a write failed.").
		Hint("ディスクを調べてから再起動してください。受領証のある記録は失われていません。",
			"Look at the disk, then restart. Nothing that has a receipt is lost.")
	ErrUncertain = say.New("ledger.uncertain", "記録されたかどうか確認できません。",
		"It is not certain whether the entry was logged.").
		Hint("同じ記録をもう一度送ると、結果が分かります。", "Send the same entry again to find out.")
)
