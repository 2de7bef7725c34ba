package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// linkSend logs and sends once what waits, for the time after an outage when
// the link server itself does not run.
func (a *app) linkSend(with withOffice) *cobra.Command {
	var log server
	var to, toRoot, mode string
	cmd := &cobra.Command{
		Use: "send", Short: "待っている通知を一度だけ送る / log and send once what waits",
		Long: a.text("連携サーバーを動かさずに、止まっている間にたまった通知をログに記録し、順に送ります。同じ通知が二度送られても、失効は一度だけです。--url, --cert, --key, --ca はログのものです。同じ証明書で認証局側につなぎます。\n終了コード: 0 すべて送った、1 届かないなどで残った、2 認証局側か規則が拒否したものがある。",
			"Logs and sends in order what has waited during an outage, without the link server running. A notice that is sent twice revokes once. --url, --cert, --key and --ca are for the log; the CA side is reached with the same certificate.\nExit status: 0 all is sent, 1 something could not be reached and the rest waits, 2 the CA side or the rules refused some."),
		Args: cobra.NoArgs,
		RunE: with(func(o *juki.Office, cmd *cobra.Command, _ []string) error {
			l, err := log.client()
			if err != nil {
				return err
			}
			c, err := peerClient(log, toRoot)
			if err != nil {
				return err
			}
			d, err := roles.Decider(cmd.Context(), l)
			if err != nil {
				return err
			}
			s, err := link.New(link.Config{Engine: o.Matching, Register: o.Register, Log: l, Decider: d, Mode: mode, Client: c, URL: to, Now: time.Now,
				Peer: func(*http.Request) (string, bool) { return "", false }}) // sends only
			if err != nil {
				return say.New("juki.link", "連携の指定が正しくありません。", "The link's flags are not right.").Because(err)
			}
			n, err := s.Flush(cmd.Context())
			fmt.Fprintf(cmd.OutOrStdout(), a.text("ログに記録 %d 件、認証局側が受領 %d 件、拒否 %d 件、規則により停止 %d 件、取下げ %d 件\n",
				"%d logged, %d taken by the CA side, %d refused, %d stopped by the rules, %d withdrawn\n"), n.Logged, n.Delivered, n.Rejected, n.Stopped, n.Withdrawn)
			if err == nil && n.Rejected+n.Stopped > 0 {
				return exitError(2)
			}
			return err
		}),
	}
	log.flags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "認証局側の連携サーバーの番地 / address of the CA side's link server")
	cmd.Flags().StringVar(&toRoot, "to-ca", "", "認証局側のサーバーを信頼する根(PEM) / root to trust the CA side's server by (PEM)")
	cmd.Flags().StringVar(&mode, "mode", entry.ModeReference, "reference | echo")
	return cmd
}

// peerClient speaks to the CA side's link server and to nobody else.
func peerClient(s server, root string) (*http.Client, error) {
	cert, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return nil, say.New("tls.cert", "TLSクライアント証明書か秘密鍵を読めません。", "The TLS client certificate or its key can't be read.").Because(err)
	}
	pool := x509.NewCertPool()
	b, err := readBounded(root)
	if err != nil || !pool.AppendCertsFromPEM(b) {
		return nil, say.New("tls.ca", "信頼の根の証明書を読めません。", "The root certificate can't be read.").Because(err)
	}
	return &http.Client{Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("redirects are not followed") },
		Transport: &http.Transport{ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: pool}}}, nil
}
