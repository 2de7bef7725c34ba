package audit

import (
	"context"
	"slices"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/review/pki"
)

// maxGaps bounds how many missing numbers are filled in, in all, when a
// sequence jumps: forged entries must not make the auditor allocate without
// limit. Beyond it such an entry is reported and has no further effect.
const maxGaps = 1 << 18

// fill reports whether n missing numbers may be filled in.
func (a *auditor) fill(n uint64) bool {
	if n > maxGaps || a.filled+n > maxGaps {
		return false
	}
	a.filled += n
	return true
}

// auditor is the state of one audit: a state machine over the log's entries.
type auditor struct {
	src     Source
	o       Options
	rules   [checkCount]rule
	tallies [checkCount]tally

	tree       *merkle
	size       uint64
	filled     uint64 // missing numbers filled in so far
	kinds      map[entry.Kind]uint64
	seqs       map[string]uint64 // next number of each writer
	first      entry.Time
	last       entry.Time
	newest     entry.Time // newest time seen, for the clock check
	began      bool
	genesisLog *entry.Genesis

	rotations    []rotation // of the log's key
	nextLogKey   entry.Digest
	nextLogKeyAt uint64 // index of its key.created; 0: none
	lastKind     entry.Kind
	earlier      []*proof.Checkpoint // sorted by size
	earlierPos   int

	keys     map[entry.Digest]*keyState
	keyTBS   map[uint64]entry.Digest // certificates announced by key.created and cross.intent, by index
	crosses  map[serialKey]*crossState
	certs    []certState // by ordinal
	serials  map[serialKey]uint64
	revs     []revState // by index
	causes   []cause    // by index
	states   *states
	notices  []noticeState // by sequence
	lastRecv uint64        // next notice number that may be received
	holders  []holderState
	holderRx int
	counts   countState
	tests    []testState
	acts     map[entry.Digest]*actState // by proposal
	newNext  []uint64                   // issued and in no list of holders yet, in order of issue
	goneNext []uint64                   // revoked and not struck off a list yet, in order of revocation
	expiries expiries                   // of the certificates whose files were handed over
	listened uint64                     // holders: total after the newest list
	lists    []listState
	byTBS    map[entry.Digest]int // lists by TBS digest
	newestCL map[listKey]int      // newest list of each series
	complete map[listKey]int      // newest complete list of each series
	byNumber map[numbered]int     // complete lists
	parted   map[listKey][]int    // revocations of each series, as positions in revs
	partedCA map[entry.Digest][]crossRevocation
	listed   map[listKey]int // how many of them the newest list of the series covers
	statusOK int             // revocations already under a status.root
	policies []policyState
	replays  map[replayKey]*replayState

	issuers []*pki.Certificate
	files   map[entry.Digest]*fileCert
	points  map[string][]string // municipality → distribution point names, from certificate files

	figures Result
	times   struct{ answer, record, publish, list, whole []int64 }
	reports map[entry.Digest]uint64
	draws   []drawState
}

func newAuditor(src Source, o Options) *auditor {
	return &auditor{
		src: src, o: o, rules: rules(), tree: newMerkle(),
		kinds: map[entry.Kind]uint64{}, seqs: map[string]uint64{},
		keys: map[entry.Digest]*keyState{}, crosses: map[serialKey]*crossState{}, keyTBS: map[uint64]entry.Digest{}, serials: map[serialKey]uint64{}, states: newStates(),
		byTBS: map[entry.Digest]int{}, newestCL: map[listKey]int{}, complete: map[listKey]int{}, byNumber: map[numbered]int{}, parted: map[listKey][]int{}, partedCA: map[entry.Digest][]crossRevocation{}, listed: map[listKey]int{}, replays: map[replayKey]*replayState{},
		files: map[entry.Digest]*fileCert{}, points: map[string][]string{}, reports: map[entry.Digest]uint64{},
		figures: Result{
			Certificates: CertificateFigures{Grounds: map[string]uint64{}},
			Notices:      NoticeFigures{Modes: map[string]uint64{}, Codes: map[string]uint64{}},
		},
	}
}

