package world

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/sukashi-project/sukashi/ca/ceremony"
	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// KeyCeremony is what the CA's first ceremony left, and who approved it.
type KeyCeremony struct {
	ceremony.Generation
	Approved []string // operator ids
	IssuerAt uint64   // index of the issuer's key.created
}

// ceremonyOfficers may approve a ceremony; two of them do.
var ceremonyOfficers = []string{"ceremony-a", "ceremony-b", "ceremony-c"}

// ceremonyThreshold is how many have to.
const ceremonyThreshold = 2

// ceremonyConfig is what an operator writes into ca.yaml, for keys in files.
func (w *World) ceremonyConfig(officers []ceremony.Officer) *ceremony.Config {
	dir := func(name string) string { return filepath.Join(w.Dirs.CA, name) }
	return &ceremony.Config{Format: 1, Dir: dir("ceremony"), Journals: dir("journal"), Base: w.Ledger.PublicURL, Demo: true,
		Threshold: ceremonyThreshold, Officers: officers, Issuer: ceremony.KeyKind{Algorithm: cmp.Or(w.IssuerAlg, keystore.RSA2048)}, Responder: ceremony.KeyKind{Algorithm: keystore.P256},
		Software: &ceremony.Software{Dir: dir("keys")}, Log: ceremony.LogConfig{VKey: w.Ledger.VKey}}
}

func (w *World) keyHost() ceremony.Host {
	return ceremony.SoftwareHost(filepath.Join(w.Dirs.CA, "keys"), []byte(passphrase), w.Rand)
}

// holdCeremony makes the issuer and responder keys and their certificates, as
// sukashi ca init does: a plan, two officers' approvals of it, then the log, then
// the keys.
func (w *World) holdCeremony(ctx context.Context, n *CANode) error {
	var officers []ceremony.Officer
	var keys []ed25519.PrivateKey
	for _, id := range ceremonyOfficers {
		pub, key, err := ed25519.GenerateKey(w.Rand)
		if err != nil {
			return fmt.Errorf("couldn't make an officer's key: %w", err)
		}
		officers, keys = append(officers, ceremony.Officer{ID: id, Key: base64.StdEncoding.EncodeToString(pub)}), append(keys, key)
	}
	log, err := w.ledgerClient(zone.Open, nameOperator)
	if err != nil {
		return err
	}
	cfg, host := w.ceremonyConfig(officers), w.keyHost()
	c, err := ceremony.New(cfg, ceremony.Env{Log: log, Reader: log, Host: host, Now: w.Now, Rand: w.Rand})
	if err != nil {
		return err
	}
	plan, err := c.PlanInit()
	if err != nil {
		return err
	}
	n.Ceremony = new(KeyCeremony)
	for i := range ceremonyThreshold {
		approval, err := plan.Approve(keys[i])
		if err == nil {
			err = c.KeepApproval(approval)
		}
		if err != nil {
			return err
		}
		n.Ceremony.Approved = append(n.Ceremony.Approved, officers[i].ID)
	}
	done, err := c.Run(ctx, plan, nil)
	if err != nil {
		return err
	}
	made, err := ceremony.Generations(cfg)
	if err != nil {
		return err
	}
	if len(made) != 1 || len(done.Indices) == 0 {
		return errors.New("the key ceremony left no key")
	}
	n.Ceremony.Generation, n.Ceremony.IssuerAt = made[0], done.Indices[0]
	if n.Issuer, err = x509.ParseCertificate(n.Ceremony.Issuer); err != nil {
		return fmt.Errorf("couldn't read the issuer certificate back: %w", err)
	}
	gate := func(label string) keystore.GateConfig {
		return ceremony.Gate(cfg, w.Ledger.CommitPolicy, label, w.Now)
	}
	issuer := ceremony.IssuerLabel(n.Ceremony.Number)
	if n.Key, err = host.Issuer(issuer, gate(issuer)); err != nil {
		return err
	}
	n.responder, err = host.Responder(n.Ceremony.ResponderLabel, gate(n.Ceremony.ResponderLabel))
	return err
}

// ShadowKey opens the issuer's key file the way a thief of file and passphrase
// would: with a log of the thief's own as the one that the gate believes.
func (w *World) ShadowKey(log *proof.Policy, journal string) (keystore.Key, error) {
	return w.keyHost().Issuer(ceremony.IssuerLabel(w.CA.Ceremony.Number), keystore.GateConfig{Log: log, Journal: journal, Now: w.Now})
}
