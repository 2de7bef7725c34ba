package sequence

import (
	"testing"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// TestStatusPartMeansTheSame applies entries parsed whole and in part to two
// trees.
func TestStatusPartMeansTheSame(t *testing.T) {
	whole, part := status.New(), status.New()
	revoke := &entry.Revocation{Ground: entry.GroundRequest, Ordinal: 0, Recorded: logtest.At, Serial: "0a"}
	for seq, body := range []entry.Body{logtest.Intent(0), logtest.Issued(0), logtest.Intent(1), &entry.CertAborted{Ordinal: 1, Reason: entry.AbortSign},
		&entry.SecurityEvent{Code: "cert.issued", From: logtest.At, To: logtest.At}, logtest.Intent(2), logtest.Issued(2), revoke} {
		b := logtest.Marshal(t, entry.ByCA, uint64(seq), body)
		e, err := entry.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		p, err := StatusPart(b)
		if err != nil {
			t.Fatal(err)
		}
		if p.Body == nil {
			p.Body = &entry.SecurityEvent{}
		}
		if err := whole.Apply(e); err != nil {
			t.Fatal(err)
		}
		if err := part.Apply(p); err != nil {
			t.Fatal(err)
		}
		if whole.Root() != part.Root() || whole.Size() != part.Size() || whole.Pending() != part.Pending() {
			t.Errorf("after %s the trees differ", body.Kind())
		}
	}
	for _, bad := range []string{``, `{}`, `{"body":{},"by":"ca-server","kind":"cert.issued","seq":1,"v":1}`} {
		if p, err := StatusPart([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, p)
		}
	}
}
