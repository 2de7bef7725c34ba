package registry

import "sync"

// underWay holds the records of issuances that are under way as this registry
// wrote them last, so that the next step of an issuance need not read and unseal
// what the step before has sealed. It stands for the store only because one
// process at a time writes to a store: with PostgreSQL, whoever was replaced can
// write no more, and has to open its registry again.
//
// A record is looked up, and what was written is kept, while it is locked. A
// rewrite of the ring empties it, because a key may be gone; whoever keys a row
// anew drops its record.
type underWay struct {
	mu  sync.Mutex
	all map[uint64]*held
}

// maxUnderWay bounds what is held; beyond it records are read from the store.
const maxUnderWay = 8192

func (u *underWay) get(ordinal uint64) *held {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.all[ordinal]
}

// keep holds records while they are open and still name their person. Nobody
// else writes into them.
func (u *underWay) keep(all ...*held) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all == nil {
		u.all = map[uint64]*held{}
	}
	for _, h := range all {
		if h.rec.open() && h.rec.named() && len(u.all) < maxUnderWay {
			u.all[h.rec.Ordinal] = h
		}
	}
}

func (u *underWay) drop(ordinals ...uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, o := range ordinals {
		delete(u.all, o)
	}
}

func (u *underWay) clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = nil
}
