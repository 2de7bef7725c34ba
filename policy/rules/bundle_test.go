package rules

import (
	"bytes"
	"context"
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/catalogue"
)

func TestShippedIsReproducible(t *testing.T) {
	a, b := Shipped(), Shipped()
	if a.Digest != b.Digest || a.Digest != entry.Sum(a.Bytes) {
		t.Error("two packings differ")
	}
	back, err := ParseBundle(a.Bytes)
	if err != nil || back.Digest != a.Digest || back.Grammar != a.Grammar || back.Scanner != a.Scanner || back.Capabilities != a.Capabilities {
		t.Errorf("%v", err)
	}
	if a.Grammar != entry.Sum(a.File(FileGrammar)) || a.Grammar == a.Scanner {
		t.Error("a component's digest is not that of its file")
	}
	for _, name := range a.Names() {
		files := a.Files()
		files[name] = append(bytes.Clone(files[name]), '\n')
		c, err := Pack(files)
		if err != nil || c.Digest == a.Digest {
			t.Errorf("a byte more in %s does not change the digest (%v)", name, err)
		}
	}
}

func TestParseBundleRefuses(t *testing.T) {
	good := Shipped().Bytes
	for name, b := range map[string][]byte{
		"empty": nil, "cut": good[:len(good)/2], "padded": append(bytes.Clone(good), make([]byte, 512)...),
		"text": []byte("hello"), "too large": make([]byte, MaxBundle+1),
	} {
		if _, err := ParseBundle(b); err == nil {
			t.Errorf("%s bundle is read", name)
		}
	}
	touched := bytes.Clone(good)
	touched[136] ^= 1 // modification time of the first header
	if _, err := ParseBundle(touched); err == nil {
		t.Error("a bundle with another time is read")
	}
	for _, name := range []string{"../x.rego", "sukashi/X.rego", "data.json", "sukashi/a/b.rego", "schemas/.json", "policy.wasm", ".signatures.json"} {
		files := Shipped().Files()
		files[name] = []byte("x")
		if _, err := Pack(files); err == nil {
			t.Errorf("%s is packed", name)
		}
	}
	for _, name := range []string{FileManifest, FileCapabilities, FileCatalogue, FileGrammar, FileScanner} {
		files := Shipped().Files()
		delete(files, name)
		if _, err := Pack(files); err == nil {
			t.Errorf("a bundle without %s is packed", name)
		}
	}
}

func FuzzParseBundle(f *testing.F) {
	good := Shipped().Bytes
	f.Add(good)
	f.Add(good[:1024])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := ParseBundle(b)
		if err == nil && !bytes.Equal(out.Bytes, b) {
			t.Fatal("accepted bytes that Pack would not write")
		}
	})
}

func TestShippedKeepsTheHouseRules(t *testing.T) {
	if faults := Lint(Shipped()); len(faults) > 0 {
		t.Error(faults)
	}
	e, err := Compile(context.Background(), Shipped())
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Rulesets()) != len(catalogue.Rulesets()) {
		t.Error("the engine has other rule sets than the catalogue")
	}
	if e.Facts("no-such-set") != nil {
		t.Error("an unknown rule set has facts")
	}
}
