package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/ca/ceremony"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// caCmd is what the commands of the CA share.
type caCmd struct {
	*app
	config string
	plan   bool
}

func newCA(a *app) *cobra.Command {
	c := &caCmd{app: a}
	cmd := &cobra.Command{Use: "ca", Short: "認証局の鍵の儀式、世代交代、失効 / key ceremonies, generations, revocation"}
	cmd.PersistentFlags().StringVar(&c.config, "config", "ca.yaml", "設定ファイル / configuration file")
	for _, act := range []struct{ use, short string }{
		{"init", "最初の鍵を作る / make the first key"},
		{"rollover", "次の世代の鍵を作り、リンク証明書を交わし、発行を切り替える / make the next generation, link both, switch over"},
		{"responder GENERATION", "世代の次のOCSPレスポンダの鍵と証明書を作る(年に一度) / make a generation's next OCSP responder (once a year)"},
		{"cross CERT UNTIL", "相手の認証局の鍵を相互認証する / certify another CA's key until a day (2006-01-02)"},
		{"uncross GENERATION SERIAL GROUND", "認証局の間の証明書を失効させる / revoke a certificate between CAs"},
		{"leak GENERATION", "発行者署名符号の漏えいを記録し、すべて失効させる(14条) / record a leaked issuer key and revoke everything under it"},
		{"retire GENERATION", "最後の失効リストを作り、鍵を廃止する / make a key's last lists and retire it"},
	} {
		sub := &cobra.Command{Use: act.use, Short: act.short, Args: cobra.ExactArgs(len(strings.Fields(act.use)) - 1), RunE: func(cmd *cobra.Command, args []string) error {
			return c.act(cmd, append([]string{strings.Fields(act.use)[0]}, args...))
		}}
		sub.Flags().BoolVar(&c.plan, "plan", false, "計画と、承認すべきダイジェストを示す / show the plan and the digest to approve")
		cmd.AddCommand(sub)
	}
	cmd.AddCommand(c.approve(), c.officer(), c.accept(), c.keys(), c.crl(), c.revoke(), newLogKey(a), newSchema(a))
	return cmd
}

// ceremonyOnly opens what needs no log: plans, approvals.
func (c *caCmd) ceremonyOnly() (*ceremony.Config, *ceremony.Ceremony, error) {
	cfg, err := ceremony.Load(c.config)
	if err != nil {
		return nil, nil, err
	}
	ce, err := ceremony.New(cfg, ceremony.Env{Now: time.Now, Rand: rand.Reader})
	return cfg, ce, err
}

// planOf makes the plan of an act from its words.
func planOf(ce *ceremony.Ceremony, words []string) (p *ceremony.Plan, other []byte, err error) {
	bad := say.New("ca.words", "引数が正しくありません。", "These arguments are not those of an act.").Hint("sukashi ca --help", "sukashi ca --help")
	generation := func() int {
		n, _ := strconv.Atoi(words[1])
		return n
	}
	switch act, n := words[0], len(words); {
	case act == ceremony.ActInit && n == 1:
		p, err = ce.PlanInit()
	case act == ceremony.ActRollover && n == 1:
		p, err = ce.PlanRollover()
	case act == ceremony.ActResponder && n == 2:
		p, err = ce.PlanResponder(generation())
	case act == ceremony.ActCross && n == 3:
		if other, err = readCertificate(words[1]); err != nil {
			return nil, nil, err
		}
		until, terr := time.ParseInLocation(time.DateOnly, words[2], profile.JST)
		if terr != nil {
			return nil, nil, bad.Because(terr)
		}
		p, err = ce.PlanCross(other, until)
	case act == ceremony.ActUncross && n == 4:
		ground := map[string]string{"leak": entry.GroundIssuerKey, "renewed": entry.GroundRenewed, "request": entry.GroundRequest}[words[3]]
		if ground == "" {
			return nil, nil, bad.Hint("理由は leak, renewed, request のいずれかです。", "The ground is leak, renewed or request.")
		}
		p, err = ce.PlanUncross(generation(), strings.ToLower(words[2]), ground)
	case act == ceremony.ActLeak && n == 2:
		p, err = ce.PlanLeak(generation())
	case act == ceremony.ActRetire && n == 2:
		p, err = ce.PlanRetire(generation())
	default:
		return nil, nil, bad
	}
	return p, other, err
}

