package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/review/verify"
)

func newVerify(a *app) *cobra.Command {
	var o verify.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify FILE…",
		Short: "証拠を検証する / verify proofs, status receipts and reports, offline",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			exit := verify.Holds
			for _, path := range args {
				r := verify.File(cmd.Context(), path, o)
				exit = verify.Worst(exit, r.Exit)
				var err error
				if asJSON {
					err = json.NewEncoder(cmd.OutOrStdout()).Encode(r)
				} else {
					err = r.Print(cmd.OutOrStdout(), a.lang())
				}
				if err != nil {
					return err
				}
			}
			if exit != verify.Holds {
				return exitError(exit)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.PolicyPath, "policy", "", "信頼する鍵と証人(省略時は近くの witness.policy) / trust policy (default: the nearest witness.policy)")
	f.StringVar(&o.EntryPath, "entry", "", "記録のファイル / entry file (default: beside the proof)")
	f.StringVar(&o.CertPath, "cert", "", "証明書 / certificate for a status receipt")
	f.BoolVar(&asJSON, "json", false, "JSON で出す / print JSON")
	return cmd
}
