package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/policy/rules/prove"
)

// maxPolicyFile bounds each file that a policy command reads, in bytes.
const maxPolicyFile = 1 << 20

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPolicyFile+1))
	if err == nil && len(b) > maxPolicyFile {
		err = say.New("file.large", "ファイルが大きすぎます: "+path, "The file is too large: "+path)
	}
	return b, err
}

// readBundle reads a bundle, or returns the shipped one for "".
func readBundle(path string) (rules.Bundle, error) {
	if path == "" {
		return policy.Shipped(), nil
	}
	raw, err := readSmall(path)
	if err != nil {
		return rules.Bundle{}, err
	}
	b, err := rules.ParseBundle(raw)
	if err != nil {
		return rules.Bundle{}, say.New("policy.bundle", "規則の束ではありません: "+path, "Not a policy bundle: "+path).
			Hint("sukashi policy bundle で作ったファイルを渡してください。", "Give a file that sukashi policy bundle made.").Because(err)
	}
	return b, nil
}

func newBundle(a *app) *cobra.Command {
	var dir, out, proof string
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "規則の束を作り、ハッシュ値を示す / pack a policy bundle and print its digests",
		Long: a.text("同じソースからは、誰が作っても同じバイト列になります。--dir を省くと、組み込みの規則です。",
			"The same sources give the same bytes, whoever packs them. Without --dir it is the bundle that is built in."),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := policy.Shipped()
			if dir != "" {
				var err error
				if b, err = rules.PackFS(os.DirFS(dir), "."); err != nil {
					return err
				}
				if _, err = rules.Compile(cmd.Context(), b); err != nil {
					return say.New("policy.compile", "この規則は使えません。", "These rules can't be used.").Because(err)
				}
			}
			for path, content := range map[string][]byte{out: b.Bytes, proof: rules.ShippedProof()} {
				if path == "" {
					continue
				}
				if err := os.WriteFile(path, content, 0o644); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "bundle       %s\ncapabilities %s\ngrammar      %s\nscanner      %s\n", b.Digest, b.Capabilities, b.Grammar, b.Scanner)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "規則のソースのフォルダー / directory of the bundle's sources")
	f.StringVar(&out, "out", "", "束を書き出す / write the bundle")
	f.StringVar(&proof, "proof", "", "組み込みの規則の証明書を書き出す / write the built-in bundle's proof certificate")
	cmd.MarkFlagsMutuallyExclusive("dir", "proof")
	return cmd
}

// proposal reads what a council member is about to approve.
func proposal(bundle, proof string) (policy.Proposal, error) {
	if bundle == "" && proof == "" {
		return policy.ShippedProposal(), nil
	}
	if bundle == "" || proof == "" {
		return policy.Proposal{}, say.New("policy.both", "--bundle と --proof は、両方とも指定してください。", "Give --bundle and --proof together.")
	}
	b, err := readBundle(bundle)
	if err != nil {
		return policy.Proposal{}, err
	}
	raw, err := readSmall(proof)
	if err != nil {
		return policy.Proposal{}, err
	}
	if _, err := prove.ParseCertificate(raw); err != nil {
		return policy.Proposal{}, say.New("policy.proof", "証明書を読み取れません: "+proof, "Not a proof certificate: "+proof).
			Hint("sukashi policy prove --out で作ったファイルを渡してください。", "Give a file that sukashi policy prove --out made.").Because(err)
	}
	return policy.Proposal{Bundle: b, Proof: raw}, nil
}

