package trillianlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/head"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/pebblestore"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// FsckConfig says which log to check. It is a Config without a signer: a check
// signs nothing.
type FsckConfig struct {
	Dir, HeadDir string
	VKey         string         // verifier key of the log
	Retired      []proof.LogKey // its keys before, as in Config
	FS           kv.FS          // nil: the operating system's
	CacheBytes   int64          // 0: 64 MiB
	// Repair writes tiles and the index by writer and number again where they
	// differ, but only when all entries together lead to the signed root.
	Repair bool
	// Workers hash in parallel; 0: one per processor.
	Workers int
	// Progress is called now and then with the number of entries checked, from
	// several goroutines; nil: not at all.
	Progress func(entries uint64)
}

// policy believes the log's own keys.
func (c *FsckConfig) policy() (*proof.Policy, error) {
	return proof.LogKeys(append(slices.Clone(c.Retired), proof.LogKey{VKey: c.VKey})...)
}

// Finding is one thing that is wrong with a store.
type Finding struct {
	What  string   // "entry", "tile", "index", "root", "head" or "published"
	Level uint     // tile: its level
	Index uint64   // entry or tile index, or size of a checkpoint
	Text  say.Text // for people
}

// FsckReport is the result of a check.
type FsckReport struct {
	Size     uint64    // entries
	Tiles    uint64    // tiles compared
	Root     tlog.Hash // as computed from the entries
	Findings []Finding // at most MaxFindings
	More     uint64    // findings beyond
	Repaired uint64    // findings that Repair removed
}

// MaxFindings bounds a report.
const MaxFindings = 1000

// OK reports that nothing is wrong, or all of it was repaired.
func (r *FsckReport) OK() bool { return uint64(len(r.Findings))+r.More == r.Repaired }

func (r *FsckReport) add(what string, level uint, index uint64, ja, en string) {
	if len(r.Findings) == MaxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{what, level, index, say.Text{JA: ja, EN: en}})
}

// Fsck checks a whole store: every entry and every tile against the root, the
// root against head and published checkpoint, and the index by writer and
// number against the entries. The log must not be running. An error means that
// it could not be checked; what is wrong is in the report.
func Fsck(ctx context.Context, c FsckConfig) (*FsckReport, error) {
	policy, err := c.policy()
	if err != nil {
		return nil, err
	}
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	s, err := kv.Open(c.Dir, kv.Options{FS: c.FS, CacheBytes: c.CacheBytes, BlockBytes: blockBytes, ReadOnly: !c.Repair})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	f := &fsck{cfg: c, policy: policy, kv: s, store: pebblestore.New(s, pebblestore.Options{}), report: &FsckReport{}}
	if err := f.readRoot(); err != nil {
		return nil, err
	}
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	return f.report, nil
}

// fsck is one run.
type fsck struct {
	cfg    FsckConfig
	policy *proof.Policy
	kv     *kv.Store
	store  *pebblestore.Store
	report *FsckReport
	tree   int64
	root   types.LogRootV1

	signed []signedSize      // checkpoints that the entries must lead to
	ahead  *proof.Checkpoint // a head ahead of the store, with its tail
	tail   []byte
	chunks []chunkResult
	levels [][]tlog.Hash // levels[t]: all complete nodes of tree level 8t, t >= 1
	bad    []badTile
}

// signedSize is a checkpoint to compare with.
type signedSize struct {
	what string
	size uint64
	root tlog.Hash
}

// badTile is a tile that differs from what the entries say.
type badTile struct {
	id   pebblestore.TileID
	want []byte
}

func (f *fsck) readRoot() error {
	if err := importing(f.kv); err != nil {
		return err
	}
	b, err := f.kv.Get(metaKey)
	if err != nil {
		return sequence.ErrDamaged.Because(fmt.Errorf("couldn't read what the store was made for: %w", err))
	}
	var m meta
	if err := json.Unmarshal(b, &m); err != nil || m.Format != FormatVersion {
		return sequence.ErrFormat(fmt.Sprint(m.Format), FormatVersion)
	}
	if m.VKey != f.policy.Logs()[0].VKey {
		return sequence.ErrKey
	}
	f.tree = m.Tree
	tx, err := f.store.SnapshotForTree(context.Background(), &trillian.Tree{TreeId: m.Tree, TreeType: trillian.TreeType_PREORDERED_LOG})
	if err != nil {
		return sequence.ErrDamaged.Because(err)
	}
	defer tx.Close()
	slr, err := tx.LatestSignedLogRoot(context.Background())
	if err != nil {
		return sequence.ErrDamaged.Because(err)
	}
	if err := f.root.UnmarshalBinary(slr.LogRoot); err != nil {
		return sequence.ErrDamaged.Because(err)
	}
	f.report.Size = f.root.TreeSize
	return f.readSigned()
}

