package jtext

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Vectors of DOMAIN 10.1 and 10.2.
func TestCheckDigitVectors(t *testing.T) {
	for body, want := range map[string]byte{"0000000001": '9', "1234567890": '3', "9999900001": '7', "9999900002": '5', "9999900013": '0'} {
		if got, ok := ResidentCodeCheck(body); !ok || got != want {
			t.Errorf("resident code %s: %c, want %c", body, got, want)
		}
		if !ValidResidentCode(body+string(want)) || ValidResidentCode(body+string('0'+(want-'0'+1)%10)) {
			t.Errorf("resident code %s: validity", body)
		}
	}
	for body, want := range map[string]byte{"98320567321": '4', "12345678901": '8', "99999000001": '5'} {
		if got, ok := IndividualNumberCheck(body); !ok || got != want {
			t.Errorf("individual number %s: %c, want %c", body, got, want)
		}
		if !ValidIndividualNumber(body + string(want)) {
			t.Errorf("individual number %s refused", body)
		}
	}
	for _, bad := range []string{"", "99999000017x", "9999900001", "９９９９９０００１７", "9999900001a"} {
		if ValidResidentCode(bad) || ValidIndividualNumber(bad) {
			t.Errorf("%q accepted", bad)
		}
	}
}

// A random string of eleven digits passes with probability 0.099 (DOMAIN 10.1).
func TestCheckDigitChance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hits, zeros := 0, 0
	const n = 200_000
	for range n {
		s := fmt.Sprintf("%011d", r.Uint64N(100_000_000_000))
		if ValidResidentCode(s) {
			hits++
			if s[10] == '0' {
				zeros++
			}
		}
	}
	if p := float64(hits) / n; p < 0.095 || p > 0.103 {
		t.Errorf("chance %v", p)
	}
	if p := float64(zeros) / float64(hits); p < 0.16 || p > 0.20 {
		t.Errorf("share of check digit 0: %v", p)
	}
}

func TestMakeResidentCode(t *testing.T) {
	seen := map[string]bool{}
	for n := uint64(0); n < 250_000; n++ {
		c, err := MakeResidentCode(n)
		if err != nil || seen[c] || !ValidResidentCode(c) {
			t.Fatalf("%d: bad code, %v", n, err)
		}
		if strings.HasPrefix(c, TestPrefix) != (n < 100_000) {
			t.Fatalf("%d: prefix", n)
		}
		seen[c] = true
	}
	if c, _ := MakeResidentCode(1); c != "99999000017" {
		t.Errorf("code 1: %s", c)
	}
	if c, err := MakeResidentCode(maxTestCodes - 1); err != nil || !strings.HasPrefix(c, "0000099999") {
		t.Errorf("last code: %v", err)
	}
	if _, err := MakeResidentCode(maxTestCodes); !errors.Is(err, ErrTooManyCodes) {
		t.Error("no error past the last code")
	}
}
