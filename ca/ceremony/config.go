package ceremony

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

// MaxConfig is the largest configuration file in bytes.
const MaxConfig = 64 << 10

// Config is the YAML file of a CA's ceremonies, closed: unknown and repeated
// members are refused. Relative paths are relative to the file.
type Config struct {
	Format    int       `yaml:"format"`    // 1
	Dir       string    `yaml:"dir"`       // what ceremonies leave
	Journals  string    `yaml:"journals"`  // signing journals, one directory per key
	Base      string    `yaml:"base"`      // http address in certificates, without a slash at the end
	Demo      bool      `yaml:"demo"`      // software keys, which nobody may rely on
	Threshold int       `yaml:"threshold"` // approvals that an act needs, at least 2
	Officers  []Officer `yaml:"officers"`
	Issuer    KeyKind   `yaml:"issuer"`
	Responder KeyKind   `yaml:"responder"`
	Token     *Token    `yaml:"token"`
	Software  *Software `yaml:"software"`
	Log       LogConfig `yaml:"log"`
	Profiles  Profiles  `yaml:"profiles"`

	Authority *Authority `yaml:"authority"` // of commands that need the CA's records; not part of a ceremony
}

// Authority is where the CA keeps its records, and under which key: the
// operator's in a file, or a key-encryption key on the token.
type Authority struct {
	Registry    string `yaml:"registry"`     // directory; beside a database, of the key ring alone
	Postgres    string `yaml:"postgres"`     // file with the connection string of a database, readable by its owner alone; "": the embedded store
	RegistryKey string `yaml:"registry_key"` // file with the operator's key, 64 hex digits
	KEK         string `yaml:"kek"`          // label of the key-encryption key on the token, instead
	NoticeMode  string `yaml:"notice_mode"`  // reference or echo
}

func (a *Authority) validate(onToken bool) error {
	switch {
	case a.Registry == "" || (a.NoticeMode != entry.ModeReference && a.NoticeMode != entry.ModeEcho):
		return errors.New("authority needs registry and notice_mode (reference or echo)")
	case (a.RegistryKey == "") == (a.KEK == ""):
		return errors.New("authority needs either registry_key or kek")
	case a.KEK != "" && !onToken:
		return errors.New("authority's kek is a key on a token")
	}
	return nil
}

// Officer is one person who may approve.
type Officer struct {
	ID  string `json:"id" yaml:"id"`   // operator id (transfer.IsOperator)
	Key string `json:"key" yaml:"key"` // base64 of the Ed25519 public key
}

// KeyKind says what kind of key is made.
type KeyKind struct {
	Algorithm string `yaml:"algorithm"` // rsa2048, rsa3072, rsa4096, p256, p384
}

// Token is where keys are made and kept.
type Token struct {
	Module     string `yaml:"module"`     // path of the PKCS #11 library
	Parameters string `yaml:"parameters"` // for libraries that want a string at their start
	Label      string `yaml:"label"`      // of the token
	PINFile    string `yaml:"pin_file"`   // the user PIN, readable by its owner alone
}

// Software is where demo keys are kept.
type Software struct {
	Dir            string `yaml:"dir"`
	PassphraseFile string `yaml:"passphrase_file"`
}

// LogConfig says which log is written to, as an address or as a store of this
// machine that no server has open.
type LogConfig struct {
	VKey string `yaml:"vkey"` // the log's verifier key

	URL         string `yaml:"url"`         // https address of the log
	Certificate string `yaml:"certificate"` // PEM files of the TLS identity of the role "operator"
	Key         string `yaml:"key"`
	Roots       string `yaml:"roots"` // PEM file of the log's TLS root

	Store   string `yaml:"store"`    // directory of the store
	Head    string `yaml:"head"`     // directory of the head
	KeyFile string `yaml:"key_file"` // the log's signing key
}

// Profiles are files; an empty one means the profile that comes with the program.
type Profiles struct {
	Root  string `yaml:"root"`
	OCSP  string `yaml:"ocsp"`
	Link  string `yaml:"link"`
	Cross string `yaml:"cross"`
}

func bad(ja, en string) *say.Error { return say.New("ceremony.config", ja, en) }

// Load reads a configuration file and checks it.
func Load(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, bad("設定ファイルを読めません: "+path, "The configuration can't be read: "+path).Because(err)
	}
	c, err := Parse(b)
	if err != nil {
		return nil, err
	}
	c.under(filepath.Dir(path))
	return c, nil
}

// Parse reads a configuration, strictly.
func Parse(b []byte) (*Config, error) {
	if len(b) > MaxConfig {
		return nil, bad("設定ファイルが大きすぎます。", "The configuration is too large.")
	}
	dec := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	c := new(Config)
	if err := dec.Decode(c); err != nil {
		return nil, bad("設定ファイルの形式が正しくありません。", "The configuration is not in its form.").Because(err)
	}
	if err := dec.Decode(new(Config)); !errors.Is(err, io.EOF) {
		return nil, bad("設定ファイルに文書が二つ以上あります。", "The configuration holds more than one document.")
	}
	if err := c.validate(); err != nil {
		return nil, bad("設定が正しくありません。", "The configuration is not valid.").Because(err)
	}
	return c, nil
}

