package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/juki"
)

// The residents are taken over into a database, and once only.
func TestImportIntoPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a database server takes long")
	}
	dir := t.TempDir()
	url := servers.Postgres(t).URL(t, "register")
	dsn := filepath.Join(dir, "dsn")
	if err := os.WriteFile(dsn, []byte(url+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	invented, data := filepath.Join(dir, "invented"), filepath.Join(dir, "data")
	residents := filepath.Join(invented, "residents.jsonl")
	for _, args := range [][]string{{"juki", "invent", "--residents", "20", invented}, {"juki", "import", "--dir", data, "--postgres", dsn, residents}} {
		if status := run(t.Context(), args); status != 0 {
			t.Fatalf("%v: %d", args, status)
		}
	}
	b, err := os.ReadFile(residents)
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`"code":"(\d+)"`).FindSubmatch(b)
	o, err := roles.OpenOffice(t.Context(), data, url)
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Register.Record(string(code[1]))
	if err := errors.Join(err, o.Close()); err != nil {
		t.Error(err)
	}
	empty, err := juki.Open(juki.Config{Dir: data, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := empty.Register.Record(string(code[1])); err == nil {
		t.Error("the residents are in the embedded store too")
	}
	if err := empty.Close(); err != nil {
		t.Error(err)
	}
}
