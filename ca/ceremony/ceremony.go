package ceremony

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Env is what a ceremony works with.
type Env struct {
	Log    ledger.Log    // writes as entry.ByOperator
	Reader ledger.Reader // of the same log
	Host   Host
	Now    func() time.Time
	Rand   io.Reader // for serials
}

// Ceremony holds the acts of one CA. Only one may be open at a time; the CA's
// own process must not hold the keys meanwhile.
type Ceremony struct {
	cfg      *Config
	env      Env
	policy   *proof.Policy
	profiles profiles
	now      func() time.Time

	at func(step string) error // a test's crash
}

// New checks the parts of a ceremony. An Env without Log and Reader is enough for
// Plan, approvals and Generations.
func New(cfg *Config, env Env) (*Ceremony, error) {
	if cfg == nil || env.Now == nil || env.Rand == nil {
		return nil, errors.New("a ceremony needs a configuration, a clock and a random source")
	}
	c := &Ceremony{cfg: cfg, env: env, now: env.Now, at: func(string) error { return nil }}
	var err error
	if c.policy, err = proof.LogOnly(cfg.Log.VKey); err != nil {
		return nil, fmt.Errorf("couldn't read the log's verifier key: %w", err)
	}
	if c.profiles, err = cfg.loadProfiles(); err != nil {
		return nil, err
	}
	return c, nil
}

// Generation is one issuer key with what belongs to it.
type Generation struct {
	Number    int
	Base      string // address of its lists, responder and certificate
	Dir       string
	Issuer    []byte // self-signed certificate, DER
	Responder []byte // newest OCSP responder's certificate, DER
	// ResponderLabel is its key's, Responders how many the generation has had.
	ResponderLabel string
	Responders     int
	Key            entry.Digest
	Record         entry.Digest // of the transcript
}

// IssuerLabel and ResponderLabel name a generation's keys.
func IssuerLabel(generation int) string {
	return fmt.Sprintf("%s-%d", keystore.LabelIssuer, generation)
}

// ResponderLabel is the label of a generation's n-th OCSP key, counted from 1.
func ResponderLabel(generation, n int) string {
	if n == 1 {
		return fmt.Sprintf("%s-%d", keystore.LabelOCSP, generation)
	}
	return fmt.Sprintf("%s-%d-%d", keystore.LabelOCSP, generation, n)
}

// responderDir is where the certificate of a label's key lies, if that is not a
// generation's first.
func responderDir(dir, label string) string {
	return filepath.Join(dir, "responder"+strings.TrimPrefix(label, keystore.LabelOCSP))
}

func isResponder(label string) bool { return strings.HasPrefix(label, keystore.LabelOCSP) }

// BaseOf is the address of a generation.
func BaseOf(base string, generation int) string {
	if generation == 1 {
		return base
	}
	return fmt.Sprintf("%s/g%d", base, generation)
}

func generationDir(dir string, n int) string {
	return filepath.Join(dir, fmt.Sprintf("generation-%d", n))
}

// Generations reads what ceremonies have left, oldest first.
func Generations(cfg *Config) ([]Generation, error) {
	var out []Generation
	for n := 1; ; n++ {
		dir := generationDir(cfg.Dir, n)
		g := Generation{Number: n, Base: BaseOf(cfg.Base, n), Dir: dir}
		var err error
		if g.Issuer, err = readFile(filepath.Join(dir, fileIssuer)); errors.Is(err, os.ErrNotExist) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("couldn't read generation %d: %w", n, err)
		}
		if err := g.readResponder(cfg.Dir); err != nil {
			return nil, fmt.Errorf("couldn't read generation %d: %w", n, err)
		}
		transcript, err := readFile(filepath.Join(dir, fileTranscript))
		if err != nil {
			return nil, fmt.Errorf("couldn't read generation %d: %w", n, err)
		}
		issuer, err := profile.NewIssuer(g.Issuer)
		if err != nil {
			return nil, fmt.Errorf("couldn't read generation %d: %w", n, err)
		}
		g.Key, g.Record = issuer.Key, sha256.Sum256(transcript)
		out = append(out, g)
	}
}

// readResponder finds the newest responder.
func (g *Generation) readResponder(dir string) (err error) {
	g.Responders, g.ResponderLabel = 1, ResponderLabel(g.Number, 1)
	if g.Responder, err = readFile(filepath.Join(g.Dir, fileResponder)); err != nil {
		return err
	}
	for {
		label := ResponderLabel(g.Number, g.Responders+1)
		der, err := readFile(filepath.Join(responderDir(dir, label), fileResponder))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		g.Responder, g.ResponderLabel = der, label
		g.Responders++
	}
}

// Files of a generation and of other acts.
const (
	fileIssuer     = "issuer.cer"
	fileResponder  = "ocsp.cer"
	fileTranscript = "transcript.json"
	fileNewWithOld = "new-with-old.cer" // this generation's key, certified by the one before
	fileOldWithNew = "old-with-new.cer" // the earlier generation's key, certified by this one
	fileCross      = "to-bridge.cer"    // another CA's key, certified by us
	fileAccepted   = "from-bridge.cer"  // our key, certified by another CA
	fileKeys       = "keys.json"        // intention to make keys
	fileDraft      = "draft.json"
)

// base makes what all plans have in common.
func (c *Ceremony) base(act string, generation int) *Plan {
	p := &Plan{Act: act, Base: BaseOf(c.cfg.Base, generation), Demo: c.cfg.Demo, Generation: generation, Log: c.cfg.Log.VKey,
		Officers: slices.Clone(c.cfg.Officers), Threshold: c.cfg.Threshold, V: 1}
	if c.cfg.Token != nil {
		p.Token = c.cfg.Token.Label
	}
	return p
}

