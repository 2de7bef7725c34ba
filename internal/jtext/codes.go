package jtext

import (
	"errors"
	"fmt"
)

// TestPrefix starts every resident code made by MakeResidentCode(n) for
// n < 100,000. Real codes are random, so a code made here may by chance belong
// to somebody: keeping to one documented prefix says which ones are made up.
const TestPrefix = "99999"

// maxTestCodes is how many codes MakeResidentCode knows: all ten-digit bodies.
const maxTestCodes = 10_000_000_000

// ErrTooManyCodes says that there are only 10¹⁰ resident codes.
var ErrTooManyCodes = errors.New("there are no more than ten thousand million resident codes")

// ResidentCodeCheck returns the eleventh digit of a resident code from its ten
// digits (DOMAIN 10.1): counted from the right, n = 1..10, weight n+1 up to 6
// and n−5 after; 0 if the sum mod 11 is at most 1, else 11 minus it. It
// reports false unless body is ten ASCII digits.
func ResidentCodeCheck(body string) (byte, bool) { return checkDigit(body, 10) }

// IndividualNumberCheck returns the twelfth digit of an individual number
// (MIC Ordinance 85 Art. 5, DOMAIN 10.2) from its eleven digits.
func IndividualNumberCheck(body string) (byte, bool) { return checkDigit(body, 11) }

// ValidResidentCode reports whether s is eleven ASCII digits with the right
// check digit. One in ten random strings of digits passes.
func ValidResidentCode(s string) bool { return validNumber(s, 11) }

// ValidIndividualNumber reports whether s is twelve ASCII digits with the
// right check digit.
func ValidIndividualNumber(s string) bool { return validNumber(s, 12) }

// MakeResidentCode returns the n-th test code, n from 0. The first 100,000
// start with 99999; after that the prefix counts down (99998, 99997, …), so
// that codes stay unique for any number of residents. Errors: ErrTooManyCodes.
func MakeResidentCode(n uint64) (string, error) {
	if n >= maxTestCodes {
		return "", ErrTooManyCodes
	}
	body := fmt.Sprintf("%05d%05d", 99999-n/100_000, n%100_000)
	d, _ := ResidentCodeCheck(body)
	return body + string(d), nil
}

func validNumber(s string, length int) bool {
	if len(s) != length {
		return false
	}
	d, ok := checkDigit(s[:length-1], length-1)
	return ok && d == s[length-1]
}

func checkDigit(body string, length int) (byte, bool) {
	if len(body) != length {
		return 0, false
	}
	sum := 0
	for i := range length {
		c := body[length-1-i]
		if c < '0' || c > '9' {
			return 0, false
		}
		weight := i + 2 // n = i+1
		if i >= 6 {
			weight = i - 4
		}
		sum += int(c-'0') * weight
	}
	if r := sum % 11; r > 1 {
		return '0' + byte(11-r), true
	}
	return '0', true
}
