package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/desk"
	"github.com/sukashi-project/sukashi/juki/match"
)

// newJuki has the commands of the register side. queue, link and import open
// its stores themselves, so its server must not be running; export and change
// are a town hall's terminal and call the server.
func newJuki(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "juki", Short: "住民基本台帳側の作業 / work on the register side"}
	var dir string
	with := func(fn func(*juki.Office, *cobra.Command, []string) error) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, args []string) error {
			if _, err := os.Stat(dir); dir == "" || err != nil {
				return say.New("juki.dir", "--dir に住基側のフォルダーを指定してください。", "Name the register side's folder with --dir.").
					Hint("デモなら、--dir で指定したフォルダーの中の juki です。", "A demo's is juki inside the folder that --dir named.")
			}
			o, err := juki.Open(juki.Config{Dir: dir, Now: time.Now})
			if err != nil {
				return err
			}
			return errors.Join(fn(o, cmd, args), o.Close())
		}
	}
	queue := &cobra.Command{Use: "queue", Short: "はっきりしない突合を人が判断する / a person decides about unclear matches"}
	queue.AddCommand(a.queueList(with), a.queueShow(with), a.queueDecide(with))
	link := a.newLink(with)
	for _, sub := range []*cobra.Command{queue, link} {
		sub.PersistentFlags().StringVar(&dir, "dir", "", "住基側のフォルダー(デモでは DIR/juki) / the register side's folder (a demo's DIR/juki)")
	}
	cmd.AddCommand(queue, link, newInvent(a), newImport(a), newTerminalKey(), newExport(), newChange(a))
	return cmd
}

type withOffice func(func(*juki.Office, *cobra.Command, []string) error) func(*cobra.Command, []string) error

func (a *app) queueList(with withOffice) *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{Use: "list", Short: "案件の一覧 / list the cases", Args: cobra.NoArgs,
		RunE: with(func(o *juki.Office, cmd *cobra.Command, _ []string) error {
			cs, err := o.Matching.Cases(!all)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				return writeJSON(w, cs)
			}
			for _, c := range cs {
				state := a.text("未決", "open")
				if c.Decision != nil {
					state = desk.BasisText(c.Decision.Basis).In(a.lang()) + " (" + c.Decision.Operator + ", " + c.Decision.At.String() + ")"
				}
				fmt.Fprintf(w, "%d  %s  %s  [%s]\n", c.ID, c.At, desk.WhyText(c.Why).In(a.lang()), state)
			}
			if len(cs) == 0 {
				fmt.Fprintln(w, a.text("確認待ちの案件はありません。", "No case waits."))
			}
			return nil
		})}
	cmd.Flags().BoolVar(&all, "all", false, "判断の済んだ案件も / decided ones too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON")
	return cmd
}

func (a *app) queueShow(with withOffice) *cobra.Command {
	return &cobra.Command{Use: "show N", Short: "案件の内容 / one case (shows personal data)", Args: cobra.ExactArgs(1),
		RunE: with(func(o *juki.Office, cmd *cobra.Command, args []string) error {
			id, err := caseNumber(args[0])
			if err != nil {
				return err
			}
			d, err := o.Matching.Detail(id)
			if err != nil {
				return err
			}
			a.printCase(cmd.OutOrStdout(), d)
			return nil
		})}
}

func (a *app) printCase(w io.Writer, d match.Detail) {
	fmt.Fprintf(w, "%s %d: %s\n", a.text("案件", "case"), d.Case.ID, desk.WhyText(d.Case.Why).In(a.lang()))
	if c := d.Change; c != nil {
		fmt.Fprintf(w, "%s: %s  %s\n", a.text("異動", "change"), desk.KindText(c.Kind).In(a.lang()), c.Code)
		if c.Before != nil {
			fmt.Fprintf(w, "  %s: %s %s %s %s\n", a.text("前", "before"), c.Before.Name, c.Before.BirthDate, c.Before.Sex, c.Before.Address)
		}
		if c.After != nil {
			fmt.Fprintf(w, "  %s: %s %s %s %s\n", a.text("後", "after"), c.After.Name, c.After.BirthDate, c.After.Sex, c.After.Address)
		}
	}
	for _, r := range d.Records {
		v := r.Current()
		fmt.Fprintf(w, "%s %s: %s %s %s %s\n", a.text("住民票", "record"), r.Code, v.Attr.Name, v.Attr.BirthDate, v.Attr.Sex, v.Attr.Address)
	}
	for _, h := range d.Holders {
		c := h.Certified
		fmt.Fprintf(w, "%s %d: %s %s %s %s\n", a.text("電子証明書", "certificate"), h.Ordinal, c.Name, c.BirthDate, c.Sex, c.Address)
	}
	if x := d.Case.Decision; x != nil {
		fmt.Fprintf(w, "%s: %s %v (%s, %s)\n", a.text("判断", "decision"), desk.BasisText(x.Basis).In(a.lang()), x.Notify, x.Operator, x.At)
	}
}

func (a *app) queueDecide(with withOffice) *cobra.Command {
	var d match.Decision
	var basis string
	var notify []string
	var names []string
	for _, b := range desk.Bases {
		names = append(names, string(b.Basis))
	}
	cmd := &cobra.Command{Use: "decide N", Short: "案件を判断する(取り消せません) / decide a case, for good", Args: cobra.ExactArgs(1),
		RunE: with(func(o *juki.Office, cmd *cobra.Command, args []string) error {
			id, err := caseNumber(args[0])
			if err != nil {
				return err
			}
			for _, s := range notify {
				n, err := caseNumber(s)
				if err != nil {
					return err
				}
				d.Notify = append(d.Notify, n)
			}
			d.Basis = match.Basis(basis)
			if err := o.Matching.Decide(id, d); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), a.text("案件 %d の判断を記録しました。\n", "The decision about case %d is recorded.\n"), id)
			return nil
		})}
	cmd.Flags().StringVar(&d.Operator, "operator", "", "担当者番号 / officer id")
	cmd.Flags().StringVar(&basis, "basis", "", strings.Join(names, " | "))
	cmd.Flags().StringSliceVar(&notify, "notify", nil, "通知する電子証明書の発行順の番号 / ordinals of the certificates to notify")
	return cmd
}

func caseNumber(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 53)
	if err != nil {
		return 0, say.New("juki.number", "番号を数字で入れてください。", "Give a number in digits.")
	}
	return n, nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
