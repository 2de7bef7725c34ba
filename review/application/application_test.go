package application

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/sukashi-project/sukashi/review/internal/testca"
)

var day = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func sampleForm() Form {
	return Form{Procedure: "納税証明書交付請求", Name: testca.Sample.Name, BirthDate: testca.Sample.BirthDate,
		Sex: testca.Sample.Sex, Address: testca.Sample.Address, Date: "2026-11-23"}
}

func sampleSigned(t testing.TB) (raw []byte, ca *testca.CA, key *ecdsa.PrivateKey, cert []byte) {
	ca = testca.New(t, day.AddDate(-1, 0, 0))
	key = testca.Key(t)
	cert = ca.Issue(t, testca.Leaf{Key: &key.PublicKey, Attr: testca.Sample, Municipality: "202011", NotBefore: day.AddDate(0, -1, 0)})
	raw, err := Sign(sampleForm(), key, cert)
	if err != nil {
		t.Fatal(err)
	}
	return raw, ca, key, cert
}

func TestSignParseVerify(t *testing.T) {
	raw, _, _, cert := sampleSigned(t)
	s, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if s.Form != sampleForm() || !bytes.Equal(s.Certificate, cert) {
		t.Error("form or certificate did not come back as it went in")
	}
	if err := s.Verify(); err != nil {
		t.Error(err)
	}
}

func TestRSACard(t *testing.T) {
	ca := testca.New(t, day.AddDate(-1, 0, 0))
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert := ca.Issue(t, testca.Leaf{Key: &key.PublicKey, Attr: testca.Sample, Municipality: "202011", NotBefore: day})
	one, err := Sign(sampleForm(), key, cert)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Sign(sampleForm(), key, cert)
	if err != nil || !bytes.Equal(one, two) {
		t.Error("two RSA signatures over one form differ: something besides the form went in")
	}
	s, err := Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(); err != nil {
		t.Error(err)
	}
}

func TestSignRefusesForeignKey(t *testing.T) {
	_, _, _, cert := sampleSigned(t)
	if _, err := Sign(sampleForm(), testca.Key(t), cert); err == nil {
		t.Error("signed with a key that does not belong to the certificate")
	}
	if _, err := Sign(sampleForm(), testca.Key(t), []byte("no certificate")); err == nil {
		t.Error("signed without a certificate")
	}
	if _, err := Sign(Form{}, testca.Key(t), cert); err == nil {
		t.Error("signed an empty form")
	}
}

// TestEveryByteCounts flips each byte: reading or checking must fail.
func TestEveryByteCounts(t *testing.T) {
	raw, _, _, cert := sampleSigned(t)
	start := bytes.Index(raw, cert)
	for i := range raw {
		spoiled := bytes.Clone(raw)
		spoiled[i] ^= 0x01
		s, err := Parse(spoiled)
		if err != nil || s.Verify() != nil {
			continue
		}
		// Bytes of the certificate outside the key, its issuer name and its
		// serial are not under the resident's signature; the issuer's
		// signature covers them, and package agency checks that one.
		if i < start || i >= start+len(cert) {
			t.Errorf("a change of byte %d of %d was not noticed", i, len(raw))
		}
	}
}

func TestVerifySaysFalse(t *testing.T) {
	raw, _, key, cert := sampleSigned(t)
	other := sampleForm()
	other.Address = "長野県松本市丸の内３番７号"
	b, err := other.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	was, _ := sampleForm().Marshal()
	// Same length is not needed: rebuild with the old signature.
	s, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	s.cms.Content = b
	if err := s.Verify(); !errors.Is(err, ErrSignature) {
		t.Errorf("a form that was not signed: %v", err)
	}
	s.cms.Content = was
	if err := s.Verify(); err != nil {
		t.Error(err)
	}
	_ = key
	_ = cert
}

