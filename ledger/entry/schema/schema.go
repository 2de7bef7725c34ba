// Package schema holds the JSON Schema (draft 2020-12) of every entry kind, for
// readers who don't use Go. The schemas say what package entry says, except
// for what JSON Schema can't: the canonical byte form, ascending lists, counts
// that must fit each other. A test holds both against each other.
//
//	b, ok := schema.For(entry.KindCertIssued)
package schema

import (
	"embed"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Base is the URL that the files' $id begin with. Nothing is fetched from it.
const Base = "https://github.com/sukashi-project/sukashi/ledger/entry/schema/"

// Common is the file name of the definitions that all schemas refer to.
const Common = "common.json"

//go:embed *.json
var files embed.FS

// For returns the schema of whole entries of one kind.
func For(k entry.Kind) ([]byte, bool) { return File(string(k) + ".json") }

// File returns a schema by its file name.
func File(name string) ([]byte, bool) {
	b, err := files.ReadFile(name)
	return b, err == nil
}

// Names returns the file names, sorted.
func Names() []string {
	list, _ := files.ReadDir(".") // an embedded directory can always be read
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}