// frame makes the checks that every entry has to pass.
func (a *auditor) frame(it *item) {
	e := &it.e
	kind := e.Body.Kind()
	a.kinds[kind]++
	a.lastKind = kind
	a.count(ckWriter)
	if !entry.MayWrite(e.By, kind) {
		a.fail(ckWriter, text("記録 %d は、この種類を書けない役割 %s が書いています。", "Entry %d was written by role %s, which may not write this kind.", it.index, e.By), it.index)
	}
	a.count(ckSequence)
	switch next := a.seqs[e.By]; {
	case e.Seq == next:
		a.seqs[e.By] = next + 1
	case e.Seq > next:
		a.fail(ckSequence, text("記録 %d で、%s の通し番号が %d から %d に飛んでいます。", "At entry %d the numbers of %s jump: expected %d, found %d.", it.index, e.By, next, e.Seq), it.index)
		a.seqs[e.By] = e.Seq + 1
	default:
		a.fail(ckSequence, text("記録 %d は、%s の番号 %[4]d をもう一度使っています。", "Entry %d uses number %[4]d of %[2]s a second time.", it.index, e.By, next, e.Seq), it.index)
	}
	a.clock(it)
}

func (a *auditor) clock(it *item) {
	at := it.e.At
	a.count(ckClock)
	if !a.began {
		a.began, a.first, a.newest = true, at, at
	}
	switch back := seconds(at, a.newest); {
	case back <= int64(a.o.Clock.Seconds()):
	case it.e.By == entry.ByNoticeSender || it.e.By == entry.ByRegisterLink:
		// The register's end fixes an entry on its disk before it logs it, and
		// after any doubt it sends the very same again: an outage of the log
		// makes it late. The older time only makes its delays look longer.
		a.warn(ckClock, text("記録 %d は、書かれてから %d 秒後にログに入っています。ログにつながらなかった理由の説明が必要です。",
			"Entry %d was logged %d seconds after it was written. Why the log could not be reached must be explained.", it.index, back), it.index)
	default:
		a.fail(ckClock, text("記録 %d の時刻が、前の記録より %d 秒も後戻りしています。", "The time of entry %d lies %d seconds behind an earlier entry.", it.index, back), it.index)
	}
	if at.Std().Sub(a.o.Now) > a.o.Clock {
		a.fail(ckClock, text("記録 %d の時刻が未来になっています。", "The time of entry %d is in the future.", it.index), it.index)
	}
	if at.Std().After(a.newest.Std()) {
		a.newest = at
	}
	a.last = at
}

func (a *auditor) genesis(it *item, b *entry.Genesis) {
	if it.index != 0 {
		a.fail(ckGenesis, text("記録 %d に、二つめの開始記録があります。", "There is a second first entry at index %d.", it.index), it.index)
		return
	}
	a.genesisLog = b
	a.keys[logKeyID(b.Key)] = &keyState{role: roleLog}
}

