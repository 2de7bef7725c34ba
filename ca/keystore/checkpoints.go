package keystore

import (
	"bytes"
	"sync"

	"github.com/sukashi-project/sukashi/ledger/proof"
)

// checkpoints verifies signed notes and remembers the last few that were good.
// Receipts of one group commit carry one note, so its signature is checked once
// for all of them. What is remembered is the whole note, not a digest or a size
// of it: a note that differs in one byte is verified by itself.
type checkpoints struct {
	log *proof.Policy

	mu   sync.Mutex
	good [keptCheckpoints]*proof.Checkpoint // a ring
	next int
}

// keptCheckpoints is how many group commits can have receipts on their way to
// the gate at one time before a note is verified again.
const keptCheckpoints = 16

// verify returns the checkpoint of a note whose signature is good. Callers with
// the same new note wait for the first one's verification.
func (c *checkpoints) verify(note []byte) (*proof.Checkpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cp := range c.good {
		if cp != nil && bytes.Equal(cp.Raw, note) {
			return cp, nil
		}
	}
	cp, err := c.log.VerifyCheckpoint(note)
	if err != nil {
		return nil, err
	}
	c.good[c.next] = cp
	c.next = (c.next + 1) % len(c.good)
	return cp, nil
}
