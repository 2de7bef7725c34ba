//go:build !js

// Command sukashi-verify checks proof files, status receipts and council
// reports offline. It is small on purpose: whoever doubts the big program can
// read and build this one.
//
// Exit code 0: every file holds; 2: one was checked and is false; 1: one could
// not be told.
//
//	sukashi-verify [--policy FILE] [--entry FILE] [--cert FILE] [--lang ja|en] [--json] FILE…
package main

import (
	"context"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
