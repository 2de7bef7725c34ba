package main

import (
	"strings"
	"testing"
)

func TestCertifiedIsReadStrictly(t *testing.T) {
	const good = `{"name":"総務　太郎","birthDate":"319620617","sex":"1","address":"長野県"}`
	if c, err := readCertified([]byte(good)); err != nil || c.Name != "総務　太郎" || c.NameMap != "" {
		t.Errorf("%+v %v", c, err)
	}
	for name, s := range map[string]string{
		"unknown": strings.Replace(good, `"sex"`, `"Code":"12345678902","sex"`, 1), "case": strings.Replace(good, `"sex"`, `"Sex"`, 1),
		"twice": strings.Replace(good, `"sex"`, `"name":"x","sex"`, 1), "number": strings.Replace(good, `"1"`, `1`, 1),
		"trailing": good + `{}`, "cut": good[:len(good)-1], "array": `[` + good + `]`, "nothing": ``, "nested": strings.Replace(good, `"1"`, `{"a":1}`, 1),
	} {
		if _, err := readCertified([]byte(s)); err == nil || strings.Contains(err.Error(), "12345678902") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
