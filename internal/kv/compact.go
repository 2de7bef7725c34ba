package kv

import "context"

// Compact rewrites the whole store, so that values which were overwritten or
// deleted are in no table of it any more. A log file that Pebble keeps for
// reuse may hold them until it is written over or the store is opened again,
// and a disk may keep the blocks of removed files: whoever must be sure of
// forgetting destroys a key.
func (s *Store) Compact() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.db.Flush(); err != nil {
		return explain("", err)
	}
	return explain("", s.db.Compact(context.Background(), []byte{0}, []byte{0xff, 0xff, 0xff, 0xff}, false))
}
