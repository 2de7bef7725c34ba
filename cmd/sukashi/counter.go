package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/ceremony"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/policy"
)

// newCard is the key pair generator at the counter.
func newCard(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "card", Short: "住民のICカード(ソフトウェア) / a resident's card, in software"}
	var pin, alg string
	initialise := &cobra.Command{Use: "init FILE", Short: "カードの中に鍵ペアを作る / make the key pair inside a card", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); err == nil {
				return say.New("card.exists", "すでにカードがあります: "+args[0], "There is a card already: "+args[0])
			}
			p, err := ceremony.Secret(pin)
			if err != nil {
				return err
			}
			_, err = card.Generate(card.Config{Path: args[0], Algorithm: card.Algorithm(alg), PIN: string(p)})
			return err
		}}
	initialise.Flags().StringVar(&pin, "pin-file", "", "署名用の暗証番号(英大文字と数字 6~16字)のファイル / file with the signing PIN: 6 to 16 capital letters and digits")
	initialise.Flags().StringVar(&alg, "algorithm", string(card.RSA2048), "rsa2048 | p256")
	_ = initialise.MarkFlagRequired("pin-file")
	cmd.AddCommand(initialise)
	return cmd
}

// newCounter is the reception terminal of a town hall.
func newCounter(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "counter", Short: "市町村の受付窓口端末 / a town hall's reception terminal"}
	cmd.AddCommand(newApply(a))
	return cmd
}

// application is what the officer at the counter has in hand.
type application struct {
	transfer, form, card, pin, shown, vkey, out string
	terminal                                    counter.Config
}

func newApply(a *app) *cobra.Command {
	var s serverOf
	var x application
	cmd := &cobra.Command{Use: "apply", Short: "申請を認証局へ送り、電子証明書をカードに書き込む / hand an application in and write the certificate onto the card", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := s.client(zone.LGWAN)
			if err != nil {
				return err
			}
			x.terminal.Client, x.terminal.URL = h, s.url
			d, err := x.submit(cmd)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), a.text("〇 発行しました: 番号 %d、発行番号 %s\n", "〇 issued: ordinal %d, serial %s\n"), d.Ordinal, d.Serial)
			return nil
		}}
	s.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&x.transfer, "transfer", "transfer", "転送ファイル / the transfer file from the register's terminal")
	f.StringVar(&x.form, "form", "", "申請書(JSON) / the application form")
	f.StringVar(&x.card, "card", "", "ICカード / the card")
	f.StringVar(&x.pin, "pin-file", "", "署名用の暗証番号のファイル / file with the signing PIN")
	f.StringVar(&x.shown, "document", string(counter.DrivingLicence), "示された本人確認書類 / the document that was shown")
	f.StringVar(&x.vkey, "terminal-vkey", "", "住基専用CS端末の検証鍵 / verifier key of the register's terminal")
	f.StringVar(&x.out, "out", "", "電子証明書の控え(PEM) / copy of the certificate")
	f.StringVar(&x.terminal.Municipality, "municipality", "", "全国地方公共団体コード / the town hall's code")
	f.StringVar(&x.terminal.Counter, "counter", "", "窓口の識別 / counter identifier, such as NAG202011")
	f.StringVar(&x.terminal.Officer, "operator", "", "担当者番号 / officer id")
	return cmd
}

func (x *application) submit(cmd *cobra.Command) (*counter.Delivery, error) {
	transferFile, err := readSmall(x.transfer)
	if err != nil {
		return nil, err
	}
	form, err := x.readForm()
	if err != nil {
		return nil, err
	}
	c, err := x.openCard()
	if err != nil {
		return nil, err
	}
	request, err := c.Request()
	if err != nil {
		return nil, err
	}
	conf := x.terminal
	if conf.Transfer, err = note.NewVerifier(strings.TrimSpace(x.vkey)); err != nil {
		return nil, say.New("counter.vkey", "--terminal-vkey は検証鍵ではありません。", "--terminal-vkey is not a verifier key.").Because(err)
	}
	conf.Scan, conf.Now = policy.ScanResidentCode, time.Now
	if conf.Decider, err = policy.NewDecider(cmd.Context(), policy.Shipped(), 0); err != nil { // as at the register's terminal
		return nil, err
	}
	t, err := counter.New(conf)
	if err != nil {
		return nil, err
	}
	app, err := t.Apply(transferFile, form, counter.Document(x.shown), request)
	if err != nil {
		return nil, err
	}
	d, err := t.Submit(cmd.Context(), app)
	if err != nil {
		return nil, err
	}
	if x.out != "" {
		err = os.WriteFile(x.out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.Certificate}), 0o600)
	}
	return d, errors.Join(err, c.Install(d.Certificate))
}

func (x *application) readForm() (form counter.Form, err error) {
	b, err := readSmall(x.form)
	if err != nil {
		return form, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if dec.Decode(&form) != nil || dec.More() { // the decoder's error could quote the form
		return form, say.New("counter.form-file", "申請書のファイルを読み取れません: "+x.form, "The form can't be read: "+x.form)
	}
	return form, nil
}

func (x *application) openCard() (*card.Card, error) {
	pin, err := ceremony.Secret(x.pin)
	if err != nil {
		return nil, err
	}
	c, err := card.Load(x.card, nil)
	if err != nil {
		return nil, err
	}
	return c, c.Verify(string(pin))
}
