package ceremony

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Result is what an act left.
type Result struct {
	Dir     string       // of its files
	Record  entry.Digest // of the transcript, as in the log
	Indices []uint64     // of its entries, in order
	Again   bool         // it had been done before; nothing was done now
}

// keyring holds the keys that an act uses.
type keyring struct {
	issuers   map[int]keystore.Key
	responder *keystore.Responder
}

func (k *keyring) issuer(n int) keystore.Key { return k.issuers[n] }

func (k *keyring) close() error {
	var errs []error
	for _, n := range slices.Sorted(maps.Keys(k.issuers)) {
		errs = append(errs, k.issuers[n].Close())
	}
	if k.responder != nil {
		errs = append(errs, k.responder.Close())
	}
	return errors.Join(errs...)
}

// Run brings an approved act to its end, from its beginning or from where an
// earlier Run of the same plan stopped. other is the other CA's certificate of a
// cross certification, else nil.
func (c *Ceremony) Run(ctx context.Context, p *Plan, other []byte) (*Result, error) {
	if c.env.Log == nil || c.env.Reader == nil || c.env.Host == nil {
		return nil, errors.New("an act needs a log and keys")
	}
	digest, err := p.Digest()
	if err != nil {
		return nil, err
	}
	approvals, err := c.approvals(digest)
	if err != nil {
		return nil, err
	}
	if err := p.approved(approvals); err != nil {
		return nil, err
	}
	work := filepath.Join(c.cfg.Dir, "work-"+digest.String()[:16])
	out := c.resultDir(p, digest)
	if _, err := os.Stat(out); err == nil {
		return c.again(out)
	}
	if _, err := os.Stat(filepath.Join(work, fileDraft)); errors.Is(err, os.ErrNotExist) {
		h, err := c.history(ctx)
		if err != nil {
			return nil, err
		}
		if err := h.allows(p); err != nil {
			return nil, err
		}
	}
	if err := makeDir(work); err != nil {
		return nil, err
	}
	keys, err := c.openKeys(p, work)
	if err != nil {
		return nil, err
	}
	r, err := c.carry(ctx, p, approvals, keys, other, work)
	if err := errors.Join(err, keys.close()); err != nil {
		return nil, err
	}
	if err := c.at("named"); err != nil {
		return nil, err
	}
	if err := os.Rename(work, out); err != nil {
		return nil, fmt.Errorf("couldn't give the result its name: %w", err)
	}
	r.Dir = out
	return r, syncDir(c.cfg.Dir)
}

func (c *Ceremony) again(dir string) (*Result, error) {
	t, err := readFile(filepath.Join(dir, fileTranscript))
	if err != nil {
		return nil, fmt.Errorf("couldn't read the transcript: %w", err)
	}
	return &Result{Dir: dir, Record: entry.Sum(t), Again: true}, nil
}

