package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/ledger/clusterlog/schema"
)

func newLedgerSchema(a *app) *cobra.Command {
	texts := map[string]string{"postgresql": schema.PostgreSQL, "mariadb": schema.MariaDB}
	return &cobra.Command{
		Use:   "schema postgresql|mariadb",
		Short: "クラスターのデータベースに加える SQL / the SQL that a cluster's database gets besides Trillian's",
		Long: a.text("Trillian の storage.sql の後に読み込む SQL を書き出します。データベースはこのログ専用にしてください。記録が入っていても読み込めます。\n"+
			"読み込む間は、Trillian のログサーバーと署名サーバーを止めておいてください。",
			"Prints the SQL to load after Trillian's storage.sql. The database must be for this log alone; there may be entries in it.\n"+
				"Trillian's log server and signer must be stopped while it is loaded."),
		Example:   "  sukashi ledger schema postgresql | psql -v ON_ERROR_STOP=1 trillian",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"postgresql", "mariadb"},
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), texts[args[0]])
			return err
		},
	}
}
