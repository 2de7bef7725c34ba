package municipality

import (
	"strings"
	"testing"
	"time"
)

func TestList(t *testing.T) {
	kinds := map[string]int{}
	roman := map[string]string{}
	for _, m := range List() {
		if !ValidCode(m.Code) || !strings.HasPrefix(m.Code, "20") {
			t.Errorf("%s: bad code", m.Code)
		}
		if roman[m.Roman] != "" {
			t.Errorf("%s and %s share a roman name", m.Code, roman[m.Roman])
		}
		roman[m.Roman] = m.Code
		kinds[string([]rune(m.Name)[len([]rune(m.Name))-1])]++
		if strings.HasSuffix(m.Name, "市") != (m.District == "") {
			t.Errorf("%s: district %q", m.Name, m.District)
		}
		if (m.DistrictReading == "") != (m.District == "") {
			t.Errorf("%s: reading of the district %q", m.Name, m.DistrictReading)
		}
	}
	// DOMAIN 10.3: 19 cities, 23 towns, 35 villages.
	if kinds["市"] != 19 || kinds["町"] != 23 || kinds["村"] != 35 {
		t.Errorf("kinds %v", kinds)
	}
}

func TestLookup(t *testing.T) {
	for code, want := range map[string]string{
		"202011": "長野市 Nagano-shi", "202029": "松本市 Matsumoto-shi", "203611": "諏訪郡下諏訪町 Shimosuwa-machi",
		"204072": "下伊那郡阿智村 Achi-mura", "204048": "下伊那郡阿南町 Anan-cho", "203033": "南佐久郡小海町 Koumi-machi",
		"204111": "下伊那郡下條村 Shimojo-mura", "202100": "駒ヶ根市 Komagane-shi", "202126": "大町市 Omachi-shi",
		"202193": "東御市 Tomi-shi", "202207": "安曇野市 Azumino-shi", "202169": "更埴市 Koshoku-shi", "204161": "下伊那郡豊丘村 Toyooka-mura",
	} {
		m, ok := Lookup(code)
		if got := m.Kanji() + " " + m.Roman; !ok || got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	if _, ok := Lookup("131016"); ok {
		t.Error("a code of another prefecture was found")
	}
}

func TestCheckDigit(t *testing.T) {
	for _, code := range []string{"200000", "202011", "202029", "203611", "204072", "202053", "203211", Merged, MergedInto} {
		if !ValidCode(code) {
			t.Errorf("%s refused", code)
		}
		for d := byte('0'); d <= '9'; d++ {
			if wrong := code[:5] + string(d); wrong != code && ValidCode(wrong) {
				t.Errorf("%s accepted", wrong)
			}
		}
	}
	for _, bad := range []string{"", "20201", "2020111", "20201x", "２０２０１１", "2a2011"} {
		if ValidCode(bad) {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestMerger(t *testing.T) {
	old, new := Former()[0], List()
	if old.Code != Merged || old.Successor != MergedInto {
		t.Fatalf("former: %+v", old)
	}
	for _, m := range new {
		if m.Code == Merged {
			t.Error("a former municipality is in today's list")
		}
	}
	next, _ := Lookup(old.Successor)
	last := time.Date(2003, 8, 31, 14, 59, 59, 0, time.UTC) // 23:59:59 in Japan
	if !old.ValidOn(last) || next.ValidOn(last) {
		t.Error("on the last day the old code is valid and the new one is not")
	}
	if first := last.Add(time.Second); old.ValidOn(first) || !next.ValidOn(first) {
		t.Error("on the first day the new code is valid and the old one is not")
	}
}

func TestOf(t *testing.T) {
	for address, code := range map[string]string{
		"長野県下伊那郡松川町元大島１番地": "204021", "長野県北安曇郡松川村１番地": "204820", "長野県更埴市大字屋代１番地": Merged,
		"長野県長野市大字鶴賀": "202011", "東京都千代田区": "", "長野県軽井沢町": "", "": "",
	} {
		if m, ok := Of(address); m.Code != code || ok != (code != "") {
			t.Errorf("%q: %q", address, m.Code)
		}
	}
}
