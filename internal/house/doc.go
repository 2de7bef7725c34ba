// Package house holds the rules of the house as tests: who may import whom,
// that every package and every exported name is documented, and that no file
// names a place it must not know. It has no code of its own.
//
// The import policy is one readable string, walls, in imports_test.go.
package house
