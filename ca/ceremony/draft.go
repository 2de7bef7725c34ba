package ceremony

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// draft is every byte of an act that will be announced or signed. It is on disk
// before the first of them is.
type draft struct {
	From       uint64       `json:"from"` // size of the log when it was made
	Plan       entry.Digest `json:"plan"`
	Transcript []byte       `json:"transcript"`
	Lines      []line       `json:"lines"`
}

// line is one entry and, where it announces a certificate, that certificate. It
// has exactly one body.
type line struct {
	Created   *entry.KeyCreated   `json:"key_created,omitempty"`
	Cross     *entry.CrossIntent  `json:"cross_intent,omitempty"`
	Uncross   *entry.CrossRevoked `json:"cross_revoked,omitempty"`
	Succeeded *entry.KeySucceeded `json:"key_succeeded,omitempty"`
	Leaked    *entry.KeyLeaked    `json:"key_leaked,omitempty"`
	Retired   *entry.KeyRetired   `json:"key_retired,omitempty"`

	TBS    []byte `json:"tbs,omitempty"`
	Signer int    `json:"signer,omitempty"` // generation whose key signs
	File   string `json:"file,omitempty"`
}

func (l *line) body() entry.Body {
	switch {
	case l.Created != nil:
		return l.Created
	case l.Cross != nil:
		return l.Cross
	case l.Uncross != nil:
		return l.Uncross
	case l.Succeeded != nil:
		return l.Succeeded
	case l.Leaked != nil:
		return l.Leaked
	}
	return l.Retired
}

// record puts the transcript's digest into the line's body. key.retired has no
// place for one: what decided it is found by the transcript's plan.
func (l *line) record(d entry.Digest) {
	switch {
	case l.Created != nil:
		l.Created.Record = d
	case l.Cross != nil:
		l.Cross.Record = d
	case l.Uncross != nil:
		l.Uncross.Record = d
	case l.Succeeded != nil:
		l.Succeeded.Record = d
	case l.Leaked != nil:
		l.Leaked.Record = d
	}
}

// transcript is the public record of an act. Members in name order.
type transcript struct {
	Approvals    []Approval       `json:"approvals"`
	At           entry.Time       `json:"at"`
	Certificates []transcriptCert `json:"certificates,omitempty"`
	Keys         []transcriptKey  `json:"keys,omitempty"`
	Plan         *Plan            `json:"plan"`
	PlanDigest   entry.Digest     `json:"plan_digest"`
	Tools        tools            `json:"tools"`
	V            int              `json:"v"`
}

type transcriptCert struct {
	File   string       `json:"file"`
	Serial string       `json:"serial"`
	SPKI   entry.Digest `json:"spki"` // of the certified key
	TBS    entry.Digest `json:"tbs"`
}

type transcriptKey struct {
	Alg   string                    `json:"alg"`
	Held  keystore.TokenDescription `json:"held"`
	Label string                    `json:"label"`
	Role  string                    `json:"role"`
	SPKI  entry.Digest              `json:"spki"`
}

// tools are the versions of what made the act.
type tools struct {
	Go       string `json:"go"`
	Program  string `json:"program"`
	Revision string `json:"revision,omitempty"`
	System   string `json:"system"`
}

func toolVersions() tools {
	t := tools{Go: runtime.Version(), Program: "sukashi", System: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		t.Program = info.Main.Path + "@" + info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				t.Revision = s.Value
			}
		}
	}
	return t
}

// drafter collects the lines of one act.
type drafter struct {
	c     *Ceremony
	p     *Plan
	h     *history
	keys  *keyring
	at    time.Time
	lines []line
	t     transcript
}

// makeDraft computes an act's lines and its transcript.
func (c *Ceremony) makeDraft(ctx context.Context, p *Plan, approvals []Approval, keys *keyring, other []byte) (*draft, error) {
	h, err := c.history(ctx)
	if err != nil {
		return nil, err
	}
	digest, err := p.Digest()
	if err != nil {
		return nil, err
	}
	now := c.now().UTC().Truncate(time.Second)
	d := &drafter{c: c, p: p, h: h, keys: keys, at: now,
		t: transcript{Approvals: approvals, At: entry.At(now), Plan: p, PlanDigest: digest, Tools: toolVersions(), V: 1}}
	switch p.Act {
	case ActInit:
		err = d.generation()
	case ActRollover:
		err = d.rollover()
	case ActResponder:
		err = d.nextResponder()
	case ActCross:
		err = d.cross(other)
	case ActUncross:
		d.uncross(*p.Previous, p.Revoke.Serial, p.Revoke.Ground)
	case ActLeak:
		d.leak()
	case ActRetire:
		d.lines = append(d.lines, line{Retired: &entry.KeyRetired{Role: keystore.RoleIssuer, SPKI: *p.Previous}})
	default:
		err = errors.New("the plan's act is not known")
	}
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(d.t, "", " ")
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the transcript: %w", err)
	}
	text = append(text, '\n')
	for i := range d.lines {
		d.lines[i].record(entry.Sum(text))
	}
	return &draft{From: h.size, Plan: digest, Transcript: text, Lines: d.lines}, nil
}

