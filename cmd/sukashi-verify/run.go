//go:build !js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/review/verify"
)

const usage = `sukashi-verify [--policy FILE] [--entry FILE] [--cert FILE] [--lang ja|en] [--json] FILE…

証明ファイル (.tlog-proof)、状態証明 (.status)、報告書 (report.json) を、通信せずに確かめます。
Checks proof files, status receipts and reports, offline.

終了コード / exit code: 0 成立 holds, 2 不成立 checked and false, 1 判定できない could not tell
`

// run is the command; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("sukashi-verify", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() { fmt.Fprint(stderr, usage); fs.PrintDefaults() }
	var o verify.Options
	fs.StringVar(&o.PolicyPath, "policy", "", "信頼方針 trust policy (tlog-policy)")
	fs.StringVar(&o.EntryPath, "entry", "", "記録 entry file of a proof")
	fs.StringVar(&o.CertPath, "cert", "", "証明書 certificate for a status receipt, PEM or DER")
	lang := fs.String("lang", "ja", "ja | en")
	asJSON := fs.Bool("json", false, "JSON, one object per file")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return int(verify.Holds)
		}
		return int(verify.Untold)
	}
	l, ok := say.ParseLang(*lang)
	if !ok || fs.NArg() == 0 {
		fs.Usage()
		return int(verify.Untold)
	}
	var exits []verify.Exit
	for _, path := range fs.Args() {
		r := verify.File(ctx, path, o)
		exits = append(exits, r.Exit)
		var err error
		if *asJSON {
			err = json.NewEncoder(stdout).Encode(r)
		} else {
			err = r.Print(stdout, l)
		}
		if err != nil {
			fmt.Fprintln(stderr, "sukashi-verify:", err)
			exits = append(exits, verify.Untold)
		}
	}
	return int(verify.Worst(exits...))
}
