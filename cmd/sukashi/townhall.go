package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca/ceremony"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/policy"
)

// serverOf says which server a terminal calls, and who the terminal is.
type serverOf struct{ url, cert, key, root string }

func (s *serverOf) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.url, "url", "", "サーバーの番地 / the server's address, https://HOST:PORT")
	cmd.Flags().StringVar(&s.cert, "cert", "", "端末の証明書(PEM) / the terminal's certificate")
	cmd.Flags().StringVar(&s.key, "key", "", "その秘密鍵(PEM) / its private key")
	cmd.Flags().StringVar(&s.root, "ca", "", "ネットワークの根(PEM) / the network's root")
	for _, f := range []string{"url", "cert", "key", "ca"} {
		_ = cmd.MarkFlagRequired(f)
	}
}

// client is mutual TLS inside one network.
func (s *serverOf) client(z zone.Zone) (*http.Client, error) {
	cert, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return nil, say.New("tls.cert", "端末の証明書か秘密鍵を読めません。", "The terminal's certificate or its key can't be read.").Because(err)
	}
	root, err := zone.LoadCert(z, s.root)
	if err != nil {
		return nil, say.New("tls.ca", "信頼の根の証明書を読めません。", "The root certificate can't be read.").Because(err)
	}
	return zone.Peers{root}.Client(cert, time.Minute), nil
}

// resident is a line of a file of residents. It holds a resident code: such a
// file never leaves zone juki.
type resident struct {
	Code         string          `json:"code"`
	Municipality string          `json:"municipality"`
	Attr         attr.Attributes `json:"attr"`
}

// newInvent writes invented residents, for trying a set-up out.
func newInvent(a *app) *cobra.Command {
	var n int
	var seed uint64
	cmd := &cobra.Command{Use: "invent DIR", Short: "架空の住民を作る(試験用) / invent residents to try a set-up with", Args: cobra.ExactArgs(1),
		Long: a.text("DIR/residents.jsonl に住民を、DIR/forms/N.json に、その住民が記入する申請書を書きます。", "Residents go to DIR/residents.jsonl, the form that each would fill in to DIR/forms/N.json."),
		RunE: func(cmd *cobra.Command, args []string) error {
			rs, err := people.Generate(seed, n)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Join(args[0], "forms"), 0o700); err != nil {
				return err
			}
			var lines bytes.Buffer
			for i, r := range rs {
				if err := json.NewEncoder(&lines).Encode(resident{r.Code, r.Municipality, r.Attr}); err != nil {
					return err
				}
				form, err := world.FormOf(r, r.Attr, time.Now())
				if err != nil {
					return err
				}
				b, err := json.MarshalIndent(form, "", "  ")
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(args[0], "forms", fmt.Sprintf("%d.json", i)), append(b, '\n'), 0o600); err != nil {
					return err
				}
			}
			return os.WriteFile(filepath.Join(args[0], "residents.jsonl"), lines.Bytes(), 0o600)
		}}
	cmd.Flags().IntVar(&n, "residents", 10, "人数 / how many")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "同じ値なら同じ住民 / the same residents for the same seed")
	return cmd
}

// importBatch is how many residents go into the register together.
const importBatch = 1000

// newImport takes residents over into a register whose server is not running.
func newImport(a *app) *cobra.Command {
	var dir, postgres string
	cmd := &cobra.Command{Use: "import --dir DIR FILE", Short: "住民票の記録を引き継ぐ(サーバーの停止中に) / take residents over, while the server is stopped", Args: cobra.ExactArgs(1),
		Long: a.text("FILE は一行に一人の JSON です: {\"code\":…,\"municipality\":…,\"attr\":{…}}。", "FILE has one resident a line, as JSON: {\"code\":…,\"municipality\":…,\"attr\":{…}}."),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			f, err := os.Open(args[0])
			if err != nil {
				return say.New("juki.import", "住民のファイルを読めません: "+args[0], "The residents can't be read: "+args[0]).Because(err)
			}
			defer f.Close()
			url := []byte{}
			if postgres != "" {
				if url, err = ceremony.Secret(postgres); err != nil {
					return err
				}
			}
			o, err := roles.OpenOffice(cmd.Context(), dir, strings.TrimSpace(string(url)))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, o.Close()) }()
			n, err := importAll(o, f)
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), a.text("〇 %d 人\n", "〇 %d residents\n"), n)
			}
			return err
		}}
	cmd.Flags().StringVar(&dir, "dir", "", "住基側のフォルダー / the register side's folder")
	cmd.Flags().StringVar(&postgres, "postgres", "", "本人確認情報データベースの接続文字列のファイル / file with the connection string of the identity information database")
	_ = cmd.MarkFlagRequired("dir")
	return cmd
}

