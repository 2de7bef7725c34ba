// Package serve runs one role as a process of its own: sukashi serve --config
// FILE. A role is a listener, its keys and its directories; what it does is in
// the role's own package.
//
// Roles: the ledger (appends over mTLS, reads over plain HTTP: what is signed in
// itself needs no channel), a witness, the CA's server, the register's
// server, the two link servers between them, and the public pages. A configuration is YAML,
// read strictly: an unknown member, a missing one or a value out of range is an
// error before anything is opened. Keys and PINs stand in files of their own
// that only their owner can read; none is in the configuration.
//
//	format: 1
//	role: ledger
//	listen: 127.0.0.1:8443      # appends, mTLS
//	public: 127.0.0.1:8080      # reads, /healthz, /metrics
//	tls:
//	  cert: ledger.pem          # the server's certificate, then its chain
//	  key: ledger.key
//	  roots: {juki: juki.pem, lgwan: lgwan.pem, open: open.pem}
//	ledger:
//	  dir: store                # or cluster: {address: …, roots: ca.pem, cache: DIR}
//	  head: /other/disk/head    # never inside dir
//	  origin: log.example/jpki/1
//	  key: {file: log.key}      # or {module: …, token: …, label: …, pin: FILE}
//	  policy: witness.policy
//	  writers:
//	    - {zone: lgwan, name: ca-server, by: [ca-server, juki-link-server]}
//
// Relative paths are relative to the configuration's directory.
package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Roles that can be served.
const (
	RoleLedger   = "ledger"
	RoleWitness  = "witness"
	RoleCA       = "ca"        // CAServer and CAFrontServer, zone lgwan
	RoleJukiLink = "juki-link" // JukiLinkServer, zone lgwan
	RoleJuki     = "juki"      // BusinessSubsystem and IdentityInfoDB, zone juki
	RoleCALink   = "ca-link"   // CALinkServer, zone juki
	RolePortal   = "portal"    // pages for everyone: the log, a certificate's status
	RoleAgency   = "agency"    // the page on which an agency checks a signed application
	RoleCouncil  = "council"   // the council's report
)

// Config is a role's configuration. Exactly the section of its role is given.
type Config struct {
	Format  int      `yaml:"format"`  // 1
	Role    string   `yaml:"role"`    // one of the roles
	Listen  string   `yaml:"listen"`  // address of the role's own service
	Public  string   `yaml:"public"`  // ledger, ca: address of what everyone may fetch
	Metrics string   `yaml:"metrics"` // address of /healthz and /metrics; ledger and witness have them on their other one
	TLS     *TLS     `yaml:"tls"`     // witness: optional, without client certificates; else needed
	Ledger  *Ledger  `yaml:"ledger"`  //
	Witness *Witness `yaml:"witness"` //
	CA      *CA      `yaml:"ca"`      //
	Juki    *Juki    `yaml:"juki"`    //
	Gateway *Gateway `yaml:"link"`    // juki-link, ca-link
	Pages   *Pages   `yaml:"pages"`   // portal, agency, council

	dir string // of the file
}

// TLS names a server's certificate and the roots whose clients it hears.
type TLS struct {
	Cert  string               `yaml:"cert"`  // PEM, the server's certificate first
	Key   string               `yaml:"key"`   // PEM, PKCS #8, readable by its owner alone
	Roots map[zone.Zone]string `yaml:"roots"` // PEM, one root for each zone
}

// Ledger is the role ledger.
type Ledger struct {
	Dir     string   `yaml:"dir"`     // the store; or
	Cluster *Cluster `yaml:"cluster"` // Trillian's servers
	Head    string   `yaml:"head"`    // the head store, outside dir
	Origin  string   `yaml:"origin"`  // the log's name in checkpoints
	Key     Key      `yaml:"key"`     // the log's key
	Policy  string   `yaml:"policy"`  // C2SP tlog-policy: the log's key, witnesses, quorum
	Writers []Writer `yaml:"writers"` // who may append, and as whom
	// Readers may read every entry; Public names the kinds that anyone may
	// read. Without Readers everyone reads everything.
	Readers []Peer   `yaml:"readers"`
	Public  []string `yaml:"publicKinds"`
	// PublishEvery is how often a checkpoint is published while there is news,
	// as 1s; default one second. EntriesPerSecond bounds one client; 0: no limit.
	PublishEvery     string  `yaml:"publishEvery"`
	EntriesPerSecond float64 `yaml:"entriesPerSecond"`
}