func (p *Plan) use(ps ...*profile.Profile) {
	for _, x := range ps {
		p.Profiles = append(p.Profiles, x.Digest())
	}
	slices.SortFunc(p.Profiles, func(a, b entry.Digest) int { return slices.Compare(a[:], b[:]) })
}

func (c *Ceremony) current() (*Generation, error) {
	gs, err := Generations(c.cfg)
	if err != nil {
		return nil, err
	}
	if len(gs) == 0 {
		return nil, say.New("ceremony.none", "認証局の鍵がまだありません。", "The CA has no key yet.").
			Hint("先に「sukashi ca init」を実行してください。", "Run “sukashi ca init” first.")
	}
	return &gs[len(gs)-1], nil
}

// PlanInit plans the first generation.
func (c *Ceremony) PlanInit() (*Plan, error) {
	gs, err := Generations(c.cfg)
	if err != nil {
		return nil, err
	}
	if len(gs) > 0 {
		return nil, say.New("ceremony.exists", "認証局の鍵はすでにあります。", "The CA has its key already.").
			Hint("新しい世代の鍵を作るには「sukashi ca rollover」を使ってください。", "To make the next generation's, use “sukashi ca rollover”.")
	}
	p := c.base(ActInit, 1)
	c.planKeys(p)
	p.use(c.profiles[profile.Root], c.profiles[profile.OCSP])
	return p, nil
}

func (c *Ceremony) planKeys(p *Plan) {
	p.Issuer = &PlannedKey{c.cfg.Issuer.Algorithm, IssuerLabel(p.Generation)}
	p.Responder = &PlannedKey{c.cfg.Responder.Algorithm, ResponderLabel(p.Generation, 1)}
}

// PlanResponder plans a generation's next OCSP responder: a new key with a
// certificate of its own.
func (c *Ceremony) PlanResponder(generation int) (*Plan, error) {
	g, err := c.generation(generation)
	if err != nil {
		return nil, err
	}
	p := c.base(ActResponder, g.Number)
	p.Previous = &g.Key
	p.Responder = &PlannedKey{c.cfg.Responder.Algorithm, ResponderLabel(g.Number, g.Responders+1)}
	p.use(c.profiles[profile.OCSP])
	return p, nil
}

// PlanRollover plans the generation after the current one.
func (c *Ceremony) PlanRollover() (*Plan, error) {
	g, err := c.current()
	if err != nil {
		return nil, err
	}
	p := c.base(ActRollover, g.Number+1)
	p.Previous = &g.Key
	c.planKeys(p)
	p.use(c.profiles[profile.Root], c.profiles[profile.OCSP], c.profiles[profile.Link])
	return p, nil
}

// PlanCross plans a certificate of the current generation for another CA's key,
// whose own certificate is given, until the end of a Japanese day.
func (c *Ceremony) PlanCross(other []byte, until time.Time) (*Plan, error) {
	g, err := c.current()
	if err != nil {
		return nil, err
	}
	s, err := readOther(other)
	if err != nil {
		return nil, err
	}
	p := c.base(ActCross, g.Number)
	p.Previous = &g.Key
	p.Subject = &PlannedCross{Certificate: entry.Sum(other), SPKI: s.spki, Until: entry.At(profile.EndOfDay(until, 0))}
	p.use(c.profiles[profile.Cross])
	return p, nil
}

// PlanUncross plans the revocation of a certificate that a generation gave to
// another CA's key. ground is entry.GroundIssuerKey, GroundRenewed or
// GroundRequest.
func (c *Ceremony) PlanUncross(generation int, serial, ground string) (*Plan, error) {
	g, err := c.generation(generation)
	if err != nil {
		return nil, err
	}
	p := c.base(ActUncross, g.Number)
	p.Previous, p.Revoke = &g.Key, &PlannedEnd{ground, serial}
	return p, nil
}

// PlanLeak plans the record of a generation's leaked key (Article 14).
func (c *Ceremony) PlanLeak(generation int) (*Plan, error) { return c.planEnd(ActLeak, generation) }

// PlanRetire plans the end of a generation's key.
func (c *Ceremony) PlanRetire(generation int) (*Plan, error) { return c.planEnd(ActRetire, generation) }

func (c *Ceremony) planEnd(act string, generation int) (*Plan, error) {
	g, err := c.generation(generation)
	if err != nil {
		return nil, err
	}
	p := c.base(act, g.Number)
	p.Previous = &g.Key
	return p, nil
}

func (c *Ceremony) generation(n int) (*Generation, error) {
	gs, err := Generations(c.cfg)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > len(gs) {
		return nil, say.New("ceremony.generation", fmt.Sprintf("第 %d 世代の鍵はありません。", n), fmt.Sprintf("There is no generation %d.", n))
	}
	return &gs[n-1], nil
}

// resultDir is where an act's results end up.
func (c *Ceremony) resultDir(p *Plan, d entry.Digest) string {
	switch p.Act {
	case ActInit, ActRollover:
		return generationDir(c.cfg.Dir, p.Generation)
	case ActResponder:
		return responderDir(c.cfg.Dir, p.Responder.Label)
	case ActCross:
		return filepath.Join(c.cfg.Dir, "cross-"+hex.EncodeToString(d[:8]))
	}
	return filepath.Join(c.cfg.Dir, p.Act+"-"+hex.EncodeToString(d[:8]))
}