func TestParseRefuses(t *testing.T) {
	raw, ca, key, cert := sampleSigned(t)
	content, _ := sampleForm().Marshal()
	x, _ := x509.ParseCertificate(cert)
	build := func(content []byte, f func(sd *pkcs7.SignedData)) []byte {
		sd, err := pkcs7.NewSignedData(content)
		if err != nil {
			t.Fatal(err)
		}
		sd.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
		f(sd)
		b, err := sd.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sign := func(sd *pkcs7.SignedData) {
		if err := sd.SignWithoutAttr(x, key, pkcs7.SignerInfoConfig{}); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string][]byte{
		"empty":                     nil,
		"not DER":                   []byte("form"),
		"too large":                 make([]byte, MaxSize+1),
		"trailing byte":             append(bytes.Clone(raw), 0),
		"two signers":               build(content, func(sd *pkcs7.SignedData) { sign(sd); sign(sd) }),
		"no signer":                 build(content, func(sd *pkcs7.SignedData) { sd.AddCertificate(x) }),
		"two certificates":          build(content, func(sd *pkcs7.SignedData) { sign(sd); sd.AddCertificate(ca.Cert) }),
		"detached":                  build(content, func(sd *pkcs7.SignedData) { sign(sd); sd.Detach() }),
		"signed attributes":         build(content, func(sd *pkcs7.SignedData) { _ = sd.AddSigner(x, key, pkcs7.SignerInfoConfig{}) }),
		"SHA-1":                     build(content, func(sd *pkcs7.SignedData) { sd.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA1); sign(sd) }),
		"not a form":                build([]byte(`{"name":"x"}`), sign),
		"form with a space":         build(append([]byte(" "), content...), sign),
		"form with an extra member": build(bytes.Replace(content, []byte(`{`), []byte(`{"a":1,`), 1), sign),
		"unsigned attribute": build(content, func(sd *pkcs7.SignedData) {
			sign(sd)
			si := sd.GetSignedData().SignerInfos
			_ = si[0].SetUnauthenticatedAttributes([]pkcs7.Attribute{{Type: pkcs7.OIDAttributeSigningTime, Value: day}})
		}),
	}
	for name, b := range cases {
		if _, err := Parse(b); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
}

func TestFormRefuses(t *testing.T) {
	for name, change := range map[string]func(*Form){
		"no procedure":        func(f *Form) { f.Procedure = "" },
		"long procedure":      func(f *Form) { f.Procedure = strings.Repeat("あ", 61) },
		"control character":   func(f *Form) { f.Procedure = "a\nb" },
		"no day":              func(f *Form) { f.Date = "2026-02-30" },
		"day before the Act":  func(f *Form) { f.Date = "1999-01-01" },
		"era without meaning": func(f *Form) { f.BirthDate = "919620617" },
		"sex of the card":     func(f *Form) { f.Sex = "9" },
		"empty name":          func(f *Form) { f.Name = "" },
		"broken UTF-8":        func(f *Form) { f.Name = "\xff\xfe" },
		"replacement mark":    func(f *Form) { f.Name = "総務\ufffd" },
		"line separator":      func(f *Form) { f.Address = "長野\u2028市" },
		"long address":        func(f *Form) { f.Address = strings.Repeat("長", 201) },
	} {
		f := sampleForm()
		change(&f)
		if _, err := f.Marshal(); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
	for name, b := range map[string]string{
		"double member": `{"address":"a","address":"a","birth_date":"319620617","date":"2026-11-23","name":"n","procedure":"p","sex":"1","v":1}`,
		"case folding":  `{"Address":"a","birth_date":"319620617","date":"2026-11-23","name":"n","procedure":"p","sex":"1","v":1}`,
		"version 2":     `{"address":"a","birth_date":"319620617","date":"2026-11-23","name":"n","procedure":"p","sex":"1","v":2}`,
		"two objects":   `{"address":"a","birth_date":"319620617","date":"2026-11-23","name":"n","procedure":"p","sex":"1","v":1}{}`,
		"too long":      strings.Repeat(" ", MaxForm+1),
	} {
		if _, err := ParseForm([]byte(b)); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
}

// TestOpenSSL lets a program that knows nothing of this project check the
// signature and the chain.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	raw, ca, _, _ := sampleSigned(t)
	dir := t.TempDir()
	root := filepath.Join(dir, "root.pem")
	write(t, root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.DER}))
	check := func(raw []byte) (string, error) {
		in, out := filepath.Join(dir, "a.p7m"), filepath.Join(dir, "out")
		write(t, in, raw)
		msg, err := exec.Command(openssl, "cms", "-verify", "-binary", "-inform", "DER", "-in", in, "-CAfile", root,
			"-purpose", "any", "-attime", "1795392000", "-out", out).CombinedOutput()
		if err != nil {
			return string(msg), err
		}
		got, err := os.ReadFile(out)
		return string(got), err
	}
	content, _ := sampleForm().Marshal()
	if got, err := check(raw); err != nil || got != string(content) {
		t.Errorf("openssl cms -verify: %v: %s", err, got)
	}
	spoiled := bytes.Replace(raw, []byte("2026-11-23"), []byte("2026-11-24"), 1)
	if got, err := check(spoiled); err == nil {
		t.Errorf("openssl accepted a changed form: %s", got)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	raw, _, _, _ := sampleSigned(f)
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		again, err := s.Form.Marshal()
		if err != nil || !bytes.Equal(again, s.FormBytes) {
			t.Error("a form was read that is not canonical")
		}
		_ = s.Verify()
	})
}
