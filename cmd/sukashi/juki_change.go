package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/register"
)

// newChange reports changes to the business subsystem (M2). What a record says
// comes from a file or standard input alone: what is in the arguments, others on
// the machine can see.
func newChange(a *app) *cobra.Command {
	var s serverOf
	var e register.Event
	var file string
	var names []string
	for _, k := range register.Kinds {
		names = append(names, string(k))
	}
	cmd := &cobra.Command{Use: "change [CODE]", Short: "住民票の異動を通知する(CODE が - なら標準入力から) / report changes of resident records (CODE -: from standard input)", Args: cobra.MaximumNArgs(1),
		Long: a.text("異動後の氏名や住所がある異動は --file で通知します。FILE は一行に一件の JSON です: {\"kind\":…,\"code\":…,\"municipality\":…,\"attr\":{\"Name\":…,\"BirthDate\":…,\"Sex\":…,\"Address\":…},\"reverts\":…}。一件でも受け付けられなければ、どれも受け付けません。消除と、消除の取消しは CODE と --kind でも通知できます。",
			"Changes with a name or an address after them are reported with --file: FILE has one change a line, as JSON: {\"kind\":…,\"code\":…,\"municipality\":…,\"attr\":{\"Name\":…,\"BirthDate\":…,\"Sex\":…,\"Address\":…},\"reverts\":…}. All are taken in, or none. A deletion, and the reversal of a change, can be reported with CODE and --kind."),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (file == "") == (len(args) == 0) {
				return say.New("juki.change-form", "住民票コードか --file のどちらか一つを指定してください。", "Give either a resident code or --file.")
			}
			h, err := s.client(zone.Juki)
			if err != nil {
				return err
			}
			var events []register.Event
			if file != "" {
				events, err = readChangeFile(cmd.InOrStdin(), file)
			} else {
				e.Code, err = residentCode(cmd.InOrStdin(), args[0])
				events = []register.Event{e}
			}
			if err != nil {
				return err
			}
			at, err := juki.Report(cmd.Context(), h, s.url, events...)
			if err != nil {
				return err
			}
			for _, pos := range at {
				fmt.Fprintf(cmd.OutOrStdout(), a.text("〇 異動 %d\n", "〇 change %d\n"), pos)
			}
			return nil
		}}
	s.flags(cmd)
	cmd.Flags().StringVar(&file, "file", "", "異動のファイル(- なら標準入力) / file of changes (-: standard input)")
	cmd.Flags().StringVar((*string)(&e.Kind), "kind", "", strings.Join(names, " | "))
	cmd.Flags().StringVar(&e.Municipality, "municipality", "", "全国地方公共団体コード / the town hall's code")
	cmd.Flags().Uint64Var(&e.Reverts, "reverts", 0, "取り消す異動 / the change that turned out to be a slip")
	for _, f := range []string{"kind", "municipality", "reverts"} {
		cmd.MarkFlagsMutuallyExclusive("file", f)
	}
	return cmd
}

// maxChangeFile is the largest file of changes, in bytes; the server takes no
// larger message.
const maxChangeFile = 1 << 20

// readChangeFile reads a file of changes, "-" from standard input. Its errors
// never quote a line.
func readChangeFile(stdin io.Reader, name string) (out []register.Event, err error) {
	in := stdin
	if name != "-" {
		var f *os.File
		if f, err = os.Open(name); err == nil {
			defer f.Close()
			in = f
		}
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(in, maxChangeFile+1))
	}
	if err != nil {
		return nil, say.New("juki.change-file", "異動のファイルを読めません: "+name, "The file of changes can't be read: "+name).Because(err)
	}
	if len(b) > maxChangeFile {
		return nil, say.New("juki.change-size", "異動のファイルが大きすぎます。", "The file of changes is too large.").
			Hint("1 MiB までに分けて通知してください。", "Report it in pieces of at most 1 MiB.")
	}
	for line := range bytes.Lines(b) {
		var e register.Event
		if !readLine(line, &e) {
			n := len(out) + 1
			return nil, say.New("juki.change-line", fmt.Sprintf("%d 行目を読み取れません。何も通知していません。", n), fmt.Sprintf("Line %d can't be read. Nothing was reported.", n))
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, say.New("juki.change-none", "異動のファイルに異動がありません。", "The file holds no change.")
	}
	return out, nil
}
