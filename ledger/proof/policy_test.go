package proof

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sukashi-project/sukashi/internal/say"
)

func TestPolicyOfSpecification(t *testing.T) {
	// The example of C2SP tlog-policy: two of X and one of Y.
	w := newWorld(6)
	var b strings.Builder
	fmt.Fprintf(&b, "\t# comment, 注釈\n\n  log   %s\thttps://log.example/ \n", w.logVKey)
	for i, n := range strings.Fields("X1 X2 X3 Y1 Y2 Y3") {
		fmt.Fprintf(&b, "witness %s %s\n", n, w.witVKeys[i])
	}
	b.WriteString("group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n")
	p, err := ParsePolicy([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	for names, want := range map[string]bool{
		"":               false,
		"X1 X2":          false,
		"X1 X2 Y3":       true,
		"X1 Y1 Y2 Y3":    false,
		"X2 X3 Y1":       true,
		"X1 X1 Y1":       false,
		"none Y1":        false,
		"X1 X2 X3 Y1 Y2": true,
	} {
		if got := p.Quorum(strings.Fields(names)...); got != want {
			t.Errorf("%q: %v", names, got)
		}
	}
	if l := p.Logs(); len(l) != 1 || l[0].Origin != w.origin || l[0].URL != "https://log.example/" || l[0].VKey != w.logVKey {
		t.Errorf("logs %+v", l)
	}
	if ws := p.Witnesses(); len(ws) != 6 || ws[3].Name != "Y1" || ws[3].KeyName != w.witNames[3] || ws[3].URL != "" || !p.NeedsWitnesses() {
		t.Errorf("witnesses %+v", ws)
	}
}

func TestPolicyRefuses(t *testing.T) {
	w := newWorld(3)
	l, a, c := "log "+w.logVKey+"\n", "witness a "+w.witVKeys[0]+"\n", "witness c "+w.witVKeys[1]+"\n"
	logAsWitness := vkeyOf("w.example", typeCosignature, w.logKey.Public().(ed25519.PublicKey))
	renamed := vkeyOf("renamed.example", typeCosignature, w.witKeys[0].Public().(ed25519.PublicKey))
	many := l
	for i := range maxLines + 1 {
		many += fmt.Sprintf("group g%d any a\n", i)
	}
	for name, text := range map[string]string{
		"empty":                    "",
		"no log":                   a + "quorum a\n",
		"no quorum":                l + a,
		"two quorums":              l + a + "quorum a\nquorum a\n",
		"quorum unknown":           l + "quorum b\n",
		"quorum before witness":    l + "quorum a\n" + a,
		"cut off":                  l + a + "quorum a",
		"carriage return":          l + a + "quorum a\r\n",
		"delete character":         l + a + "quorum a\x7f\n",
		"unknown word":             l + a + "quorum a\nwitnes x\n",
		"log with three items":     strings.TrimSpace(l) + " u v\n" + a + "quorum a\n",
		"witness without key":      l + "witness a\nquorum none\n",
		"log key as witness":       l + "witness a " + w.logVKey + "\nquorum a\n",
		"witness key as log":       "log " + w.witVKeys[0] + "\nquorum none\n",
		"log twice":                l + l + "quorum none\n",
		"witness twice":            l + a + a + "quorum a\n",
		"one key under two names":  l + a + "witness b " + renamed + "\nquorum a\n",
		"the log's key as witness": l + "witness b " + logAsWitness + "\nquorum b\n",
		"name none":                l + "witness none " + w.witVKeys[0] + "\nquorum none\n",
		"name defined twice":       l + a + "group a any a\nquorum a\n",
		"group too small":          l + a + "group g any\nquorum a\n",
		"threshold 0":              l + a + "group g 0 a\nquorum g\n",
		"threshold too large":      l + a + c + "group g 3 a c\nquorum g\n",
		"threshold 02":             l + a + c + "group g 02 a c\nquorum g\n",
		"threshold word":           l + a + c + "group g most a c\nquorum g\n",
		"member twice":             l + a + c + "group g 2 a a\nquorum g\n",
		"member of two groups":     l + a + c + "group g any a\ngroup h any a\nquorum h\n",
		"member later":             l + a + "group g any a c\n" + c + "quorum g\n",
		"member none":              l + a + "group g any none a\nquorum g\n",
		"too many groups":          many + "quorum a\n",
		"too large":                l + strings.Repeat("# x\n", MaxFile/4) + "quorum none\n",
	} {
		_, err := ParsePolicy([]byte(text))
		if err == nil || say.Code(err) != "policy.malformed" {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkSentence(t, err)
	}
}

func TestPolicyLimits(t *testing.T) {
	w := newWorld(maxLines + 1)
	text := "log " + w.logVKey + "\n"
	for i, v := range w.witVKeys[:maxLines] {
		text += fmt.Sprintf("witness n%d %s\n", i, v)
	}
	if _, err := ParsePolicy([]byte(text + "quorum n0\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := ParsePolicy([]byte(text + "witness last " + w.witVKeys[maxLines] + "\nquorum n0\n")); err == nil {
		t.Error("too many witnesses accepted")
	}
	logs := "quorum none\n"
	for i := range maxLines + 1 {
		logs += "log " + vkeyOf(fmt.Sprintf("l%d.example", i), typeLog, keyFrom(fmt.Sprint(i)).Public().(ed25519.PublicKey)) + "\n"
	}
	if _, err := ParsePolicy([]byte(logs)); err == nil {
		t.Error("too many logs accepted")
	}
}

// TestQuorumCounts checks thresholds against counting.
func TestQuorumCounts(t *testing.T) {
	w := newWorld(5)
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 5).Draw(t, "k")
		p, err := ParsePolicy([]byte(w.policyText(fmt.Sprint(k))))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for i := range 5 {
			if rapid.Bool().Draw(t, "in") {
				names = append(names, fmt.Sprintf("w%d", i+1))
			}
		}
		if p.Quorum(names...) != (len(names) >= k) {
			t.Fatalf("%d of %d", len(names), k)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	w := newWorld(2)
	f.Add([]byte(w.policyText("any")))
	f.Add([]byte("quorum none\nlog " + w.logVKey + "\n"))
	f.Add([]byte("group g 1 a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePolicy(b)
		if err != nil {
			return
		}
		if len(p.Logs()) == 0 || p.NeedsWitnesses() && (p.Quorum() || len(p.Witnesses()) == 0) {
			t.Fatal("a policy that believes everyone")
		}
	})
}
