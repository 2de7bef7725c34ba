package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/ledger/witness"
)

func newLedgerHead(a *app) *cobra.Command {
	var at places
	var policyFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "head DIR",
		Short: "ヘッド、保存内容、証人が見た記録を並べる / show head, store and what the witnesses have seen",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := at.fsck(args[0])
			if err != nil {
				return err
			}
			v, err := trillianlog.OpenView(c)
			if err != nil {
				return err
			}
			defer v.Close()
			rows := []headRow{{What: "store", Size: v.Size, Root: base64.StdEncoding.EncodeToString(v.Root[:])}}
			rows = append(rows, noteRow("head", v.Head))
			published, _ := v.Checkpoint(cmd.Context()) // none yet is nothing wrong
			rows = append(rows, noteRow("published", published))
			if policyFile != "" {
				seen, err := witnessRows(cmd.Context(), policyFile)
				if err != nil {
					return err
				}
				rows = append(rows, seen...)
			}
			for _, r := range rows {
				if err := a.printHead(cmd, r, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&policyFile, "policy", "", "信頼方針ファイル（証人に尋ねる） / trust policy, to ask its witnesses")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON で出す（一行に一つ） / print JSON, one a line")
	return cmd
}

// headRow is one view of how far the log has come.
type headRow struct {
	What    string `json:"what"` // "store", "head", "published", "witness"
	Witness string `json:"witness,omitempty"`
	Size    uint64 `json:"size"`
	Root    string `json:"root,omitempty"` // base64; empty: none
	Error   string `json:"error,omitempty"`
}

func noteRow(what string, note []byte) headRow {
	r := headRow{What: what}
	if note == nil {
		return r
	}
	cp, err := proof.ParseUnverified(note)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	r.Size, r.Root = cp.Size, cp.Root.String()
	return r
}

func witnessRows(ctx context.Context, policyFile string) ([]headRow, error) {
	policy, err := readPolicy(policyFile)
	if err != nil {
		return nil, err
	}
	c, err := witness.NewClient(witness.ClientConfig{Policy: policy, HTTP: &http.Client{Timeout: 5 * time.Second}, Now: time.Now})
	if err != nil {
		return nil, err
	}
	var rows []headRow
	for _, s := range c.Newest(ctx) {
		r := headRow{What: "witness", Witness: s.Witness}
		switch {
		case s.Err != nil:
			r.Error = s.Err.Error()
		case s.Checkpoint != nil:
			r.Size, r.Root = s.Checkpoint.Size, s.Checkpoint.Root.String()
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (a *app) printHead(cmd *cobra.Command, r headRow, asJSON bool) error {
	if asJSON {
		return show(cmd, r)
	}
	name := map[string]string{"store": a.text("保存内容", "store"), "head": a.text("ヘッド", "head"),
		"published": a.text("公開済み", "published"), "witness": a.text("証人 ", "witness ") + r.Witness}[r.What]
	text := fmt.Sprintf(a.text("%d 件  %s", "%d entries  %s"), r.Size, r.Root)
	if r.Root == "" {
		text = a.text("なし", "none")
	}
	if r.Error != "" {
		text = r.Error
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", name, text)
	return err
}

func newLedgerExport(a *app) *cobra.Command {
	var at places
	var from server
	var policyFile string
	var tree bool
	cmd := &cobra.Command{
		Use:   "export (DIR | --url URL) OUT",
		Short: "ログ全体を静的なファイルとして書き出す / write the whole log as static files",
		Long: a.text("止めてあるログ DIR から、または動いているログから写します。OUT はそのままどのウェブサーバーでも配れます（C2SP tlog-tiles）。二度目からは増えた分だけ書きます。",
			"Copies a stopped log in DIR, or a running one. Any web server can serve OUT as it is (C2SP tlog-tiles). A second export adds what is new."),
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, out := cmd.Context(), args[len(args)-1]
			src, done, err := exportFrom(cmd, &at, &from, policyFile, args[:len(args)-1])
			if err != nil {
				return err
			}
			defer done()
			if tree {
				err = publish.ExportTree(ctx, src, out)
			} else {
				err = publish.ExportLog(ctx, src, out)
			}
			if err != nil {
				return err
			}
			note, err := src.Checkpoint(ctx)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), a.text("記録 %d 件\n", "%d entries\n"), noteRow("", note).Size)
			return err
		},
	}
	at.flags(cmd)
	from.flags(cmd)
	cmd.Flags().StringVar(&policyFile, "policy", "witness.policy", "--url のとき、信頼方針ファイル / with --url: the trust policy")
	cmd.Flags().BoolVar(&tree, "tree-only", false, "記録を含めず、ハッシュとチェックポイントだけ / hashes and checkpoint without the entries")
	return cmd
}

func exportFrom(cmd *cobra.Command, at *places, from *server, policyFile string, dir []string) (publish.Exporter, func() error, error) {
	if (from.url == "") == (len(dir) == 0) {
		return nil, nil, say.New("export.from", "写し元は DIR か --url のどちらか一つです。", "The source is either DIR or --url.")
	}
	if from.url == "" {
		c, err := at.fsck(dir[0])
		if err != nil {
			return nil, nil, err
		}
		v, err := trillianlog.OpenView(c)
		if err != nil {
			return nil, nil, err
		}
		return v, v.Close, nil
	}
	policy, err := readPolicy(policyFile)
	if err != nil {
		return nil, nil, err
	}
	c, err := from.client()
	if err != nil {
		return nil, nil, err
	}
	m, err := publish.NewMirror(cmd.Context(), c, policy)
	return m, func() error { return nil }, err
}

func newLedgerImport(a *app) *cobra.Command {
	var at places
	var policyFile string
	cmd := &cobra.Command{
		Use:   "import FROM DIR",
		Short: "書き出したログから保存先を作る / make a store from an exported log",
		Long: a.text("FROM の記録を一件ずつ確かめ、チェックポイントに至ったときだけログになります。中断しても、もう一度実行すれば続きから進みます。署名はしません。",
			"Every entry in FROM is checked; only if they lead to the checkpoint does a log come of it. After an interruption, run it again. It signs nothing."),
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			at.in(args[1])
			keys, err := readKeys(at.keys)
			if err != nil {
				return err
			}
			policy, err := proof.LogKeys(keys...)
			if err == nil && policyFile != "" {
				policy, err = readPolicy(policyFile)
			}
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(at.store), 0o700); err != nil {
				return err
			}
			cp, err := trillianlog.Import(cmd.Context(), trillianlog.ImportConfig{Dir: at.store, HeadDir: at.head, Keys: keys, Now: time.Now},
				func(fn func(uint64, []byte) error) (*proof.Checkpoint, error) {
					return publish.ReadExport(cmd.Context(), args[0], policy, fn)
				})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), a.text("記録 %d 件\n", "%d entries\n"), cp.Size)
			return err
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&policyFile, "policy", "", "信頼方針ファイル（証人の署名も確かめる） / trust policy, to check the witnesses too")
	return cmd
}
