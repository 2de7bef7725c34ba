// Command sukashi is one binary for every role: the ledger, the CA, the
// register side, and what agencies and councils run. Commands are thin: they
// read flags, call one package, print.
//
// Exit status: 0 holds, 1 could not tell (bad file, I/O, refused), 2 checked
// and false.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
)

// exitError ends the program with a status, its sentences already printed.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// app is what every command needs.
type app struct{ langFlag string }

func (a *app) lang() say.Lang {
	l, ok := say.ParseLang(a.langFlag)
	if !ok {
		return say.Japanese
	}
	return l
}

func (a *app) text(ja, en string) string { return say.Text{JA: ja, EN: en}.In(a.lang()) }

func main() { os.Exit(start()) }

// start runs the command until a signal ends it.
func start() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:])
}

func run(ctx context.Context, args []string) int {
	a := &app{}
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var status exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	err = explain(err)
	sentence, hint := say.For(err, a.lang())
	fmt.Fprintln(os.Stderr, "sukashi: "+sentence)
	if hint != "" {
		fmt.Fprintln(os.Stderr, "         "+hint)
	}
	var e *say.Error
	if errors.As(err, &e) && e.Cause != nil {
		fmt.Fprintln(os.Stderr, "         ("+e.Cause.Error()+")")
	}
	return 1
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "sukashi",
		Short:         "検証できる公的個人認証 / a personal-certificate CA whose every act can be checked",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if _, ok := say.ParseLang(a.langFlag); !ok {
				return say.New("flag.lang", "--lang は ja か en です。", "--lang must be ja or en.")
			}
			return nil
		},
	}
	root.AddCommand(newJuki(a))
	root.AddCommand(newCA(a))
	root.PersistentFlags().StringVar(&a.langFlag, "lang", "ja", "ja | en")
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newDemo(a), newVerify(a), newReview(a), newPolicy(a), newLedger(a), newServe(a), newTLS(a), newCard(a), newCounter(a))
	return root
}

// explain gives sentences to the operating system's errors that people meet.
func explain(err error) error {
	var e *say.Error
	if errors.As(err, &e) {
		return err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return say.New("disk.full", "ディスクがいっぱいです。", "The disk is full.").
			Hint("空きを作ってから、新しい場所でもう一度実行してください。記録済みのものは失われていません。",
				"Free some space and run again in a new directory. Nothing that was acknowledged is lost.").Because(err)
	case errors.Is(err, syscall.EADDRINUSE):
		return say.New("port.used", "その番地とポートは、ほかのプログラムが使っています。", "Another program uses that address and port.").
			Hint("--addr で別のポートを指定してください(127.0.0.1:0 なら自動で選びます)。", "Name another port with --addr (127.0.0.1:0 picks one).").Because(err)
	case errors.Is(err, os.ErrPermission):
		return say.New("permission", "権限がありません。", "Permission denied.").
			Hint("ファイルの持ち主と権限を確かめてください。", "Check the file's owner and permissions.").Because(err)
	case errors.Is(err, context.Canceled):
		return say.New("stopped", "中断しました。記録済みのものは失われていません。", "Stopped. Nothing that was acknowledged is lost.")
	}
	return err
}
