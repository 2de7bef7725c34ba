package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/ledger/logkey"
)

// newLogKey makes a log's signing key in a file.
func newLogKey(a *app) *cobra.Command {
	var origin string
	cmd := &cobra.Command{
		Use:   "log-key FILE",
		Short: "ログの署名鍵を作り、検証鍵を示す / make a log's signing key and show its verifier key",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := logkey.CreateFile(args[0], origin, rand.Reader)
			if err != nil {
				return err
			}
			defer k.Close()
			fmt.Fprintln(cmd.OutOrStdout(), k.VKey())
			return nil
		},
	}
	cmd.Flags().StringVar(&origin, "origin", "", "ログの名前 / the log's name in checkpoints, such as log.example/1")
	return cmd
}
