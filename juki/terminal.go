package juki

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

// Decider decides over facts (*policy.Decider).
type Decider interface {
	Decide(ctx context.Context, f *policy.Facts) entry.Decision
}

// TerminalConfig of one JukiTerminal. Everything is required.
type TerminalConfig struct {
	Municipality string // 全国地方公共団体コード of the town hall it stands in
	Signer       note.Signer
	Verifier     note.Verifier // the same key; the terminal reads its own file before it lets it go
	Decider      Decider
}

// Terminal is a JukiTerminal (住基専用CS端末): it exports an applicant's four
// attributes to a transfer file. Safe for concurrent use.
type Terminal struct {
	c      TerminalConfig
	record recordFunc
}

// recordFunc puts an export on record and hands it to seal.
type recordFunc func(ctx context.Context, code, operator string, seal func(register.Export) error) error

// CodeTerminal is the code of a transfer file that the policy refuses.
const CodeTerminal = "juki.export"

// Terminal sets up a terminal beside this register, in one process with it.
func (o *Office) Terminal(c TerminalConfig) (*Terminal, error) {
	return newTerminal(c, func(_ context.Context, code, operator string, seal func(register.Export) error) error {
		_, err := o.Register.RecordExport(code, c.Municipality, operator, seal)
		return err
	})
}

func newTerminal(c TerminalConfig, record recordFunc) (*Terminal, error) {
	if !municipality.ValidCode(c.Municipality) || c.Signer == nil || c.Verifier == nil || c.Decider == nil {
		return nil, errors.New("a terminal needs a valid municipality code, a key and a policy")
	}
	if c.Signer.Name() != c.Verifier.Name() || c.Signer.KeyHash() != c.Verifier.KeyHash() {
		return nil, errors.New("the terminal's signer and verifier are not one key")
	}
	return &Terminal{c, record}, nil
}

// Export writes the transfer file for a resident: a signed file with the four
// attributes in force and nothing else (PR-07). The export is on record before
// the file leaves. Refused are an unknown or deleted record, a resident of
// another municipality, an operator id that is not an identifier, and what
// rule set transfer refuses; each with a sentence for the officer, and none is
// recorded as an export (save what rule set transfer refuses at a terminal that
// is joined to its register by a network: that was handed out, and is on record).
func (t *Terminal) Export(ctx context.Context, code, operator string) ([]byte, error) {
	var file []byte
	err := t.record(ctx, code, operator, func(x register.Export) (err error) {
		file, err = t.seal(ctx, x)
		return err
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

// seal makes the file and reads it again: the counter decides by the same
// rules, and a file that it would refuse does not leave the terminal.
func (t *Terminal) seal(ctx context.Context, x register.Export) ([]byte, error) {
	b, err := transfer.Seal(transfer.File{Municipality: x.Municipality, Operator: x.Operator, At: x.At, Attr: x.Attr}, t.c.Signer)
	if err != nil {
		return nil, err
	}
	_, facts := policy.TransferCheck{Bytes: b, Terminal: t.c.Verifier, Registered: true, Municipality: t.c.Municipality,
		Now: x.At.Std(), MaxAge: time.Minute}.Facts()
	if d := t.c.Decider.Decide(ctx, facts); !d.Allow {
		return nil, refused(d.Codes)
	}
	return b, nil
}

func refused(codes []string) error {
	e := say.New(CodeTerminal, "規則により、転送ファイルを書き出せません。", "The policy does not let this transfer file out.")
	for _, c := range policy.Codes() {
		if len(codes) > 0 && c.Code == codes[0] {
			return e.Hint(c.Code+": "+c.JA, c.Code+": "+c.EN)
		}
	}
	return e
}