func importAll(o *juki.Office, in io.Reader) (total int, err error) {
	var batch []register.Resident
	flush := func() error {
		n, err := o.Register.Import(batch)
		total, batch = total+n, batch[:0]
		return err
	}
	lines := bufio.NewScanner(in)
	for line := 1; lines.Scan(); line++ {
		var r resident
		if !readLine(lines.Bytes(), &r) {
			return total, say.New("juki.import-line", fmt.Sprintf("%d 行目を読み取れません。", line), fmt.Sprintf("Line %d can't be read.", line))
		}
		if batch = append(batch, register.Resident(r)); len(batch) == importBatch {
			if err := flush(); err != nil {
				return total, err
			}
		}
	}
	return total, errors.Join(lines.Err(), flush())
}

// readLine reads a line of a file of records, strictly. Why it can't is not told:
// the decoder's error could quote the line.
func readLine(line []byte, into any) bool {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	return dec.Decode(into) == nil && !dec.More()
}

// newTerminalKey makes the key with which a town hall's terminal signs transfer
// files.
func newTerminalKey() *cobra.Command {
	var name string
	cmd := &cobra.Command{Use: "terminal-key FILE --name NAME", Short: "住基専用CS端末の署名鍵を作り、検証鍵を示す / make a terminal's signing key and show its verifier key", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := logkey.CreateFile(args[0], name, rand.Reader)
			if err != nil {
				return err
			}
			defer k.Close()
			fmt.Fprintln(cmd.OutOrStdout(), k.VKey())
			return nil
		}}
	cmd.Flags().StringVar(&name, "name", "", "端末の名前 / the terminal's name, such as juki-terminal-202011")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// newExport is a town hall's JukiTerminal: it writes the transfer file that is
// carried to the counter by hand.
func newExport() *cobra.Command {
	var s serverOf
	var signer, municipality, operator, out string
	cmd := &cobra.Command{Use: "export CODE", Short: "申請者の基本4情報を転送ファイルに書き出す(CODE が - なら標準入力から) / write an applicant's four attributes to a transfer file (CODE -: from standard input)", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := s.client(zone.Juki)
			if err != nil {
				return err
			}
			key, err := logkey.OpenFile(signer)
			if err != nil {
				return err
			}
			defer key.Close()
			verifier, err := note.NewVerifier(key.VKey())
			if err != nil {
				return err
			}
			// What rule set transfer decides is not logged, so the place of its
			// approval in the log is not needed.
			decider, err := policy.NewDecider(cmd.Context(), policy.Shipped(), 0)
			if err != nil {
				return err
			}
			t, err := juki.RemoteTerminal(juki.TerminalConfig{Municipality: municipality, Signer: key, Verifier: verifier, Decider: decider}, h, s.url)
			if err != nil {
				return err
			}
			code, err := residentCode(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			file, err := t.Export(cmd.Context(), code, operator)
			if err != nil {
				return err
			}
			return os.WriteFile(out, file, 0o600)
		}}
	s.flags(cmd)
	cmd.Flags().StringVar(&signer, "signer", "", "端末の署名鍵 / the terminal's signing key")
	cmd.Flags().StringVar(&municipality, "municipality", "", "全国地方公共団体コード / the town hall's code")
	cmd.Flags().StringVar(&operator, "operator", "", "担当者番号 / officer id")
	cmd.Flags().StringVar(&out, "out", "transfer", "転送ファイル / the transfer file")
	return cmd
}

// residentCode is the code itself, or for "-" the first line of standard input:
// what is in the arguments, others on the machine can see.
func residentCode(stdin io.Reader, arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	line, err := bufio.NewReader(io.LimitReader(stdin, 64)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimSpace(line), nil
}
