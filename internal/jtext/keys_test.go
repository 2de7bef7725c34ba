package jtext

import "testing"

func TestNameKey(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"髙橋　一郎", "高橋　一郎", true}, {"渡邉　花", "渡辺　花", true}, {"渡邊\U000e0108　花", "渡辺 花", true}, {"\ufa10田", "塚田", true},
		{"ﾊﾅｺ", "ハナコ", true}, {"沢田", "澤田", true}, {"斎藤", "斉藤", false}, {"林　愛子", "林愛　子", true}, {"森", "林", false}, {"辻\U000e0100", "辻", true},
	} {
		if got := NameKey(c.a) == NameKey(c.b); got != c.same {
			t.Errorf("%s and %s: %q %q", c.a, c.b, NameKey(c.a), NameKey(c.b))
		}
	}
}

func TestKanaKey(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"そうむ　たろう", "ソウム タロウ", true}, {"ｿｳﾑ ﾀﾛｳ", "そうむたろう", true}, {"ケーキ", "けえき", true}, {"きょうこ", "キヨウコ", true},
		{"か\u3099く", "がく", true}, {"たろう", "たろ", false}, {"ーあ", "あ", true}, {"ンー", "ン", true},
	} {
		if got := KanaKey(c.a) == KanaKey(c.b); got != c.same {
			t.Errorf("%s and %s: %q %q", c.a, c.b, KanaKey(c.a), KanaKey(c.b))
		}
	}
}

// The notations of DOMAIN 10.7.
func TestAddressKey(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"長野県長野市大字鶴賀１２３番地４", "長野市鶴賀123-4", true},
		{"長野県長野市大字鶴賀１２３番地の４", "長野県長野市鶴賀百二十三番地四", true},
		{"長野県諏訪郡下諏訪町東赤砂３丁目２番１号", "下諏訪町東赤砂三丁目２−１", true},
		{"長野県松本市丸の内３－７", "長野県松本市丸ノ内３ー７", true},
		{"長野県駒ヶ根市赤穂１番地", "長野県駒ケ根市赤穂１番", true},
		{"長野県長野市大字安茂里字差出１０１", "長野市安茂里差出１０１番地", true},
		{"長野県松本市県２－１", "松本市県２丁目１", true},
		{"長野県長野市桜枝町１番地　コーポ髙嶺２０１号室", "長野市桜枝町１　コーポ高嶺２０１", true},
		{"長野県下伊那郡下條村睦沢１番地", "長野県下伊那郡下条村睦沢１番地", true},
		{"長野県塩尻市大門三番町１番１号", "長野県塩尻市大門三番町１－１", true},
		{"長野県塩尻市大門三番町１番１号", "長野県塩尻市大門四番町１－１", false},
		{"長野県長野市中条１番地", "長野県長野市中１番地", false},
		{"長野県下伊那郡松川町１番地", "長野県北安曇郡松川村１番地", false},
		{"長野県長野市鶴賀１番地２３", "長野県長野市鶴賀１２番地３", false},
		{"長野県長野市鶴賀１番地", "長野県長野市三輪１番地", false},
		{"長野県木曽郡木祖村", "木祖村", true}, {"", "", true},
	} {
		if got := AddressKey(c.a) == AddressKey(c.b); got != c.same {
			t.Errorf("%s and %s: %q %q", c.a, c.b, AddressKey(c.a), AddressKey(c.b))
		}
	}
}

func TestSplitName(t *testing.T) {
	if f, g, ok := SplitName("総務　太郎"); !ok || f != "総務" || g != "太郎" {
		t.Error("the sample name")
	}
	for _, bad := range []string{"", "総務", "総務 太郎", "　太郎", "総務　", "総　務　太郎"} {
		if _, _, ok := SplitName(bad); ok {
			t.Errorf("%q accepted", bad)
		}
	}
}
