package juki

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/internal/say"
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
	c TerminalConfig
	o *Office
}

// CodeTerminal is the code of a transfer file that the policy refuses.
const CodeTerminal = "juki.export"

// Terminal sets up a terminal of this register.
func (o *Office) Terminal(c TerminalConfig) (*Terminal, error) {
	if !municipality.ValidCode(c.Municipality) || c.Signer == nil || c.Verifier == nil || c.Decider == nil {
		return nil, errors.New("a terminal needs a valid municipality code, a key and a policy")
	}
	if c.Signer.Name() != c.Verifier.Name() || c.Signer.KeyHash() != c.Verifier.KeyHash() {
		return nil, errors.New("the terminal's signer and verifier are not one key")
	}
	return &Terminal{c: c, o: o}, nil
}

// Export writes the transfer file for a resident: a signed file with the four
// attributes in force and nothing else (PR-07). The export is recorded before
// the file exists. Refused are an unknown or deleted record, a resident of
// another municipality, an operator id that is not an identifier, and what
// rule set transfer refuses; each with a sentence for the officer.
func (t *Terminal) Export(ctx context.Context, code, operator string) ([]byte, error) {
	x, err := t.o.Register.RecordExport(code, t.c.Municipality, operator)
	if err != nil {
		return nil, err
	}
	b, err := transfer.Seal(transfer.File{Municipality: x.Municipality, Operator: operator, At: x.At, Attr: x.Attr}, t.c.Signer)
	if err != nil {
		return nil, err
	}
	// The counter decides by the same rules; a file that it would refuse does
	// not leave the terminal.
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
