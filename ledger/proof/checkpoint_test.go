package proof

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/say"
)

func TestVerifyCheckpointRefuses(t *testing.T) {
	w := filled(t, 3, 4)
	p := w.policy(t, "2")
	text := w.text(t, 4)
	good := string(w.sign(text, 0, 1))
	if _, err := p.VerifyCheckpoint([]byte(good)); err != nil {
		t.Fatal(err)
	}
	other := newWorld(0)
	other.logKey = keyFrom("another log key")
	stranger := sigText("stranger.example", typeLog, other.logKey.Public().(ed25519.PublicKey), ed25519.Sign(other.logKey, []byte(text)))
	sameName := sigText(w.origin, typeLog, other.logKey.Public().(ed25519.PublicKey), ed25519.Sign(other.logKey, []byte(text)))
	cos := func(i int, unix int64) string { return w.cosign(text, i, unix) }
	emptyText := fmt.Sprintf("%s\n0\n%s\n", w.origin, w.root(t, 4))
	// The signature of one witness's name under another witness's key.
	swapped := newWorld(3)
	swapped.witKeys[0], swapped.witKeys[1] = swapped.witKeys[1], swapped.witKeys[0]
	for name, c := range map[string]struct{ code, note string }{
		"unknown key":             {"checkpoint.unknown-key", good + stranger},
		"log's name, other key":   {"checkpoint.unknown-key", good + sameName},
		"same line twice":         {"checkpoint.twice", good + good[strings.LastIndex(good, "— "):]},
		"same witness two times":  {"checkpoint.twice", good + cos(1, 1)},
		"one witness of two":      {"checkpoint.quorum", string(w.sign(text, 0))},
		"no witness":              {"checkpoint.quorum", string(w.sign(text))},
		"witnesses only":          {"checkpoint.no-log", text + "\n" + cos(0, 9) + cos(1, 9)},
		"time zero":               {"checkpoint.time", string(w.sign(text, 0)) + cos(1, 0)},
		"time after 9999":         {"checkpoint.time", string(w.sign(text, 0)) + cos(1, maxTime+1)},
		"negative time":           {"checkpoint.signature", string(w.sign(text, 0)) + cos(1, -1)},
		"witness keys swapped":    {"checkpoint.unknown-key", string(swapped.sign(text, 0, 1))},
		"other text":              {"checkpoint.signature", strings.Replace(good, "\n4\n", "\n5\n", 1)},
		"empty tree, other root":  {"checkpoint.empty", string(w.sign(emptyText, 0, 1))},
		"no signature":            {"checkpoint.malformed", text + "\n"},
		"no final newline":        {"checkpoint.malformed", strings.TrimSuffix(good, "\n")},
		"extension line":          {"checkpoint.malformed", string(w.sign(text+"more\n", 0, 1))},
		"origin with a space":     {"checkpoint.malformed", strings.Replace(good, "log.example", "log example", 1)},
		"origin missing":          {"checkpoint.malformed", strings.Replace(good, w.origin, "", 1)},
		"size with a leading 0":   {"checkpoint.malformed", strings.Replace(good, "\n4\n", "\n04\n", 1)},
		"empty":                   {"checkpoint.malformed", ""},
		"blank line at the end":   {"checkpoint.malformed", good + "\n"},
		"signature of four bytes": {"checkpoint.malformed", good + "— x AAAAAA==\n"},
		"too many signatures":     {"checkpoint.malformed", good + strings.Repeat("— x AAAAAAAAAAAA\n", 100)},
		"hyphen for the dash":     {"checkpoint.malformed", good + "- x AAAAAAAAAAAA\n"},
		"signature without name":  {"checkpoint.malformed", good + "— AAAAAAAAAAAA\n"},
	} {
		cp, err := p.VerifyCheckpoint([]byte(c.note))
		if err == nil || cp != nil || say.Code(err) != c.code {
			t.Errorf("%s: want %s, got %v", name, c.code, err)
			continue
		}
		if errors.Is(err, ErrFalse) != (c.code != "checkpoint.malformed") {
			t.Errorf("%s: wrong kind of failure: %v", name, err)
		}
		checkSentence(t, err)
	}
}

