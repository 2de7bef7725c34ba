// Package pad makes messages of the link equally long on the wire, so that a
// length tells nothing about the content: whether a name is long, whether an
// ordinal has two digits or seven.
//
// What goes on the wire is the message, one line feed, and spaces up to the
// size. There is exactly one wire form of a message: the size follows from the
// message's length, the padding is fixed, and the receiver takes nothing else.
// So padding has no room for anything, and adds 0 bits to what a message can
// carry.
//
//	notices, counts   always Fixed bytes
//	daily lists (M1)  List, or as many doublings of it as the list needs
//
// The package is pure.
package pad

import "bytes"

// Sizes on the wire in bytes.
const (
	Fixed = 2048 // of notices (M3) and statements of counts
	List  = 4096 // of the shortest daily list; longer ones have a power of two times as much
)

// Size is the wire length of a message of n bytes: the smallest doubling of
// floor that has room for it and for the line feed that ends it.
func Size(floor, n int) int {
	size := floor
	for size < n+1 {
		size *= 2
	}
	return size
}

// Wire returns a message as it goes on the wire.
func Wire(message []byte, floor int) []byte {
	b := make([]byte, Size(floor, len(message)))
	end := copy(b, message)
	b[end] = '\n'
	for i := end + 1; i < len(b); i++ {
		b[i] = ' '
	}
	return b
}

// Message returns the message of a wire form; ok is false for bytes that are
// not the one wire form of any message.
func Message(wire []byte, floor int) (message []byte, ok bool) {
	b := bytes.TrimRight(wire, " ")
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return nil, false
	}
	b = b[:len(b)-1]
	return b, len(wire) == Size(floor, len(b))
}
