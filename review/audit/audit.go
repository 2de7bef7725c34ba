// Package audit recomputes everything that the council is told, from the log
// itself.
//
// It reads every entry under a published checkpoint and trusts none of the
// programs that wrote them: the Merkle root, the order of each writer, the
// status tree, the content of every revocation list, which notice led to which
// revocation and how fast, are all computed again by this package's own code.
// The rule "who is revoked, by which list, since when" is written a second
// time here on purpose: an auditor that shared the CA's code would share its
// bugs. The status tree's rule is written again as well.
//
// What it is given decides how much it can say. The log alone is enough for
// most checks. With certificates, revocation lists and the signing journal it
// also finds what was done behind the ledger's back. A check that could not be
// made for lack of material is reported as not made, never as passed.
//
//	r, err := audit.Audit(ctx, audit.Source{Log: reader, Checkpoint: note, Policy: policy}, audit.Options{Now: now})
//	for _, c := range r.Checks {
//		fmt.Println(c.Code, c.Verdict, len(c.Findings))
//	}
//
// An error means that the audit could not be carried out (unreadable source,
// cancelled). What is wrong with the log or the CA is in the Result.
//
// The package holds no personal data: evidence is entry indexes, ordinals,
// rule codes and file names. It must not import ca, juki or a server.
package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Entries is the read side of a log that the auditor needs.
type Entries interface {
	// Entries calls fn for each entry in [from, to) in order. b is valid only
	// during the call.
	Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error
}

// File is one file handed to the auditor. Name appears as evidence.
type File struct {
	Name  string
	Bytes []byte
}

// Files calls fn for each file. A nil Files means that nothing was handed over.
type Files func(fn func(File) error) error

// FileList makes Files from a slice.
func FileList(fs ...File) Files {
	return func(fn func(File) error) error {
		for _, f := range fs {
			if err := fn(f); err != nil {
				return err
			}
		}
		return nil
	}
}

// Opening is what the CA discloses about one notice, so that the council can
// see whose certificate it was about: the salt opens the holder commitment of
// this one notice.sent entry, and nothing else (commitment.Key.HolderSalt).
type Opening struct {
	Notice  uint64
	Ordinal uint64
	Salt    []byte
}

// Source is the material of an audit. Log, Checkpoint and Policy are needed,
// everything else widens what can be said.
type Source struct {
	Log        Entries
	Checkpoint []byte        // newest published checkpoint (signed note)
	Policy     *proof.Policy // whom to believe: log key, witnesses, quorum

	Earlier      [][]byte // published checkpoints kept from earlier or got from others
	Issuers      []File   // certificates of the issuer keys, all generations (DER)
	Certificates Files    // certificates found in the world (DER)
	CRLs         Files    // revocation lists found in the world (DER)
	OCSP         Files    // OCSP answers found in the world (DER)
	Reports      []File   // earlier council reports, as kept
	Journal      *Journal // signing journal of the key store
	Openings     []Opening

	// Links are the keys of the two ends of the link, which sign the daily
	// counts; nil: their signatures are not checked.
	Links *LinkKeys

	// Council are the council's approval keys, known from outside the log.
	Council []ed25519.PublicKey
	// Threshold is how many of them must approve a policy; 0 means 1.
	Threshold int
	// Proofs are the proof certificates of policy bundles, as handed over.
	Proofs []File

	// Replay decides a logged decision again from its facts (package
	// review/replay); an error means that the answer differs, or, when it has a
	// method CouldNotTell() bool that returns true, that it can't be told.
	Replay func(ctx context.Context, d entry.Decision) error
	// Receipt gives an inclusion proof under Checkpoint. It is used only to
	// find which entry is wrong when the root is.
	Receipt func(ctx context.Context, index uint64) (*proof.Receipt, error)
}

// Options are the auditor's limits. The zero value of a limit means its default.
type Options struct {
	Now          time.Time     // time of the audit; needed
	Clock        time.Duration // how far clocks may differ; default 5 minutes
	Pending      time.Duration // how long an intent, a notice or a list may wait for its answer; default 1 hour
	Revoke       time.Duration // notice.received to revocation ("at once", Article 12); default 1 hour
	Status       time.Duration // revocation to status.root; default 5 minutes
	List         time.Duration // revocation to revocation list; default 24 hours
	HoldersEvery time.Duration // holders.sent to holders.received; default 25 hours
	Counts       time.Duration // end of a day to its counter-signed counts; default 36 hours
	Modes        []string      // notice modes that the council agreed to; default both
	Workers      int           // parallel readers; default the number of processors
	MaxFindings  int           // findings kept per check; the number is always exact; default 100
}

func (o *Options) defaults() error {
	if o.Now.IsZero() {
		return errors.New("audit needs the present time in Options.Now")
	}
	for _, d := range []struct {
		p   *time.Duration
		def time.Duration
	}{{&o.Clock, 5 * time.Minute}, {&o.Pending, time.Hour}, {&o.Revoke, time.Hour}, {&o.Status, 5 * time.Minute}, {&o.List, 24 * time.Hour}, {&o.HoldersEvery, 25 * time.Hour}, {&o.Counts, 36 * time.Hour}} {
		if *d.p < 0 {
			return errors.New("a limit of the audit is negative")
		}
		if *d.p == 0 {
			*d.p = d.def
		}
	}
	if len(o.Modes) == 0 {
		o.Modes = []string{entry.ModeReference, entry.ModeEcho}
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.MaxFindings <= 0 {
		o.MaxFindings = 100
	}
	return nil
}

// Audit carries out every check and returns what it found. It reads the log
// once, front to back.
func Audit(ctx context.Context, src Source, o Options) (*Result, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	if src.Log == nil || src.Policy == nil || len(src.Checkpoint) == 0 {
		return nil, errors.New("audit needs a log, a checkpoint and a trust policy")
	}
	a := newAuditor(src, o)
	cp, err := a.checkpoint()
	if err != nil {
		return nil, err
	}
	if err := a.material(); err != nil {
		return nil, err
	}
	if err := a.stream(ctx, cp.Size); err != nil {
		return nil, say.New("audit.read", "ログの記録を最後まで読み取れませんでした。", "The log's entries couldn't be read to the end.").
			Hint("ログの公開先につながるか、ディスクが読めるか確かめてから、もう一度実行してください。",
				"See whether the log's address answers or its disk is readable, then run it again.").Because(err)
	}
	if err := a.finish(ctx, cp); err != nil {
		return nil, err
	}
	return a.result(cp), nil
}

// checkpoint verifies the published checkpoint. A false signature is a
// finding; only an unreadable note stops the audit.
func (a *auditor) checkpoint() (*proof.Checkpoint, error) {
	cp, err := a.src.Policy.VerifyCheckpoint(a.src.Checkpoint)
	if err == nil {
		a.count(ckCheckpoint)
		return cp, nil
	}
	if !errors.Is(err, proof.ErrFalse) {
		return nil, fmt.Errorf("couldn't read the published checkpoint: %w", err)
	}
	ja, _ := say.For(err, say.Japanese)
	en, _ := say.For(err, say.English)
	a.fail(ckCheckpoint, say.Text{JA: ja, EN: en})
	cp, perr := proof.ParseUnverified(a.src.Checkpoint)
	if perr != nil {
		return nil, fmt.Errorf("couldn't read the published checkpoint: %w", perr)
	}
	return cp, nil
}