func newApprove(a *app) *cobra.Command {
	var key, bundle, proof string
	cmd := &cobra.Command{
		Use:   "approve --key KEY.pem",
		Short: "審議会の委員として規則と証明書を承認する / approve rules and their proof as a council member",
		Long: a.text("鍵は Ed25519 の PKCS #8 形式です(openssl genpkey -algorithm ed25519)。承認の前に、sukashi policy prove --again で証明書を確かめてください。",
			"The key is an Ed25519 key in PKCS #8 (openssl genpkey -algorithm ed25519). Before you approve, check the certificate with sukashi policy prove --again."),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := proposal(bundle, proof)
			if err != nil {
				return err
			}
			k, err := memberKey(key)
			if err != nil {
				return err
			}
			approval, err := p.Sign(k)
			if err != nil {
				return say.New("policy.sign", "承認できません。", "It can't be approved.").Because(err)
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(approval)
		},
	}
	f := cmd.Flags()
	f.StringVar(&key, "key", "", "委員の鍵 / the member's key")
	f.StringVar(&bundle, "bundle", "", "規則の束(省略時は組み込みのもの) / policy bundle (default: the embedded one)")
	f.StringVar(&proof, "proof", "", "その証明書 / its proof certificate")
	_ = cmd.MarkFlagRequired("key")
	return cmd
}

func memberKey(path string) (ed25519.PrivateKey, error) {
	raw, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	bad := say.New("policy.key", "Ed25519 の鍵ではありません: "+path, "Not an Ed25519 key: "+path).
		Hint("openssl genpkey -algorithm ed25519 で作れます。", "openssl genpkey -algorithm ed25519 makes one.")
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, bad
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad // the parser's error could quote the key
	}
	if ed, ok := k.(ed25519.PrivateKey); ok {
		return ed, nil
	}
	return nil, bad
}

func newApproved(a *app) *cobra.Command {
	var bundle, proof, members string
	var k int
	var to server
	cmd := &cobra.Command{
		Use:   "approved --members council.keys --threshold K APPROVAL…",
		Short: "委員の承認をまとめ、ログに載せる形にする / gather members' approvals into the body of policy.approved",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := proposal(bundle, proof)
			if err != nil {
				return err
			}
			keys, err := memberKeys(members)
			if err != nil {
				return err
			}
			var approvals []entry.Approval
			for _, path := range args {
				raw, err := readSmall(path)
				if err != nil {
					return err
				}
				var ap entry.Approval
				if err := json.Unmarshal(raw, &ap); err != nil {
					return say.New("policy.approval", "承認のファイルではありません: "+path, "Not an approval: "+path).Because(err)
				}
				approvals = append(approvals, ap)
			}
			body, err := p.Approved(approvals...)
			if err == nil {
				err = policy.VerifyApprovals(body, k, keys)
			}
			if err != nil {
				return say.New("policy.not-approved", "この規則は承認されていません。", "These rules are not approved.").Because(err)
			}
			if to.url == "" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(body)
			}
			return a.putInForce(cmd, &to, &body)
		},
	}
	to.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&bundle, "bundle", "", "規則の束(省略時は組み込みのもの) / policy bundle (default: the embedded one)")
	f.StringVar(&proof, "proof", "", "その証明書 / its proof certificate")
	f.StringVar(&members, "members", "", "委員の公開鍵(base64、1行に1つ) / members' public keys, base64, one a line")
	f.IntVar(&k, "threshold", 0, "必要な承認の数 / approvals needed")
	_ = cmd.MarkFlagRequired("members")
	_ = cmd.MarkFlagRequired("threshold")
	return cmd
}

// putInForce logs the approval as the council: from then on the rules decide.
func (a *app) putInForce(cmd *cobra.Command, to *server, body *entry.PolicyApproved) error {
	c, err := to.client()
	if err != nil {
		return err
	}
	w, err := ledger.NewWriter(cmd.Context(), c, entry.ByCouncil, time.Now)
	if err != nil {
		return err
	}
	logged, err := w.Append(cmd.Context(), body)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), a.text("記録 %d\n", "entry %d\n"), logged.Index)
	return err
}

func memberKeys(path string) ([]ed25519.PublicKey, error) {
	raw, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	var out []ed25519.PublicKey
	for _, line := range strings.Fields(string(raw)) {
		k, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(k) != ed25519.PublicKeySize {
			return nil, say.New("policy.members", "鍵ではない行があります: "+path, "There is a line that is not a key: "+path)
		}
		out = append(out, k)
	}
	return out, nil
}
