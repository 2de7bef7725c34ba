package people

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/municipality"
)

func generate(t testing.TB, seed uint64, n int) []Resident {
	t.Helper()
	rs, err := Generate(seed, n)
	if err != nil {
		t.Fatal(err)
	}
	if len(rs) != n {
		t.Fatalf("%d residents, want %d", len(rs), n)
	}
	return rs
}

// Every resident can be registered, certified and matched again.
func TestGenerateIsValid(t *testing.T) {
	codes := map[string]bool{}
	for i, r := range generate(t, 7, 150_000) {
		if !jtext.ValidResidentCode(r.Code) || codes[r.Code] || strings.HasPrefix(r.Code, jtext.TestPrefix) != (i < 100_000) {
			t.Fatalf("%d: code", i)
		}
		codes[r.Code] = true
		if err := r.Attr.Validate(); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if _, err := jtext.ParseBirthDate(r.Attr.BirthDate); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if m, ok := municipality.Of(r.Attr.Address); !ok || m.Code != r.Municipality {
			t.Fatalf("%d: municipality %s", i, r.Municipality)
		}
		if strings.Count(r.Attr.Name, "　") != 1 || strings.Count(r.NameKana, "　") != 1 {
			t.Fatalf("%d: name without U+3000", i)
		}
		for _, v := range [][2]string{{r.Attr.Name, r.SubstituteName}, {r.Attr.Address, r.SubstituteAddress}} {
			certified, subs, err := jtext.Substitute(v[0], v[1])
			if err != nil || !jtext.MatchesCertified(certified, subs, v[0]) {
				t.Fatalf("%d: substitute %v", i, err)
			}
			if (v[1] == "") != !strings.Contains(subs, "1") {
				t.Fatalf("%d: designated substitutes without need or the other way round", i)
			}
		}
	}
}

func TestGenerateIsDeterministic(t *testing.T) {
	a, b := generate(t, 3, 500), generate(t, 3, 2000)
	if !reflect.DeepEqual(a, b[:500]) {
		t.Error("the first residents depend on how many are made")
	}
	if reflect.DeepEqual(a, generate(t, 4, 500)) {
		t.Error("the seed changes nothing")
	}
	// A frozen value: test data must not drift between Go versions.
	if got := a[0].Code + a[0].Attr.Name + a[0].Attr.Address; hash(got) != 0x14e59c6ebc824f65 {
		t.Errorf("the first resident of seed 3 changed: %#x", hash(got))
	}
	for _, n := range []int{-1, maxResidents + 1} {
		if _, err := Generate(1, n); err == nil {
			t.Errorf("%d residents: no error", n)
		}
	}
}

// difficulties counts what DOMAIN 10 and 11.4 ask for.
func difficulties(rs []Resident) map[string]int {
	n := map[string]int{}
	count := func(what string, is bool) {
		if is {
			n[what]++
		}
	}
	for i, r := range rs {
		a := r.Attr
		count("name with substitute", r.SubstituteName != "")
		count("address with substitute", r.SubstituteAddress != "")
		count("minus sign", strings.ContainsRune(a.Address, '\u2212'))
		count("variation selector", len(jtext.Characters(a.Name)) != len([]rune(a.Name)))
		count("four bytes", strings.ContainsAny(a.Name+a.Address, "𠮷𡈽"))
		count("大字", strings.Contains(a.Address, "大字"))
		count("丁目", strings.Contains(a.Address, "丁目"))
		count("郡", strings.Contains(a.Address, "郡"))
		count("twin", i > 0 && a == rs[i-1].Attr && r.Code != rs[i-1].Code)
		count("household", i > 0 && a.Address == rs[i-1].Attr.Address && a != rs[i-1].Attr)
		count("born unknown", a.BirthDate == "000000000")
		count("year unknown", a.BirthDate[0] != '0' && a.BirthDate[1:5] == "0000")
		count("month unknown", a.BirthDate[1:5] != "0000" && a.BirthDate[5:] == "0000")
		count("day unknown", a.BirthDate[5:7] != "00" && a.BirthDate[7:] == "00")
		count("29 February", strings.HasSuffix(a.BirthDate, "0229"))
		count("last day of Taisho", a.BirthDate == "219261225")
		count("sex unknown", a.Sex == attr.SexUnknown)
		count("era "+a.BirthDate[:1], true)
		count("merged town", r.Municipality == municipality.Merged)
		count("foreign", strings.ContainsFunc(a.Name, func(r rune) bool { return r >= 'ァ' && r <= 'ヶ' || r >= 'Ａ' && r <= 'Ｚ' }))
		count("条 or ヶ in a name", strings.ContainsAny(a.Address, "條条ヶケ"))
	}
	return n
}

var wanted = []string{"name with substitute", "address with substitute", "minus sign", "variation selector", "大字", "郡", "twin", "household",
	"born unknown", "year unknown", "month unknown", "day unknown", "29 February", "last day of Taisho", "sex unknown", "era 2", "era 3", "era 4", "era 5", "merged town", "foreign"}

func TestEveryDifficultyAmongAHundred(t *testing.T) {
	for seed := range uint64(50) {
		got := difficulties(generate(t, seed, 100))
		for _, w := range wanted {
			if got[w] == 0 {
				t.Errorf("seed %d: no %s", seed, w)
			}
		}
	}
}

// Shares are as documented; households pass names and addresses on.
func TestShares(t *testing.T) {
	const n = 100_000
	rs := generate(t, 11, n)
	got := difficulties(rs)
	for _, c := range []struct {
		what     string
		min, max int // per 1,000
	}{
		{"name with substitute", ShareOutside, 4 * (ShareOutside + ShareIVS)}, {"variation selector", ShareIVS, 4 * ShareIVS},
		{"address with substitute", ShareAddressOutside, 4 * ShareAddressOutside}, {"twin", ShareTwin - 1, ShareTwin + 1},
		{"29 February", ShareLeapDay, ShareLeapDay + 2}, {"sex unknown", 0, 2}, {"household", ShareHousehold - 100, ShareHousehold},
		{"大字", 300, 900}, {"郡", 100, 600}, {"丁目", 10, 200}, {"four bytes", 1, 30}, {"merged town", 1, 20},
	} {
		if per := float64(got[c.what]) / n * 1000; per < float64(c.min) || per > float64(c.max) {
			t.Errorf("%s: %.1f per 1,000, want %d to %d", c.what, per, c.min, c.max)
		}
	}
	towns := map[string]int{}
	for _, r := range rs {
		towns[r.Municipality]++
	}
	if len(towns) != 78 || towns["202011"] < 20*towns["204102"] {
		t.Errorf("%d municipalities; 長野市 %d, 根羽村 %d", len(towns), towns["202011"], towns["204102"])
	}
	t.Log(got)
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		generate(b, 1, 10_000)
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "residents/s")
}
