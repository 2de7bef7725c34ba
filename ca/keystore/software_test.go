package keystore

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/say"
)

func TestKeyFile(t *testing.T) {
	l := newLog(t)
	c := config(t, l, P256)
	k := create(t, c)
	id := k.KeyID()
	k.Close()
	b, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte("DEMO KEY")) {
		t.Error("the file does not say that it is a demo key")
	}
	if _, err := CreateSoftware(c); say.Code(err) != "keystore.exists" {
		t.Errorf("overwriting: %v", err)
	}
	for name, step := range map[string]struct {
		change func(*SoftwareConfig)
		code   string
	}{
		"wrong passphrase": {func(c *SoftwareConfig) { c.Passphrase = []byte("wrong horse") }, "keystore.locked"},
		"no file":          {func(c *SoftwareConfig) { c.Path += "x" }, "internal"},
	} {
		other := c
		step.change(&other)
		if _, err := OpenSoftware(other); say.Code(err) != step.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenResponder(c); say.Code(err) != "keystore.role" {
		t.Errorf("an issuer key opened as a responder's: %v", err)
	}
	if err := os.Chmod(c.Path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSoftware(c); say.Code(err) != "keystore.mode" {
		t.Errorf("readable by others: %v", err)
	}
	if err := os.Chmod(c.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	k, err = OpenSoftware(c)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if k.KeyID() != id {
		t.Error("another key came back")
	}
}

// Every member of the file is authenticated: role, warning and all.
func TestChangedKeyFileDoesNotOpen(t *testing.T) {
	l := newLog(t)
	c := config(t, l, P256)
	create(t, c).Close()
	good, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*keyFile)) {
		t.Helper()
		var k keyFile
		if err := json.Unmarshal(good, &k); err != nil {
			t.Fatal(err)
		}
		f(&k)
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.Path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := OpenSoftware(c); err == nil {
			k.Close()
			t.Error("opened")
		}
		if r, err := OpenResponder(c); err == nil {
			r.Close()
			t.Error("opened as a responder's")
		}
	}
	change(func(k *keyFile) { k.Role = RoleOCSP })
	change(func(k *keyFile) { k.Warning = strings.Replace(k.Warning, "DEMO", "REAL", 1) })
	change(func(k *keyFile) { k.Alg = RSA4096 })
	change(func(k *keyFile) { k.SPKI[9] ^= 1 })
	change(func(k *keyFile) { k.Sealed[9] ^= 1 })
	change(func(k *keyFile) { k.Nonce[0] ^= 1 })
	change(func(k *keyFile) { k.Salt = k.Salt[:8] })
	change(func(k *keyFile) { k.N = 1 << 30 })
	change(func(k *keyFile) { k.N = 3 << 14 })
	change(func(k *keyFile) { k.Version = 2 })
	for _, b := range [][]byte{[]byte("{"), bytes.Repeat([]byte(" "), maxFile+1)} {
		if err := os.WriteFile(c.Path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSoftware(c); err == nil {
			t.Error("opened noise")
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	l := newLog(t)
	c := config(t, l, "rsa1024")
	if _, err := CreateSoftware(c); err == nil {
		t.Error("a weak key was made")
	}
	c = config(t, l, P256)
	c.Passphrase = []byte("short")
	if _, err := CreateSoftware(c); say.Code(err) != "keystore.passphrase" {
		t.Errorf("%v", err)
	}
	c = config(t, l, P256)
	c.Random = strings.NewReader("dry")
	if _, err := CreateSoftware(c); err == nil {
		t.Error("a key file without a salt")
	}
	c = config(t, l, P256)
	c.Gate.Journal = ""
	if _, err := CreateSoftware(c); err == nil {
		t.Error("a key without a journal")
	}
}

func responderConfig(t *testing.T) SoftwareConfig {
	dir := t.TempDir()
	return SoftwareConfig{Path: filepath.Join(dir, "ocsp.key"), Passphrase: pass, Algorithm: P256,
		Gate: GateConfig{Journal: filepath.Join(dir, "journal"), Now: clock}}
}

// response is the least that has the form of a ResponseData.
var response = []byte{0x30, 0x1b, 0xa2, 0x06, 0x04, 0x04, 1, 2, 3, 4,
	0x18, 0x0f, '2', '0', '2', '6', '0', '4', '0', '1', '0', '0', '0', '0', '0', '0', 'Z', 0x30, 0x00}

func TestResponderSignsResponsesOnly(t *testing.T) {
	r, err := CreateResponder(responderConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for name, b := range map[string][]byte{
		"nothing": nil, "certificate": tbsCertificate(5, cardSPKI()), "list": tbsList(1, 0, 0), "noise": []byte("noise"),
		"trailing byte": append(bytes.Clone(response), 0), "too large": make([]byte, MaxResponse+1),
	} {
		if _, err := r.SignResponse(t.Context(), b); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.Count() != 0 {
		t.Errorf("%d uses", r.Count())
	}
	if !r.Demo() || r.Alg() != profile.ECDSAWithSHA256 || r.Public() == nil || r.KeyID().IsZero() {
		t.Error("the responder does not know itself")
	}
}

func TestResponderCountsEveryUse(t *testing.T) {
	c := responderConfig(t)
	r, err := CreateResponder(c)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := r.SignResponse(t.Context(), response); err != nil {
			t.Fatal(err)
		}
	}
	onDisk := func() (n uint64) {
		if err := r.Journal(func(rec Record) error { n = rec.Index; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := onDisk(); n != reserveBlock {
		t.Errorf("journal covers %d uses before the close", n)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = OpenResponder(c); err != nil {
		t.Fatal(err)
	}
	if n := onDisk(); n != 10 || r.Count() != 10 {
		t.Errorf("journal says %d, responder %d", n, r.Count())
	}
	// A crash: no close. The count may then be too large, never too small.
	if _, err := r.SignResponse(t.Context(), response); err != nil {
		t.Fatal(err)
	}
	r.j.close()
	if r, err = OpenResponder(c); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Count() != 10+reserveBlock {
		t.Errorf("after a crash: %d", r.Count())
	}
	r.j.f = &faulty{r.j.f.(*os.File), 0}
	if _, err := r.SignResponse(t.Context(), response); !errors.Is(err, ErrJournal) {
		t.Errorf("a use without a record: %v", err)
	}
}