func TestWitnessedIsQuorumTime(t *testing.T) {
	w := filled(t, 3, 4)
	text := w.text(t, 4)
	for _, c := range []struct {
		threshold string
		want      int // minutes after the first witness
	}{{"any", 2}, {"2", 1}, {"all", 0}} {
		cp, err := w.policy(t, c.threshold).VerifyCheckpoint(w.sign(text, 0, 1, 2))
		if err != nil {
			t.Fatal(err)
		}
		if want := w.witnessed.Add(time.Duration(c.want) * time.Minute); !cp.Witnessed.Equal(want) {
			t.Errorf("%s: witnessed %v, want %v", c.threshold, cp.Witnessed, want)
		}
	}
	none, err := ParsePolicy([]byte("log " + w.logVKey + "\nwitness a " + w.witVKeys[0] + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	cp, err := none.VerifyCheckpoint(w.sign(text, 0))
	if err != nil || !cp.Witnessed.IsZero() || len(cp.Cosigned) != 1 || none.NeedsWitnesses() {
		t.Errorf("quorum none: %+v, %v", cp, err)
	}
}

func TestEmptyCheckpoint(t *testing.T) {
	w := newWorld(0)
	cp, err := w.policy(t, "").VerifyCheckpoint(w.sign(w.text(t, 0)))
	if err != nil || cp.Size != 0 {
		t.Fatal(cp, err)
	}
	if u, err := ParseUnverified(cp.Raw); err != nil || u.Root != cp.Root || u.Origin != w.origin {
		t.Fatal(u, err)
	}
	if _, err := ParseUnverified([]byte("x")); err == nil {
		t.Fatal("x is no checkpoint")
	}
}

func TestConsistency(t *testing.T) {
	w := filled(t, 0, 40)
	p := w.policy(t, "")
	at := func(n int) *Checkpoint {
		cp, err := p.VerifyCheckpoint(w.sign(w.text(t, n)))
		if err != nil {
			t.Fatal(err)
		}
		return cp
	}
	for old := 0; old <= 40; old++ {
		for size := old; size <= 40; size++ {
			var hs []tlog.Hash
			if old > 0 && old < size {
				var err error
				if hs, err = tlog.ProveTree(int64(size), int64(old), w.reader()); err != nil {
					t.Fatal(err)
				}
			}
			a, b := at(old), at(size)
			if err := CheckConsistency(a, b, hs); err != nil {
				t.Fatalf("%d to %d: %v", old, size, err)
			}
			if err := CheckConsistency(a, b, append(hs[:len(hs):len(hs)], tlog.Hash{})); !errors.Is(err, ErrFalse) {
				t.Fatalf("%d to %d with one hash more: %v", old, size, err)
			}
			if old > 0 {
				a.Root[3] ^= 1
				if err := CheckConsistency(a, b, hs); !errors.Is(err, ErrFalse) {
					t.Fatalf("%d to %d with another root: %v", old, size, err)
				}
			}
			if old < size {
				if err := CheckConsistency(b, at(old), hs); !errors.Is(err, ErrFalse) {
					t.Fatalf("%d back to %d: %v", size, old, err)
				}
			}
		}
	}
	b := at(9)
	b.Origin = "other.example"
	if err := CheckConsistency(at(9), b, nil); !errors.Is(err, ErrFalse) {
		t.Error("another origin")
	}
	if err := CheckConsistency(at(3), at(9), make([]tlog.Hash, 64)); !errors.Is(err, ErrFalse) {
		t.Error("64 hashes")
	}
}

// order8Y computes the y coordinates of the points of order 8 from the curve
// equation, so that the list in the code isn't believed blindly: for such a
// point doubling gives y = 0, which means x² = -y², so with
// -x²+y² = 1+dx²y² : 2y² = 1 - d·y⁴.
func order8Y(t *testing.T) []string {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	inv := new(big.Int).ModInverse(big.NewInt(121666), p)
	d := new(big.Int).Mod(new(big.Int).Mul(big.NewInt(-121665), inv), p)
	// d·z² + 2z - 1 = 0 for z = y²: z = (-1 ± sqrt(1+d)) / d.
	s := new(big.Int).ModSqrt(new(big.Int).Add(d, big.NewInt(1)), p)
	if s == nil {
		t.Fatal("1+d is not a square")
	}
	var out []string
	for _, root := range []*big.Int{s, new(big.Int).Neg(s)} {
		z := new(big.Int).Sub(root, big.NewInt(1))
		z.Mul(z, new(big.Int).ModInverse(d, p)).Mod(z, p)
		y := new(big.Int).ModSqrt(z, p)
		if y == nil {
			continue
		}
		for _, v := range []*big.Int{y, new(big.Int).Sub(p, y)} {
			b := v.FillBytes(make([]byte, 32))
			for i, j := 0, 31; i < j; i, j = i+1, j-1 {
				b[i], b[j] = b[j], b[i]
			}
			out = append(out, hex.EncodeToString(b))
		}
	}
	return out
}

func TestSmallOrderKeys(t *testing.T) {
	ys := order8Y(t)
	if len(ys) != 2 {
		t.Fatalf("%d y coordinates of order 8", len(ys))
	}
	list := strings.Join(smallOrderY[:], " ")
	for _, y := range ys {
		if !strings.Contains(list, y) {
			t.Errorf("%s is missing", y)
		}
	}
	// For each listed key that Go accepts, a signature that anyone can make
	// holds for one message in eight at least.
	forged := 0
	for _, y := range smallOrderY {
		pub, _ := hex.DecodeString(y)
		sig := make([]byte, 64)
		sig[0] = 1 // R is the neutral element, S is 0
		for i := range 200 {
			if ed25519.Verify(pub, []byte{byte(i)}, sig) {
				forged++
				break
			}
		}
		for _, sign := range []byte{0, 0x80} {
			k := append([]byte(nil), pub...)
			k[31] |= sign
			if _, err := LogOnly(vkeyOf("x.example", typeLog, k)); err == nil {
				t.Errorf("key %x accepted", k)
			}
		}
	}
	if forged < 5 {
		t.Errorf("only %d of the keys are weak: wrong list", forged)
	}
}

func TestKeyForm(t *testing.T) {
	w := newWorld(1)
	raw := append([]byte{typeLog}, w.logKey.Public().(ed25519.PublicKey)...)
	for name, v := range map[string]string{
		"empty":           "",
		"no key":          "log.example+00000000",
		"wrong id":        "log.example+00000000+" + base64.StdEncoding.EncodeToString(raw),
		"id in capitals":  strings.ToUpper(w.logVKey),
		"witness key":     w.witVKeys[0],
		"space in name":   vkeyOf("a b", typeLog, w.logKey.Public().(ed25519.PublicKey)),
		"plus in name":    vkeyOf("a+b", typeLog, w.logKey.Public().(ed25519.PublicKey)),
		"short key":       vkeyOf("a", typeLog, make([]byte, 31)),
		"unknown type":    vkeyOf("a", 9, w.logKey.Public().(ed25519.PublicKey)),
		"trailing space":  w.logVKey + " ",
		"no padding":      strings.TrimRight(w.logVKey, "="),
		"trailing return": w.logVKey + "\n",
	} {
		if v == strings.TrimRight(v, "=") && name == "no padding" && strings.HasSuffix(w.logVKey, v) {
			continue // this key has no padding to drop
		}
		if _, err := LogOnly(v); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
