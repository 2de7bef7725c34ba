package pebblestore

import (
	"encoding/binary"
	"time"
)

// A key is one byte for the table, eight for the tree, then the table's own
// key. Numbers are big-endian, so that order of keys is order of numbers.
const (
	tableTree     = 'a' // → trillian.Tree
	tableRoot     = 'r' // → LogRoot bytes
	tableLeaf     = 'l' // index → leaf record
	tableTile     = 't' // level, index → hashes
	tableIdentity = 'i' // leaf identity → where the leaf is
	tableHash     = 'h' // Merkle leaf hash, index → nothing
	tableQueue    = 'q' // queue time, identity → nothing
	tableUser     = 'u' // what the owner of the tree keeps beside it
)

// tables lists all tables of a tree, for removal.
const tables = "arltihqu"

func key(table byte, tree int64, rest ...[]byte) []byte {
	n := prefixSize
	for _, r := range rest {
		n += len(r)
	}
	k := appendPrefix(make([]byte, 0, n), table, tree)
	for _, r := range rest {
		k = append(k, r...)
	}
	return k
}

// prefixSize is the size of what every key of a tree begins with.
const prefixSize = 9

func appendPrefix(k []byte, table byte, tree int64) []byte {
	return binary.BigEndian.AppendUint64(append(k, table), uint64(tree))
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func leafKey(tree int64, index uint64) []byte { return key(tableLeaf, tree, be64(index)) }

func tileKey(tree int64, t TileID) []byte {
	return key(tableTile, tree, []byte{byte(t.Level)}, be64(t.Index))
}

func hashKey(tree int64, hash []byte, index uint64) []byte {
	return key(tableHash, tree, []byte{byte(len(hash))}, hash, be64(index))
}

// timeBytes keeps the order of times before 1970 too.
func timeBytes(t time.Time) []byte { return be64(uint64(t.UnixNano()) ^ 1<<63) }

func queueKey(tree int64, at time.Time, identity []byte) []byte {
	return key(tableQueue, tree, timeBytes(at), identity)
}

// UserKey is a key in the space that belongs to the owner of a tree. It goes
// when the tree goes.
func UserKey(tree int64, name string, rest ...[]byte) []byte {
	return key(tableUser, tree, append([][]byte{[]byte(name), {0}}, rest...)...)
}