// Key is a signing key in a file, or on a PKCS #11 token.
type Key struct {
	File   string `yaml:"file"`
	Module string `yaml:"module"` // path of the PKCS #11 library
	Token  string `yaml:"token"`  // label of the token
	Label  string `yaml:"label"`  // label of the key on it
	PIN    string `yaml:"pin"`    // file with the user's PIN, readable by its owner alone
}

// Peer is a TLS client by zone and name.
type Peer struct {
	Zone zone.Zone `yaml:"zone"`
	Name string    `yaml:"name"`
}

// Writer is a TLS client that may append as some role identifiers.
type Writer struct {
	Zone zone.Zone `yaml:"zone"`
	Name string    `yaml:"name"`
	By   []string  `yaml:"by"`
}

// Witness is the role witness.
type Witness struct {
	Dir  string   `yaml:"dir"`
	Name string   `yaml:"name"` // key name, such as witness.example/w1
	Key  string   `yaml:"key"`  // PEM, PKCS #8, Ed25519, readable by its owner alone
	Logs []string `yaml:"logs"` // verifier keys of the logs
}

// maxConfig bounds a configuration, in bytes.
const maxConfig = 1 << 16

// Load reads and checks a configuration. It opens nothing that is named in it.
func Load(path string) (*Config, error) {
	b, err := readLimited(path, maxConfig)
	if err != nil {
		return nil, say.New("serve.config", "設定ファイルを読めません: "+path, "The configuration can't be read: "+path).Because(err)
	}
	c := &Config{dir: filepath.Dir(path)}
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict(), yaml.DisallowUnknownField()).Decode(c); err != nil {
		return nil, say.New("serve.yaml", "設定ファイルの書き方が正しくありません: "+path, "The configuration is malformed: "+path).
			Hint("項目名のつづりと字下げを確かめてください。", "Check the members' names and the indentation.").Because(errors.New(yaml.FormatError(err, false, false)))
	}
	if err := c.validate(); err != nil {
		return nil, say.New("serve.invalid", "設定が正しくありません: "+path, "The configuration is not valid: "+path).Because(err)
	}
	return c, nil
}

// path is p as the configuration means it.
func (c *Config) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

func (c *Config) validate() error {
	if c.Format != 1 {
		return errors.New("format must be 1")
	}
	if err := address("listen", c.Listen); err != nil {
		return err
	}
	section, known := sections[c.Role]
	if !known {
		return fmt.Errorf("role must be one of %s", strings.Join(slices.Sorted(maps.Keys(sections)), ", "))
	}
	given := map[string]bool{RoleLedger: c.Ledger != nil, RoleWitness: c.Witness != nil, RoleCA: c.CA != nil, RoleJuki: c.Juki != nil, "link": c.Gateway != nil, "pages": c.Pages != nil}
	for name, is := range given {
		if is != (name == section) {
			return fmt.Errorf("role %s needs the section %s, and no other", c.Role, section)
		}
	}
	switch c.Role {
	case RoleLedger:
		return errors.Join(c.validateLedger(), c.Ledger.validate(c))
	case RoleWitness:
		return c.validateWitness()
	case RoleCA:
		return errors.Join(c.validateCA(), c.CA.validate())
	case RoleJuki:
		return errors.Join(c.validateJuki(), c.Juki.validate())
	case RolePortal, RoleAgency, RoleCouncil:
		return c.validatePages()
	}
	if c.Public != "" {
		return errors.New("a link server has nothing public")
	}
	return errors.Join(address("metrics", c.Metrics), c.onlyZones(zone.Juki, zone.LGWAN), c.Gateway.validate())
}

// sections names the section of each role.
var sections = map[string]string{RoleLedger: RoleLedger, RoleWitness: RoleWitness, RoleCA: RoleCA, RoleJuki: RoleJuki, RoleJukiLink: "link", RoleCALink: "link",
	RolePortal: "pages", RoleAgency: "pages", RoleCouncil: "pages"}

