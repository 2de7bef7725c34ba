//go:build cgo

package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unsafe"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Module is a PKCS #11 library, loaded once and shared by all keys on its
// tokens: a second initialisation of one library in a process fails.
type Module struct{ ctx *pkcs11.Ctx }

// OpenModule loads and initialises a library such as
// /usr/lib/softhsm/libsofthsm2.so. Some libraries want a string at that moment
// (NSS softokn: "configdir='sql:DIR' flags="); for all others it is empty.
func OpenModule(path, parameters string) (*Module, error) {
	c := pkcs11.New(path)
	if c == nil {
		return nil, errors.New("couldn't load the PKCS #11 library")
	}
	var opts []pkcs11.InitializeOption
	if parameters != "" {
		b := append([]byte(parameters), 0)
		opts = append(opts, pkcs11.InitializeWithReserved(unsafe.Pointer(&b[0]))) // copied by the library during the call
	}
	if err := c.Initialize(opts...); err != nil {
		c.Destroy()
		return nil, fmt.Errorf("couldn't initialise the PKCS #11 library: %w", err)
	}
	return &Module{c}, nil
}

// Close ends the use of the library. Close the keys first.
func (m *Module) Close() error {
	err := m.ctx.Finalize()
	m.ctx.Destroy()
	if err != nil {
		return fmt.Errorf("couldn't finalise the PKCS #11 library: %w", err)
	}
	return nil
}

// slot finds the token by its label: slot numbers change when a token is
// plugged in again.
func (t Token) slot() (uint, error) {
	slots, err := t.Module.ctx.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("couldn't list the tokens: %w", err)
	}
	for _, s := range slots {
		if info, err := t.Module.ctx.GetTokenInfo(s); err == nil && strings.TrimRight(info.Label, " \x00") == t.Label {
			return s, nil
		}
	}
	return 0, fmt.Errorf("there is no token with this label: %w", pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT))
}

// login opens a session of a logged-in user.
func (t Token) login(flags uint) (pkcs11.SessionHandle, error) {
	slot, err := t.slot()
	if err != nil {
		return 0, err
	}
	s, err := t.Module.ctx.OpenSession(slot, flags)
	if err != nil {
		return 0, fmt.Errorf("couldn't open a session: %w", err)
	}
	if err := t.Module.ctx.Login(s, pkcs11.CKU_USER, t.PIN); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		t.Module.ctx.CloseSession(s)
		return 0, fmt.Errorf("couldn't log in: %w", err)
	}
	return s, nil
}

// Generate makes a key pair on the token under a label that must be new. The
// private key can't leave: sensitive and not extractable.
func Generate(t Token, label, alg string) error {
	if t.Module == nil || label == "" {
		return errors.New("a key needs a module and a label")
	}
	s, err := t.login(pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION)
	if err != nil {
		return err
	}
	c := t.Module.ctx
	defer c.CloseSession(s)
	if found, err := find(c, s, pkcs11.CKO_PRIVATE_KEY, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label)); err != nil || len(found) > 0 {
		return errors.Join(errors.New("there is a key with this label already, or the token can't be searched"), err)
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return fmt.Errorf("couldn't draw an object id: %w", err)
	}
	mechanism, public, err := template(alg)
	if err != nil {
		return err
	}
	common := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
	}
	public = append(public, pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true))
	private := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
	}
	if _, _, err := c.GenerateKeyPair(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, append(public, common...), append(private, common...)); err != nil {
		return fmt.Errorf("couldn't make a key on the token: %w", err)
	}
	return nil
}

var curves = map[string]elliptic.Curve{P256: elliptic.P256(), P384: elliptic.P384()}

var curveOIDs = map[string]asn1.ObjectIdentifier{P256: {1, 2, 840, 10045, 3, 1, 7}, P384: {1, 3, 132, 0, 34}, Ed25519: {1, 3, 101, 112}}

// Numbers of PKCS #11 v3.0 that the binding, which is of v2.40, doesn't have.
const (
	ckkEdwards       = 0x40
	ckmEdwardsKeyGen = 0x1055
	ckmEdDSA         = 0x1057
)

func template(alg string) (mechanism uint, public []*pkcs11.Attribute, err error) {
	bits := map[string]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}[alg]
	if bits > 0 {
		return pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, bits), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		}, nil
	}
	oid, ok := curveOIDs[alg]
	if !ok {
		return 0, nil, errors.New("unknown key algorithm")
	}
	params, err := asn1.Marshal(oid)
	if err != nil {
		return 0, nil, fmt.Errorf("couldn't name the curve: %w", err)
	}
	mechanism = pkcs11.CKM_EC_KEY_PAIR_GEN
	if alg == Ed25519 {
		mechanism = ckmEdwardsKeyGen
	}
	return mechanism, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params)}, nil
}

