package policy

import (
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/policy/transfer"
)

// TransferCheck is what the counter knows when it reads a transfer file.
type TransferCheck struct {
	Bytes        []byte        // exactly what is on the medium
	Terminal     note.Verifier // key of the JukiTerminal
	Registered   bool          // that terminal is registered for this municipality
	Municipality string        // the counter's municipality code, 6 digits
	Now          time.Time
	MaxAge       time.Duration // how old a file may be; a minute from the future is forgiven
	UsedBefore   bool          // a file with this digest was taken in before
}

// Facts establishes every fact of rule set transfer, and returns the file,
// which is zero unless its form and signature are right.
func (c TransferCheck) Facts() (transfer.File, *Facts) {
	f := NewFacts(Transfer)
	file, form := transfer.Examine(c.Bytes, c.Terminal)
	ok := form.Code() == ""
	f.Set("grammar", form.Grammar)
	f.Set("canonical_bytes", form.Canonical)
	f.Set("field_set_exact", form.Fields)
	f.Set("basis_named", form.Basis)
	f.Set("signature_valid", form.Signature)
	f.Set("terminal_registered", c.Registered)
	f.Set("municipality_own", ok && file.Municipality == c.Municipality)
	age := c.Now.Sub(file.At.Std())
	f.Set("fresh", ok && age >= -time.Minute && age <= c.MaxAge)
	f.Set("not_used_before", !c.UsedBefore)
	f.Set("attributes_valid", ok && file.Attr.Validate() == nil)
	if ok {
		f.SetTextFacts(file.Attr.Name, file.Attr.Address)
	} else {
		f.SetTextFacts(string(c.Bytes))
	}
	return file, f
}