// finishLog makes the checks of the log as a whole.
func (a *auditor) finishLog(ctx context.Context, cp *proof.Checkpoint) error {
	root, err := a.tree.root()
	if err != nil {
		return err
	}
	a.figures.Root = root
	a.tallies[ckRoot].examined = a.tree.size()
	if !a.withheld(cp.Size) && root != entry.Digest(cp.Root) {
		a.fail(ckRoot, say.Text{
			JA: "全記録から計算したハッシュ値が、公開された値と違います。公開のあとで記録が書き換えられています。",
			EN: "The hash over all entries differs from the published one: entries were changed after publication.",
		}, a.wrongEntries(ctx, cp)...)
	}
	a.count(ckGenesis)
	if g := a.genesisLog; g == nil {
		a.fail(ckGenesis, say.Text{JA: "最初の記録が開始記録ではありません。", EN: "The first entry is not the log's genesis."}, 0)
	} else if g.Origin != cp.Origin {
		a.fail(ckGenesis, say.Text{JA: "開始記録にあるログの名前か鍵が、信頼方針のものと違います。", EN: "The log's name or key in its first entry is not the one in the trust policy."}, 0)
	} else {
		a.checkLogKeys(g, cp.Size)
	}
	a.count(ckStatusLast)
	if a.lastKind != entry.KindStatusRoot {
		a.fail(ckStatusLast, say.Text{JA: "公開された最後の記録が、証明書の状態のまとめではありません。", EN: "The last published entry is not a summary of the certificates' states."}, cp.Size-min(cp.Size, 1))
	}
	return nil
}

// wrongEntries asks for inclusion proofs to find which entries don't belong to
// the published root. It returns at most MaxFindings of them.
func (a *auditor) wrongEntries(ctx context.Context, cp *proof.Checkpoint) []uint64 {
	if a.src.Receipt == nil {
		return nil
	}
	var wrong []uint64
	_ = a.src.Log.Entries(ctx, 0, cp.Size, func(i uint64, b []byte) error {
		r, err := a.src.Receipt(ctx, i)
		if err == nil {
			if r.Index == i {
				_, err = a.src.Policy.VerifyReceipt(r, b)
			} else {
				err = errStop
			}
		}
		if err != nil {
			if wrong = append(wrong, i); len(wrong) >= a.o.MaxFindings {
				return errStop
			}
		}
		return nil
	})
	return wrong
}

// loadEarlier verifies the checkpoints kept from earlier.
func (a *auditor) loadEarlier() {
	if len(a.src.Earlier) == 0 {
		a.skip(ckEarlier, "以前に公開された値が渡されていません。", "No earlier checkpoint was handed over.")
		return
	}
	for i, note := range a.src.Earlier {
		a.count(ckEarlier)
		cp, err := a.src.Policy.VerifyCheckpoint(note)
		if err != nil {
			a.warn(ckEarlier, text("以前の値のうち %d 件めは、署名が確かめられません。", "Earlier checkpoint number %d doesn't verify.", i+1))
			continue
		}
		a.earlier = append(a.earlier, cp)
	}
	slices.SortStableFunc(a.earlier, func(x, y *proof.Checkpoint) int {
		if x.Size < y.Size {
			return -1
		} else if x.Size > y.Size {
			return 1
		}
		return 0
	})
}

// earlierAt compares the recomputed root with checkpoints of this size.
func (a *auditor) earlierAt(size uint64) {
	for a.earlierPos < len(a.earlier) && a.earlier[a.earlierPos].Size <= size {
		cp := a.earlier[a.earlierPos]
		a.earlierPos++
		if cp.Size != size {
			continue // size 0: the empty tree, checked by its signature's reader
		}
		root, err := a.tree.root()
		if err != nil || root != entry.Digest(cp.Root) {
			a.fail(ckEarlier, text("%d 件の時点で公開された値が、今のログの途中の値と違います。ログが枝分かれしています。",
				"The hash published at %d entries is not what this log had then: the log was forked.", size), size-1)
		}
	}
}

// finishEarlier reports checkpoints that are larger than the log: a roll-back.
func (a *auditor) finishEarlier() {
	if len(a.src.Earlier) == 0 && len(a.reports) == 0 {
		a.tallies[ckEarlier].reason = say.Text{} // the first review: there is nothing earlier to hold it against
	}
	for ; a.earlierPos < len(a.earlier); a.earlierPos++ {
		a.fail(ckEarlier, text("以前に %d 件の時点で公開された値がありますが、今のログはそれより短くなっています。",
			"A hash was published earlier for %d entries, but the log is shorter now.", a.earlier[a.earlierPos].Size))
	}
}
