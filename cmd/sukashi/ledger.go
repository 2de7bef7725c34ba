package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/review/verify"
)

func newLedger(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "透明性ログの道具 / tools for a log's store"}
	cmd.AddCommand(newFsck(a))
	return cmd
}

func newFsck(a *app) *cobra.Command {
	c := trillianlog.FsckConfig{}
	cmd := &cobra.Command{
		Use:   "fsck DIR",
		Short: "すべての記録とタイルを署名つきルートに照らす / check every entry and tile against the signed root",
		Long: a.text("DIR はデモのフォルダーです。ログは止めておいてください。",
			"DIR is a demo's folder. The log must not be running."),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			vkey, err := os.ReadFile(filepath.Join(args[0], "out", "log.vkey"))
			if err != nil {
				return say.New("fsck.vkey", "out/log.vkey を読めません: "+args[0], "out/log.vkey can't be read in "+args[0]).
					Hint("デモの --dir で指定したフォルダーを渡してください。", "Give the folder that --dir named.").Because(err)
			}
			c.Dir, c.HeadDir, c.VKey = filepath.Join(args[0], "ledger", "store"), filepath.Join(args[0], "head"), strings.TrimSpace(string(vkey))
			rep, err := trillianlog.Fsck(cmd.Context(), c)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			for _, f := range rep.Findings {
				fmt.Fprintf(w, "✕ %s %d: %s\n", f.What, f.Index, f.Text.In(a.lang()))
			}
			fmt.Fprintf(w, a.text("記録 %d 件、タイル %d 枚、修復 %d 件\n", "%d entries, %d tiles, %d repaired\n"), rep.Size, rep.Tiles, rep.Repaired)
			if !rep.OK() {
				return exitError(verify.IsFalse)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&c.Repair, "repair", false, "記録から計算しなおしてタイルと索引を修復する / repair tiles and index from the entries")
	return cmd
}
