//go:build cgo

package token

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// KEK is a key-encryption key on a token: AES-256 keys under one label, one for
// each generation, that encrypt and decrypt small secrets and can't leave. It
// signs nothing. It is used when a key ring is opened or rewritten, so it opens
// a session for each use. It is safe for concurrent use.
type KEK struct {
	tok   Token
	label string
}

const (
	kekSize  = 32
	kekIDLen = 8
	gcmNonce = 12
	gcmTag   = 128 // bits
)

// NewKEK returns the key-encryption key with this label on a token. There need
// not be a generation yet.
func NewKEK(t Token, label string) (*KEK, error) {
	if t.Module == nil || t.Label == "" || t.PIN == "" || label == "" {
		return nil, errors.New("a key-encryption key needs a module, a token, a PIN and a label")
	}
	return &KEK{t, label}, nil
}

// session runs do in a logged-in session.
func (k *KEK) session(flags uint, do func(c *pkcs11.Ctx, s pkcs11.SessionHandle) error) error {
	s, err := k.tok.login(pkcs11.CKF_SERIAL_SESSION | flags)
	if err != nil {
		return err
	}
	defer k.tok.Module.ctx.CloseSession(s)
	return do(k.tok.Module.ctx, s)
}

// New makes a generation and returns its name.
func (k *KEK) New() (string, error) {
	id := make([]byte, kekIDLen)
	if _, err := rand.Read(id); err != nil {
		return "", fmt.Errorf("couldn't draw an object id: %w", err)
	}
	err := k.session(pkcs11.CKF_RW_SESSION, func(c *pkcs11.Ctx, s pkcs11.SessionHandle) error {
		_, err := c.GenerateKey(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
			pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, kekSize), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
			pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true),
			pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true), pkcs11.NewAttribute(pkcs11.CKA_SIGN, false),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.label), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
		})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("couldn't make a key-encryption key on the token: %w", err)
	}
	return hex.EncodeToString(id), nil
}

// generations lists the keys under the label, by id.
func (k *KEK) generations(c *pkcs11.Ctx, s pkcs11.SessionHandle) (map[string]pkcs11.ObjectHandle, error) {
	if err := c.FindObjectsInit(s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.label)}); err != nil {
		return nil, fmt.Errorf("couldn't search the token: %w", err)
	}
	var all []pkcs11.ObjectHandle
	for {
		some, _, err := c.FindObjects(s, 64)
		if err != nil {
			return nil, errors.Join(err, c.FindObjectsFinal(s))
		}
		if all = append(all, some...); len(some) == 0 {
			break
		}
	}
	if err := c.FindObjectsFinal(s); err != nil {
		return nil, fmt.Errorf("couldn't search the token: %w", err)
	}
	out := map[string]pkcs11.ObjectHandle{}
	for _, o := range all {
		a, err := c.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, nil)})
		if err != nil || len(a) != 1 {
			return nil, fmt.Errorf("couldn't read an object on the token: %w", err)
		}
		out[hex.EncodeToString(a[0].Value)] = o
	}
	return out, nil
}

// with runs do with one generation, after checking that it can't leave.
func (k *KEK) with(id string, do func(c *pkcs11.Ctx, s pkcs11.SessionHandle, o pkcs11.ObjectHandle) error) error {
	return k.session(0, func(c *pkcs11.Ctx, s pkcs11.SessionHandle) error {
		all, err := k.generations(c, s)
		if err != nil {
			return err
		}
		o, ok := all[id]
		if !ok {
			return errors.New("this generation of the key-encryption key is not on the token")
		}
		a, err := c.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, nil), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, nil)})
		if err != nil || len(a) != 2 || !bytes.Equal(a[0].Value, []byte{1}) || !bytes.Equal(a[1].Value, []byte{0}) {
			return errors.New("the key-encryption key can leave the token")
		}
		return do(c, s, o)
	})
}

// Wrap encrypts a secret under a generation: AES-GCM, bound to its name.
func (k *KEK) Wrap(id string, secret []byte) (out []byte, err error) {
	err = k.with(id, func(c *pkcs11.Ctx, s pkcs11.SessionHandle, o pkcs11.ObjectHandle) error {
		nonce := make([]byte, gcmNonce)
		if _, err := rand.Read(nonce); err != nil {
			return err
		}
		p := pkcs11.NewGCMParams(nonce, []byte(id), gcmTag)
		defer p.Free()
		if err := c.EncryptInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, p)}, o); err != nil {
			return err
		}
		sealed, err := c.Encrypt(s, secret)
		if used := p.IV(); len(used) == gcmNonce { // some tokens draw their own
			nonce = used
		}
		out = append(nonce, sealed...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("couldn't wrap a key on the token: %w", err)
	}
	return out, nil
}

// Unwrap decrypts what Wrap made.
func (k *KEK) Unwrap(id string, wrapped []byte) (secret []byte, err error) {
	if len(wrapped) < gcmNonce {
		return nil, errors.New("a wrapped key is too short")
	}
	err = k.with(id, func(c *pkcs11.Ctx, s pkcs11.SessionHandle, o pkcs11.ObjectHandle) error {
		p := pkcs11.NewGCMParams(wrapped[:gcmNonce], []byte(id), gcmTag)
		defer p.Free()
		if err := c.DecryptInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, p)}, o); err != nil {
			return err
		}
		var err error
		secret, err = c.Decrypt(s, wrapped[gcmNonce:])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("couldn't unwrap a key on the token: %w", err)
	}
	return secret, nil
}

// Keep destroys every generation but this one. What the token does with the
// bytes is its own affair: SoftHSM removes a file.
func (k *KEK) Keep(id string) error {
	err := k.session(pkcs11.CKF_RW_SESSION, func(c *pkcs11.Ctx, s pkcs11.SessionHandle) error {
		all, err := k.generations(c, s)
		if err != nil {
			return err
		}
		for other, o := range all {
			if other == id {
				continue
			}
			if err := c.DestroyObject(s, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("couldn't destroy key-encryption keys on the token: %w", err)
	}
	return nil
}
