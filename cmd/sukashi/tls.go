package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
)

// newTLS makes the channels' certificates: one root for each network, and under
// it one certificate for each server, terminal and officer.
func newTLS(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "tls", Short: "サーバー間の通信の証明書を作る / certificates for the channels between servers"}
	cmd.AddCommand(newTLSRoot(a), newTLSIssue(a), newTLSRenew(a))
	return cmd
}

func zoneOf(s string) (zone.Zone, error) {
	z := zone.Zone(s)
	if !slices.Contains([]zone.Zone{zone.Juki, zone.LGWAN, zone.Open}, z) {
		return "", say.New("tls.zone", "ネットワークは juki, lgwan, open のいずれかです。", "The network is juki, lgwan or open.")
	}
	return z, nil
}

func newTLSRoot(a *app) *cobra.Command {
	return &cobra.Command{Use: "root ZONE DIR", Short: "ネットワーク(juki, lgwan, open)の根を作る / make the root of a network: DIR/root.pem, DIR/root.key", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			z, err := zoneOf(args[0])
			if err != nil {
				return err
			}
			path := filepath.Join(args[1], "root.pem")
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				return say.New("tls.root-exists", "すでに根があります: "+path, "There is a root already: "+path)
			}
			root, err := zone.NewRoot(z, time.Now(), rand.Reader)
			if err != nil {
				return err
			}
			if err := root.Save(args[1]); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		}}
}

// rootIn reads the root of a zone from its directory.
func rootIn(name, dir string) (*zone.Root, error) {
	z, err := zoneOf(name)
	if err != nil {
		return nil, err
	}
	root, err := zone.Load(z, dir)
	if err != nil {
		return nil, say.New("tls.root", "根を読めません: "+dir, "The root can't be read: "+dir).Because(err)
	}
	return root, nil
}

func newTLSIssue(a *app) *cobra.Command {
	var hosts []string
	cmd := &cobra.Command{Use: "issue ZONE DIR NAME OUT", Short: "根 DIR のもとで NAME の証明書を作る / make NAME's certificate under the root in DIR: OUT/NAME.pem, OUT/NAME.key",
		Long: a.text("サーバーにも、接続する側(端末、担当者)にも使えます。--host がなければ、この機械の中(127.0.0.1)だけで有効です。",
			"For servers as well as for those who call them (terminals, officers). Without --host it is valid on this machine only (127.0.0.1)."),
		Args: cobra.ExactArgs(4),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := rootIn(args[0], args[1])
			if err != nil {
				return err
			}
			path := filepath.Join(args[3], args[2]+".pem")
			if _, err := os.Stat(path); args[2] != filepath.Base(args[2]) || !errors.Is(err, fs.ErrNotExist) {
				return say.New("tls.exists", "すでに証明書があるか、名前が正しくありません: "+args[2], "There is such a certificate already, or the name is not one: "+args[2])
			}
			cert, err := root.Issue(args[2], time.Now(), rand.Reader, hosts...)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[3], 0o700); err != nil {
				return err
			}
			if err := zone.WritePEM(args[3], args[2], cert); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		}}
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "サーバーの名前か番地 / the server's name or address")
	return cmd
}

func newTLSRenew(a *app) *cobra.Command {
	return &cobra.Command{Use: "renew ZONE DIR NAME OUT", Short: "OUT/NAME.pem を新しい鍵で更新する / renew OUT/NAME.pem with a new key, for another year",
		Long: a.text("名前とサーバーの番地は同じです。前の証明書も、その期限まで有効です。動いているサーバーは、再起動なしで新しいものを使います。途中で止まったら、もう一度実行してください。",
			"Name and addresses stay the same. The certificate before stays valid until its end. A running server uses the new one without a restart. Cut off in between, run it again."),
		Args: cobra.ExactArgs(4),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := rootIn(args[0], args[1])
			if err != nil {
				return err
			}
			path := filepath.Join(args[3], args[2]+".pem")
			old, err := zone.ReadCertificate(path)
			if err != nil || args[2] != filepath.Base(args[2]) || old.Subject.CommonName != args[2] {
				return say.New("tls.none", "更新する証明書がないか、名前が違います: "+path, "There is no certificate to renew, or it is of another name: "+path).Because(err)
			}
			cert, err := root.Renew(old, time.Now(), rand.Reader)
			if err != nil {
				return say.New("tls.foreign", "この根の証明書ではありません: "+path, "It is no certificate of this root: "+path).Because(err)
			}
			if err := zone.WritePEM(args[3], args[2], cert); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path, cert.Leaf.NotAfter.Format(time.DateOnly))
			return nil
		}}
}
