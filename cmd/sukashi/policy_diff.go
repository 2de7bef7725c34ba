package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/policy/rules/prove"
	"github.com/sukashi-project/sukashi/review/verify"
)

func newDiff(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff OLD [NEW]",
		Short: "新しい規則で何が許可され、何が拒否されるようになるか / what new rules newly allow and newly refuse",
		Long: a.text("OLD と NEW は規則の束のファイルです。NEW を省くと組み込みの規則と比べます。同じ場面を両方で判定して比べます。新たに許可される場面や、通知の容量・エンジンの権限の変更があれば、終了コード 2 です。",
			"OLD and NEW are policy bundles; without NEW it is compared with the built-in one. Both decide the same situations. Exit status 2: something is newly allowed, or capacity or the engine's capabilities change."),
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			old, err := readBundle(args[0])
			if err != nil {
				return err
			}
			newer := ""
			if len(args) == 2 {
				newer = args[1]
			}
			next, err := readBundle(newer)
			if err != nil {
				return err
			}
			d, err := prove.Diff(cmd.Context(), old, next)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(d)
			} else {
				a.printDiff(cmd.OutOrStdout(), d)
			}
			if err != nil {
				return err
			}
			if opens(d) {
				return exitError(verify.IsFalse)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON で出す / print JSON")
	return cmd
}

// opens reports whether the new bundle lets through what the old one did not,
// or changes what the old one's proof rested on.
func opens(d prove.Difference) bool {
	open := d.Capabilities || len(d.Grammars) > 0
	for _, r := range d.Rulesets {
		open = open || len(r.NewlyAllowed) > 0
	}
	return open
}

func (a *app) printDiff(w io.Writer, d prove.Difference) {
	if d.Same() {
		fmt.Fprintln(w, a.text("〇 判定に関わる変更はありません。", "〇 nothing changes that could matter to a decision."))
		return
	}
	if d.Capabilities {
		fmt.Fprintln(w, a.text("! エンジンに許す機能が変わります。", "! the engine's capabilities change."))
	}
	if d.Scanner {
		fmt.Fprintln(w, a.text("・残りの文字欄の検査表が変わります。", "- the residual text scanner's tables change."))
	}
	for _, g := range d.Grammars {
		fmt.Fprintln(w, a.text("! 通知の文法: ", "! notice grammar: ")+g)
	}
	for _, r := range d.Rulesets {
		all := a.text("そのうち一部", "a part of all")
		if r.Exhaustive {
			all = a.text("すべて", "all there are")
		}
		fmt.Fprintf(w, a.text("規則 %s: %d 場面(%s)を両方で判定\n", "rule set %s: %d situations (%s) decided with both\n"), r.Name, r.Compared, all)
		a.facts(w, a.text("・新しく見る事実", "- facts newly looked at"), r.Added)
		a.facts(w, a.text("! 見なくなる事実", "! facts no longer looked at"), r.Removed)
		a.situations(w, a.text("! 新たに許可", "! newly allowed"), r.NewlyAllowed)
		a.situations(w, a.text("・新たに拒否", "- newly refused"), r.NewlyRefused)
		if n := len(r.OtherCodes); n > 0 {
			fmt.Fprintf(w, a.text("  ・拒否の理由だけが変わる: %d 場面\n", "  - refused by both, for other reasons: %d situations\n"), n)
		}
	}
}

func (a *app) facts(w io.Writer, title string, names []string) {
	if len(names) > 0 {
		fmt.Fprintf(w, "  %s: %s\n", title, strings.Join(names, ", "))
	}
}

// maxShown is how many situations of a kind are printed; --json has them all.
const maxShown = 5

func (a *app) situations(w io.Writer, title string, list [][]string) {
	for i, falses := range list {
		if i == maxShown {
			fmt.Fprintf(w, a.text("  %s: ほか %d 場面\n", "  %s: %d more\n"), title, len(list)-i)
			return
		}
		what := a.text("すべての事実が成り立つとき", "when every fact holds")
		if len(falses) > 0 {
			what = fmt.Sprintf(a.text("成り立たない事実が %s のとき", "when these facts do not hold: %s"), strings.Join(falses, ", "))
		}
		fmt.Fprintf(w, "  %s: %s\n", title, what)
	}
}
