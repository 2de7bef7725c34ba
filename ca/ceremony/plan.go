package ceremony

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Acts of a plan.
const (
	ActInit      = "init"      // the first generation
	ActRollover  = "rollover"  // the next generation, same name
	ActResponder = "responder" // a generation's next OCSP responder
	ActCross     = "cross"     // a certificate for another CA's key
	ActUncross   = "uncross"   // revocation of a link or cross certificate
	ActLeak      = "leak"      // Article 14: the issuer's key leaked
	ActRetire    = "retire"    // the end of a generation's key
)

// Plan says completely what an act will do. Its canonical form is RFC 8785 JSON.
type Plan struct {
	Act        string         `json:"act"`
	Base       string         `json:"base"` // of the generation concerned
	Demo       bool           `json:"demo"`
	Generation int            `json:"generation"` // the one that is made, or that the act is about
	Issuer     *PlannedKey    `json:"issuer,omitempty"`
	Log        string         `json:"log"` // the log's verifier key
	Officers   []Officer      `json:"officers"`
	Previous   *entry.Digest  `json:"previous,omitempty"`  // issuer key of the generation before
	Profiles   []entry.Digest `json:"profiles,omitempty"`  // of what is signed, ascending
	Revoke     *PlannedEnd    `json:"revoke,omitempty"`    // of ActUncross
	Responder  *PlannedKey    `json:"responder,omitempty"` //
	Subject    *PlannedCross  `json:"subject,omitempty"`   // of ActCross
	Threshold  int            `json:"threshold"`
	Token      string         `json:"token,omitempty"` // label of the token
	V          int            `json:"v"`
}

// PlannedKey is a key to be made.
type PlannedKey struct {
	Alg   string `json:"alg"`
	Label string `json:"label"`
}

// PlannedCross is another CA's key to be certified, as its certificate shows it.
type PlannedCross struct {
	Certificate entry.Digest `json:"certificate"`
	SPKI        entry.Digest `json:"spki"`
	Until       entry.Time   `json:"until"` // 23:59:59 in Japan
}

// PlannedEnd is a certificate between CAs to be revoked.
type PlannedEnd struct {
	Ground string `json:"ground"`
	Serial string `json:"serial"`
}

// Canonical returns the bytes that officers approve.
func (p *Plan) Canonical() ([]byte, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the plan: %w", err)
	}
	b, err := jcs.Transform(plain)
	if err != nil {
		return nil, fmt.Errorf("couldn't bring the plan into canonical form: %w", err)
	}
	return b, nil
}

// Digest is the SHA-256 of Canonical.
func (p *Plan) Digest() (entry.Digest, error) {
	b, err := p.Canonical()
	return entry.Sum(b), err
}

// Approval is one officer's signature over a plan's digest.
type Approval struct {
	Officer string       `json:"officer"`
	Plan    entry.Digest `json:"plan"`
	Sig     string       `json:"sig"` // base64
}

// approvalContext is signed in front of the digest, so that an approval can't be
// taken for a signature on anything else.
const approvalContext = "sukashi/v1/ceremony\n"

// Approve signs a plan with an officer's key. The signed bytes are
// "sukashi/v1/ceremony\n" and the 32 bytes of the digest.
func (p *Plan) Approve(key ed25519.PrivateKey) (*Approval, error) {
	d, err := p.Digest()
	if err != nil {
		return nil, err
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("the officer's key has a wrong size")
	}
	public := base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	i := slices.IndexFunc(p.Officers, func(o Officer) bool { return o.Key == public })
	if i < 0 {
		return nil, say.New("ceremony.stranger", "この鍵は、計画にある承認者のものではありません。", "This key is not one of the plan's officers'.")
	}
	sig := ed25519.Sign(key, append([]byte(approvalContext), d[:]...))
	return &Approval{Officer: p.Officers[i].ID, Plan: d, Sig: base64.StdEncoding.EncodeToString(sig)}, nil
}

// approved checks approvals: every one valid, by an officer of the plan, none
// twice, and as many as the threshold says.
func (p *Plan) approved(list []Approval) error {
	d, err := p.Digest()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, a := range list {
		i := slices.IndexFunc(p.Officers, func(o Officer) bool { return o.ID == a.Officer })
		if i < 0 || seen[a.Officer] || a.Plan != d {
			return say.New("ceremony.approval", "承認者でない者の承認か、別の計画の承認か、二重の承認があります。", "An approval is by nobody of the plan, for another plan, or there twice.")
		}
		key, err := p.Officers[i].public()
		if err != nil {
			return err
		}
		sig, err := base64.StdEncoding.Strict().DecodeString(a.Sig)
		if err != nil || !ed25519.Verify(key, append([]byte(approvalContext), d[:]...), sig) {
			return say.New("ceremony.approval-signature", "承認の署名が正しくありません。", "An approval's signature is not valid.")
		}
		seen[a.Officer] = true
	}
	if len(seen) < p.Threshold {
		return say.New("ceremony.approvals", fmt.Sprintf("承認が足りません(必要 %d 件のうち %d 件)。", p.Threshold, len(seen)),
			fmt.Sprintf("There are too few approvals (%d of the %d needed).", len(seen), p.Threshold)).
			Hint("承認者がそれぞれ「sukashi ca approve」で承認してから、もう一度実行してください。", "Have the officers approve with “sukashi ca approve”, then run again.")
	}
	return nil
}

// approvalsDir holds the approvals of one plan.
func (c *Ceremony) approvalsDir(d entry.Digest) string {
	return filepath.Join(c.cfg.Dir, "approvals", d.String())
}

// KeepApproval writes an approval where Run looks for it.
func (c *Ceremony) KeepApproval(a *Approval) error {
	b, err := json.MarshalIndent(a, "", " ")
	if err != nil {
		return fmt.Errorf("couldn't encode the approval: %w", err)
	}
	dir := c.approvalsDir(a.Plan)
	if err := makeDir(dir); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, a.Officer+".json"), append(b, '\n'))
}

// Approvals are those that were kept for a plan, in order of officers' ids.
func (c *Ceremony) Approvals(p *Plan) ([]Approval, error) {
	d, err := p.Digest()
	if err != nil {
		return nil, err
	}
	return c.approvals(d)
}

// Approved checks that enough officers approved a plan.
func (c *Ceremony) Approved(p *Plan) error {
	list, err := c.Approvals(p)
	if err != nil {
		return err
	}
	return p.approved(list)
}

// approvals reads what was kept for a plan, in order of officers' ids.
func (c *Ceremony) approvals(d entry.Digest) ([]Approval, error) {
	files, err := os.ReadDir(c.approvalsDir(d))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("couldn't read the approvals: %w", err)
	}
	var out []Approval
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") || len(out) > 32 {
			continue
		}
		var a Approval
		if err := readJSON(filepath.Join(c.approvalsDir(d), f.Name()), &a); err != nil {
			return nil, err
		}
		if a.Officer+".json" != f.Name() {
			return nil, errors.New("an approval's file has another officer's name")
		}
		out = append(out, a)
	}
	return out, nil
}