// generation drafts an issuer's root and its responder's certificate.
func (d *drafter) generation() error {
	n, root := d.p.Generation, d.c.profiles[profile.Root]
	pub := d.keys.issuer(n).Public()
	issuer, err := root.Issuer(pub, d.p.Base)
	if err != nil {
		return err
	}
	err = d.key(keystore.RoleIssuer, d.p.Issuer, pub, fileIssuer, root, profile.Request{PublicKey: pub, NotBefore: d.at, BaseURL: d.p.Base})
	if err != nil {
		return err
	}
	return d.responder(issuer, profile.EndOfDay(d.at, 1))
}

// responder drafts a responder's certificate. It carries ocsp-nocheck, so its life
// is short: a year less a day, and not longer than its issuer's.
func (d *drafter) responder(issuer *profile.Issuer, rootEnd time.Time) error {
	end := profile.EndOfDay(d.at, 1).Add(-24 * time.Hour)
	if rootEnd.Before(end) {
		end = rootEnd
	}
	pub := d.keys.responder.Public()
	return d.key(keystore.RoleOCSP, d.p.Responder, pub, fileResponder, d.c.profiles[profile.OCSP],
		profile.Request{PublicKey: pub, NotBefore: d.at, NotAfter: end, BaseURL: d.p.Base, Issuer: issuer})
}

// nextResponder drafts the successor of a generation's responder.
func (d *drafter) nextResponder() error {
	g, err := d.c.generation(d.p.Generation)
	if err != nil {
		return err
	}
	issuer, err := profile.NewIssuer(g.Issuer)
	if err != nil {
		return err
	}
	root, err := x509.ParseCertificate(g.Issuer)
	if err != nil {
		return fmt.Errorf("couldn't read the generation's root: %w", err)
	}
	return d.responder(issuer, root.NotAfter)
}

// key drafts key.created with the key's certificate, signed by the generation.
func (d *drafter) key(role string, k *PlannedKey, pub crypto.PublicKey, file string, p *profile.Profile, req profile.Request) error {
	if alg := algorithm(pub); alg != k.Alg {
		return fmt.Errorf("the key under %s is %s, the plan says %s", k.Label, alg, k.Alg)
	}
	held, err := d.c.env.Host.Describe(k.Label)
	if err != nil {
		return err
	}
	spki, err := spkiOf(pub)
	if err != nil {
		return err
	}
	tbs, serial, err := d.build(p, req)
	if err != nil {
		return err
	}
	sum := entry.Sum(tbs)
	d.lines = append(d.lines, line{Created: &entry.KeyCreated{Alg: k.Alg, Role: role, SPKI: spki, TBS: &sum}, TBS: tbs, Signer: d.p.Generation, File: file})
	d.t.Keys = append(d.t.Keys, transcriptKey{Alg: k.Alg, Held: held, Label: k.Label, Role: role, SPKI: spki})
	d.t.Certificates = append(d.t.Certificates, transcriptCert{file, serial, spki, sum})
	return nil
}

func (d *drafter) build(p *profile.Profile, req profile.Request) (tbs []byte, serial string, err error) {
	if req.Serial, err = profile.NewSerial(d.c.env.Rand); err != nil {
		return nil, "", err
	}
	tbs, err = p.BuildCertificateTBS(req)
	return tbs, hex.EncodeToString(req.Serial), err
}

