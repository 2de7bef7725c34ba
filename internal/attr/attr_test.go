package attr_test

import (
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/attr"
)

var good = attr.Certified{Name: "総務　太郎", NameMap: "00000", BirthDate: "319620617", Sex: attr.Male, Address: "霞が関２丁目", AddressMap: "000000"}

func TestValidate(t *testing.T) {
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, bend := range map[string]func(*attr.Certified){
		"empty name": func(c *attr.Certified) { c.Name, c.NameMap = "", "" },
		"long name":  func(c *attr.Certified) { c.Name, c.NameMap = strings.Repeat("山", 101), strings.Repeat("0", 101) },
		"long address": func(c *attr.Certified) {
			c.Address, c.AddressMap = strings.Repeat("町", 201), strings.Repeat("0", 201)
		},
		"not UTF-8":           func(c *attr.Certified) { c.Name, c.NameMap = "\xff", "0" },
		"control character":   func(c *attr.Certified) { c.Name, c.NameMap = "a\n", "00" },
		"short map":           func(c *attr.Certified) { c.NameMap = "0000" },
		"map of other digits": func(c *attr.Certified) { c.NameMap = "00002" },
		"address map":         func(c *attr.Certified) { c.AddressMap = "" },
		"short birth date":    func(c *attr.Certified) { c.BirthDate = "31962061" },
		"letters in it":       func(c *attr.Certified) { c.BirthDate = "3196206I7" },
		"no such era":         func(c *attr.Certified) { c.BirthDate = "619620617" },
		"no such month":       func(c *attr.Certified) { c.BirthDate = "319621317" },
		"no such day":         func(c *attr.Certified) { c.BirthDate = "319620632" },
		"no such sex":         func(c *attr.Certified) { c.Sex = "9" },
	} {
		c := good
		bend(&c)
		err := c.Validate()
		if err == nil {
			t.Errorf("%s is accepted", name)
			continue
		}
		if c.Name != "" && strings.Contains(err.Error(), c.Name) {
			t.Errorf("%s: the error quotes a value", name)
		}
	}
}

// The order of the slots is part of the subject commitment: it never changes.
func TestSlots(t *testing.T) {
	var order string
	for _, s := range good.Slots() {
		order += s.Field
	}
	if order != "143526" {
		t.Errorf("slots in order %s", order)
	}
	if good.Attributes() != (attr.Attributes{Name: good.Name, BirthDate: good.BirthDate, Sex: good.Sex, Address: good.Address}) {
		t.Error("attributes are not those certified")
	}
}
