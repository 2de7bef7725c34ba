package registry

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/sukashi-project/sukashi/internal/kv"
)

// Rows of the embedded store. Values in brackets.
//
//	r/ORDINAL                [Public]
//	k/ORDINAL                [Private]
//	a/SHA-256(application)   [ordinal, 1 if aborted]
//	s/SERIAL                 [ordinal]
//	x/PERSON ORDINAL         [end of validity while it keeps others away]
//	y/SHA-256(SPKI)          [ordinal]
//	o/ORDINAL, d/ORDINAL     [] open issuances, doomed rows
//	qn/ORDINAL, qg/ORDINAL   [] new and gone holders
//	e/NOT-AFTER ORDINAL      [] told holders whose certificate will expire
//	v/ORDINAL                [Revocation]
//	m/NAME                   [a note]
const (
	recordPrefix  = "r/"
	keyPrefix     = "k/"
	appPrefix     = "a/"
	serialPrefix  = "s/"
	attrPrefix    = "x/"
	spkiPrefix    = "y/"
	openPrefix    = "o/"
	doomedPrefix  = "d/"
	newPrefix     = "qn/"
	gonePrefix    = "qg/"
	expiryPrefix  = "e/"
	revokedPrefix = "v/"
	notePrefix    = "m/"
)

func be(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func numbered(prefix string, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), n)
}

func named(prefix string, name []byte) []byte { return append([]byte(prefix), name...) }

func unix(t time.Time) uint64 { return uint64(max(t.Unix(), 0)) }

// pair is one row of the embedded store; without a key there is none.
type pair struct{ key, value []byte }

// pairs are the rows that a row calls for, each in its slot.
type pairs [slots]pair

const (
	recordSlot = iota
	privateSlot
	spkiSlot
	appSlot
	serialSlot
	personSlot
	openSlot
	doomedSlot
	queueSlot // of the queues a row is in at most one
	revokedSlot
	slots
)

// keyRoom is enough for all keys of a row, whose serial varies.
const keyRoom = 320

// derive makes the rows that a row calls for; nil calls for none.
func derive(row *Row) (to pairs) {
	if row == nil {
		return to
	}
	room := make([]byte, 0, keyRoom+len(row.Serial))
	key := func(prefix string, name []byte, numbers ...uint64) []byte {
		from := len(room)
		room = append(append(room, prefix...), name...)
		for _, n := range numbers {
			room = binary.BigEndian.AppendUint64(room, n)
		}
		return room[from:len(room):len(room)]
	}
	o := key("", nil, row.Ordinal)
	to[recordSlot] = pair{key(recordPrefix, o), row.Public}
	if row.Private != nil {
		to[privateSlot] = pair{key(keyPrefix, o), row.Private}
	}
	aborted := byte(0)
	if row.State == Aborted {
		aborted = 1
	} else {
		to[spkiSlot] = pair{key(spkiPrefix, row.SPKI[:]), o}
	}
	to[appSlot] = pair{key(appPrefix, row.Application[:]), append(key("", o), aborted)}
	to[serialSlot] = pair{key(serialPrefix, []byte(row.Serial)), o}
	if row.Person != nil {
		to[personSlot].key = key(attrPrefix, row.Person, row.Ordinal)
		if row.inForce() {
			to[personSlot].value = key("", nil, unix(row.NotAfter))
		}
	}
	if row.open() {
		to[openSlot].key = key(openPrefix, o)
	}
	if row.Doomed {
		to[doomedSlot].key = key(doomedPrefix, o)
	}
	switch row.Queue {
	case QueueNew:
		to[queueSlot].key = key(newPrefix, o)
	case QueueGone:
		to[queueSlot].key = key(gonePrefix, o)
	case QueueExpiring:
		to[queueSlot].key = key(expiryPrefix, nil, unix(row.NotAfter), row.Ordinal)
	}
	if row.Revocation != nil {
		to[revokedSlot] = pair{key(revokedPrefix, o), row.Revocation}
	}
	return to
}

// put adds to b what turns the rows of old into these. It appends to fresh the
// keys that something may have looked for in vain.
func (next *pairs) put(b *kv.Batch, old *pairs, fresh [][]byte) [][]byte {
	for slot := range next {
		is, was := &next[slot], &old[slot]
		same := is.key != nil && bytes.Equal(is.key, was.key)
		if was.key != nil && !same {
			b.Delete(was.key)
		}
		if is.key == nil || same && bytes.Equal(is.value, was.value) {
			continue
		}
		b.Set(is.key, is.value)
		if k := lookedFor(slot, is.key); k != nil && !same {
			fresh = append(fresh, k)
		}
	}
	return fresh
}

// lookedForPrefix are the prefixes of the indexes that lookedFor knows.
var lookedForPrefix = [slots]string{appSlot: appPrefix, serialSlot: serialPrefix, spkiSlot: spkiPrefix, personSlot: attrPrefix}

// lookedFor returns what a key of one of the indexes is found with: itself, or
// the person before the ordinal.
func lookedFor(slot int, key []byte) []byte {
	switch slot {
	case appSlot, serialSlot, spkiSlot:
		return key
	case personSlot:
		return key[:len(key)-8]
	}
	return nil
}