// rollover drafts the next generation, the links both ways and the switch. A key
// that leaked gets no link and gives none: a link would carry trust from or to a
// key that someone else may hold.
func (d *drafter) rollover() error {
	if err := d.generation(); err != nil {
		return err
	}
	old, err := d.c.generation(d.p.Generation - 1)
	if err != nil {
		return err
	}
	prev, err := profile.NewIssuer(old.Issuer)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(old.Issuer)
	if err != nil {
		return fmt.Errorf("couldn't read the earlier root: %w", err)
	}
	next, err := d.c.profiles[profile.Root].Issuer(d.keys.issuer(d.p.Generation).Public(), d.p.Base)
	if err != nil {
		return err
	}
	if !slices.Equal(prev.Subject, next.Subject) {
		return errors.New("the generations would have different names: check the root's profile")
	}
	if !d.h.key(old.Key).leaked {
		if err := d.link(fileNewWithOld, old.Number, old.Base, prev, next, cert.NotAfter); err != nil {
			return err
		}
		if err := d.link(fileOldWithNew, d.p.Generation, d.p.Base, next, prev, cert.NotAfter); err != nil {
			return err
		}
	}
	d.lines = append(d.lines, line{Succeeded: &entry.KeySucceeded{SPKI: old.Key, Successor: next.Key}})
	return nil
}

// link drafts a certificate by one generation for another's key. Both ways end
// with the older root: nobody needs a link to or from a root that has expired.
func (d *drafter) link(file string, signer int, base string, by, subject *profile.Issuer, until time.Time) error {
	return d.certify(file, signer, entry.PurposeLink, d.c.profiles[profile.Link], subject.Key,
		profile.Request{PublicKey: subject.PublicKey, Name: subject.Subject, NotBefore: d.at, NotAfter: until, BaseURL: base, Issuer: by})
}

func (d *drafter) certify(file string, signer int, purpose string, p *profile.Profile, spki entry.Digest, req profile.Request) error {
	tbs, serial, err := d.build(p, req)
	if err != nil {
		return err
	}
	sum := entry.Sum(tbs)
	d.lines = append(d.lines, line{Cross: &entry.CrossIntent{Issuer: req.Issuer.Key, Purpose: purpose, Serial: serial, SPKI: spki, TBS: sum},
		TBS: tbs, Signer: signer, File: file})
	d.t.Certificates = append(d.t.Certificates, transcriptCert{file, serial, spki, sum})
	return nil
}

// cross drafts a certificate for another CA's key.
func (d *drafter) cross(other []byte) error {
	s, err := readOther(other)
	if err != nil {
		return err
	}
	if entry.Sum(other) != d.p.Subject.Certificate || s.spki != d.p.Subject.SPKI {
		return errors.New("this is not the certificate that the plan names")
	}
	g, err := d.c.generation(d.p.Generation)
	if err != nil {
		return err
	}
	issuer, err := profile.NewIssuer(g.Issuer)
	if err != nil {
		return err
	}
	return d.certify(fileCross, g.Number, entry.PurposeCross, d.c.profiles[profile.Cross], s.spki,
		profile.Request{PublicKey: s.cert.PublicKey, Name: s.cert.RawSubject, NotBefore: d.at, NotAfter: d.p.Subject.Until.Std(), BaseURL: g.Base, Issuer: issuer})
}

func (d *drafter) uncross(issuer entry.Digest, serial, ground string) {
	d.lines = append(d.lines, line{Uncross: &entry.CrossRevoked{Ground: ground, Issuer: issuer, Recorded: entry.At(d.at), Serial: serial}})
}

// leak drafts the record of a leak and the revocation of every link that another
// generation, whose key is still good, gave to the leaked key.
func (d *drafter) leak() {
	d.lines = append(d.lines, line{Leaked: &entry.KeyLeaked{SPKI: *d.p.Previous}})
	ids := slices.SortedFunc(maps.Keys(d.h.crosses), func(a, b crossID) int {
		return slices.Compare([]string{a.issuer.String(), a.serial}, []string{b.issuer.String(), b.serial})
	})
	for _, id := range ids {
		if x := d.h.crosses[id]; x.subject == *d.p.Previous && !x.revoked && id.issuer != *d.p.Previous {
			d.uncross(id.issuer, id.serial, entry.GroundIssuerKey)
		}
	}
}

func spkiOf(pub crypto.PublicKey) (entry.Digest, error) {
	b, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return entry.Digest{}, fmt.Errorf("couldn't encode the public key: %w", err)
	}
	return entry.Sum(b), nil
}

// algorithm names a key as the log's key.created does.
func algorithm(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return fmt.Sprintf("p%d", k.Curve.Params().BitSize)
	}
	return "unknown"
}
