package ca

// SetProposal, DropProposal and Proposals keep what waits for a second officer
// (package ca/office) in the registry.
func (a *Authority) SetProposal(id string, content []byte) error {
	return a.reg.SetProposal(id, content)
}

// DropProposal forgets a proposal.
func (a *Authority) DropProposal(id string) error { return a.reg.DropProposal(id) }

// Proposals returns the proposals kept, by id.
func (a *Authority) Proposals() (map[string][]byte, error) { return a.reg.Proposals() }
