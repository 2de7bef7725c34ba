package prove_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/prove"
)

func TestAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a quick run proves the shipped bundle once, in TestShippedBundleIsProved")
	}
	ctx := context.Background()
	c, err := prove.RunWith(ctx, rules.Shipped(), prove.Options{Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	file := c.Marshal()
	if err := prove.Again(ctx, file, rules.Shipped()); err != nil {
		t.Errorf("the same proof: %v", err)
	}
	other := tampered(t, sabotage{file: send, old: "\tinput.no_resident_code == true\n", new: ""})
	if err := prove.Again(ctx, file, other); !errors.Is(err, prove.ErrNotProved) {
		t.Errorf("another bundle: %v", err)
	}
	changed := c
	changed.Grammars = append([]prove.Mode{}, c.Grammars...)
	changed.Grammars[0].FreeBits = 0.5
	if err := prove.Again(ctx, changed.Marshal(), rules.Shipped()); !errors.Is(err, prove.ErrNotProved) {
		t.Errorf("a changed figure: %v", err)
	}
	changed = c
	changed.Tools.OPA = "opa-0.0.0"
	if err := prove.Again(ctx, changed.Marshal(), rules.Shipped()); !errors.Is(err, prove.ErrOtherTools) {
		t.Errorf("other tools: %v", err)
	}
}

func TestParseCertificateRefuses(t *testing.T) {
	c := prove.Certificate{Version: 1, Rulesets: []prove.Ruleset{}, Grammars: []prove.Mode{}, Failures: []string{}}
	good := c.Marshal()
	if _, err := prove.ParseCertificate(good); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte("x"), "space": append(bytes.Clone(good), ' '),
		"member":  bytes.Replace(good, []byte(`"v": 1`), []byte(`"v": 1, "x": 2`), 1),
		"version": bytes.Replace(good, []byte(`"v": 1`), []byte(`"v": 2`), 1),
		"long":    make([]byte, 1<<20+1),
	} {
		if _, err := prove.ParseCertificate(b); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func FuzzParseCertificate(f *testing.F) {
	c := prove.Certificate{Version: 1, Rulesets: []prove.Ruleset{{Name: "revoke", Facts: []string{"complete"}}}, Grammars: []prove.Mode{{Name: "echo", Bits: 6081.485105300251}}, Failures: []string{}}
	f.Add(c.Marshal())
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := prove.ParseCertificate(b)
		if err == nil && !bytes.Equal(c.Marshal(), b) {
			t.Fatal("accepted bytes that Marshal would not write")
		}
	})
}
