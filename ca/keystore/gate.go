package keystore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"time"

	"github.com/sukashi-project/sukashi/internal/parallel"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/token"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// MaxTBS is the largest thing that is signed, in bytes: a CRL of some four
// million entries.
const MaxTBS = 256 << 20

// GateConfig says whose receipts open the gate and where uses are recorded.
type GateConfig struct {
	Log     *proof.Policy    // proof.LogOnly of the log's verifier key
	Journal string           // directory of the signing journal, used for this key alone
	Now     func() time.Time // time of the journal's records
}

func (c GateConfig) validate() error {
	if c.Log == nil || c.Journal == "" || c.Now == nil {
		return errors.New("gate needs a log policy, a journal directory and a clock")
	}
	if len(c.Log.Logs()) != 1 {
		return errors.New("gate needs a policy with exactly one log: two logs could announce different things")
	}
	return nil
}

// backend is where the private key is.
type backend interface {
	public() crypto.PublicKey
	// sign signs a digest. RSA is PKCS #1 v1.5, ECDSA is ASN.1.
	sign(ctx context.Context, digest []byte, h crypto.Hash) ([]byte, error)
	deterministic() bool
	demo() bool
	// ready reports whether a use could succeed now, without one.
	ready() error
	// distrust is told that the newest signature did not verify.
	distrust()
	close() error
}

// gated is a Key: a backend behind its gate.
type gated struct {
	id   entry.Digest
	alg  profile.SigAlg
	seen checkpoints
	j    *journal
	b    backend
}

var _ Key = (*gated)(nil)

func newGated(c GateConfig, b backend) (*gated, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	alg, err := profile.AlgFor(b.public())
	if err != nil {
		return nil, err
	}
	id, err := keyID(b.public())
	if err != nil {
		return nil, err
	}
	j, err := openJournal(c.Journal, id, c.Now, nil)
	if err != nil {
		return nil, err
	}
	return &gated{id: id, alg: alg, seen: checkpoints{log: c.Log}, j: j, b: b}, nil
}

func keyID(pub crypto.PublicKey) (entry.Digest, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return entry.Digest{}, fmt.Errorf("couldn't encode the public key: %w", err)
	}
	return entry.Sum(spki), nil
}

func (g *gated) Public() crypto.PublicKey            { return g.b.public() }
func (g *gated) KeyID() entry.Digest                 { return g.id }
func (g *gated) Demo() bool                          { return g.b.demo() }
func (g *gated) Ready() error                        { return errors.Join(g.j.sound(), g.b.ready()) }
func (g *gated) Used(index uint64) bool              { return g.j.isUsed(index) }
func (g *gated) Journal(fn func(Record) error) error { return g.j.records(fn) }
func (g *gated) Close() error                        { return errors.Join(g.j.close(), g.b.close()) }

func (g *gated) Sign(ctx context.Context, tbs, entryBytes []byte, r *proof.Receipt) ([]byte, error) {
	return g.SignStream(ctx, bytes.NewReader(tbs), entryBytes, r)
}

func (g *gated) SignStream(ctx context.Context, tbs io.WriterTo, entryBytes []byte, r *proof.Receipt) ([]byte, error) {
	m, err := g.permit(ctx, tbs, entryBytes, r)
	if err != nil {
		return nil, err
	}
	if err := g.j.burn(burning{r.Index, m.sum})[0]; err != nil {
		return nil, err
	}
	return g.use(ctx, m.digest)
}

// maxUses bounds how many uses of one SignAll are under way at a time: enough
// for the sessions of a token across a network.
const maxUses = 64

func (g *gated) SignAll(ctx context.Context, uses []ToSign, done func(i int, sig []byte, err error)) {
	permits := make([]measured, len(uses))
	refusals := make([]error, len(uses))
	parallel.Each(len(uses), runtime.GOMAXPROCS(0), func(i int) {
		u := &uses[i]
		permits[i], refusals[i] = g.permit(ctx, bytes.NewReader(u.TBS), u.Entry, u.Receipt)
	})
	burn := make([]burning, 0, len(uses))
	at := make([]int, 0, len(uses))
	for i, u := range uses {
		if refusals[i] != nil {
			done(i, nil, refusals[i])
			continue
		}
		burn, at = append(burn, burning{u.Receipt.Index, permits[i].sum}), append(at, i)
	}
	errs := g.j.burn(burn...)
	parallel.Each(len(at), maxUses, func(k int) {
		if errs[k] != nil {
			done(at[k], nil, errs[k])
			return
		}
		sig, err := g.use(ctx, permits[at[k]].digest)
		done(at[k], sig, err)
	})
}

