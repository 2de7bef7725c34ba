package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/serve"
)

func newServe(a *app) *cobra.Command {
	var config string
	var check bool
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "一つの役割をサーバーとして動かす / run one role as a server: ledger, witness",
		Long: a.text("設定は YAML です。書き方は docs/SERVE.md にあります。止めるには SIGTERM を送ります。受け付けた要求を終えてから止まります。",
			"The configuration is YAML, described in docs/SERVE.md. SIGTERM ends it, after the requests under way."),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := serve.Load(config)
			if err != nil {
				return err
			}
			if check {
				fmt.Fprintf(cmd.OutOrStdout(), a.text("〇 設定は正しく読めます(役割 %s)。\n", "〇 the configuration reads well (role %s).\n"), c.Role)
				return nil
			}
			return serve.Run(cmd.Context(), c, serve.Options{
				Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
				Ready: func(role string, addresses map[string]string) error {
					var text strings.Builder
					for _, name := range slices.Sorted(maps.Keys(addresses)) {
						fmt.Fprintf(&text, "%s %s %s\n", role, name, addresses[name])
					}
					_, err := fmt.Fprintln(cmd.OutOrStdout(), text.String()+a.text("準備ができました。", "ready"))
					return err
				},
			})
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "設定ファイル / configuration file")
	cmd.Flags().BoolVar(&check, "check", false, "設定を確かめるだけ / only check the configuration")
	_ = cmd.MarkFlagRequired("config")
	return cmd
}