// act shows an act's plan or carries it out.
func (c *caCmd) act(cmd *cobra.Command, words []string) error {
	_, ce, err := c.ceremonyOnly()
	if err != nil {
		return err
	}
	p, _, err := planOf(ce, words)
	if err != nil {
		return err
	}
	if c.plan {
		return c.show(cmd, p)
	}
	return c.run(cmd, words)
}

func (c *caCmd) show(cmd *cobra.Command, p *ceremony.Plan) error {
	text, err := p.Canonical()
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
	fmt.Fprintf(cmd.OutOrStdout(), c.text("ダイジェスト %s\n", "digest %s\n"), entry.Sum(text))
	fmt.Fprintf(cmd.OutOrStdout(), c.text("必要な承認 %d 件(承認者 %d 名)\n", "approvals needed: %d of %d officers\n"), p.Threshold, len(p.Officers))
	return nil
}

func (c *caCmd) approve() *cobra.Command {
	var key, digest string
	cmd := &cobra.Command{Use: "approve ACT [ARGS…]", Short: "計画を承認する / approve a plan", Args: cobra.MinimumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		_, ce, err := c.ceremonyOnly()
		if err != nil {
			return err
		}
		p, _, err := planOf(ce, args)
		if err != nil {
			return err
		}
		have, err := p.Digest()
		if err != nil {
			return err
		}
		if digest != have.String() {
			return say.New("ca.digest", "計画のダイジェストが、指定されたものと違います: "+have.String(), "The plan's digest is not the given one: "+have.String()).
				Hint("--plan で計画を示し、内容を確かめたダイジェストを --digest に渡してください。", "Show the plan with --plan, read it, and give its digest with --digest.")
		}
		k, err := readOfficer(key)
		if err != nil {
			return err
		}
		a, err := p.Approve(k)
		if err != nil {
			return err
		}
		if err := ce.KeepApproval(a); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), c.text("〇 %s が承認しました: %s\n", "〇 approved by %s: %s\n"), a.Officer, a.Plan)
		return nil
	}}
	cmd.Flags().StringVar(&key, "key", "", "承認者の鍵 / the officer's key")
	cmd.Flags().StringVar(&digest, "digest", "", "確かめた計画のダイジェスト / digest of the plan that was read")
	return cmd
}

// officer makes an officer's key.
func (c *caCmd) officer() *cobra.Command {
	return &cobra.Command{Use: "officer FILE", Short: "承認者の鍵を作る / make an officer's key", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		pub, priv, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKCS8PrivateKey(priv)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close()); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), base64.StdEncoding.EncodeToString(pub))
		return nil
	}}
}

func readOfficer(path string) (ed25519.PrivateKey, error) {
	bad := say.New("ca.officer", "承認者の鍵を読めません: "+path, "The officer's key can't be read: "+path)
	b, err := ceremony.Secret(path)
	if err != nil {
		return nil, bad.Because(err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, bad
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad
	}
	key, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, bad
	}
	return key, nil
}

// readCertificate reads one certificate, PEM or DER.
func readCertificate(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, say.New("ca.certificate", "証明書を読めません: "+path, "The certificate can't be read: "+path).Because(err)
	}
	if block, _ := pem.Decode(b); block != nil {
		return block.Bytes, nil
	}
	return b, nil
}

// accept takes a certificate that another CA gave us.
func (c *caCmd) accept() *cobra.Command {
	return &cobra.Command{Use: "accept CERT GIVEN", Short: "相手の認証局から受け取った証明書を確かめて受け入れる / check and keep a certificate that another CA gave us", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		_, ce, err := c.ceremonyOnly()
		if err != nil {
			return err
		}
		other, err := readCertificate(args[0])
		if err != nil {
			return err
		}
		given, err := readCertificate(args[1])
		if err != nil {
			return err
		}
		dir, err := ce.Accept(other, given)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), c.text("〇 受け入れました: %s\n", "〇 accepted: %s\n"), dir)
		return nil
	}}
}