func (c *Config) validateWitness() error {
	if c.Public != "" || c.Metrics != "" {
		return errors.New("a witness has one address")
	}
	if c.TLS != nil && len(c.TLS.Roots) > 0 {
		return errors.New("a witness hears everyone: tls takes no roots")
	}
	w := c.Witness
	if w.Dir == "" || w.Name == "" || w.Key == "" || len(w.Logs) == 0 {
		return errors.New("witness needs dir, name, key and logs")
	}
	return nil
}

func (c *Config) validateLedger() error {
	if err := address("public", c.Public); err != nil {
		return err
	}
	if c.Metrics != "" {
		return errors.New("the ledger's metrics are on its public address")
	}
	if c.TLS == nil || c.TLS.Cert == "" || c.TLS.Key == "" || len(c.TLS.Roots) == 0 {
		return errors.New("role ledger needs tls with cert, key and roots")
	}
	for z := range c.TLS.Roots {
		if !slices.Contains([]zone.Zone{zone.Juki, zone.LGWAN, zone.Open}, z) {
			return fmt.Errorf("there is no zone %q", z)
		}
	}
	return nil
}

func (l *Ledger) validate(c *Config) error {
	if l.Head == "" || l.Origin == "" || l.Policy == "" {
		return errors.New("ledger needs head, origin and policy")
	}
	if err := l.validatePlace(); err != nil {
		return err
	}
	if rel, err := filepath.Rel(c.path(l.folder()), c.path(l.Head)); err == nil && (rel == "." || filepath.IsLocal(rel)) {
		return errors.New("the head must not be in the store's directory: what takes the store back would take it too")
	}
	if err := l.Key.validate(); err != nil {
		return err
	}
	if _, err := l.every(); err != nil {
		return err
	}
	seen := map[Peer]bool{}
	for _, w := range l.Writers {
		p := Peer{w.Zone, w.Name}
		if w.Name == "" || c.TLS == nil || c.TLS.Roots[w.Zone] == "" || seen[p] {
			return fmt.Errorf("writer %q needs a name, a zone with a root, and one place in the list", w.Name)
		}
		seen[p] = true
		for _, by := range w.By {
			if _, ok := entry.Writers[by]; !ok || by == entry.ByLog {
				return fmt.Errorf("writer %q: nobody may write as %q", w.Name, by)
			}
		}
	}
	for _, k := range l.Public {
		if !isKind(k) {
			return fmt.Errorf("there is no kind %q", k)
		}
	}
	if len(l.Public) > 0 && len(l.Readers) == 0 {
		return errors.New("publicKinds needs readers: without them everyone reads everything")
	}
	if l.EntriesPerSecond < 0 {
		return errors.New("entriesPerSecond must not be negative")
	}
	return nil
}

func isKind(k string) bool {
	for _, kinds := range entry.Writers {
		if slices.Contains(kinds, entry.Kind(k)) {
			return true
		}
	}
	return false
}

func (l *Ledger) every() (time.Duration, error) {
	if l.PublishEvery == "" {
		return time.Second, nil
	}
	d, err := time.ParseDuration(l.PublishEvery)
	if err != nil || d < 100*time.Millisecond || d > time.Hour {
		return 0, errors.New("publishEvery must be from 100ms to 1h")
	}
	return d, nil
}

func (k Key) validate() error {
	onToken := []string{k.Module, k.Token, k.Label, k.PIN}
	given := slices.ContainsFunc(onToken, func(s string) bool { return s != "" })
	if (k.File != "") == given || given && slices.Contains(onToken, "") {
		return errors.New("key needs either file, or module, token, label and pin")
	}
	return nil
}

func address(what, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("%s must be HOST:PORT with a host; a server that listens everywhere must be told so with 0.0.0.0", what)
	}
	return nil
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return b, err
}

// readSecret reads a file that only its owner may read.
func readSecret(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, say.New("serve.secret", "鍵や暗証番号のファイルを開けません: "+path, "A key or PIN file can't be opened: "+path).Because(err)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return nil, say.New("serve.secret-mode", "他の利用者が読めるファイルです: "+path, "Other users can read this file: "+path).
			Hint("chmod 600 で所有者だけにしてください。", "Make it the owner's alone with chmod 600.")
	}
	return readLimited(path, maxConfig)
}
