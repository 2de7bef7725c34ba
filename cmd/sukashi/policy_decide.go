package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/notice"
	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/review/verify"
)

// decideFlags say what surrounds a notice that stands in a file.
type decideFlags struct {
	bundle, mode, certified, ruleset string
	falses                           []string
	seq, ordinal                     uint64
	asJSON                           bool
}

func newDecide(a *app) *cobra.Command {
	var o decideFlags
	cmd := &cobra.Command{
		Use:   "decide [NOTICE]",
		Short: "通知のファイル、または事実の組み合わせを判定する / decide a notice in a file, or a set of facts",
		Long: a.text(
			"NOTICE は異動通知のバイト列です。受け取る側の規則で判定します。次のことは成り立つものとします: 送り手と宛先が正しいこと、通信の見出しが定めどおりであること、送り手がこのバイト列を許可して先に記録したこと、指定した番号の証明書が発行済みであること。\n"+
				"--ruleset では、--false に並べた事実だけが成り立たない場面を判定します。\n許可なら終了コード 0、拒否なら 2 です。",
			"NOTICE holds the bytes of a change notice, decided by the receiver's rules. Taken as given: sender and addressee are right, the transport's headers are the prescribed ones, the sender allowed and logged exactly these bytes, and the certificate of the given ordinal was issued.\n"+
				"With --ruleset it decides the situation in which only the facts named by --false do not hold.\nExit status 0: allowed, 2: refused."),
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			facts, err := o.facts(args)
			if err != nil {
				return err
			}
			b, err := readBundle(o.bundle)
			if err != nil {
				return err
			}
			// The bundle is decided with as if it were in force: this command
			// shows what the rules say, not what a log's council approved.
			d, err := policy.NewDecider(cmd.Context(), b, 0)
			if err != nil {
				return err
			}
			dec := d.Decide(cmd.Context(), facts)
			if o.asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(dec)
			} else {
				a.printDecision(cmd.OutOrStdout(), dec)
			}
			if err == nil && !dec.Allow {
				err = exitError(verify.IsFalse)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.bundle, "bundle", "", "規則の束(省略時は組み込みのもの) / policy bundle (default: the embedded one)")
	f.StringVar(&o.mode, "mode", notice.Reference, "連携の方式 reference | echo / the link's mode")
	f.Uint64Var(&o.seq, "seq", 0, "次に来るはずの通番 / the next sequence number")
	f.Uint64Var(&o.ordinal, "ordinal", 0, "証明書の番号 / the certificate's ordinal")
	f.StringVar(&o.certified, "certified", "", "echo のとき: 証明書の基本4情報の JSON / with echo: the certified attributes as JSON")
	f.StringVar(&o.ruleset, "ruleset", "", "通知でなく、この規則の場面を判定する / decide a situation of this rule set instead of a notice")
	f.StringSliceVar(&o.falses, "false", nil, "成り立たない事実 / facts that do not hold")
	f.BoolVar(&o.asJSON, "json", false, "JSON で出す / print JSON")
	return cmd
}

func (o decideFlags) facts(args []string) (*policy.Facts, error) {
	switch {
	case o.ruleset != "" && len(args) == 0:
		return o.situation()
	case o.ruleset == "" && len(args) == 1:
		return o.notice(args[0])
	}
	return nil, say.New("policy.decide", "通知のファイルか --ruleset の、どちらか一つを指定してください。", "Give either a notice or --ruleset.")
}

func (o decideFlags) situation() (*policy.Facts, error) {
	rs := policy.Ruleset(o.ruleset)
	names := policy.FactNames(rs)
	if names == nil {
		var all []string
		for _, r := range catalogue.Rulesets() {
			all = append(all, string(r))
		}
		return nil, say.New("policy.ruleset", "その規則はありません: "+o.ruleset, "There is no such rule set: "+o.ruleset).
			Hint("次のいずれかです: "+strings.Join(all, " "), "One of: "+strings.Join(all, " "))
	}
	f := policy.NewFacts(rs)
	for _, n := range names {
		f.Set(n, !slices.Contains(o.falses, n))
	}
	for _, n := range o.falses {
		if !slices.Contains(names, n) {
			return nil, say.New("policy.fact", "その事実はありません: "+n, "There is no such fact: "+n).
				Hint("次のいずれかです: "+strings.Join(names, " "), "One of: "+strings.Join(names, " "))
		}
	}
	return f, nil
}

