package proof

import (
	"bytes"
	"strings"

	"github.com/sukashi-project/sukashi/internal/say"
)

// Only returns the policy with the same logs and one witness, which must have
// signed. A log checks a single witness's answer with it.
func (p *Policy) Only(witness string) (*Policy, error) {
	for _, w := range p.witnesses {
		if w.Name == witness {
			return &Policy{logs: p.logs, witnesses: []Witness{w}, quorum: &group{witness: 0}}, nil
		}
	}
	return nil, say.New("policy.no-witness", "信頼方針にその証人はいません。", "The trust policy has no such witness.")
}

// Strip returns the signed note with only those signature lines whose name and
// key id are of the policy, each key once, in their order. It verifies
// nothing. It is for readers that the specifications tell to ignore unknown
// signatures: a log that joins witnesses' answers to its checkpoint.
func (p *Policy) Strip(note []byte) ([]byte, error) {
	n, err := parseSigned(note)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(n.text)
	out.WriteByte('\n')
	lines := strings.SplitAfter(string(note[len(n.text)+1:]), "\n")
	seen := make(map[*key]bool)
	for i, s := range n.sigs {
		if k, _ := p.find(n.origin, s); k != nil && !seen[k] {
			seen[k] = true
			out.WriteString(lines[i])
		}
	}
	return out.Bytes(), nil
}