func (g *gated) Resume(ctx context.Context, tbs, entryBytes []byte, r *proof.Receipt) ([]byte, error) {
	m, err := g.permit(ctx, bytes.NewReader(tbs), entryBytes, r)
	if err != nil {
		return nil, err
	}
	was, found, err := g.j.digestOf(r.Index)
	if err != nil {
		return nil, err
	}
	if !found || was != m.sum {
		return nil, refuse("the receipt was not used for these bytes, so there is nothing to resume")
	}
	if !g.b.deterministic() {
		return nil, fmt.Errorf("%w: %w", ErrRefused, ErrNotDeterministic)
	}
	if err := g.j.note(Record{Use: UseResume, Index: r.Index, TBS: m.sum}); err != nil {
		return nil, err
	}
	return g.use(ctx, m.digest)
}

func (g *gated) Covers(done iter.Seq[uint64]) error {
	for index := range done {
		if g.j.isUsed(index) {
			continue
		}
		err := say.New("keystore.behind", "署名記録簿がログより古いため、鍵を使えません。", "The signing journal is older than the log, so the key can't be used.").
			Hint("古いバックアップから戻した署名記録簿を、最新のものに取り替えてください。", "Replace the restored journal with its newest copy.").Because(ErrBehind)
		g.j.fail(err)
		return err
	}
	return nil
}

// permit is the gate: it says yes to exactly the bytes that a logged entry
// announces for this key.
func (g *gated) permit(ctx context.Context, tbs io.WriterTo, entryBytes []byte, r *proof.Receipt) (measured, error) {
	if err := ctx.Err(); err != nil {
		return measured{}, err
	}
	if r == nil {
		return measured{}, refuse("there is no receipt")
	}
	e, err := entry.Parse(entryBytes)
	if err != nil {
		return measured{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	want, err := g.announced(e)
	if err != nil {
		return measured{}, err
	}
	m, err := measure(tbs, g.alg.Hash())
	if err != nil {
		return measured{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if m.sum != want {
		return measured{}, refuse("the entry announces other bytes")
	}
	if err := checkForm(e.Body, m); err != nil {
		return measured{}, err
	}
	cp, err := g.seen.verify(r.Checkpoint)
	if err != nil {
		return measured{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := r.VerifyUnder(cp, entryBytes); err != nil {
		return measured{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return m, nil
}

// announced returns the digest that the entry announces for this key.
func (g *gated) announced(e entry.Entry) (entry.Digest, error) {
	if !entry.MayWrite(e.By, e.Body.Kind()) {
		return entry.Digest{}, refuse("the entry's writer may not write its kind")
	}
	issuer := g.id
	var tbs entry.Digest
	switch b := e.Body.(type) {
	case *entry.CertIntent:
		issuer, tbs = b.Issuer, b.TBS
	case *entry.CRLPublished:
		issuer, tbs = b.Issuer, b.TBS
	case *entry.KeyCreated:
		if b.TBS == nil {
			return entry.Digest{}, refuse("the entry announces a key without a certificate")
		}
		if b.Role == RoleIssuer && b.SPKI != g.id {
			return entry.Digest{}, refuse("the entry announces another issuer's certificate")
		}
		tbs = *b.TBS
	case *entry.CrossIntent:
		issuer, tbs = b.Issuer, b.TBS
	default:
		return entry.Digest{}, refuse("the entry's kind announces no signature")
	}
	if issuer != g.id {
		return entry.Digest{}, refuse("the entry names another issuer key")
	}
	return tbs, nil
}

// useTimeout bounds one use of a token.
const useTimeout = 30 * time.Second

// use uses the key. The receipt is spent by now, so a caller who goes away does
// not stop it: that would waste the intent. What a token gives back is believed only after it has been
// verified here.
func (g *gated) use(ctx context.Context, digest []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), useTimeout)
	defer cancel()
	sig, err := g.b.sign(ctx, digest, g.alg.Hash())
	if err != nil {
		return nil, fmt.Errorf("couldn't use the key: %w", err)
	}
	if !token.Verifies(g.b.public(), g.alg.Hash(), digest, sig) {
		g.b.distrust()
		return nil, errors.New("couldn't use the key: it gave a signature that does not verify")
	}
	return sig, nil
}

func refuse(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }
