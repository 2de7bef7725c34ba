package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
	"github.com/sukashi-project/sukashi/review/verify"
)

func newLedger(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "透明性ログの道具 / tools for the transparency log"}
	cmd.AddCommand(newFsck(a), newLedgerAppend(a), newLedgerProof(a), newLedgerHead(a), newLedgerExport(a), newLedgerImport(a), newLedgerRotate(a), newLedgerMigrate(a), newLedgerSchema(a))
	return cmd
}

// places says where a stopped log is. One folder is enough where it is laid out
// as a demo's.
type places struct{ store, head, keys string }

func (p *places) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.store, "store", "", "保存先（既定は DIR/ledger/store） / the store (default DIR/ledger/store)")
	cmd.Flags().StringVar(&p.head, "head", "", "ヘッド（既定は DIR/head） / the head (default DIR/head)")
	cmd.Flags().StringVar(&p.keys, "keys", "", "ログの検証鍵か、鍵を並べた方針（既定は DIR/out/log.vkey） / the log's verifier key, or a policy that lists its keys (default DIR/out/log.vkey)")
}

func (p *places) in(dir string) {
	for s, d := range map[*string]string{&p.store: filepath.Join(dir, "ledger", "store"), &p.head: filepath.Join(dir, "head"), &p.keys: filepath.Join(dir, "out", "log.vkey")} {
		if *s == "" {
			*s = d
		}
	}
}

// readKeys reads a log's keys, oldest first: one verifier key, or the log and
// #until lines of a trust policy.
func readKeys(path string) ([]proof.LogKey, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, say.New("ledger.vkey", "ログの検証鍵を読めません: "+path, "The log's verifier key can't be read: "+path).
			Hint("デモの --dir で指定したフォルダーか、--keys で鍵のファイルを渡してください。", "Give the folder that --dir of the demo named, or the key file with --keys.").Because(err)
	}
	if text := strings.TrimSpace(string(b)); !strings.ContainsAny(text, " \n") {
		return []proof.LogKey{{VKey: text}}, nil
	}
	p, err := proof.ParsePolicy(b)
	if err != nil {
		return nil, err
	}
	var keys []proof.LogKey
	for _, l := range p.Logs() {
		keys = append(keys, proof.LogKey{VKey: l.VKey, Until: l.Until})
	}
	return keys, nil
}

func readBounded(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > proof.MaxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, proof.MaxFile)
	}
	return os.ReadFile(path)
}

// fsck is the configuration for looking at a stopped log.
func (p *places) fsck(dir string) (c trillianlog.FsckConfig, err error) {
	p.in(dir)
	keys, err := readKeys(p.keys)
	if err != nil {
		return c, err
	}
	last := len(keys) - 1
	return trillianlog.FsckConfig{Dir: p.store, HeadDir: p.head, VKey: keys[last].VKey, Retired: keys[:last]}, nil
}

func readPolicy(path string) (*proof.Policy, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, say.New("policy.file", "信頼方針ファイルを読めません: "+path, "The trust policy can't be read: "+path).Because(err)
	}
	return proof.ParsePolicy(b)
}

// server is a running log and who we are to it.
type server struct{ url, cert, key, ca string }

func (s *server) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.url, "url", "", "動いているログの番地 / address of a running log")
	cmd.Flags().StringVar(&s.cert, "cert", "", "TLSクライアント証明書（PEM） / TLS client certificate (PEM)")
	cmd.Flags().StringVar(&s.key, "key", "", "その秘密鍵（PEM） / its private key (PEM)")
	cmd.Flags().StringVar(&s.ca, "ca", "", "ログのサーバーを信頼する根（PEM） / root to trust the log's server by (PEM)")
}

func (s *server) client() (*publish.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS13}
	if s.cert != "" || s.key != "" {
		c, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, say.New("tls.cert", "TLSクライアント証明書か秘密鍵を読めません。", "The TLS client certificate or its key can't be read.").Because(err)
		}
		conf.Certificates = []tls.Certificate{c}
	}
	if s.ca != "" {
		b, err := readBounded(s.ca)
		conf.RootCAs = x509.NewCertPool()
		if err != nil || !conf.RootCAs.AppendCertsFromPEM(b) {
			return nil, say.New("tls.ca", "信頼の根の証明書を読めません。", "The root certificate can't be read.").Because(err)
		}
	}
	if s.url == "" {
		return nil, say.New("flag.url", "--url でログの番地を指定してください。", "Name the log's address with --url.")
	}
	return publish.NewClient(s.url, &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true}})
}

// show prints a result for a script.
func show(cmd *cobra.Command, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), string(b))
	return err
}

func newFsck(a *app) *cobra.Command {
	var at places
	var repair, asJSON bool
	cmd := &cobra.Command{
		Use:   "fsck DIR",
		Short: "すべての記録とタイルを署名つきルートに照らす / check every entry and tile against the signed root",
		Long: a.text("DIR はデモのフォルダーです。ログは止めておいてください。",
			"DIR is a demo's folder. The log must not be running."),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := at.fsck(args[0])
			if err != nil {
				return err
			}
			c.Repair = repair
			rep, err := trillianlog.Fsck(cmd.Context(), c)
			if err != nil {
				return err
			}
			if asJSON {
				err = show(cmd, map[string]any{"ok": rep.OK(), "entries": rep.Size, "tiles": rep.Tiles, "repaired": rep.Repaired,
					"findings": uint64(len(rep.Findings)) + rep.More, "root": rep.Root.String()})
			} else {
				w := cmd.OutOrStdout()
				for _, f := range rep.Findings {
					fmt.Fprintf(w, "✕ %s %d: %s\n", f.What, f.Index, f.Text.In(a.lang()))
				}
				fmt.Fprintf(w, a.text("記録 %d 件、タイル %d 枚、修復 %d 件\n", "%d entries, %d tiles, %d repaired\n"), rep.Size, rep.Tiles, rep.Repaired)
			}
			if err == nil && !rep.OK() {
				return exitError(verify.IsFalse)
			}
			return err
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&repair, "repair", false, "記録から計算しなおしてタイルと索引を修復する / repair tiles and index from the entries")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON で出す / print JSON")
	return cmd
}
