package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/engine"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// rotation is the flags of rotate-key.
type rotation struct {
	at      places
	cluster cluster
	// The present key and the new one, each in a file or on a token; on a token
	// with the members that key has in the configuration of sukashi serve.
	keyFile, newKey      string
	tokenKey, newOnToken map[string]string
	tokens               logkey.Tokens
}

func newLedgerRotate(a *app) *cobra.Command {
	r := &rotation{}
	cmd := &cobra.Command{
		Use:   "rotate-key DIR",
		Short: "ログの署名鍵を交替する / go over to a new log key",
		Long: a.text("ログは止めておいてください。先に、証人に新しい鍵を知らせてください（新しい鍵がまだなければ作ります）。中断しても、もう一度実行すれば終わります。終わると、配るべき方針の行を表示します。\n"+
			"DIR は trillian://ホスト:ポート でもかまいません。そのときは --head、--keys、--cache を指定してください。\n"+
			"トークンの鍵は --token-key module=…,token=…,label=…,pin=ファイル、新しい鍵は --new-token-key label=… で指定します。",
			"The log must not be running. Tell the witnesses the new key first (it is made if there is none yet). After an interruption, run it again. It ends with the policy lines to hand out.\n"+
				"DIR may be trillian://host:port; then give --head, --keys and --cache.\n"+
				"A key on a token is --token-key module=…,token=…,label=…,pin=FILE, a new one --new-token-key label=…"),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			defer func() { err = errors.Join(err, r.tokens.Close()) }()
			return r.run(cmd, args[0])
		},
	}
	r.at.flags(cmd)
	r.cluster.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&r.keyFile, "key-file", "", "いまのログの鍵ファイル / the log's present key file")
	f.StringVar(&r.newKey, "new-key", "", "新しい鍵ファイル / the new key file")
	f.StringToStringVar(&r.tokenKey, "token-key", nil, "トークンにある、いまのログの鍵 / the log's present key on a token: module=…,token=…,label=…,pin=FILE")
	f.StringToStringVar(&r.newOnToken, "new-token-key", nil, "トークンの新しい鍵。書かない項目は --token-key と同じ / the new key on a token; members left out are those of --token-key")
	cmd.MarkFlagsOneRequired("key-file", "token-key")
	cmd.MarkFlagsMutuallyExclusive("key-file", "token-key")
	cmd.MarkFlagsOneRequired("new-key", "new-token-key")
	cmd.MarkFlagsMutuallyExclusive("new-key", "new-token-key")
	return cmd
}

func (r *rotation) run(cmd *cobra.Command, where string) error {
	place, err := r.place(where)
	if err != nil {
		return err
	}
	keys, err := readKeys(r.at.keys)
	if err != nil {
		return err
	}
	policy, err := proof.LogKeys(keys...)
	if err != nil {
		return err
	}
	origin, last := policy.Logs()[0].Origin, len(keys)-1
	old, err := r.open(r.keyFile, r.tokenKey, origin)
	if err != nil {
		return err
	}
	defer old.Close()
	if old.VKey() != keys[last].VKey {
		return say.New("rotate.key", "指定された鍵は、いまのログの鍵ではありません。", "The given key is not the log's present one.").
			Hint("いまのログの検証鍵は次のとおりです: "+keys[last].VKey, "The log's present verifier key is "+keys[last].VKey)
	}
	next, err := r.openNew(origin)
	if err != nil {
		return err
	}
	defer next.Close()
	text := "sukashi log key rotation\n" + old.VKey() + "\n" + next.VKey() + "\n"
	retired, err := engine.Rotate(cmd.Context(), engine.Config{Place: place, Origin: origin, Signer: old, VKey: old.VKey(),
		Retired: slices.Clone(keys[:last]), Now: time.Now}, next, next.VKey(), entry.Sum([]byte(text)))
	if err != nil {
		return err
	}
	return printKeys(cmd, append(retired, proof.LogKey{VKey: next.VKey()}))
}

// place is where the log is, with its keys.
func (r *rotation) place(where string) (engine.Place, error) {
	if !strings.HasPrefix(where, clusterPrefix) {
		r.at.in(where)
		return engine.Place{Dir: r.at.store, HeadDir: r.at.head}, nil
	}
	if r.at.head == "" || r.at.keys == "" {
		return engine.Place{}, say.New("rotate.cluster", "クラスターのログには、--head と --keys を指定してください。", "For a log on a cluster, give --head and --keys.")
	}
	if r.cluster.cache == "" {
		return engine.Place{}, needsCache
	}
	return r.cluster.place(where, r.at.head)
}

func (r *rotation) open(file string, onToken map[string]string, origin string) (*logkey.Key, error) {
	if file != "" {
		return logkey.OpenFile(file)
	}
	o, err := tokenOf(onToken)
	if err != nil {
		return nil, err
	}
	return r.tokens.Open(o, origin)
}

// openNew opens the new key, which is made when it is not there yet.
func (r *rotation) openNew(origin string) (*logkey.Key, error) {
	if r.newKey == "" {
		members := map[string]string{}
		for _, m := range []map[string]string{r.tokenKey, r.newOnToken} {
			for k, v := range m {
				members[k] = v
			}
		}
		o, err := tokenOf(members)
		if err != nil {
			return nil, err
		}
		return r.tokens.OpenOrMake(o, origin)
	}
	return logkey.OpenOrCreateFile(r.newKey, origin, rand.Reader)
}

// tokenOf reads the members of a key on a token.
func tokenOf(members map[string]string) (logkey.OnToken, error) {
	for name := range members {
		if !slices.Contains([]string{"module", "token", "label", "pin"}, name) {
			return logkey.OnToken{}, say.New("rotate.token", "トークンの鍵に、知らない項目があります: "+name, "A key on a token has no member "+name+".").
				Hint("項目は module、token、label、pin です。", "The members are module, token, label and pin.")
		}
	}
	o := logkey.OnToken{Module: members["module"], Token: members["token"], Label: members["label"]}
	if o.Module == "" || o.Token == "" || o.Label == "" || members["pin"] == "" {
		return o, say.New("rotate.token", "トークンの鍵の項目が足りません。", "A key on a token lacks a member.").
			Hint("module=…,token=…,label=…,pin=ファイル をそろえてください。", "Give module=…,token=…,label=…,pin=FILE.")
	}
	var err error
	o.PIN, err = logkey.ReadPIN(members["pin"])
	return o, err
}

// printKeys prints a log's keys as a trust policy without witnesses, which is
// also what --keys takes.
func printKeys(cmd *cobra.Command, keys []proof.LogKey) error {
	var text strings.Builder
	for _, k := range keys {
		fmt.Fprintln(&text, "log "+k.VKey)
		if k.Until > 0 {
			fmt.Fprintln(&text, proof.UntilLine(k.VKey, k.Until))
		}
	}
	text.WriteString("quorum none\n")
	_, err := io.WriteString(cmd.OutOrStdout(), text.String()) // at once: a policy that lacks a line is another one
	return err
}
