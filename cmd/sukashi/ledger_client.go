package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

func newLedgerAppend(a *app) *cobra.Command {
	var to server
	var keys, out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "append FILE…",
		Short: "記録を書き込み、受領証を受け取る / append entries and get receipts",
		Long: a.text("各ファイルは正規形（JCS）の記録一件です。全部まとめて、順に、すべて記録されるか、どれも記録されないかのどちらかです。同じ記録をもう一度送ると、同じ場所の受領証が返ります。",
			"Each file is one entry in canonical form (JCS). They are logged together and in order, all or none. Sending one again returns its receipt again."),
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			policy, err := logPolicy(keys)
			if err != nil {
				return err
			}
			c, err := to.client()
			if err != nil {
				return err
			}
			var entries [][]byte
			for _, f := range args {
				b, err := os.ReadFile(f)
				if err != nil {
					return say.New("entry.file", "記録のファイルを読めません: "+f, "The entry can't be read: "+f).Because(err)
				}
				entries = append(entries, b)
			}
			receipts, err := c.Append(cmd.Context(), entries...)
			if err != nil {
				return err
			}
			for i, r := range receipts {
				if _, err := policy.VerifyReceipt(r, entries[i]); err != nil {
					return err
				}
				if out != "" {
					if err := writePair(out, r, entries[i]); err != nil {
						return err
					}
				}
				if asJSON {
					err = show(cmd, map[string]any{"file": args[i], "index": r.Index})
				} else {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), a.text("記録 %d: %s\n", "entry %d: %s\n"), r.Index, args[i])
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	to.flags(cmd)
	cmd.Flags().StringVar(&keys, "keys", "", "ログの検証鍵（受領証を確かめる） / the log's verifier key, to check receipts with")
	cmd.Flags().StringVar(&out, "out", "", "受領証と記録を N.tlog-proof と N.json に残すフォルダー / folder for N.tlog-proof and N.json")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON で出す / print JSON")
	return cmd
}

// logPolicy believes the log's own signature.
func logPolicy(path string) (*proof.Policy, error) {
	if path == "" {
		return nil, say.New("flag.keys", "--keys でログの検証鍵を指定してください。", "Name the log's verifier key with --keys.")
	}
	keys, err := readKeys(path)
	if err != nil {
		return nil, err
	}
	return proof.LogKeys(keys...)
}

// writePair leaves a proof and its entry side by side, as sukashi verify finds
// them, and on disk: who has read of an index relies on its receipt.
func writePair(dir string, r *proof.Receipt, entryBytes []byte) error {
	if err := kv.MakeDir(kv.Disk(), dir); err != nil {
		return err
	}
	name := filepath.Join(dir, strconv.FormatUint(r.Index, 10))
	files := map[string][]byte{name + ".tlog-proof": r.Marshal()}
	if entryBytes != nil {
		files[name+".json"] = entryBytes
	}
	for path, b := range files {
		if err := writeWhole(path, b); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o644); err != nil { // to be handed on
			return err
		}
	}
	return kv.SyncDir(kv.Disk(), dir)
}

func newLedgerProof(a *app) *cobra.Command {
	var from server
	var policyFile, out, dir string
	cmd := &cobra.Command{
		Use:   "proof INDEX",
		Short: "記録の証明ファイルを作る / make an entry's proof file",
		Long: a.text("動いているログ（--url）から受け取るか、書き出したログ（--export）のタイルから計算します。証明は信頼方針に照らして確かめます。",
			"Fetches it from a running log (--url), or computes it from the tiles of an exported one (--export). The proof is checked against the trust policy."),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := strconv.ParseUint(args[0], 10, 53)
			if err != nil {
				return say.New("arg.index", "記録の位置は 0 以上の整数です。", "The index is a whole number from 0 on.")
			}
			policy, err := readPolicy(policyFile)
			if err != nil {
				return err
			}
			var r *proof.Receipt
			var b []byte
			if dir != "" {
				r, b, err = publish.ProveExport(dir, policy, index)
			} else {
				r, b, err = fetchProof(cmd, &from, policy, index)
			}
			if err != nil {
				return err
			}
			if err := writePair(out, r, b); err != nil {
				return err
			}
			name := filepath.Join(out, args[0]+".tlog-proof")
			if b == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), a.text("%s（記録そのものは公開されていません）\n", "%s (the entry itself is not public)\n"), name)
			} else {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), name)
			}
			return err
		},
	}
	from.flags(cmd)
	cmd.Flags().StringVar(&dir, "export", "", "書き出したログのフォルダー / folder of an exported log")
	cmd.Flags().StringVar(&policyFile, "policy", "witness.policy", "信頼方針ファイル / trust policy")
	cmd.Flags().StringVar(&out, "out", ".", "書き出し先 / where to write it")
	return cmd
}

func fetchProof(cmd *cobra.Command, from *server, policy *proof.Policy, index uint64) (*proof.Receipt, []byte, error) {
	c, err := from.client()
	if err != nil {
		return nil, nil, err
	}
	r, err := c.Proof(cmd.Context(), index)
	if err != nil {
		return nil, nil, err
	}
	b, err := c.Entry(cmd.Context(), index)
	if say.Code(err) == "ledger.restricted" {
		_, err = policy.VerifyCheckpoint(r.Checkpoint) // without the entry, that is all that can be checked
		return r, nil, err
	}
	if err == nil && r.Index != index {
		err = errors.New("the log answered with another entry's proof")
	}
	if err == nil {
		_, err = policy.VerifyReceipt(r, b)
	}
	return r, b, err
}
