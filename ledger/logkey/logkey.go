// Package logkey holds the log's signing key: in a file or on a PKCS #11 token,
// behind one note.Signer that the engine signs checkpoints with.
//
// A log key is Ed25519 (C2SP signed-note, signature type 0x01); its name is the
// log's origin. A token makes the signature itself and never gives the key
// away; what it returns is verified here before it is believed, because a
// wrong signature under a checkpoint would be an answer nobody can use.
//
//	k, err := logkey.OpenFile("log.key")
//	k, err := logkey.OpenToken(token.Config{…}, "log.example/1")
//	cfg.Signer, cfg.VKey = k, k.VKey()
package logkey

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/token"
)

// LabelLog is what the label of a log key on a token starts with.
const LabelLog = "sukashi-log"

// Key is a log key. It is a note.Signer and safe for concurrent use.
type Key struct {
	note.Signer
	vkey   string
	token  *token.Key    // nil: a key in a file
	module *token.Module // closed with the key, if it was opened with it
}

// VKey is the verifier key, in the form of C2SP signed-note.
func (k *Key) VKey() string { return k.vkey }

// InToken reports that the key is held by a token.
func (k *Key) InToken() bool { return k.token != nil }

// Close lets go of the key.
func (k *Key) Close() error {
	if k.token == nil {
		return nil
	}
	err := k.token.Close()
	if k.module != nil {
		err = errors.Join(err, k.module.Close())
	}
	return err
}

// CreateFile makes a new key for a log with this origin in a file that must not
// exist, readable by its owner alone, and opens it. random: crypto/rand.Reader.
func CreateFile(path, origin string, random io.Reader) (*Key, error) {
	skey, _, err := note.GenerateKey(random, origin)
	if err != nil {
		return nil, fmt.Errorf("couldn't make a log key: %w", err)
	}
	if err := createFile(path, []byte(skey+"\n")); errors.Is(err, os.ErrExist) {
		return nil, say.New("logkey.exists", "鍵ファイルがすでにあります。上書きはしません。", "There is a key file already; it is not overwritten.").Because(err)
	} else if err != nil {
		return nil, fmt.Errorf("couldn't write the key file: %w", err)
	}
	return OpenFile(path)
}

// createFile makes a file that must not exist, whole or not at all: a key that
// was cut short would stand in the way of the next try, which does not
// overwrite.
func createFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".logkey-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Link(f.Name(), path) // unlike a rename it replaces nothing
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// OpenOrCreateFile opens the key in a file, which is made when it is not there.
// A file that an interrupted call has left is brought to disk before anybody
// relies on it.
func OpenOrCreateFile(path, origin string, random io.Reader) (*Key, error) {
	switch _, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return CreateFile(path, origin, random)
	case err != nil:
		return nil, fmt.Errorf("couldn't look for the key file: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("couldn't bring the key file to disk: %w", err)
	}
	return OpenFile(path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// maxFile bounds a key file, in bytes.
const maxFile = 4096

// OpenFile opens a key that CreateFile made.
func OpenFile(path string) (*Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, say.New("logkey.file", "ログの鍵ファイルを開けません。", "The log's key file can't be opened.").Because(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("couldn't look at the key file: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, say.New("logkey.mode", "鍵ファイルを他の利用者が読めます。", "Other users can read the key file.").
			Hint("chmod 600 で所有者だけにしてください。", "Make it the owner's alone with chmod 600.")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("couldn't read the key file: %w", err)
	}
	return parse(strings.TrimSuffix(string(b), "\n"))
}

// parse reads a private key in x/mod's form. It never shows what it read.
func parse(skey string) (*Key, error) {
	bad := say.New("logkey.malformed", "ログの鍵を読み取れません。", "The log key can't be read.")
	s, err := note.NewSigner(skey)
	if err != nil {
		return nil, bad
	}
	parts := strings.SplitN(skey, "+", 5) // PRIVATE+KEY+name+id+key
	raw, err := base64Key(parts[4])
	if err != nil {
		return nil, bad
	}
	vkey, err := note.NewEd25519VerifierKey(s.Name(), ed25519.NewKeyFromSeed(raw).Public().(ed25519.PublicKey))
	if err != nil {
		return nil, bad
	}
	return &Key{Signer: s, vkey: vkey}, nil
}

// GenerateToken makes a log key on a token, under a label that is new there and
// starts with LabelLog.
func GenerateToken(t token.Token, label string) error {
	if !strings.HasPrefix(label, LabelLog) {
		return errors.New("a log key's label must start with " + LabelLog)
	}
	return token.Generate(t, label, token.Ed25519)
}

// OpenToken opens a log key on tokens for a log with this origin.
func OpenToken(c token.Config, origin string) (*Key, error) {
	if !strings.HasPrefix(c.Label, LabelLog) {
		return nil, errors.New("a log key's label must start with " + LabelLog)
	}
	k, err := token.Open(c)
	if err != nil {
		return nil, err
	}
	pub, ok := k.Public().(ed25519.PublicKey)
	if !ok {
		k.Close()
		return nil, say.New("logkey.kind", "トークンの鍵は Ed25519 ではありません。", "The key on the token is not an Ed25519 key.").
			Hint("ログの鍵は Ed25519 で作ってください。", "Make the log key as Ed25519.")
	}
	vkey, err := note.NewEd25519VerifierKey(origin, pub)
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("couldn't name the log key: %w", err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("couldn't name the log key: %w", err)
	}
	return &Key{Signer: onToken{v, k, pub}, vkey: vkey, token: k}, nil
}

// OnToken says where a log key is on a token.
type OnToken struct {
	Module string // path of the PKCS #11 library
	Token  string // label of the token
	Label  string // label of the key, which starts with LabelLog
	PIN    string // the user's PIN
}

// OpenModule opens the library, then the key on its token; Close lets go of
// both.
func OpenModule(o OnToken, origin string) (*Key, error) {
	m, err := token.OpenModule(o.Module, "")
	if err != nil {
		return nil, err
	}
	k, err := OpenToken(token.Config{Label: o.Label, Now: time.Now, Tokens: []token.Token{{Module: m, Label: o.Token, PIN: o.PIN}}}, origin)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	k.module = m
	return k, nil
}

// useTimeout bounds one use of a token: the log stands still meanwhile.
const useTimeout = 10 * time.Second

// onToken is a note.Signer whose key is on a token.
type onToken struct {
	note.Verifier // name and key id
	k             *token.Key
	pub           ed25519.PublicKey
}

// Sign implements note.Signer.
func (t onToken) Sign(msg []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), useTimeout)
	defer cancel()
	sig, err := t.k.Sign(ctx, msg, 0)
	if err != nil {
		return nil, fmt.Errorf("couldn't sign on the token: %w", err)
	}
	if !ed25519.Verify(t.pub, msg, sig) {
		t.k.Distrust()
		return nil, errors.New("couldn't sign on the token: its signature does not verify")
	}
	return sig, nil
}

// SPKI returns the SHA-256 of a verifier key's SubjectPublicKeyInfo, which is
// how the log's entries about keys name it.
func SPKI(vkey string) ([sha256.Size]byte, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return [sha256.Size]byte{}, errors.New("not a verifier key")
	}
	raw, err := base64Key(parts[2])
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(raw))
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("couldn't encode the public key: %w", err)
	}
	return sha256.Sum256(der), nil
}
