package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
)

// A file of changes is read whole or not at all, and what is wrong with it is said
// without quoting it.
func TestReadChangeFile(t *testing.T) {
	const move = `{"kind":"move-within","code":"12345678901","municipality":"202011","attr":{"Name":"透見　花子","BirthDate":"320000229","Sex":"2","Address":"長野県長野市架空町１"}}`
	const death = `{"kind":"death","code":"12345678901","municipality":"202011"}`
	name := filepath.Join(t.TempDir(), "changes.jsonl")
	if err := os.WriteFile(name, []byte(move+"\n"+death+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []struct{ stdin, name string }{{"", name}, {move + "\n" + death, "-"}} {
		got, err := readChangeFile(strings.NewReader(from.stdin), from.name)
		if err != nil || len(got) != 2 {
			t.Fatalf("%s: %d changes, %v", from.name, len(got), err)
		}
		if got[0].Kind != register.MoveWithin || got[0].Attr.Name != "透見　花子" || got[0].Attr.Address != "長野県長野市架空町１" || got[1].Kind != register.Death {
			t.Errorf("%s: %+v", from.name, got)
		}
	}
	for want, text := range map[string]string{
		"juki.change-none": "", "juki.change-line": move + "\n" + strings.Replace(death, "kind", "kindness", 1), "juki.change-size": strings.Repeat(move+"\n", 6000),
	} {
		got, err := readChangeFile(strings.NewReader(text), "-")
		if say.Code(err) != want || got != nil {
			t.Errorf("wanted %s: %v, %d changes", want, err, len(got))
		}
		for _, secret := range []string{"12345678901", "花子", "架空町"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s quotes the file", want)
			}
		}
	}
	if _, err := readChangeFile(nil, name+"x"); say.Code(err) != "juki.change-file" {
		t.Errorf("a file that isn't there: %v", err)
	}
}

// What a record says can't be given as an argument, and a code and a file not both.
func TestChangeTakesNoPersonalDataAsArguments(t *testing.T) {
	for _, args := range [][]string{{"--name", "透見　花子"}, {"--address", "x"}, {"12345678901", "--file", "-"}, {"--file", "-", "--kind", "death"}, {}} {
		full := append([]string{"juki", "change", "--url", "https://127.0.0.1:9", "--cert", "c", "--key", "k", "--ca", "r"}, args...)
		if run(t.Context(), full) == 0 {
			t.Errorf("%v is accepted", args)
		}
	}
}
