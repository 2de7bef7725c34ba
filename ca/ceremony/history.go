package ceremony

import (
	"context"
	"fmt"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// history is what the log says about CA keys and what is open under them.
type history struct {
	size    uint64
	keys    map[entry.Digest]*keyLife
	crosses map[crossID]*crossLife
	open    map[uint64]entry.Digest // intents without an end: ordinal → issuer
}

type keyLife struct {
	role                       string
	leaked, succeeded, retired bool
}

type crossID struct {
	issuer entry.Digest
	serial string
}

type crossLife struct {
	subject entry.Digest
	revoked bool
}

func (c *Ceremony) history(ctx context.Context) (*history, error) {
	size, err := c.env.Reader.Size(ctx)
	if err != nil {
		return nil, fmt.Errorf("couldn't ask the log for its size: %w", err)
	}
	h := &history{size: size, keys: map[entry.Digest]*keyLife{}, crosses: map[crossID]*crossLife{}, open: map[uint64]entry.Digest{}}
	err = c.env.Reader.Entries(ctx, 0, size, func(index uint64, b []byte) error {
		e, err := entry.Parse(b)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		h.take(e.Body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("couldn't read the log: %w", err)
	}
	return h, nil
}

func (h *history) key(spki entry.Digest) *keyLife {
	k := h.keys[spki]
	if k == nil {
		k = new(keyLife)
		h.keys[spki] = k
	}
	return k
}

func (h *history) take(body entry.Body) {
	switch b := body.(type) {
	case *entry.KeyCreated:
		h.key(b.SPKI).role = b.Role
	case *entry.KeyLeaked:
		h.key(b.SPKI).leaked = true
	case *entry.KeySucceeded:
		h.key(b.SPKI).succeeded = true
	case *entry.KeyRetired:
		h.key(b.SPKI).retired = true
	case *entry.CrossIntent:
		h.crosses[crossID{b.Issuer, b.Serial}] = &crossLife{subject: b.SPKI}
	case *entry.CrossRevoked:
		if x := h.crosses[crossID{b.Issuer, b.Serial}]; x != nil {
			x.revoked = true
		}
	case *entry.CertIntent:
		h.open[b.Ordinal] = b.Issuer
	case *entry.CertIssued:
		delete(h.open, b.Ordinal)
	case *entry.CertAborted:
		delete(h.open, b.Ordinal)
	}
}

// settled refuses an act that ends a key's issuing while an issuance is open: the
// CA must end it first, with the key that was announced.
func (h *history) settled(issuer entry.Digest) error {
	for _, i := range h.open {
		if i == issuer {
			return say.New("ceremony.open-intents", "終わっていない発行があります。", "There are issuances that have not ended.").
				Hint("認証局を一度起動して発行を終わらせ、停止してから、もう一度実行してください。", "Start the CA once so that it ends them, stop it, and run again.")
		}
	}
	return nil
}

// allows checks an act against the log, before anything is made.
func (h *history) allows(p *Plan) error {
	refuse := func(ja, en string) error { return say.New("ceremony.state", ja, en) }
	if p.Previous == nil {
		for _, k := range h.keys {
			if k.role == "issuer" {
				return refuse("ログには、すでに発行者の鍵が登録されています。", "The log has an issuer key already.")
			}
		}
		return nil
	}
	k := h.key(*p.Previous)
	switch {
	case k.role != "issuer":
		return refuse("この世代の鍵は、ログに登録されていません。", "This generation's key is not in the log.")
	case k.retired:
		return refuse("この世代の鍵は、廃止されています。", "This generation's key is retired.")
	case p.Act == ActRollover && k.succeeded:
		return refuse("この世代には、すでに次の世代があります。", "This generation has a successor already.")
	case p.Act == ActLeak && k.leaked:
		return refuse("この鍵の漏えいは、すでに記録されています。", "The leak of this key is recorded already.")
	case p.Act == ActCross && (k.leaked || k.succeeded):
		return refuse("漏えいした鍵や交代した鍵では、相互認証証明書を作れません。", "A key that leaked or was succeeded makes no cross certificate.")
	case p.Act == ActResponder && k.leaked:
		return refuse("漏えいした鍵では、OCSPレスポンダの証明書を作れません。", "A key that leaked certifies no responder.")
	case p.Act == ActRetire && !k.succeeded && !k.leaked:
		return refuse("発行に使っている鍵は廃止できません。先に世代交代をしてください。", "The key that issues can't be retired. Roll over first.")
	case p.Act == ActUncross:
		x := h.crosses[crossID{*p.Previous, p.Revoke.Serial}]
		if x == nil || x.revoked {
			return refuse("この発行番号の認証局の間の証明書は、ないか、すでに失効しています。", "There is no certificate between CAs with this serial, or it is revoked already.")
		}
	}
	if p.Act == ActRollover || p.Act == ActRetire {
		return h.settled(*p.Previous)
	}
	return nil
}

// KeyState is what a generation's key may do.
type KeyState int

// The states of a key, in the order in which they end each other.
const (
	Issuing   KeyState = iota // issues and signs lists
	Succeeded                 // signs lists for its certificates
	Leaked                    // Article 14: signs nothing but its last lists
	Retired                   // signs nothing
)

// States says how far each generation's key has come, by the log.
func (c *Ceremony) States(ctx context.Context) (map[entry.Digest]KeyState, error) {
	h, err := c.history(ctx)
	if err != nil {
		return nil, err
	}
	out := map[entry.Digest]KeyState{}
	for spki, k := range h.keys {
		switch {
		case k.retired:
			out[spki] = Retired
		case k.leaked:
			out[spki] = Leaked
		case k.succeeded:
			out[spki] = Succeeded
		}
	}
	return out, nil
}
