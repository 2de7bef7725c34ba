package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/review/audit"
	"github.com/sukashi-project/sukashi/review/material"
	"github.com/sukashi-project/sukashi/review/report"
	"github.com/sukashi-project/sukashi/review/report/page"
	"github.com/sukashi-project/sukashi/review/verify"
)

func newReview(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "review", Short: "審議会の検証 / what a council runs, offline"}
	cmd.AddCommand(newAudit(a), newReport(a))
	return cmd
}

// audited reads a folder that was handed over and audits it as of now.
func audited(cmd *cobra.Command, dir string) (*audit.Result, error) {
	src, err := material.Read(cmd.Context(), dir)
	if err != nil {
		return nil, err
	}
	return audit.Audit(cmd.Context(), src, audit.Options{Now: time.Now()})
}

func newAudit(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "audit DIR",
		Short: "渡されたフォルダーからすべてを計算しなおす / recompute everything from the folder that was handed over",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := audited(cmd, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(res.Checks); err != nil {
					return err
				}
			} else {
				a.printAudit(cmd, res)
			}
			return exitOf(res.Class())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON で出す / print JSON")
	return cmd
}

// exitOf is the exit status for an audit: class D is false, class B is what
// could not be told from the folder, A and C hold.
func exitOf(c audit.Class) error {
	switch c {
	case audit.ClassD:
		return exitError(verify.IsFalse)
	case audit.ClassB:
		return exitError(verify.Untold)
	}
	return nil
}

func (a *app) printAudit(cmd *cobra.Command, res *audit.Result) {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{a.text("区分", "class"), a.text("検査", "check"), a.text("内容", "what"), a.text("件数", "examined"), a.text("指摘", "findings")})
	for _, c := range res.Checks {
		class := string(c.Class)
		if c.Verdict != audit.Confirmed && c.Verdict != audit.Found {
			class = "―"
		}
		t.AppendRow(table.Row{class, c.Code, c.Title.In(a.lang()), c.Examined, c.Total})
	}
	w := cmd.OutOrStdout()
	fmt.Fprintln(w, t.Render())
	for _, f := range res.Findings() {
		fmt.Fprintf(w, "%s (%s) %s\n", f.Check, f.Class, f.Text.In(a.lang()))
	}
	fmt.Fprintf(w, a.text("ログ %s、記録 %d 件、全体の区分 %s\n", "log %s, %d entries, class %s overall\n"), res.Origin, res.Size, res.Class())
}

func newReport(a *app) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "自分で報告書を作る / make the council report yourself",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := audited(cmd, args[0])
			if err != nil {
				return err
			}
			rep, err := report.Build(res, report.Meta{Generated: time.Now()})
			if err != nil {
				return err
			}
			b, err := rep.Marshal()
			if err != nil {
				return err
			}
			html, err := page.Render(rep, page.Options{Lang: a.lang()})
			if err != nil {
				return err
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			for name, content := range map[string][]byte{"report.json": b, "report.html": html} {
				if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
					return err
				}
			}
			fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(out, "report.html"))
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "council-report", "書き出す場所 / where to write it")
	return cmd
}