// keys lists the generations, with what the log says of each.
func (c *caCmd) keys() *cobra.Command {
	return &cobra.Command{Use: "keys", Short: "世代ごとの鍵とその状態 / the generations' keys and their state", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		r, err := c.open(cmd.Context(), false)
		if err != nil {
			return err
		}
		defer r.close()
		gs, err := ceremony.Generations(r.cfg)
		if err != nil {
			return err
		}
		states, err := r.ce.States(cmd.Context())
		if err != nil {
			return err
		}
		names := map[ceremony.KeyState][2]string{ceremony.Issuing: {"発行中", "issuing"}, ceremony.Succeeded: {"失効リストのみ", "lists only"},
			ceremony.Leaked: {"漏えい", "leaked"}, ceremony.Retired: {"廃止", "retired"}}
		for _, g := range gs {
			root, err := x509.ParseCertificate(g.Issuer)
			if err != nil {
				return err
			}
			responder, err := x509.ParseCertificate(g.Responder)
			if err != nil {
				return err
			}
			name, day := names[states[g.Key]], func(t time.Time) string { return t.In(profile.JST).Format(time.DateOnly) }
			fmt.Fprintf(cmd.OutOrStdout(), "%d  %s  %s  %s  %s  OCSP %s\n", g.Number, g.Key, day(root.NotAfter), c.text(name[0], name[1]), g.Base, day(responder.NotAfter))
		}
		return nil
	}}
}

// revoke revokes one certificate, answered for by two officers.
func (c *caCmd) revoke() *cobra.Command {
	var ground string
	var by []string
	grounds := map[string]string{"request": entry.GroundRequest, "key-leak": entry.GroundKeyLeak, "error": entry.GroundError, "undelivered": entry.GroundNotDelivered}
	cmd := &cobra.Command{Use: "revoke SERIAL", Short: "電子証明書を失効させる(二名の担当者) / revoke a certificate (two officers)", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		serial := strings.ToLower(args[0])
		if _, err := hex.DecodeString(serial); err != nil || grounds[ground] == "" || len(by) != 2 {
			return say.New("ca.revoke", "失効の指定が正しくありません。", "This is not how a revocation is asked for.").
				Hint("発行番号(16進)、--ground request|key-leak|error|undelivered、--by 担当者1,担当者2 が必要です。", "It needs the serial in hex, --ground request|key-leak|error|undelivered and --by OFFICER,OFFICER.")
		}
		return c.withAuthority(cmd, func(a *roles.CA) error {
			rev, err := revoke(cmd.Context(), a, serial, grounds[ground], [2]string(by))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), c.text("〇 失効させました: %s(記録 %d)\n", "〇 revoked: %s (entry %d)\n"), rev.Serial, rev.Index)
			return nil
		})
	}}
	cmd.Flags().StringVar(&ground, "ground", "", "request | key-leak | error | undelivered")
	cmd.Flags().StringSliceVar(&by, "by", nil, "担当者二名 / two officers")
	return cmd
}

// crl publishes the deltas that are due and all complete lists now, and writes them
// to a folder.
func (c *caCmd) crl() *cobra.Command {
	var out string
	cmd := &cobra.Command{Use: "crl", Short: "失効リストを作って書き出す / make the revocation lists and write them out", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return c.withAuthority(cmd, func(a *roles.CA) error {
			deltas, err := a.Authority.PublishDeltas(cmd.Context())
			if err != nil {
				return err
			}
			if len(deltas) > 0 {
				time.Sleep(time.Second) // lists of one moment would need one number (RFC 5280 5.2.3)
			}
			lists, err := a.Authority.PublishCRLs(cmd.Context())
			if err != nil {
				return err
			}
			return c.writeLists(cmd, out, a, append(deltas, lists...))
		})
	}}
	cmd.Flags().StringVar(&out, "out", ".", "書き出し先 / where to write them")
	return cmd
}

// officersOf are the first two who approved a plan.
func officersOf(approvals []ceremony.Approval) (two [2]string, err error) {
	ids := make([]string, 0, len(approvals))
	for _, a := range approvals {
		ids = append(ids, a.Officer)
	}
	slices.Sort(ids)
	if copy(two[:], ids) < 2 {
		return two, errors.New("the act has fewer than two approvals")
	}
	return two, nil
}