var algorithms = []string{keystore.RSA2048, keystore.RSA3072, keystore.RSA4096, keystore.P256, keystore.P384}

func (c *Config) validate() error {
	switch {
	case c.Format != 1:
		return fmt.Errorf("format is %d, this program reads 1", c.Format)
	case c.Dir == "" || c.Journals == "":
		return errors.New("needs dir and journals")
	case !strings.HasPrefix(c.Base, "http://") || strings.HasSuffix(c.Base, "/"):
		return errors.New("base must be an http:// address without a slash at the end")
	case !slices.Contains(algorithms, c.Issuer.Algorithm) || !slices.Contains(algorithms, c.Responder.Algorithm):
		return errors.New("issuer and responder need an algorithm: " + strings.Join(algorithms, ", "))
	case (c.Token == nil) == (c.Software == nil):
		return errors.New("needs either a token or software keys")
	case c.Software != nil && !c.Demo:
		return errors.New("software keys are for demonstrations: they need demo: true")
	case c.Token != nil && c.Demo:
		return errors.New("demo: true is for software keys")
	case c.Token != nil && (c.Token.Module == "" || c.Token.Label == "" || c.Token.PINFile == ""):
		return errors.New("a token needs module, label and pin_file")
	case c.Software != nil && (c.Software.Dir == "" || c.Software.PassphraseFile == ""):
		return errors.New("software keys need dir and passphrase_file")
	case c.Log.VKey == "" || (c.Log.URL == "") == (c.Log.Store == ""):
		return errors.New("log needs its vkey and either a url or a store")
	case c.Log.Store != "" && (c.Log.Head == "" || c.Log.KeyFile == ""):
		return errors.New("a log's store needs head and key_file")
	case c.Log.URL != "" && (c.Log.Certificate == "" || c.Log.Key == "" || c.Log.Roots == ""):
		return errors.New("a log's url needs certificate, key and roots")
	}
	if c.Authority != nil {
		if err := c.Authority.validate(c.Token != nil); err != nil {
			return err
		}
	}
	return c.validateOfficers()
}

func (c *Config) validateOfficers() error {
	if c.Threshold < 2 || c.Threshold > len(c.Officers) || len(c.Officers) > 32 {
		return errors.New("threshold must be between 2 and the number of officers, of whom there are at most 32")
	}
	ids, keys := map[string]bool{}, map[string]bool{}
	for _, o := range c.Officers {
		if _, err := o.public(); err != nil || !transfer.IsOperator(o.ID) || ids[o.ID] || keys[o.Key] {
			return errors.New("officers need different ids of the form of operator ids, and different Ed25519 keys in base64")
		}
		ids[o.ID], keys[o.Key] = true, true
	}
	return nil
}

func (o Officer) public() (ed25519.PublicKey, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(o.Key)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, errors.New("not an Ed25519 key in base64")
	}
	return b, nil
}

// under makes relative paths relative to the configuration's directory.
func (c *Config) under(dir string) {
	paths := []*string{&c.Dir, &c.Journals, &c.Log.Certificate, &c.Log.Key, &c.Log.Roots, &c.Log.Store, &c.Log.Head, &c.Log.KeyFile,
		&c.Profiles.Root, &c.Profiles.OCSP, &c.Profiles.Link, &c.Profiles.Cross}
	if c.Token != nil {
		paths = append(paths, &c.Token.PINFile)
	}
	if c.Authority != nil {
		paths = append(paths, &c.Authority.Registry, &c.Authority.RegistryKey, &c.Authority.Postgres)
	}
	if c.Software != nil {
		paths = append(paths, &c.Software.Dir, &c.Software.PassphraseFile)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// profiles loads the four profiles, once.
type profiles map[profile.Role]*profile.Profile

func (c *Config) loadProfiles() (profiles, error) {
	out := profiles{}
	for role, path := range map[profile.Role]string{profile.Root: c.Profiles.Root, profile.OCSP: c.Profiles.OCSP, profile.Link: c.Profiles.Link, profile.Cross: c.Profiles.Cross} {
		p, err := loadProfile(role, path)
		if err != nil {
			return nil, err
		}
		out[role] = p
	}
	return out, nil
}

func loadProfile(role profile.Role, path string) (*profile.Profile, error) {
	if path == "" {
		return profile.Shipped(role)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the %s profile: %w", role, err)
	}
	p, err := profile.Load(b)
	if err != nil {
		return nil, err
	}
	if p.Role() != role {
		return nil, fmt.Errorf("the %s profile is one of a %s certificate", role, p.Role())
	}
	return p, nil
}

// Secret reads a PIN, a passphrase or a key from a file of its owner alone.
func Secret(path string) ([]byte, error) { return secret(path) }

// secret reads a PIN or passphrase from a file of its owner alone.
func secret(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't find the secret's file: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 || st.Size() > 4096 {
		return nil, say.New("ceremony.secret", "PINまたはパスフレーズのファイルを、他の利用者が読めます。", "Other users can read the file with the PIN or passphrase.").
			Hint("chmod 600 で所有者だけにしてください。", "Make it the owner's alone with chmod 600.")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the secret's file: %w", err)
	}
	return bytes.TrimRight(b, "\r\n"), nil
}