// notice establishes the facts about a notice's bytes, with a record key that
// exists for this question only.
func (o decideFlags) notice(path string) (*policy.Facts, error) {
	raw, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	if o.mode != notice.Reference && o.mode != notice.Echo {
		return nil, say.New("policy.mode", "--mode は reference か echo です。", "--mode must be reference or echo.")
	}
	ref := policy.Referred{Issued: true, Ordinal: o.ordinal, Key: commitment.Key{1}}
	if o.certified != "" {
		b, err := readSmall(o.certified)
		if err != nil {
			return nil, err
		}
		c, err := readCertified(b)
		if err != nil {
			return nil, say.New("policy.certified", "基本4情報の JSON ではありません: "+o.certified, "Not certified attributes in JSON: "+o.certified).Because(err)
		}
		if ref.Certified, ref.Subject, err = bindCertified(ref.Key, c); err != nil {
			return nil, err
		}
	}
	c := policy.NoticeReceiveCheck{
		Bytes: raw, Mode: o.mode, Sender: entry.ByNoticeSender, Addressee: entry.ByCALink, NextSeq: o.seq,
		Found: ref, Metadata: policy.LinkMetadata(policy.PathNotices),
	}
	if c.Sent, err = asLogged(raw, o.mode, ref); err != nil {
		return nil, err
	}
	return c.Facts(), nil
}

// readCertified reads one JSON object with the values of attr.Certified, spelt
// as in a notice, each at most once, all strings, and nothing after it. The
// errors name a member, never a value.
func readCertified(b []byte) (attr.Certified, error) {
	var c attr.Certified
	into := map[string]*string{"name": &c.Name, "nameMap": &c.NameMap, "birthDate": &c.BirthDate, "sex": &c.Sex, "address": &c.Address, "addressMap": &c.AddressMap}
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return c, errors.New("not a JSON object")
	}
	for dec.More() {
		t, err := dec.Token()
		name, _ := t.(string)
		to := into[name]
		if err != nil || to == nil {
			return c, errors.New("an unknown member, or one that is given twice")
		}
		delete(into, name)
		v, err := dec.Token()
		text, ok := v.(string)
		if err != nil || !ok {
			return c, fmt.Errorf("%s is not a string", name)
		}
		*to = text
	}
	if _, err := dec.Token(); err != nil {
		return c, errors.New("the object has no end")
	}
	if _, err := dec.Token(); err != io.EOF {
		return c, errors.New("something follows the object")
	}
	return c, nil
}

func bindCertified(k commitment.Key, c attr.Certified) (attr.Certified, entry.Digest, error) {
	if c.NameMap == "" && c.AddressMap == "" { // nothing substituted
		c.NameMap = strings.Repeat("0", utf8.RuneCountInString(c.Name))
		c.AddressMap = strings.Repeat("0", utf8.RuneCountInString(c.Address))
	}
	err := c.Validate()
	var subject entry.Digest
	if err == nil {
		subject, err = k.Subject(c.Slots())
	}
	if err != nil {
		return c, subject, say.New("policy.certified", "基本4情報が正しくありません。", "The certified attributes are not valid.").Because(err)
	}
	return c, subject, nil
}

// asLogged is the entry of a sender that allowed exactly these bytes.
func asLogged(raw []byte, mode string, ref policy.Referred) (*entry.NoticeSent, error) {
	n, form := notice.Examine(raw)
	if form.Code() != "" {
		return nil, nil // no sender could have logged it
	}
	digest, err := ref.Key.Notice(n.Seq, raw)
	if err != nil {
		return nil, err
	}
	holder, err := ref.Key.Holder(n.Seq, ref.Ordinal)
	if err != nil {
		return nil, err
	}
	return &entry.NoticeSent{Decision: entry.Decision{Allow: true}, Digest: digest, Holder: holder, Mode: mode, Notice: n.Seq}, nil
}

func (a *app) printDecision(w io.Writer, d entry.Decision) {
	mark := a.text("〇 許可", "〇 allowed")
	if !d.Allow {
		mark = a.text("✕ 拒否", "✕ refused")
	}
	fmt.Fprintf(w, a.text("%s (規則 %s、束 %s、%s)\n", "%s (rule set %s, bundle %s, %s)\n"), mark, d.Ruleset, d.Bundle, rules.EngineID())
	for _, code := range d.Codes {
		c, _ := catalogue.Lookup(code)
		fmt.Fprintf(w, "  %s %s\n", code, c.Text().In(a.lang()))
	}
}
