package logkey

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/token"
)

// Tokens opens several keys on tokens: a process may initialise a PKCS #11
// library only once. Its zero value is ready; Close comes after the keys'.
type Tokens struct{ modules map[string]*token.Module }

// Open opens a key.
func (t *Tokens) Open(o OnToken, origin string) (*Key, error) {
	at, err := t.token(o)
	if err != nil {
		return nil, err
	}
	return OpenToken(token.Config{Label: o.Label, Now: time.Now, Tokens: []token.Token{at}}, origin)
}

// OpenOrMake opens a key, and makes it first when its label is new on the
// token.
func (t *Tokens) OpenOrMake(o OnToken, origin string) (*Key, error) {
	at, err := t.token(o)
	if err != nil {
		return nil, err
	}
	made := GenerateToken(at, o.Label)
	k, err := t.Open(o, origin)
	if err != nil {
		return nil, errors.Join(made, err)
	}
	return k, nil // whatever kept it from being made, it is there
}

func (t *Tokens) token(o OnToken) (token.Token, error) {
	m, ok := t.modules[o.Module]
	if !ok {
		var err error
		if m, err = token.OpenModule(o.Module, ""); err != nil {
			return token.Token{}, err
		}
		if t.modules == nil {
			t.modules = map[string]*token.Module{}
		}
		t.modules[o.Module] = m
	}
	return token.Token{Module: m, Label: o.Token, PIN: o.PIN}, nil
}

// Close ends the use of the libraries.
func (t *Tokens) Close() error {
	var errs []error
	for _, m := range t.modules {
		errs = append(errs, m.Close())
	}
	t.modules = nil
	return errors.Join(errs...)
}

// ReadPIN reads a PIN from a file that only its owner can read.
func ReadPIN(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", say.New("logkey.pin", "暗証番号のファイルを開けません: "+path, "The PIN file can't be opened: "+path).Because(err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return "", say.New("logkey.pin-mode", "暗証番号のファイルを他の利用者が読めます: "+path, "Other users can read the PIN file: "+path).
			Hint("chmod 600 で所有者だけにしてください。", "Make it the owner's alone with chmod 600.")
	}
	if st.Size() > maxFile {
		return "", fmt.Errorf("the PIN file is larger than %d bytes", maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("couldn't read the PIN file: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
