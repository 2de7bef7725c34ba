package entry

import (
	"reflect"
	"testing"
)

// FuzzParseFast holds the short way against the whole one.
func FuzzParseFast(f *testing.F) {
	f.Add([]byte(`{"at":"2026-11-23T00:00:00Z","body":{"code":"a","count":1,"from":"2026-11-23T00:00:00Z","to":"2026-11-23T00:00:00Z"},"by":"ca-server","kind":"security.event","seq":7,"v":1}`))
	f.Add([]byte(`{"at":"2026-11-23T00:00:00Z","body":{"certificate":"0000000000000000000000000000000000000000000000000000000000000001","ordinal":3},"by":"ca-server","kind":"cert.issued","seq":0,"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fast, ok := parseCanonical(b)
		whole, err := parseWhole(b)
		if ok != (err == nil) {
			t.Fatalf("fast %t, whole %v", ok, err)
		}
		if ok && !reflect.DeepEqual(fast, whole) {
			t.Fatal("two entries")
		}
	})
}

var bench = []byte(`{"at":"2026-11-23T00:00:00Z","body":{"approvals":[{"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","sig":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="},{"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","sig":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}],"bundle":"0000000000000000000000000000000000000000000000000000000000000001","capabilities":"0000000000000000000000000000000000000000000000000000000000000001","grammar":"0000000000000000000000000000000000000000000000000000000000000001","proof":"0000000000000000000000000000000000000000000000000000000000000001","scanner":"0000000000000000000000000000000000000000000000000000000000000001"},"by":"council","kind":"policy.approved","seq":7,"v":1}`)

func BenchmarkParse(b *testing.B) {
	for name, f := range map[string]func([]byte) (Entry, error){"fast": Parse, "whole": parseWhole} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := f(bench); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
