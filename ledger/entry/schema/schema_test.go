package schema

import (
	"encoding/json"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

func TestFiles(t *testing.T) {
	for _, n := range Names() {
		b, ok := File(n)
		var doc map[string]any
		if !ok || json.Unmarshal(b, &doc) != nil || doc["$id"] != Base+n {
			t.Errorf("%s is not a schema", n)
		}
	}
	if _, ok := For(entry.KindGenesis); !ok {
		t.Error("no schema for log.genesis")
	}
	if _, ok := For("nothing"); ok {
		t.Error("a schema for nothing")
	}
	if _, ok := File(Common); !ok {
		t.Error("no common definitions")
	}
}
