package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/ledger/engine"
)

// migration is the command's flags.
type migration struct {
	keys, fromHead, toHead string
	cluster                cluster
}

func newLedgerMigrate(a *app) *cobra.Command {
	m := migration{}
	cmd := &cobra.Command{
		Use:   "migrate FROM TO",
		Short: "ログを別の保存先へ移す / move a log between this machine and a cluster",
		Long: a.text("FROM と TO は、保存先のフォルダーか trillian://ホスト:ポート です。書き込みを止め、チェックポイントを公開してから、ログを止めておいてください。\n"+
			"すべての記録を一件ずつ確かめながら写し、最後に署名済みチェックポイントと照合します。署名はしません。移す元には何も書きません。\n"+
			"途中で止まっても、同じコマンドで続きから進みます。終わるまで、移す先は起動できません。",
			"FROM and TO are a store's folder or trillian://host:port. Stop the writers, let the log publish a checkpoint, and stop the log first.\n"+
				"Every entry is checked while it is copied, and all of them against the signed checkpoint. Nothing is signed, and nothing is written to FROM.\n"+
				"After an interruption the same command goes on where it was. Until it has ended, TO refuses to start."),
		Example: "  sukashi ledger migrate DIR/ledger/store trillian://127.0.0.1:8090 --keys DIR/out/log.vkey --from-head DIR/head --to-head HEAD --cache CACHE",
		Args:    cobra.ExactArgs(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return m.run(cmd, a, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.StringVar(&m.keys, "keys", "", "ログの検証鍵か、鍵を並べた方針 / the log's verifier key, or a policy that lists its keys")
	f.StringVar(&m.fromHead, "from-head", "", "移す元のヘッドのフォルダー / the source's head directory")
	f.StringVar(&m.toHead, "to-head", "", "移す先のヘッドのフォルダー / the destination's head directory")
	m.cluster.flags(cmd)
	for _, name := range []string{"keys", "from-head", "to-head"} {
		_ = cmd.MarkFlagRequired(name) // the flag exists
	}
	return cmd
}

// progressEvery is how often a long migration says how far it is.
const progressEvery = 5 * time.Second

func (m *migration) run(cmd *cobra.Command, a *app, from, to string) error {
	keys, err := readKeys(m.keys)
	if err != nil {
		return err
	}
	if strings.HasPrefix(to, clusterPrefix) && m.cluster.cache == "" {
		return needsCache
	}
	src, err1 := m.cluster.place(from, m.fromHead)
	dst, err2 := m.cluster.place(to, m.toHead)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	said := time.Now()
	cp, err := engine.Migrate(cmd.Context(), keys, src, dst, func(n uint64) {
		if time.Since(said) >= progressEvery {
			said = time.Now()
			fmt.Fprintf(cmd.ErrOrStderr(), a.text("%d 件目まで読みました\n", "read %d entries\n"), n)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), a.text("記録 %d 件を移し、署名済みチェックポイントと一致することを確かめました。\n移した元のログは、もう起動しないでください。\n",
		"Moved %d entries; they lead to the signed checkpoint.\nDon't start the log in its old place again.\n"), cp.Size)
	return nil
}
