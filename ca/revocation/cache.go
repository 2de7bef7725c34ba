package revocation

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

// cache keeps signed responses without a nonce. An entry serves only while the
// state says the same about the certificate as when it was signed, so a
// revocation is seen with the next request, and until its refresh time.
type cache struct {
	shards [16]shard
	max    int // entries per shard
}

type shard struct {
	mu sync.RWMutex
	m  map[cacheKey]cached
}

type cacheKey struct {
	ordinal uint64
	variant byte // form of the CertID
}

type cached struct {
	said    Answer
	answer  answer
	refresh time.Time
}

func newCache(max int) *cache {
	c := &cache{max: (max + 15) / 16}
	for i := range c.shards {
		c.shards[i].m = map[cacheKey]cached{}
	}
	return c
}

func (c *cache) shard(k cacheKey) *shard { return &c.shards[k.ordinal%uint64(len(c.shards))] }

func (c *cache) get(k cacheKey, says Answer, now time.Time) (answer, bool) {
	s := c.shard(k)
	s.mu.RLock()
	e, ok := s.m[k]
	s.mu.RUnlock()
	if !ok || e.said != says || !now.Before(e.refresh) || now.Before(e.answer.this) {
		return answer{}, false
	}
	return e.answer, true
}

func (c *cache) put(k cacheKey, says Answer, a answer, refresh time.Time) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.m[k]; !there && len(s.m) >= c.max {
		for old := range s.m { // map order is as good as random
			delete(s.m, old)
			break
		}
	}
	s.m[k] = cached{says, a, refresh}
}

func etag(der []byte) string {
	h := sha256.Sum256(der)
	return `"` + hex.EncodeToString(h[:16]) + `"`
}
