package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/ledger/engine"
)

// clusterPrefix marks a place that is a cluster's log server, not a directory.
const clusterPrefix = "trillian://"

// migration is the command's flags.
type migration struct {
	keys, fromHead, toHead, cache, ca string
	maxMessage                        int
}

func newLedgerMigrate(a *app) *cobra.Command {
	m := migration{}
	cmd := &cobra.Command{
		Use:   "migrate FROM TO",
		Short: "ログを別の保存先へ移す / move a log between this machine and a cluster",
		Long: a.text("FROM と TO は、保存先のフォルダーか trillian://ホスト:ポート です。ログは止めておいてください。\n"+
			"すべての記録を一件ずつ確かめながら写し、最後に署名済みチェックポイントと照合します。署名はしません。\n"+
			"途中で止まっても、同じコマンドで続きから進みます。",
			"FROM and TO are a store's folder or trillian://host:port. The log must not be running.\n"+
				"Every entry is checked while it is copied, and all of them against the signed checkpoint. Nothing is signed.\n"+
				"After an interruption the same command goes on where it was."),
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return m.run(cmd, a, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.StringVar(&m.keys, "keys", "", "ログの検証鍵か、鍵を並べた方針 / the log's verifier key, or a policy that lists its keys")
	f.StringVar(&m.fromHead, "from-head", "", "移す元のヘッドのフォルダー / the source's head directory")
	f.StringVar(&m.toHead, "to-head", "", "移す先のヘッドのフォルダー / the destination's head directory")
	f.StringVar(&m.cache, "cache", "", "移す先がクラスターのときのキャッシュ / cache directory, when the destination is a cluster")
	f.StringVar(&m.ca, "tls-ca", "", "クラスターの TLS 認証局の証明書 / CA certificates of the cluster's TLS; default: the system's")
	f.IntVar(&m.maxMessage, "max-message", 0, "ログサーバーの --max_msg_size_bytes / the log server's --max_msg_size_bytes; 0: 4 MiB")
	for _, name := range []string{"keys", "from-head", "to-head"} {
		_ = cmd.MarkFlagRequired(name) // the flag exists
	}
	return cmd
}

func (m *migration) run(cmd *cobra.Command, a *app, from, to string) error {
	keys, err := readKeys(m.keys)
	if err != nil {
		return err
	}
	src, err1 := m.place(from, m.fromHead)
	dst, err2 := m.place(to, m.toHead)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	cp, err := engine.Migrate(cmd.Context(), keys, src, dst, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), a.text("記録 %d 件を移し、チェックポイントと一致することを確かめました。\n移した元のログは、もう起動しないでください。\n",
		"Moved %d entries; they lead to the signed checkpoint.\nDon't start the log in its old place again.\n"), cp.Size)
	return nil
}

func (m *migration) place(name, head string) (engine.Place, error) {
	address, isCluster := strings.CutPrefix(name, clusterPrefix)
	if !isCluster {
		return engine.Place{Dir: name, HeadDir: head}, nil
	}
	p := engine.Place{Address: address, HeadDir: head, CacheDir: m.cache, MaxMessage: m.maxMessage}
	if strings.HasPrefix(address, "127.0.0.1:") || strings.HasPrefix(address, "[::1]:") {
		if m.ca == "" {
			return p, nil
		}
	}
	p.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	if m.ca == "" {
		return p, nil
	}
	pem, err := os.ReadFile(m.ca)
	if err != nil {
		return p, fmt.Errorf("couldn't read the CA certificates: %w", err)
	}
	p.TLS.RootCAs = x509.NewCertPool()
	if !p.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return p, fmt.Errorf("there is no certificate in %s", m.ca)
	}
	return p, nil
}
