package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/engine"
)

// clusterPrefix marks a place that is a cluster's log server, not a directory.
const clusterPrefix = "trillian://"

// cluster is how commands reach a log on a cluster.
type cluster struct {
	cache, ca  string
	maxMessage int
}

func (c *cluster) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.cache, "cache", "", "クラスターのときのキャッシュのフォルダー / with a cluster: the cache's directory")
	f.StringVar(&c.ca, "tls-ca", "", "クラスターの TLS 認証局の証明書（既定はシステムのもの） / CA certificates of the cluster's TLS (default: the system's)")
	f.IntVar(&c.maxMessage, "max-message", 0, "ログサーバーの --max_msg_size_bytes（既定は 4 MiB） / the log server's --max_msg_size_bytes (default 4 MiB)")
}

// place reads a place as people write it: a store's directory, or
// trillian://HOST:PORT.
func (c *cluster) place(name, head string) (engine.Place, error) {
	address, isCluster := strings.CutPrefix(name, clusterPrefix)
	if !isCluster {
		return engine.Place{Dir: name, HeadDir: head}, nil
	}
	p := engine.Place{Address: address, HeadDir: head, CacheDir: c.cache, MaxMessage: c.maxMessage}
	if c.ca == "" && (strings.HasPrefix(address, "127.0.0.1:") || strings.HasPrefix(address, "[::1]:")) {
		return p, nil
	}
	p.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	if c.ca == "" {
		return p, nil
	}
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		return p, say.New("cluster.ca", "クラスターの TLS 認証局の証明書を読めません: "+c.ca, "The cluster's CA certificates can't be read: "+c.ca).Because(err)
	}
	p.TLS.RootCAs = x509.NewCertPool()
	if !p.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return p, say.New("cluster.ca", "証明書が含まれていないファイルです: "+c.ca, "There is no certificate in the file: "+c.ca).
			Hint("PEM 形式（-----BEGIN CERTIFICATE-----）の証明書を指定してください。", "Give certificates in PEM form (-----BEGIN CERTIFICATE-----).")
	}
	return p, nil
}

// needsCache is the sentence for a cluster without a cache's directory.
var needsCache = say.New("cluster.cache", "クラスターには、キャッシュのフォルダーが必要です。", "A cluster needs a directory for its cache.").
	Hint("--cache で、この機械のフォルダーを指定してください。失われても、ログから作り直されます。",
		"Name a directory of this machine with --cache. It is made again from the log when it is lost.")
