package profile

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/rand/v2"
	"slices"
	"testing"

	encasn1 "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The identifiers that the lints look for are those of the standards.
func TestIdentifiers(t *testing.T) {
	for id, oid := range map[string]encasn1.ObjectIdentifier{
		idSubjectKeyID: oidSubjectKeyID, idKeyUsage: oidKeyUsage, idSubjectAltName: oidSubjectAltName, idIssuerAltName: oidIssuerAltName,
		idConstraints: oidConstraints, idDistribution: oidDistribution, idPolicies: oidPolicies, idPolicyMappings: oidPolicyMappings,
		idAuthorityKeyID: oidAuthorityKeyID, idPolicyConstraints: oidPolicyConstraints, idExtKeyUsage: oidExtKeyUsage,
		idInfoAccess: oidInfoAccess, idOCSPNoCheck: oidOCSPNoCheck, idOrdinal: OIDOrdinal, attributeArc: OIDAttribute,
		productionArc: OIDTestPolicy[:7], testPolicy: OIDTestPolicy,
	} {
		der, err := encasn1.Marshal(oid)
		if err != nil || string(der[2:]) != id {
			t.Errorf("%v is %q, not %q", oid, der[2:], id)
		}
	}
}

// x509Reads reports whether crypto/x509 reads the certificate of these bytes.
func x509Reads(tbs []byte) bool {
	body, ok := inside(tbs, asn1.SEQUENCE)
	var alg cryptobyte.String
	if !ok || !body.SkipOptionalASN1(asn1.Tag(0).ContextSpecific().Constructed()) || !body.SkipASN1(asn1.INTEGER) ||
		!body.ReadASN1Element(&alg, asn1.SEQUENCE) {
		return false
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(alg)
		b.AddASN1BitString([]byte{0})
	})
	_, err := x509.ParseCertificate(b.BytesOrPanic())
	return err == nil
}

// mutate changes DER: bytes anywhere, or one element with the lengths of those
// around it set right, so that what is inside is looked at.
func mutate(der []byte, r *rand.Rand) []byte {
	if r.IntN(4) == 0 {
		out := bytes.Clone(der)
		for range 1 + r.IntN(3) {
			out[r.IntN(len(out))] = byte(r.UintN(256))
		}
		return out
	}
	return mutateElement(der, r)
}

func mutateElement(der []byte, r *rand.Rand) []byte {
	var parts [][]byte
	var tag asn1.Tag
	var content cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadAnyASN1(&content, &tag) || !in.Empty() {
		return flipped(der, r)
	}
	for rest := content; !rest.Empty(); {
		var part cryptobyte.String
		if !rest.ReadAnyASN1Element(&part, new(asn1.Tag)) {
			parts = nil
			break
		}
		parts = append(parts, part)
	}
	nested := byte(tag)&0x20 != 0 || tag == asn1.OCTET_STRING
	switch {
	case !nested || len(parts) == 0:
		content = flipped(content, r)
	case r.IntN(6) > 0:
		i := r.IntN(len(parts))
		parts[i] = mutateElement(parts[i], r)
		content = bytes.Join(parts, nil)
	default:
		content = bytes.Join(rearranged(parts, r), nil)
	}
	if r.IntN(12) == 0 {
		tag ^= 1 << r.IntN(8)
	}
	return element(nil, tag, content)
}

func rearranged(parts [][]byte, r *rand.Rand) [][]byte {
	i, j := r.IntN(len(parts)), r.IntN(len(parts))
	switch r.IntN(4) {
	case 0:
		return slices.Delete(parts, i, i+1)
	case 1:
		return slices.Insert(parts, i, parts[j])
	case 2:
		parts[i], parts[j] = parts[j], parts[i]
	default:
		return slices.Insert(parts, i, [][]byte{{5, 0}, {1, 1, 0}, {1, 1, 0xff}, {2, 1, 5}, {0x30, 0}, {0x82, 1, 0xff}, {0x87, 1, 1}}[r.IntN(7)])
	}
	return parts
}

func flipped(b []byte, r *rand.Rand) []byte {
	out := bytes.Clone(b)
	switch {
	case len(out) == 0 || r.IntN(5) == 0:
		return append(out, byte(r.UintN(256)))
	case r.IntN(5) == 0:
		return out[:len(out)-1]
	}
	out[r.IntN(len(out))] ^= byte(1 + r.UintN(255))
	return out
}

// The lints' own reader is at least as strict as crypto/x509: of certificates
// of all roles, changed in every way that mutate knows, none passes the lints
// that crypto/x509 can't read.
func TestNothingThatX509Refuses(t *testing.T) {
	n := 6_000
	if testing.Short() {
		n = 1_000
	}
	r := rand.New(rand.NewPCG(6, 5280))
	unread, passed := 0, 0
	for _, role := range []Role{Root, Resident, OCSP, Link, Cross} {
		clean := buildUnlinted(t, role, nil, nil, nil)
		for range n {
			tbs := mutate(clean, r)
			for range r.IntN(2) {
				tbs = mutate(tbs, r)
			}
			findings, theirs := Lint(tbs), x509Reads(tbs)
			if !theirs {
				unread++
			}
			if len(findings) > 0 {
				continue
			}
			passed++
			if !theirs {
				t.Fatalf("%s: crypto/x509 refuses what the lints let through: %x", role, tbs)
			}
		}
	}
	t.Logf("%d changed certificates: crypto/x509 refuses %d, the lints let %d through", 5*n, unread, passed)
	if unread < n || passed == 0 {
		t.Errorf("the changes prove nothing: %d unread, %d passed", unread, passed)
	}
}

// What is read is what crypto/x509 reads.
func TestReadsWhatX509Reads(t *testing.T) {
	for _, role := range []Role{Root, Resident, OCSP, Link, Cross} {
		tbs := buildUnlinted(t, role, nil, nil, nil)
		c, err := parseTBS(tbs)
		if err != nil {
			t.Fatal(role, err)
		}
		want, err := x509.ParseCertificate(sign(t, keys()["root"], tbs))
		if err != nil {
			t.Fatal(err)
		}
		key, ok := want.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if c.role != role || !bytes.Equal(c.serial, want.SerialNumber.Bytes()) || !bytes.Equal(c.issuer, want.RawIssuer) ||
			!bytes.Equal(c.subject, want.RawSubject) || !c.notBefore.Equal(want.NotBefore) || !c.notAfter.Equal(want.NotAfter) ||
			!bytes.Equal(c.spki, want.RawSubjectPublicKeyInfo) || ok && !key.Equal(c.key) || len(c.extensions) != len(want.Extensions) {
			t.Errorf("%s is read otherwise", role)
		}
		for i, e := range want.Extensions {
			if der, err := encasn1.Marshal(e.Id); err != nil || !bytes.Equal(der[2:], c.extensions[i].id) ||
				e.Critical != c.extensions[i].critical || !bytes.Equal(e.Value, c.extensions[i].value) {
				t.Errorf("%s: extension %v is read otherwise", role, e.Id)
			}
		}
	}
}
