package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/demo"
)

func newDemo(a *app) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "はじめから終わりまでを一度に / the whole story once: issue, move, notify, revoke, verify",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Lang = a.lang()
			o.Out = cmd.OutOrStdout()
			if fi, err := os.Stderr.Stat(); err == nil && fi.Mode()&os.ModeCharDevice != 0 {
				o.Bars = os.Stderr
			}
			return demo.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "dir", "", "置き場所(省略時は一時的な場所) / where to keep everything (default: a temporary directory)")
	f.IntVar(&o.Residents, "residents", demo.DefaultResidents, "住民の数 / number of residents")
	f.Uint64Var(&o.Seed, "seed", 1, "住民を作る種 / seed of the invented residents")
	f.StringVar(&o.NoticeMode, "notice", "reference", "通知の形 reference | echo / form of the change notice")
	f.StringVar(&o.CardKey, "card-key", "rsa2048", "カードの鍵 rsa2048 | p256 / key of the residents' cards")
	f.BoolVar(&o.Serve, "serve", false, "終わったあともサーバーと画面を動かし続ける / keep the servers and pages running")
	f.StringVar(&o.Addr, "addr", "127.0.0.1:8080", "--serve の番地 / address of the pages with --serve (loopback only)")
	return cmd
}
