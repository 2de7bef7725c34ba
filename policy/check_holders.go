package policy

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy/holders"
)

// HoldersSendCheck is what the CA's link server knows when it is about to send
// M1. It does not look into the ledger itself: the three booleans are for the
// caller to find out.
type HoldersSendCheck struct {
	Bytes               []byte // exactly what would be sent
	Sender              string // own role identifier, must be entry.ByCALink
	Addressee           string // role identifier of the other end's TLS identity, must be entry.ByRegisterLink
	NextSeq             uint64 // the next sequence of M1
	LastDay             string // day of the last list, "" before the first
	SetEqualsLive       bool   // the holders after this list are exactly the live certificates of the ledger
	AttributesCertified bool   // every new holder opens its cert.intent's subject commitment
	Metadata            Metadata
}

// Facts establishes every fact of rule set holders-send.
func (c HoldersSendCheck) Facts() *Facts {
	f := NewFacts(HoldersSend)
	f.setHolders(c.Bytes, c.Sender, c.Addressee, c.NextSeq, c.LastDay)
	f.Set("set_equals_live", c.SetEqualsLive)
	f.Set("attributes_certified", c.AttributesCertified)
	f.Set("transport_clean", c.Metadata.Clean(PathHolders, len(c.Bytes)))
	return f
}

// HoldersReceiveCheck is what the register's link server knows when M1
// arrived.
type HoldersReceiveCheck struct {
	Bytes     []byte             // exactly what arrived
	Sender    string             // role identifier of the TLS identity, must be entry.ByCALink
	Addressee string             // own role identifier, must be entry.ByRegisterLink
	NextSeq   uint64             // the next sequence of M1
	LastDay   string             // day of the last list, "" before the first
	Held      uint64             // holders in CertHolderDB before this list
	Unknown   bool               // the list strikes off a holder that is not held, or adds one that is
	Sent      *entry.HoldersSent // the sender's entry from the ledger, nil when there is none
	Metadata  Metadata
}

// Facts establishes every fact of rule set holders-receive.
func (c HoldersReceiveCheck) Facts() *Facts {
	f := NewFacts(HoldersReceive)
	l, ok := f.setHolders(c.Bytes, c.Sender, c.Addressee, c.NextSeq, c.LastDay)
	after := c.Held + uint64(len(l.New)) - uint64(len(l.Gone))
	f.Set("set_equals_live", ok && !c.Unknown && after == l.Total)
	f.Set("sender_entry_logged", ok && c.Sent != nil && c.Sent.Holders == l.Entry())
	f.Set("transport_clean", c.Metadata.Clean(PathHolders, len(c.Bytes)))
	return f
}

// setHolders establishes the facts that both ends share. In an accepted list
// every text is an attribute as certified. What is scanned is exactly what rule
// set issue scanned, name and address as certified: no certificate exists for
// which that gave an alarm, so a false alarm can't stop an honest list.
func (f *Facts) setHolders(b []byte, sender, addressee string, next uint64, lastDay string) (holders.List, bool) {
	l, form := holders.Examine(b)
	ok := form.Code() == ""
	f.Set("grammar", form.Grammar)
	f.Set("canonical_bytes", form.Canonical)
	f.Set("field_set_exact", form.Fields)
	f.Set("basis_named", form.Basis)
	f.Set("sender_is_ca", sender == entry.ByCALink)
	f.Set("addressee_is_register", addressee == entry.ByRegisterLink)
	f.Set("sequence_next", ok && l.Seq == next)
	f.Set("day_once", ok && l.Day > lastDay)
	found := scanHolders(l.New)
	f.Set("no_resident_code", ok && !found.ResidentCode)
	f.Set("no_individual_number", ok && !found.IndividualNumber)
	return l, ok
}

// scanHolders scans name and address of every holder, on all processors: a
// first list may have 10^5 holders, and a scan takes about a tenth of a
// millisecond.
func scanHolders(hs []holders.Holder) jtext.Findings {
	var code, number atomic.Bool
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), 1+len(hs)/64)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(hs); i += workers {
				s := jtext.Scan(hs[i].Certified.Name, hs[i].Certified.Address)
				if s.ResidentCode {
					code.Store(true)
				}
				if s.IndividualNumber {
					number.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return jtext.Findings{ResidentCode: code.Load(), IndividualNumber: number.Load()}
}
