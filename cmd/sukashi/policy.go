package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/prove"
	"github.com/sukashi-project/sukashi/review/verify"
)

func newPolicy(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "規則を証明し、比べ、承認する / prove, compare and approve the rules"}
	cmd.AddCommand(newProve(a), newDecide(a), newDiff(a), newBundle(a), newApprove(a), newApproved(a))
	return cmd
}

func newProve(a *app) *cobra.Command {
	var o prove.Options
	var bundle, out, again string
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "許されてはならないものが許されないことを証明する / prove that nothing forbidden is allowed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := readBundle(bundle)
			if err != nil {
				return err
			}
			if again != "" {
				return a.proveAgain(cmd, again, b)
			}
			o.Progress = func(step string) { fmt.Fprintln(cmd.ErrOrStderr(), "  "+step) }
			c, err := prove.RunWith(cmd.Context(), b, o)
			if err != nil && !errors.Is(err, prove.ErrNotProved) {
				return err
			}
			if out != "" {
				if err := os.WriteFile(out, c.Marshal(), 0o644); err != nil {
					return err
				}
			}
			for _, f := range c.Failures {
				fmt.Fprintln(cmd.OutOrStdout(), "✕ "+f)
			}
			if !c.Holds {
				return exitError(verify.IsFalse)
			}
			fmt.Fprintf(cmd.OutOrStdout(), a.text("〇 証明できました: %s\n", "〇 proved: %s\n"), c.Bundle)
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Full, "full", false, "すべての組み合わせを判定する(数分) / decide every vector (minutes)")
	f.StringVar(&bundle, "bundle", "", "規則の束(省略時は組み込みのもの) / policy bundle (default: the embedded one)")
	f.StringVar(&out, "out", "", "証明書を書き出す / write the proof certificate")
	f.StringVar(&again, "again", "", "この証明書をもう一度計算して比べる / compute this certificate again and compare")
	return cmd
}

func (a *app) proveAgain(cmd *cobra.Command, path string, b rules.Bundle) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	switch err := prove.Again(cmd.Context(), raw, b); {
	case err == nil:
		fmt.Fprintln(cmd.OutOrStdout(), a.text("〇 同じ証明書になりました。", "〇 the same certificate, byte for byte."))
		return nil
	case errors.Is(err, prove.ErrOtherTools):
		fmt.Fprintln(cmd.OutOrStdout(), a.text("〇 証明は成り立ちます(道具の版だけが違います)。", "〇 it is proved; only the tools' versions differ."))
		return nil
	case errors.Is(err, prove.ErrNotProved):
		fmt.Fprintln(cmd.OutOrStdout(), a.text("✕ この証明書は、この規則のものではないか、成り立ちません。", "✕ the certificate is not this bundle's, or it does not hold."))
		return exitError(verify.IsFalse)
	default:
		return err
	}
}