func find(c *pkcs11.Ctx, s pkcs11.SessionHandle, class uint, by *pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := c.FindObjectsInit(s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), by}); err != nil {
		return nil, fmt.Errorf("couldn't search the token: %w", err)
	}
	out, _, err := c.FindObjects(s, 2)
	if err := errors.Join(err, c.FindObjectsFinal(s)); err != nil {
		return nil, fmt.Errorf("couldn't search the token: %w", err)
	}
	return out, nil
}

// findKey finds the public key by its label and the private key by the id that
// both carry, and checks that the private key can't leave the token.
func findKey(c *pkcs11.Ctx, s pkcs11.SessionHandle, label string) (*session, error) {
	pubs, err := find(c, s, pkcs11.CKO_PUBLIC_KEY, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
	if err != nil {
		return nil, err
	}
	if len(pubs) != 1 {
		return nil, fmt.Errorf("the token has %d public keys with the key's label, not one", len(pubs))
	}
	pub, id, err := readPublic(c, s, pubs[0])
	if err != nil {
		return nil, err
	}
	keys, err := find(c, s, pkcs11.CKO_PRIVATE_KEY, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	if err != nil {
		return nil, err
	}
	if len(keys) != 1 {
		return nil, fmt.Errorf("the token has %d private keys to the public key, not one", len(keys))
	}
	attrs, err := c.GetAttributeValue(s, keys[0], []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, nil), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, nil)})
	if err != nil {
		return nil, fmt.Errorf("couldn't look at the key: %w", err)
	}
	if !bytes.Equal(attrs[0].Value, []byte{1}) || !bytes.Equal(attrs[1].Value, []byte{0}) {
		return nil, errors.New("the private key is not bound to the token: it must be sensitive and not extractable")
	}
	return &session{h: s, key: keys[0], pub: pub}, nil
}

func readPublic(c *pkcs11.Ctx, s pkcs11.SessionHandle, o pkcs11.ObjectHandle) (crypto.PublicKey, []byte, error) {
	attrs, err := c.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, nil), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, nil)})
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't look at the public key: %w", err)
	}
	id, typ := attrs[0].Value, attrs[1].Value
	if len(id) == 0 || len(typ) == 0 {
		return nil, nil, errors.New("the public key has no id or type")
	}
	switch uint(typ[0]) {
	case pkcs11.CKK_RSA:
		attrs, err = c.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_MODULUS, nil), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, nil)})
		if err != nil {
			return nil, nil, fmt.Errorf("couldn't read the public key: %w", err)
		}
		e := new(big.Int).SetBytes(attrs[1].Value)
		if !e.IsInt64() || e.Int64() > 1<<31-1 {
			return nil, nil, errors.New("the RSA exponent is too large")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(attrs[0].Value), E: int(e.Int64())}, id, nil
	case pkcs11.CKK_EC, ckkEdwards:
		attrs, err = c.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, nil), pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
		if err != nil {
			return nil, nil, fmt.Errorf("couldn't read the public key: %w", err)
		}
		pub, err := ecPublic(attrs[0].Value, attrs[1].Value)
		return pub, id, err
	}
	return nil, nil, errors.New("the public key is neither RSA nor elliptic")
}

func ecPublic(params, point []byte) (crypto.PublicKey, error) {
	var oid asn1.ObjectIdentifier
	var raw []byte
	if _, err := asn1.Unmarshal(params, &oid); err != nil {
		return nil, errors.New("the curve has no name")
	}
	if _, err := asn1.Unmarshal(point, &raw); err != nil {
		return nil, errors.New("the public point can't be read")
	}
	for alg, id := range curveOIDs {
		if alg == Ed25519 && id.Equal(oid) {
			if len(raw) != ed25519.PublicKeySize {
				return nil, errors.New("the Ed25519 key has a wrong length")
			}
			return ed25519.PublicKey(raw), nil
		}
		if id.Equal(oid) {
			pub, err := ecdsa.ParseUncompressedPublicKey(curves[alg], raw)
			if err != nil {
				return nil, fmt.Errorf("the public point is not on its curve: %w", err)
			}
			return pub, nil
		}
	}
	return nil, errors.New("the curve is neither P-256 nor P-384 nor edwards25519")
}

// ecdsaDER brings a token's r ‖ s into the form of RFC 3279 2.2.3.
func ecdsaDER(r, s []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(r))
		b.AddASN1BigInt(new(big.Int).SetBytes(s))
	})
	return b.Bytes()
}
