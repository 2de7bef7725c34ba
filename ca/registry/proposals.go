package registry

import "strings"

// proposalName is the prefix of what waits for a second officer.
const proposalName = "proposal/"

// SetProposal keeps an officer's proposal (package ca/office) until its second
// officer comes, sealed like every row that names no person; it is on disk when
// this returns.
func (r *Registry) SetProposal(id string, content []byte) error {
	sealed, err := r.sealJSON(proposalName+id, content)
	if err != nil {
		return err
	}
	return r.store.Note(Synced, map[string][]byte{proposalName + id: sealed})
}

// DropProposal forgets a proposal, on disk when it returns.
func (r *Registry) DropProposal(id string) error {
	return r.store.Note(Synced, map[string][]byte{proposalName + id: nil})
}

// Proposals returns the proposals kept, by id.
func (r *Registry) Proposals() (map[string][]byte, error) {
	names, err := r.store.NotedNames(proposalName)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(names))
	for _, name := range names {
		sealed, err := r.store.Noted(name)
		if err != nil {
			return nil, err
		}
		var content []byte
		if err := r.unsealJSON(name, sealed, &content); err != nil {
			return nil, err
		}
		out[strings.TrimPrefix(name, proposalName)] = content
	}
	return out, nil
}
