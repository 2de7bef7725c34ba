package path

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// The module of test vectors and its checksum. It is fetched here and not
// required in go.mod: it would raise the Go version that everyone needs to a
// patch release, for JSON files. Go's own cryptography tests do the same.
const (
	wycheproofModule = "github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a"
	wycheproofSum    = "h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c="
)

func wycheproofDir(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", wycheproofModule)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GO111MODULE=on", "GOWORK=off", "GOFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("skipped: the Wycheproof vectors can't be fetched (%s): %v", wycheproofModule, err)
	}
	var m struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	if m.Sum != wycheproofSum {
		t.Fatalf("the vectors have checksum %s, not %s", m.Sum, wycheproofSum)
	}
	return filepath.Join(m.Dir, "testvectors_v1")
}

type wycheproof struct {
	NumberOfTests int
	TestGroups    []struct {
		PublicKeyDer string
		Tests        []struct {
			TcID     int `json:"tcId"`
			Comment  string
			Msg, Sig string
			Result   string
		}
	}
}

// Every signature scheme that the CA may use, by C2SP's Wycheproof: what is
// valid must verify, what is invalid must not.
func TestWycheproof(t *testing.T) {
	dir := wycheproofDir(t)
	files := []struct{ name, scheme string }{
		{"rsa_signature_2048_sha256", "1.2.840.113549.1.1.11"},
		{"rsa_signature_3072_sha256", "1.2.840.113549.1.1.11"},
		{"rsa_signature_4096_sha256", "1.2.840.113549.1.1.11"},
		{"rsa_signature_2048_sha384", "1.2.840.113549.1.1.12"},
		{"rsa_signature_3072_sha384", "1.2.840.113549.1.1.12"},
		{"rsa_signature_4096_sha384", "1.2.840.113549.1.1.12"},
		{"ecdsa_secp256r1_sha256", "1.2.840.10045.4.3.2"},
		{"ecdsa_secp384r1_sha384", "1.2.840.10045.4.3.3"},
		{"ed25519", "1.3.101.112"},
	}
	total, either := 0, 0
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.name+"_test.json"))
		if err != nil {
			t.Fatal(err)
		}
		var w wycheproof
		if err := json.Unmarshal(raw, &w); err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, g := range w.TestGroups {
			spki := cryptobyte.String(unhex(t, g.PublicKeyDer))
			key, err := readPublicKey(&spki)
			if err != nil || key.family == 0 {
				t.Errorf("%s: key does not parse: %v", f.name, err)
				continue
			}
			for _, c := range g.Tests {
				seen++
				s := signed{tbs: unhex(t, c.Msg), scheme: schemes[mustOID(f.scheme)], signature: unhex(t, c.Sig)}
				err := key.verify(&s, false)
				switch {
				case c.Result == "acceptable":
					either++
				case (err == nil) != (c.Result == "valid"):
					t.Errorf("%s %d (%s): %s, got %v", f.name, c.TcID, c.Comment, c.Result, err)
				}
			}
		}
		if seen != w.NumberOfTests || seen == 0 {
			t.Errorf("%s: %d of %d vectors", f.name, seen, w.NumberOfTests)
		}
		total += seen
	}
	t.Logf("%d vectors in %d files, %d of them may go either way", total, len(files), either)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