// openKeys makes the keys of a new generation or responder where they are not there yet, and
// opens what the act uses.
func (c *Ceremony) openKeys(p *Plan, work string) (*keyring, error) {
	k := &keyring{issuers: map[int]keystore.Key{}}
	open := func() error {
		switch p.Act {
		case ActInit, ActRollover:
			if err := c.makeKeys(p, work); err != nil {
				return err
			}
			var err error
			if k.responder, err = c.env.Host.Responder(p.Responder.Label, c.gate(p.Responder.Label)); err != nil {
				return err
			}
			if p.Act == ActRollover {
				if err := c.openIssuer(k, p.Generation-1); err != nil {
					return err
				}
			}
			return c.openIssuer(k, p.Generation)
		case ActResponder:
			if err := c.openIssuer(k, p.Generation); err != nil { // first of all: no running CA has it
				return err
			}
			if err := c.makeKeys(p, work); err != nil {
				return err
			}
			var err error
			k.responder, err = c.env.Host.Responder(p.Responder.Label, c.gate(p.Responder.Label))
			return err
		case ActCross:
			return c.openIssuer(k, p.Generation)
		}
		return nil // entries alone: no key is used
	}
	if err := open(); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

func (c *Ceremony) openIssuer(k *keyring, n int) error {
	label := IssuerLabel(n)
	key, err := c.env.Host.Issuer(label, c.gate(label))
	if errors.Is(err, keystore.ErrInUse) {
		return say.New("ceremony.in-use", "認証局が動いているため、鍵を使えません。", "The CA is running, so its key can't be used.").
			Hint("認証局を停止してから、もう一度実行してください。", "Stop the CA and run again.").Because(err)
	}
	if err != nil {
		return err
	}
	k.issuers[n] = key
	return nil
}

// makeKeys makes the keys of the plan. The intention is on disk before the first
// one is made: a key found under the label without it is somebody else's.
func (c *Ceremony) makeKeys(p *Plan, work string) error {
	intention := filepath.Join(work, fileKeys)
	planned := []*PlannedKey{p.Responder}
	if p.Issuer != nil {
		planned = []*PlannedKey{p.Issuer, p.Responder}
	}
	if _, err := os.Stat(intention); errors.Is(err, os.ErrNotExist) {
		for _, k := range planned {
			if has, err := c.env.Host.Has(k.Label); err != nil || has {
				return say.New("ceremony.label", "このラベルの鍵がすでにあります: "+k.Label, "There is a key under this label already: "+k.Label).
					Hint("別のトークンを使うか、その鍵が何かを確かめてください。", "Use another token, or find out what that key is.").Because(err)
			}
		}
		if err := writeJSON(intention, planned); err != nil {
			return err
		}
	}
	for _, k := range planned {
		if err := c.at("key " + k.Label); err != nil {
			return err
		}
		has, err := c.env.Host.Has(k.Label)
		if err == nil && !has {
			err = c.env.Host.Generate(k.Label, k.Alg)
		}
		if err == nil {
			_, err = c.env.Host.Describe(k.Label)
		}
		if err != nil {
			return err
		}
		if err := os.MkdirAll(c.gate(k.Label).Journal, 0o700); err != nil {
			return fmt.Errorf("couldn't make the journal's directory: %w", err)
		}
	}
	return nil
}

// errLost says that a signature was made and lost, and can't be made again.
var errLost = errors.New("a signature was lost")

const maxDrafts = 8

// carry makes the draft or reads it, and brings its lines to their end.
func (c *Ceremony) carry(ctx context.Context, p *Plan, approvals []Approval, keys *keyring, other []byte, work string) (*Result, error) {
	for range maxDrafts {
		d, err := c.draft(ctx, p, approvals, keys, other, work)
		if err != nil {
			return nil, err
		}
		r, err := c.carryLines(ctx, d, keys, work)
		if errors.Is(err, errLost) {
			if err := c.startOver(d, work); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		return r, c.verify(ctx, p, d, r, work)
	}
	return nil, errors.New("a signature was lost too often")
}

func (c *Ceremony) draft(ctx context.Context, p *Plan, approvals []Approval, keys *keyring, other []byte, work string) (*draft, error) {
	path := filepath.Join(work, fileDraft)
	d := new(draft)
	err := readJSON(path, d)
	if err == nil {
		return d, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if d, err = c.makeDraft(ctx, p, approvals, keys, other); err != nil {
		return nil, err
	}
	if err := c.at("draft"); err != nil {
		return nil, err
	}
	return d, writeJSON(path, d)
}

// startOver throws a draft and what was signed by it away. What it announced
// stays in the log.
func (c *Ceremony) startOver(d *draft, work string) error {
	for _, l := range d.Lines {
		if l.File != "" {
			if err := os.Remove(filepath.Join(work, l.File)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("couldn't start over: %w", err)
			}
		}
	}
	if err := os.Remove(filepath.Join(work, fileDraft)); err != nil {
		return fmt.Errorf("couldn't start over: %w", err)
	}
	return syncDir(work)
}

func (c *Ceremony) carryLines(ctx context.Context, d *draft, keys *keyring, work string) (*Result, error) {
	logged, err := c.found(ctx, d.From)
	if err != nil {
		return nil, err
	}
	w, err := ledger.NewWriter(ctx, c.env.Log, entry.ByOperator, c.now)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	r := &Result{Record: entry.Sum(d.Transcript)}
	for i := range d.Lines {
		l := &d.Lines[i]
		e, err := c.announce(ctx, w, l, logged)
		if err != nil {
			return nil, err
		}
		r.Indices = append(r.Indices, e.Index)
		if err := c.at(fmt.Sprintf("logged %d", i)); err != nil {
			return nil, err
		}
		if err := c.sign(ctx, l, e, keys, work); err != nil {
			return nil, err
		}
		if err := c.at(fmt.Sprintf("signed %d", i)); err != nil {
			return nil, err
		}
	}
	return r, writeFile(filepath.Join(work, fileTranscript), d.Transcript)
}

// found reads the operator's entries from a position on, by their bodies.
func (c *Ceremony) found(ctx context.Context, from uint64) (map[string][]byte, error) {
	size, err := c.env.Reader.Size(ctx)
	if err != nil {
		return nil, fmt.Errorf("couldn't ask the log for its size: %w", err)
	}
	out := map[string][]byte{}
	err = c.env.Reader.Entries(ctx, from, size, func(_ uint64, b []byte) error {
		e, err := entry.Parse(b)
		if err != nil || e.By != entry.ByOperator {
			return err
		}
		key, err := bodyKey(e.Body)
		out[key] = bytes.Clone(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("couldn't read the log: %w", err)
	}
	return out, nil
}

func bodyKey(b entry.Body) (string, error) {
	text, err := json.Marshal(b)
	return string(b.Kind()) + " " + string(text), err
}

// announce logs a line, or gets the receipt of the entry that an earlier run
// logged: the same bytes get one again.
func (c *Ceremony) announce(ctx context.Context, w *ledger.Writer, l *line, logged map[string][]byte) (*ledger.Logged, error) {
	key, err := bodyKey(l.body())
	if err != nil {
		return nil, err
	}
	b, there := logged[key]
	if !there {
		return w.Append(ctx, l.body())
	}
	receipts, err := c.env.Log.Append(ctx, b)
	if err != nil || len(receipts) != 1 {
		return nil, errors.Join(errors.New("couldn't get the receipt of an entry again"), err)
	}
	return &ledger.Logged{Index: receipts[0].Index, Bytes: b, Receipt: receipts[0]}, nil
}

// sign makes a line's certificate, unless its file is there.
func (c *Ceremony) sign(ctx context.Context, l *line, e *ledger.Logged, keys *keyring, work string) error {
	if l.TBS == nil {
		return nil
	}
	path := filepath.Join(work, l.File)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	key := keys.issuer(l.Signer)
	use := key.Sign
	if key.Used(e.Index) {
		use = key.Resume
	}
	sig, err := use(ctx, l.TBS, e.Bytes, e.Receipt)
	if errors.Is(err, keystore.ErrNotDeterministic) {
		return errLost
	}
	if err != nil {
		return err
	}
	if err := c.at("used"); err != nil {
		return err
	}
	alg, err := profile.AlgFor(key.Public())
	if err != nil {
		return err
	}
	der, err := profile.Assemble(l.TBS, alg, sig)
	if err != nil {
		return err
	}
	return writeFile(path, der)
}
