package registry

import "sync"

// absent remembers index keys that were looked for and not there. An issuance
// looks for its application, key and person first, to decide, and Insert looks
// for all of them again, to be sure; no other process writes to an embedded
// store, so what was not there and was not written since is not there still.
type absent struct {
	mu      sync.Mutex
	keys    map[string]struct{}
	writes  uint64 // ended writes of such keys
	writing int    // those under way
}

// maxAbsent bounds what is remembered.
const maxAbsent = 1 << 14

// since is to be called before a key is looked for.
func (a *absent) since() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.writes
}

// add remembers a key that was not there, unless it may have come meanwhile.
func (a *absent) add(key []byte, since uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.writing > 0 || a.writes != since {
		return
	}
	if a.keys == nil || len(a.keys) >= maxAbsent {
		a.keys = map[string]struct{}{}
	}
	a.keys[string(key)] = struct{}{}
}

func (a *absent) has(key []byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.keys[string(key)]
	return ok
}

// write forgets keys that are about to be written. Until end is called, once
// they can be read, nothing is remembered.
func (a *absent) write(keys [][]byte) (end func()) {
	if len(keys) == 0 {
		return func() {}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range keys {
		delete(a.keys, string(k))
	}
	a.writing++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.writing--
		a.writes++
	}
}
