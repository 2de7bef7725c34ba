package agency

import "testing"

// A name with a variation selector has one character where two code points are.
func TestVariationSelectors(t *testing.T) {
	if ok, n := equalText("辻\U000E0101　一郎", "辻　一郎", "1000"); !ok || n != 1 {
		t.Errorf("got %v %d", ok, n)
	}
	if ok, _ := equalText("辻\U000E0101　一郎", "辻　一郎", "0000"); ok {
		t.Error("another glyph than the certificate's, and no substitute marked")
	}
}
