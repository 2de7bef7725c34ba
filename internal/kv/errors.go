package kv

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sukashi-project/sukashi/internal/say"
)

// Codes of the sentences that this package says.
const (
	CodeLocked  = "store.locked"
	CodeFull    = "store.full"
	CodeCorrupt = "store.corrupt"
	CodeMissing = "store.missing"
)

// explain turns what a person can do something about into a sentence, and
// leaves the rest as it is.
func explain(dir string, err error) error {
	switch {
	case err == nil:
		return nil
	case vfs.IsNoSpaceError(err):
		return say.New(CodeFull, "ディスクに空きがありません。", "The disk is full.").
			Hint("空きを作ってから、もう一度起動してください。書き終えた記録は失われていません。",
				"Make room and start again. Nothing that was acknowledged is lost.").Because(err)
	case dir != "" && isLocked(err):
		return say.New(CodeLocked, fmt.Sprintf("保存先 %s は別のプロセスが使用中です。", dir),
			fmt.Sprintf("The store %s is in use by another process.", dir)).
			Hint("同じ保存先で動いている sukashi を止めてから、もう一度実行してください。",
				"Stop the other sukashi that runs on this directory, then try again.").Because(err)
	case dir != "" && isMissing(err):
		return say.New(CodeMissing, fmt.Sprintf("保存先 %s がありません。", dir),
			fmt.Sprintf("There is no store in %s.", dir)).
			Hint("ディレクトリー名を確かめてください。", "Check the directory's name.").Because(err)
	case pebble.IsCorruptionError(err):
		return say.New(CodeCorrupt, "保存先のファイルが壊れています。", "A file of the store is damaged.").
			Hint("バックアップから戻すか、複製から作り直してください。壊れたファイルは消さずに残してください。",
				"Restore a backup or rebuild it from a copy. Keep the damaged files.").Because(hidden{err})
	case dir != "":
		return fmt.Errorf("couldn't open the store in %s: %w", dir, err)
	}
	return fmt.Errorf("store: %w", err)
}

func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) ||
		strings.Contains(err.Error(), "lock held by current process")
}

// isMissing looks at the text too: Pebble marks its errors in a way that the
// standard errors package doesn't see.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), pebble.ErrDBDoesNotExist.Error()) ||
		strings.HasSuffix(err.Error(), "does not exist")
}

// hidden keeps an error for errors.Is and As without its text: Pebble's texts
// about damage quote keys.
type hidden struct{ err error }

// Error doesn't tell what a key was.
func (hidden) Error() string { return "a checksum or a format is wrong" }

// Unwrap returns the error itself.
func (h hidden) Unwrap() error { return h.err }

// logger sends what Pebble has to say to slog, without arguments: they may
// quote keys. What is left are the wording and, for a failed system call, its
// name for the failure.
type logger struct {
	l       *slog.Logger
	opening *opening // nil: a store that is only read
}

// Infof says nothing: Pebble tells about every file.
func (l logger) Infof(string, ...any) {}

// Errorf logs the wording.
func (l logger) Errorf(format string, args ...any) { _, _ = l.log(format, args) }

// Fatalf is called when going on would lose data (a failed write of the log
// file). The store must not be used any more, and no library may end the
// process, so it panics; nothing unacknowledged can become acknowledged. While
// a store is being opened, it becomes Open's error.
func (l logger) Fatalf(format string, args ...any) {
	text, cause := l.log(format, args)
	if l.opening != nil {
		l.opening.giveUp(fatal{text, cause})
	}
	panic(fatal{"kv: the store can't go on: " + text, cause})
}

// fatal is what Fatalf panics with.
type fatal struct {
	text  string
	cause error // the system call's; nil: another
}

// Error implements error.
func (f fatal) Error() string { return f.text }

// Unwrap returns the system call's error.
func (f fatal) Unwrap() error { return f.cause }

func (l logger) log(format string, args []any) (text string, cause error) {
	for _, a := range args {
		var errno syscall.Errno
		if err, ok := a.(error); ok && errors.As(err, &errno) {
			cause = errno
		}
	}
	said := ""
	if cause != nil {
		said = cause.Error()
	}
	if l.l != nil {
		l.l.Error("store: "+format, "cause", said)
	}
	return format + " " + said, cause
}

// corrupted is told about damaged blocks. The read that met them fails with
// CodeCorrupt; Pebble's own answer would be to end the process.
func (l logger) corrupted(info pebble.DataCorruptionInfo) {
	if l.l != nil {
		l.l.Error("store: a file is damaged", "file", info.Path)
	}
}
