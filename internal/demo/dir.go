package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sukashi-project/sukashi/internal/say"
)

// formatLine is the content of DIR/format. The number changes when a program
// could no longer read what an older one left.
const formatLine = "sukashi demo 1\n"

// Dir is the layout of a demo directory. Each zone keeps its stores apart; Out is what
// outsiders read.
type Dir struct {
	Root string
}

func (d Dir) path(parts ...string) string {
	return filepath.Join(append([]string{d.Root}, parts...)...)
}

// Juki is the register zone's directory: the only one that may hold a resident code.
func (d Dir) Juki() string { return d.path("juki") }

// CA is the CA zone's directory.
func (d Dir) CA() string { return d.path("ca") }

// Ledger is the log's store.
func (d Dir) Ledger() string { return d.path("ledger") }

// Head is the head store, apart from the log's store.
func (d Dir) Head() string { return d.path("head") }

// Witness is the state directory of one witness.
func (d Dir) Witness(name string) string { return d.path("witness", name) }

// Out is what outsiders read.
func (d Dir) Out() string { return d.path("out") }

// Prepare makes root ready for a new demo: it is created, or must be empty. A
// directory that holds something else, or a demo of another version, is left
// as it is.
func Prepare(root string) (Dir, error) {
	d := Dir{Root: root}
	format, err := os.ReadFile(d.path("format"))
	switch {
	case err == nil && string(format) == formatLine:
		return d, say.New("demo.dir.used", "この場所には、すでにデモの結果があります: "+root, "This directory already holds a demo: "+root).
			Hint("別の場所を --dir で指定するか、この場所を消してください。", "Name another one with --dir, or delete it.")
	case err == nil && strings.HasPrefix(string(format), "sukashi demo "):
		return d, say.New("demo.dir.version", "この場所のデータは別の版の sukashi のものです: "+root, "This directory was written by another version of sukashi: "+root).
			Hint("その版の sukashi で開くか、別の場所を --dir で指定してください。何も変更していません。", "Open it with that version, or name another directory with --dir. Nothing was changed.")
	case err == nil:
		return d, say.New("demo.dir.foreign", "format ファイルが sukashi のものではありません: "+root, "The format file there is not sukashi's: "+root).
			Hint("別の場所を --dir で指定してください。何も変更していません。", "Name another directory with --dir. Nothing was changed.")
	case !errors.Is(err, fs.ErrNotExist):
		return d, say.New("demo.dir.read", "この場所を読めません: "+root, "This directory can't be read: "+root).
			Hint("場所と権限を確かめてください。", "Check the path and its permissions.").Because(err)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return d, say.New("demo.dir.create", "この場所を作れません: "+root, "This directory can't be created: "+root).
			Hint("場所と権限、空き容量を確かめてください。", "Check the path, its permissions and the free space.").Because(err)
	}
	names, err := os.ReadDir(root)
	if err != nil {
		return d, fmt.Errorf("couldn't list %s: %w", root, err)
	}
	if len(names) > 0 {
		return d, say.New("demo.dir.notempty", "この場所は空ではありません: "+root, "This directory is not empty: "+root).
			Hint("空の場所を --dir で指定してください。何も変更していません。", "Name an empty one with --dir. Nothing was changed.")
	}
	if err := room(root); err != nil {
		return d, err
	}
	if err := os.WriteFile(d.path("format"), []byte(formatLine), 0o644); err != nil {
		return d, fmt.Errorf("couldn't write the format file: %w", err)
	}
	for _, sub := range []string{d.Juki(), d.CA(), d.Ledger(), d.Head(), d.path("witness")} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return d, fmt.Errorf("couldn't create a directory: %w", err)
		}
	}
	for _, sub := range []string{"entries", "certs", "checkpoints", "crl", "ocsp", "policy", "receipts", "applications"} {
		if err := os.MkdirAll(filepath.Join(d.Out(), sub), 0o755); err != nil {
			return d, fmt.Errorf("couldn't create a directory: %w", err)
		}
	}
	return d, nil
}

// minRoom is the free space without which no story is begun: its stores write
// logs ahead, and a disk that fills up in the middle stops them hard.
const minRoom = 64 << 20

func room(root string) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(root, &fs); err != nil {
		return fmt.Errorf("couldn't ask for the free space: %w", err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < minRoom {
		return say.New("demo.dir.full", fmt.Sprintf("空き容量が足りません(あと %d MB、必要なのは %d MB 以上): %s", free>>20, minRoom>>20, root),
			fmt.Sprintf("Too little free space (%d MB, at least %d MB are needed): %s", free>>20, minRoom>>20, root)).
			Hint("空きを作るか、別の場所を --dir で指定してください。何も書いていません。", "Make room, or name another directory with --dir. Nothing was written.")
	}
	return nil
}
