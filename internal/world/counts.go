package world

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/audit"
)

// linkKeys sign the daily counts, one key for each end. Each end gets its own
// and the other's public key.
type linkKeys struct {
	register, ca *rsa.PrivateKey
}

func (w *World) makeLinkKeys(context.Context) error {
	for _, k := range []struct {
		key **rsa.PrivateKey
		dir string
	}{{&w.links.register, w.Dirs.Juki}, {&w.links.ca, w.Dirs.CA}} {
		key, err := rsa.GenerateKey(w.Rand, 8*entry.CountsSignature)
		if err != nil {
			return fmt.Errorf("couldn't make a key for the daily counts: %w", err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("couldn't encode a key for the daily counts: %w", err)
		}
		b := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := os.WriteFile(filepath.Join(k.dir, "counts.key"), b, 0o600); err != nil {
			return fmt.Errorf("couldn't keep a key for the daily counts: %w", err)
		}
		*k.key = key
	}
	return nil
}

func (k linkKeys) ofCA() ca.LinkKeys { return ca.LinkKeys{Own: k.ca, Peer: &k.register.PublicKey} }

func (k linkKeys) ofRegister() *link.Keys { return &link.Keys{Own: k.register, Peer: &k.ca.PublicKey} }

// LinkKeys are the public keys with which the council checks the daily counts.
func (w *World) LinkKeys() *audit.LinkKeys {
	return &audit.LinkKeys{Register: &w.links.register.PublicKey, CA: &w.links.ca.PublicKey}
}

// CloseDay ends the story's present day on the link: both ends state how much
// has crossed, and sign it.
func (w *World) CloseDay(ctx context.Context) (entry.Counts, error) {
	return w.Juki.Link.CloseDay(ctx, ca.Today(w.Now()))
}
