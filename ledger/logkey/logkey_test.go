package logkey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/token"
	"github.com/sukashi-project/sukashi/internal/token/tokentest"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

const origin = "log.test/1"

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.key")
	made, err := CreateFile(path, origin, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenFile(path)
	if err != nil || again.VKey() != made.VKey() || again.Name() != origin || again.InToken() {
		t.Fatalf("%+v %v", again, err)
	}
	checkNote(t, again)
	if _, err := CreateFile(path, origin, rand.Reader); say.Code(err) != "logkey.exists" {
		t.Errorf("overwritten: %v", err)
	}
	if again, err := OpenOrCreateFile(path, origin, rand.Reader); err != nil || again.VKey() != made.VKey() {
		t.Errorf("the key that is there: %v", err)
	}
	if k, err := OpenOrCreateFile(path+".2", origin, rand.Reader); err != nil || k.VKey() == made.VKey() {
		t.Errorf("a key that is not there: %v", err)
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".logkey*")); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	if _, err := CreateFile(filepath.Join(t.TempDir(), "k"), "bad origin", rand.Reader); err == nil {
		t.Error("an origin with a space")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path); say.Code(err) != "logkey.mode" {
		t.Errorf("a key that others can read: %v", err)
	}
	if _, err := OpenFile(path + ".none"); say.Code(err) != "logkey.file" {
		t.Errorf("no file: %v", err)
	}
	for _, text := range []string{"", "x", "PRIVATE+KEY+log.test/1+00000000+AAAA", strings.Repeat("PRIVATE+KEY+", 900)} {
		p := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(p); say.Code(err) != "logkey.malformed" {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// checkNote signs as the engine does and verifies as an outsider would.
func checkNote(t *testing.T, k *Key) {
	t.Helper()
	empty := sha256.Sum256(nil)
	text := origin + "\n0\n" + base64.StdEncoding.EncodeToString(empty[:]) + "\n"
	signed, err := note.Sign(&note.Note{Text: text}, k)
	if err != nil {
		t.Fatal(err)
	}
	p, err := proof.LogOnly(k.VKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.VerifyCheckpoint(signed); err != nil {
		t.Error(err)
	}
}

func softHSM(t *testing.T) token.Token {
	t.Helper()
	tokentest.SoftHSM(t, "log")
	mod, err := token.OpenModule(tokentest.Library, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mod.Close() })
	return token.Token{Module: mod, Label: "log", PIN: tokentest.PIN}
}

// A log whose key never leaves its token: entries, receipts, checkpoints, and
// the next start.
func TestLogOnToken(t *testing.T) {
	tok := softHSM(t)
	if err := GenerateToken(tok, LabelLog); err != nil {
		t.Fatal(err)
	}
	k, err := OpenToken(token.Config{Tokens: []token.Token{tok}, Label: LabelLog, Now: time.Now}, origin)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if !k.InToken() {
		t.Error("the key says that it is in a file")
	}
	checkNote(t, k)
	p, err := proof.LogOnly(k.VKey())
	if err != nil {
		t.Fatal(err)
	}
	fs := kv.NewMemFS()
	for start := range uint64(2) {
		e, err := trillianlog.Open(t.Context(), trillianlog.Config{Dir: "/store", HeadDir: "/head", Origin: origin, Signer: k, VKey: k.VKey(), Now: time.Now, FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		at := entry.At(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
		b, err := entry.Entry{At: at, By: entry.ByCA, Seq: start, Body: &entry.SecurityEvent{Code: "test", From: at, To: at}}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		rs, err := e.Append(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.VerifyReceipt(rs[0], b); err != nil {
			t.Error(err)
		}
		if _, err := e.Publish(t.Context()); err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTokenRefuses(t *testing.T) {
	tok := softHSM(t)
	if err := GenerateToken(tok, "other"); err == nil {
		t.Error("a label without the role")
	}
	if err := token.Generate(tok, LabelLog+"-rsa", token.RSA2048); err != nil {
		t.Fatal(err)
	}
	c := token.Config{Tokens: []token.Token{tok}, Label: LabelLog + "-rsa", Now: time.Now}
	if _, err := OpenToken(c, origin); say.Code(err) != "logkey.kind" {
		t.Errorf("an RSA key: %v", err)
	}
	c.Label = "sukashi-issuer"
	if _, err := OpenToken(c, origin); err == nil {
		t.Error("another role's key")
	}
	c.Label = LabelLog + "-none"
	if _, err := OpenToken(c, origin); say.Code(err) != "token.key" {
		t.Errorf("no key: %v", err)
	}
	if err := GenerateToken(tok, LabelLog); err != nil {
		t.Fatal(err)
	}
	c.Label = LabelLog
	if _, err := OpenToken(c, "bad origin"); err == nil {
		t.Error("an origin with a space")
	}
	k, err := OpenToken(c, origin)
	if err != nil {
		t.Fatal(err)
	}
	k.Close()
	if _, err := k.Sign([]byte("x")); !errors.Is(err, token.ErrNone) {
		t.Errorf("a closed key signs: %v", err)
	}
}

func TestSPKI(t *testing.T) {
	for _, bad := range []string{"", "a+b", "a+00000000+AAAA", "a+00000000+!"} {
		if _, err := SPKI(bad); err == nil {
			t.Errorf("%q has a fingerprint", bad)
		}
	}
	k, err := CreateFile(filepath.Join(t.TempDir(), "k"), origin, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := SPKI(k.VKey()); err != nil || d == [32]byte{} {
		t.Errorf("%x %v", d, err)
	}
}

// A key with its library, as a server opens it, and opens it again.
func TestOpenModule(t *testing.T) {
	tok := softHSM(t)
	if err := GenerateToken(tok, LabelLog+"-1"); err != nil {
		t.Fatal(err)
	}
	if err := tok.Module.Close(); err != nil {
		t.Fatal(err)
	}
	where := OnToken{Module: tokentest.Library, Token: "log", Label: LabelLog + "-1", PIN: tokentest.PIN}
	var vkeys []string
	for range 2 {
		k, err := OpenModule(where, origin)
		if err != nil {
			t.Fatal(err)
		}
		checkNote(t, k)
		vkeys = append(vkeys, k.VKey())
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if vkeys[0] != vkeys[1] {
		t.Error("the second time it is another key")
	}
	where.Label = LabelLog + "-2"
	if _, err := OpenModule(where, origin); err == nil {
		t.Error("a key that is not there is opened")
	}
}

func FuzzParse(f *testing.F) {
	skey, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(skey)
	f.Add("PRIVATE+KEY+a+00000000+AQ==")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := parse(s)
		if err != nil {
			return
		}
		sig, err := k.Sign([]byte("message"))
		if err != nil {
			t.Fatal(err)
		}
		v, err := note.NewVerifier(k.VKey())
		if err != nil || !v.Verify([]byte("message"), sig) {
			t.Fatalf("its signature doesn't verify: %v", err)
		}
	})
}