// readSigned collects the checkpoints that the entries must lead to.
func (f *fsck) readSigned() error {
	for _, h := range []struct{ what, dir string }{
		{"head", f.cfg.HeadDir}, {"published", sequence.PublishedDir(f.cfg.FS, f.cfg.HeadDir)},
	} {
		note, tail, torn, err := head.ReadTail(h.dir, f.cfg.FS)
		if err != nil && !errors.Is(err, head.ErrUnreadable) {
			return err
		}
		if torn {
			f.report.add(h.what, 0, 0, "二つの写しのうち一つが壊れています。", "One of its two copies is damaged.")
		}
		f.addSigned(h.what, note, tail)
	}
	return nil
}

func (f *fsck) addSigned(what string, note, tail []byte) {
	if note == nil {
		if what == "head" && f.root.TreeSize > 1 {
			f.report.add(what, 0, 0, "ヘッドがありません。", "There is no head.")
		}
		return
	}
	// The published checkpoint has witnesses' lines that this check has no
	// keys for; its own signature was checked when it was made.
	cp, err := proof.ParseUnverified(note)
	if err == nil && what == "head" {
		cp, err = f.policy.VerifyCheckpoint(note)
	}
	switch {
	case err != nil:
		f.report.add(what, 0, 0, "チェックポイントが読み取れません。", "The checkpoint can't be read or isn't signed by this log.")
	case cp.Size > f.root.TreeSize && tail != nil:
		f.ahead, f.tail = cp, tail
	case cp.Size > f.root.TreeSize:
		f.addBehind(what, cp.Size)
	default:
		f.signed = append(f.signed, signedSize{what, cp.Size, cp.Root})
	}
}

func (f *fsck) addBehind(what string, signed uint64) {
	f.report.add(what, 0, signed, fmt.Sprintf("署名済みは %d 件ですが、記録は %d 件しかありません。", signed, f.root.TreeSize),
		fmt.Sprintf("%d entries were signed for, but there are only %d.", signed, f.root.TreeSize))
}

// checkAhead looks at a head that is ahead of the store, as a crash may leave
// it: the next start writes the missing batch again from the head's tail, if
// that leads from these entries to what was signed.
func (f *fsck) checkAhead() {
	if f.ahead == nil {
		return
	}
	if _, err := sequence.Redo(f.tail, f.ahead, f.root.TreeSize, f.hashes); err != nil {
		f.addBehind("head", f.ahead.Size)
	}
}

func (f *fsck) run(ctx context.Context) error {
	if err := f.checkChunks(ctx); err != nil {
		return err
	}
	if err := f.checkUpper(); err != nil {
		return err
	}
	f.checkAhead()
	sound, err := f.checkRoots()
	if err != nil {
		return err
	}
	if err := f.checkIndex(ctx, sound); err != nil {
		return err
	}
	if f.cfg.Repair && sound {
		return f.repair()
	}
	return nil
}

// checkRoots compares the tree that the entries give with everything that was
// signed. sound means that the entries are the ones that were signed for.
func (f *fsck) checkRoots() (sound bool, err error) {
	sound = true
	if f.report.Root, err = f.rootAt(f.root.TreeSize); err != nil {
		return false, err
	}
	if !bytes.Equal(f.report.Root[:], f.root.RootHash) {
		sound = false
		f.report.add("root", 0, f.root.TreeSize, "記録から計算したハッシュ値が、保存されている値と一致しません。",
			"The entries don't lead to the stored root.")
	}
	for _, s := range f.signed {
		root, err := f.rootAt(s.size)
		if err != nil {
			return false, err
		}
		if root != s.root {
			sound = false
			f.report.add(s.what, 0, s.size, fmt.Sprintf("%d 件目までの記録が、署名済みのチェックポイントと一致しません。", s.size),
				fmt.Sprintf("The first %d entries don't lead to the signed checkpoint.", s.size))
		}
	}
	return sound, nil
}

// repair writes what differs from the entries, which are the signed ones.
func (f *fsck) repair() error {
	b := f.kv.NewBatch()
	for _, t := range f.bad {
		f.store.PutTile(b, f.tree, t.id, t.want)
	}
	if err := b.Commit(true); err != nil {
		return fmt.Errorf("couldn't write repaired tiles: %w", err)
	}
	f.report.Repaired += uint64(len(f.bad))
	return nil
}
