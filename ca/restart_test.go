package ca

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore"
	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ca/registry"
	"github.com/sukashi-project/sukashi/ca/revocation"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// TestRestart measures a start of log, key, registry and CA, up to the moment
// when OCSP and lists speak for the newest entry, with SUKASHI_RESTART_INTENTS
// issued certificates (20,000 when not set), once from snapshots and once
// without. The registry has records of the newest 1,000 only: what a start reads
// of it (cursors, open issuances, the largest ordinal) does not grow with it.
func TestRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: fills a log")
	}
	n := uint64(20_000)
	if s := os.Getenv("SUKASHI_RESTART_INTENTS"); s != "" {
		var err error
		n, err = strconv.ParseUint(s, 10, 64)
		must(t, err)
	}
	w := newWorld(t, worldOptions{disk: true, saved: true})
	w.logConf.SnapshotEvery = max(1000, n/10)
	w.fill(n, 1000, town)
	for _, kept := range []bool{true, false} {
		w.stateDir = ""
		if kept {
			w.stateDir = filepath.Join(w.dir, "state")
			w.restartAll()
			_, err := w.engine.Publish(ctx)
			must(t, err)
			must(t, w.ca.Follow(ctx))
			w.ca.followMu.Lock()
			must(t, w.ca.writeState())
			w.ca.followMu.Unlock()
		}
		began := time.Now()
		took := w.restartAll()
		all := time.Since(began)
		c := w.issue(map[bool]string{true: "再起動　あ", false: "再起動　い"}[kept])
		if c.Ordinal < n || w.ca.State().Covers() < 2*n {
			t.Errorf("the CA went on at %d", c.Ordinal)
		}
		must(t, w.ca.Follow(ctx))
		if a := w.ca.State().Lookup(w.key.KeyID(), serialOf(7)); a.Status != revocation.Good {
			t.Errorf("an old certificate is %v", a.Status)
		}
		t.Logf("%d certificates, snapshots %v: restart %s (log %s, key %s, registry %s, CA %s, state %s)", n, kept, all.Round(time.Millisecond),
			took[0], took[1], took[2], took[3], took[4])
	}
}

// restartAll closes and opens everything and returns how long each part took to
// open.
func (w *world) restartAll() (took [5]time.Duration) {
	w.t.Helper()
	must(w.t, w.ca.Close())
	w.sender.Close()
	must(w.t, w.reg.Close())
	must(w.t, w.key.Close())
	must(w.t, w.engine.Close())
	w.reg = nil
	last := time.Now()
	lap := func(i int) {
		took[i] = time.Since(last).Round(time.Millisecond)
		last = time.Now()
	}
	w.openLog()
	lap(0)
	w.openKey()
	lap(1)
	w.openRegistry()
	lap(2)
	w.open()
	lap(3)
	must(w.t, w.ca.Follow(ctx))
	lap(4)
	return took
}

func serialOf(o uint64) []byte {
	d := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("serial"), o))
	d[0] = d[0]&0x3f | 0x40
	return d[:16]
}

// fill logs n issuances, of the towns by turns, and writes the journal and the
// newest records to them.
func (w *world) fill(n, newest uint64, towns ...string) {
	w.t.Helper()
	must(w.t, w.ca.Close())
	writer, err := ledger.NewWriter(ctx, w.engine, entry.ByCA, w.clock.now)
	must(w.t, err)
	journal := w.newJournal()
	sample := w.sampleIntent()
	for from := uint64(0); from < n; from += 500 {
		to := min(from+500, n)
		var intents, issued []entry.Body
		for o := from; o < to; o++ {
			body := *sample
			body.Ordinal, body.Serial, body.Municipality = o, hex.EncodeToString(serialOf(o)), towns[o%uint64(len(towns))]
			body.TBS = entry.Sum(serialOf(o))
			intents = append(intents, &body)
			issued = append(issued, &entry.CertIssued{Ordinal: o, Certificate: entry.Sum(serialOf(o))})
		}
		logged, err := writer.AppendAll(ctx, intents...)
		must(w.t, err)
		done, err := writer.AppendAll(ctx, issued...)
		must(w.t, err)
		var recs []*registry.Record
		for i, l := range logged {
			intent := intents[i].(*entry.CertIntent)
			journal.add(l.Index, intent.TBS)
			if o := from + uint64(i); o+newest >= n {
				recs = append(recs, w.record(o, intent.Municipality, l.Index, done[i].Index))
			}
		}
		w.keep(recs)
		if from%50_000 == 0 {
			_, err = w.engine.Publish(ctx)
			must(w.t, err)
		}
	}
	must(w.t, writer.Close())
	for _, by := range []string{entry.ByCA, entry.ByCALink} {
		next, err := w.engine.NextSeq(ctx, by)
		must(w.t, err)
		must(w.t, w.reg.SetCursor(by, next))
	}
	must(w.t, w.key.Close())
	journal.write(filepath.Join(w.dir, "journal", keystore.JournalName))
	w.openKey()
	w.open()
}

