package ca

import (
	"crypto/x509"
	"fmt"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// check holds the invariants of DOMAIN 11.2 against the whole log, the signing
// journal and the registry.
func (w *world) check() {
	w.t.Helper()
	es := w.entries()
	tree := status.New()
	intents, serials, announced := map[uint64]*entry.CertIntent{}, map[string]bool{}, map[entry.Digest]bool{}
	complete := map[string]bool{}
	causes, days, numbers := map[uint64]bool{}, map[string]bool{}, map[string]uint64{}
	for i, e := range es {
		if err := tree.Apply(e); err != nil {
			w.t.Fatalf("entry %d: %v", i, err)
		}
		switch b := e.Body.(type) {
		case *entry.CertIntent:
			if serials[b.Serial] {
				w.t.Errorf("double serial at entry %d", i)
			}
			serials[b.Serial], intents[b.Ordinal], announced[b.TBS] = true, b, true
		case *entry.CRLPublished:
			announced[b.TBS] = true
			if b.Base != nil && !complete[fmt.Sprint(b.Issuer, b.Partition, *b.Base)] {
				w.t.Errorf("entry %d: a delta of %s on list %d, which was never announced", i, b.Partition, *b.Base)
			}
			complete[fmt.Sprint(b.Issuer, b.Partition, b.Number)] = b.Base == nil
			if list := b.Issuer.String() + b.Partition; b.Number <= numbers[list] {
				w.t.Errorf("entry %d: number %d of list %s after %d", i, b.Number, b.Partition, numbers[list])
			} else {
				numbers[list] = b.Number
			}
		case *entry.HoldersSent:
			if days[b.Day] {
				w.t.Errorf("entry %d: a second list of %s", i, b.Day)
			}
			days[b.Day] = true
		case *entry.KeyCreated:
			if b.TBS != nil {
				announced[*b.TBS] = true
			}
		case *entry.Revocation:
			if causes[b.Cause] {
				w.t.Errorf("entry %d: one cause led to two revocations", i)
			}
			causes[b.Cause] = true
			w.checkCause(es, i, b)
		}
	}
	for i, e := range es {
		if b, ok := e.Body.(*entry.RevocationRequested); ok && b.Decision.Allow && !causes[uint64(i)] {
			w.t.Errorf("entry %d: an allowed request led to no revocation", i)
		}
	}
	if tree.Pending() != 0 {
		w.t.Errorf("%d intents are open", tree.Pending())
	}
	w.checkJournal(es, intents, announced)
	w.checkRegistry(tree, intents)
}

// checkJournal: every use of the key was announced, and no intent was given up
// whose signature exists, if the key can make it again.
func (w *world) checkJournal(es []entry.Entry, intents map[uint64]*entry.CertIntent, announced map[entry.Digest]bool) {
	w.t.Helper()
	used := map[entry.Digest]bool{}
	must(w.t, w.key.Journal(func(r keystore.Record) error {
		if r.Use == keystore.UseSign || r.Use == keystore.UseResume {
			used[r.TBS] = true
			if !announced[r.TBS] {
				w.t.Error("the key was used for bytes that no entry announces")
			}
		}
		return nil
	}))
	for i, e := range es {
		if b, ok := e.Body.(*entry.CertAborted); ok && b.Reason == entry.AbortCrash && used[intents[b.Ordinal].TBS] && !w.fickle {
			w.t.Errorf("entry %d: aborted, but the key was used", i)
		}
	}
}

func (w *world) checkCause(es []entry.Entry, i int, b *entry.Revocation) {
	w.t.Helper()
	if b.Cause >= uint64(i) {
		w.t.Fatalf("entry %d: the cause comes after the revocation", i)
	}
	switch c := es[b.Cause].Body.(type) {
	case *entry.NoticeReceived:
		if b.Ground != entry.GroundChange {
			w.t.Errorf("entry %d: ground %s after a notice", i, b.Ground)
		}
	case *entry.RevocationRequested:
		if !c.Decision.Allow || c.Ground != b.Ground || c.Ordinal != b.Ordinal {
			w.t.Errorf("entry %d: the request is another one", i)
		}
	default:
		w.t.Errorf("entry %d: no cause", i)
	}
}

func (w *world) checkRegistry(tree *status.Tree, intents map[uint64]*entry.CertIntent) {
	w.t.Helper()
	size, err := w.reg.Size()
	must(w.t, err)
	if size != tree.Size() {
		w.t.Fatalf("registry has %d ordinals, the log %d", size, tree.Size())
	}
	for o := range size {
		rec, err := w.reg.Get(o)
		must(w.t, err)
		want := map[registry.State]status.State{registry.Issued: status.Valid, registry.Revoked: status.Revoked, registry.Aborted: status.None}
		if s, ok := want[rec.State]; !ok || tree.State(o) != s {
			w.t.Errorf("ordinal %d is %v in the log and %d in the registry", o, tree.State(o), rec.State)
		}
		if rec.State == registry.Aborted || rec.Erased {
			continue
		}
		cert, err := x509.ParseCertificate(rec.DER)
		must(w.t, err)
		if entry.Sum(cert.RawTBSCertificate) != intents[o].TBS || !opens(rec.Key, rec.Certified, intents[o].Subject) {
			w.t.Errorf("ordinal %d: certificate or person is not the announced one", o)
		}
	}
}

// intent returns the cert.intent of an ordinal.
func (w *world) intent(ordinal uint64) *entry.CertIntent {
	w.t.Helper()
	for _, e := range w.entries() {
		if b, ok := e.Body.(*entry.CertIntent); ok && b.Ordinal == ordinal {
			return b
		}
	}
	w.t.Fatalf("no intent of %d", ordinal)
	return nil
}

// sent returns the notice.sent of a sequence number.
func (w *world) sent(seq uint64) *entry.NoticeSent {
	w.t.Helper()
	for _, e := range w.entries() {
		if b, ok := e.Body.(*entry.NoticeSent); ok && b.Notice == seq {
			return b
		}
	}
	w.t.Fatalf("notice %d was not sent", seq)
	return nil
}
