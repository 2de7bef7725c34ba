package ceremony

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Host makes and opens keys by label.
type Host interface {
	// Has reports whether there is a key under the label.
	Has(label string) (bool, error)
	// Generate makes one; label and alg are those of the plan.
	Generate(label, alg string) error
	// Describe says how the key is kept; an error if it could leave.
	Describe(label string) (keystore.TokenDescription, error)
	// Issuer and Responder open a key behind its gate.
	Issuer(label string, gate keystore.GateConfig) (keystore.Key, error)
	Responder(label string, gate keystore.GateConfig) (*keystore.Responder, error)
}

// OpenHost opens the token or the directory of demo keys that a configuration
// names. close lets go of it.
func OpenHost(c *Config) (h Host, close func() error, err error) {
	if c.Software != nil {
		pass, err := secret(c.Software.PassphraseFile)
		if err != nil {
			return nil, nil, err
		}
		return &softwareHost{dir: c.Software.Dir, pass: pass}, func() error { return nil }, nil
	}
	pin, err := secret(c.Token.PINFile)
	if err != nil {
		return nil, nil, err
	}
	m, err := keystore.OpenModule(c.Token.Module, c.Token.Parameters)
	if err != nil {
		return nil, nil, err
	}
	return &tokenHost{keystore.Token{Module: m, Label: c.Token.Label, PIN: string(pin)}}, m.Close, nil
}

// tokenHost keeps keys on a PKCS #11 token.
type tokenHost struct{ t keystore.Token }

func (h *tokenHost) Has(label string) (bool, error)   { return keystore.TokenHas(h.t, label) }
func (h *tokenHost) Generate(label, alg string) error { return keystore.GenerateToken(h.t, label, alg) }

func (h *tokenHost) Describe(label string) (keystore.TokenDescription, error) {
	d, err := keystore.DescribeToken(h.t, label)
	if err == nil && !d.Bound() {
		err = errors.New("the key was not made on the token or could leave it")
	}
	return d, err
}

func (h *tokenHost) config(label string, gate keystore.GateConfig) keystore.TokenConfig {
	return keystore.TokenConfig{Tokens: []keystore.Token{h.t}, Label: label, Gate: gate}
}

func (h *tokenHost) Issuer(label string, gate keystore.GateConfig) (keystore.Key, error) {
	return keystore.OpenToken(h.config(label, gate))
}

func (h *tokenHost) Responder(label string, gate keystore.GateConfig) (*keystore.Responder, error) {
	return keystore.OpenTokenResponder(h.config(label, gate))
}

// KEK is the key-encryption key with a label on a host's token, for the key
// ring of the CA's records. Demo keys have none.
func KEK(h Host, label string) (*keystore.KEK, error) {
	t, ok := h.(*tokenHost)
	if !ok {
		return nil, errors.New("a key-encryption key needs a token")
	}
	return keystore.NewKEK(t.t, label)
}

// softwareHost keeps demo keys in encrypted files.
type softwareHost struct {
	dir    string
	pass   []byte
	random io.Reader // nil: crypto/rand
}

// SoftwareHost returns a host of demo keys in encrypted files; random is for
// their salts, nil for crypto/rand.
func SoftwareHost(dir string, passphrase []byte, random io.Reader) Host {
	return &softwareHost{dir, passphrase, random}
}

func (h *softwareHost) config(label, alg string, gate keystore.GateConfig) keystore.SoftwareConfig {
	return keystore.SoftwareConfig{Path: filepath.Join(h.dir, label+".key"), Passphrase: h.pass, Algorithm: alg, Random: h.random, Gate: gate}
}

func (h *softwareHost) Has(label string) (bool, error) {
	_, err := os.Stat(filepath.Join(h.dir, label+".key"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (h *softwareHost) Generate(label, alg string) error {
	c := h.config(label, alg, keystore.GateConfig{})
	if isResponder(label) {
		return keystore.GenerateSoftware(c, keystore.RoleOCSP)
	}
	return keystore.GenerateSoftware(c, keystore.RoleIssuer)
}

func (h *softwareHost) Describe(string) (keystore.TokenDescription, error) {
	return keystore.TokenDescription{Manufacturer: "sukashi", Model: "demo key file", Extractable: true, Local: true}, nil
}

func (h *softwareHost) Issuer(label string, gate keystore.GateConfig) (keystore.Key, error) {
	return keystore.OpenSoftware(h.config(label, "", gate))
}

func (h *softwareHost) Responder(label string, gate keystore.GateConfig) (*keystore.Responder, error) {
	return keystore.OpenResponder(h.config(label, "", gate))
}

func (c *Ceremony) gate(label string) keystore.GateConfig {
	return Gate(c.cfg, c.policy, label, c.now)
}

// Gate is the gate of one of the configuration's keys: its journal has the key's
// label as its directory.
func Gate(c *Config, log *proof.Policy, label string, now func() time.Time) keystore.GateConfig {
	return keystore.GateConfig{Log: log, Journal: filepath.Join(c.Journals, label), Now: now}
}