// journalFile makes a signing journal in the form of docs/formats.md.
type journalFile struct {
	w     *world
	bytes []byte
	chain []byte
}

func (w *world) newJournal() *journalFile {
	b, err := os.ReadFile(filepath.Join(w.dir, "journal", keystore.JournalName))
	must(w.t, err)
	return &journalFile{w, b, b[len(b)-16:]} // after the root's own record
}

func (j *journalFile) add(index uint64, tbs entry.Digest) {
	at := len(j.bytes)
	j.bytes = binary.BigEndian.AppendUint64(j.bytes, uint64(keystore.UseSign)<<56|uint64(j.w.clock.now().Unix()))
	j.bytes = binary.BigEndian.AppendUint64(j.bytes, index)
	j.bytes = append(j.bytes, tbs[:]...)
	sum := sha256.Sum256(append(append([]byte{}, j.chain...), j.bytes[at:]...))
	j.chain = sum[:16]
	j.bytes = append(j.bytes, j.chain...)
}

func (j *journalFile) write(path string) { must(j.w.t, os.WriteFile(path, j.bytes, 0o600)) }

func (w *world) openKey() {
	w.t.Helper()
	trust, err := proof.LogOnly(w.logConf.VKey)
	must(w.t, err)
	w.key, err = keystore.OpenSoftware(keystore.SoftwareConfig{Path: filepath.Join(w.dir, "issuer.key"), Passphrase: []byte("demo-passphrase"),
		Gate: keystore.GateConfig{Log: trust, Journal: filepath.Join(w.dir, "journal"), Now: w.clock.now}})
	must(w.t, err)
	key := w.key
	w.t.Cleanup(func() { key.Close() })
	w.signing = w.key
}

func (w *world) openRegistry() {
	w.t.Helper()
	var err error
	w.reg, err = registry.Open(w.regDir, registry.Config{Key: w.regKey, Rand: rand.Reader})
	must(w.t, err)
	reg := w.reg
	w.t.Cleanup(func() { reg.Close() })
}

func (w *world) sampleIntent() *entry.CertIntent {
	return &entry.CertIntent{Decision: keystoretest.Decision("issue"), Issuer: w.key.KeyID(), Municipality: town,
		Profile: entry.Sum([]byte("profile")), Subject: entry.Sum([]byte("subject"))}
}

// record is the registry's record of a filled issuance.
func (w *world) record(o uint64, town string, intent, issued uint64) *registry.Record {
	w.t.Helper()
	key, err := commitment.NewKey(rand.Reader)
	must(w.t, err)
	return &registry.Record{Ordinal: o, State: registry.Prepared, Application: "filled/" + strconv.FormatUint(o, 10), Serial: hex.EncodeToString(serialOf(o)),
		Municipality: town, Certified: certifiedOf("住民　" + strconv.FormatUint(o, 10)), NotBefore: w.clock.now(), NotAfter: w.clock.now().AddDate(5, 0, 0),
		TBS: []byte{0}, Digest: entry.Sum(serialOf(o)), SPKI: entry.Sum(binary.BigEndian.AppendUint64(nil, o)), Subject: entry.Sum([]byte("subject")), Key: key,
		IntentIndex: intent, IssuedIndex: issued}
}

// keep writes records as issued ones.
func (w *world) keep(recs []*registry.Record) {
	w.t.Helper()
	if len(recs) == 0 {
		return
	}
	must(w.t, w.reg.Prepare(recs...))
	ordinals := make([]uint64, len(recs))
	for i, r := range recs {
		ordinals[i] = r.Ordinal
	}
	must(w.t, w.reg.ChangeAll(registry.Relaxed, ordinals, func(_ int, r *registry.Record) error {
		r.State, r.TBS, r.DER = registry.Issued, nil, []byte{0}
		return nil
	}))
}
