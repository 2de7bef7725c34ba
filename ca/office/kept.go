package office

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Store keeps proposals over a restart; *ca.Authority is one. What it
// has stored or dropped is on disk when a call returns.
type Store interface {
	SetProposal(id string, content []byte) error
	DropProposal(id string) error
	Proposals() (map[string][]byte, error)
}

var _ Store = (*ca.Authority)(nil)

// kept is a proposal as stored.
type kept struct {
	By      string       `json:"by"`
	Cert    entry.Digest `json:"certificate"`
	End     *ending      `json:"end,omitempty"`
	Expires time.Time    `json:"expires"`
	From    uint64       `json:"from,omitempty"`
	Role    Role         `json:"role"`
	Tried   []Officer    `json:"tried,omitempty"`
	Wish    Wish         `json:"wish"`
}

// keep stores a proposal: after it was logged, because one that is stored can be
// approved, and again for each step of its end.
func (o *office) keep(p *proposal) error {
	b, err := json.Marshal(kept{By: p.by.Name, Cert: p.by.Certificate, End: p.end, Expires: p.expires.UTC(), From: p.from, Role: p.role, Tried: p.tried, Wish: p.wish})
	if err == nil {
		err = o.c.Proposals.SetProposal(p.id, b)
	}
	if err != nil {
		return fmt.Errorf("couldn't keep a proposal: %w", err)
	}
	return nil
}

// load takes up what waited when the process before ended. What is over by now
// is ended by the next sweep, in the log.
func (o *office) load() error {
	rows, err := o.c.Proposals.Proposals()
	if err != nil {
		return fmt.Errorf("couldn't read the proposals that wait: %w", err)
	}
	for id, b := range rows {
		p, err := readKept(id, b)
		if err != nil {
			return fmt.Errorf("couldn't read a proposal that waits: %w", err)
		}
		o.all[id] = p
	}
	return nil
}

func readKept(id string, b []byte) (*proposal, error) {
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, err
	}
	text, err := json.Marshal(k.Wish)
	if err != nil {
		return nil, err
	}
	if _, err := parseWish(text); err != nil || !isName(k.By) || k.Cert.IsZero() || !slices.Contains([]Role{Counter, Operator}, k.Role) || !mayWish(k.Role, k.Wish) {
		return nil, errors.Join(errors.New("it is none that this office kept"), err)
	}
	if k.End != nil && !k.End.valid() {
		return nil, errors.New("its end is none that this office kept")
	}
	p := &proposal{wish: k.Wish, id: id, by: Officer{Name: k.By, Certificate: k.Cert}, role: k.Role, expires: k.Expires, end: k.End, from: k.From, tried: k.Tried}
	p.digest, err = digestOf(p.id, p.wish)
	return p, err
}
