package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/ca/registry/pgstore"
)

// newSchema prints what the database's administrator runs once, and again after
// an upgrade.
func newSchema(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema ROLE",
		Short: "PostgreSQL に置く発行記録の表を作り、ROLE に権限を与える SQL を示す / show the SQL that makes the registry's tables in PostgreSQL and lets ROLE use them",
		Long: a.text("データベースの管理者が psql に渡します。ROLE は行を読み書きできるだけで、表の決まり(トリガー)は外せません。もう一度実行しても害はありません。",
			"The database's administrator pipes it into psql. ROLE can read and write rows and not take away the tables' rules (triggers). Running it again does no harm."),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := pgstore.Schema(args[0])
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), text)
			return nil
		},
	}
}
