package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// out is a directory as the demo leaves it: witness.policy, entries, receipts,
// certs and a report with its proof.
type out struct {
	t       testing.TB
	dir     string
	signers []note.Signer
	hashes  []tlog.Hash
	entries [][]byte
	seq     map[string]uint64
	tree    *status.Tree
	report  []byte
}

var at = time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)

func (o *out) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(is []int64) ([]tlog.Hash, error) {
		hs := make([]tlog.Hash, len(is))
		for i, x := range is {
			hs[i] = o.hashes[x]
		}
		return hs, nil
	})
}

func (o *out) add(by string, body entry.Body) int {
	o.t.Helper()
	e := entry.Entry{At: entry.At(at), By: by, Seq: o.seq[by], Body: body}
	o.seq[by]++
	b, err := e.Marshal()
	o.must(err)
	hs, err := tlog.StoredHashes(int64(len(o.entries)), b, o.reader())
	o.must(err)
	o.must(o.tree.Apply(e))
	o.hashes, o.entries = append(o.hashes, hs...), append(o.entries, b)
	return len(o.entries) - 1
}

func (o *out) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *out) write(name string, b []byte) string {
	o.t.Helper()
	p := filepath.Join(o.dir, name)
	o.must(os.MkdirAll(filepath.Dir(p), 0o755))
	o.must(os.WriteFile(p, b, 0o644))
	return p
}

func (o *out) path(name string) string { return filepath.Join(o.dir, name) }

func (o *out) checkpoint() []byte {
	h, err := tlog.TreeHash(int64(len(o.entries)), o.reader())
	o.must(err)
	b, err := note.Sign(&note.Note{Text: fmt.Sprintf("log.example\n%d\n%s\n", len(o.entries), h)}, o.signers...)
	o.must(err)
	return b
}

func (o *out) inclusion(i int) []tlog.Hash {
	p, err := tlog.ProveRecord(int64(len(o.entries)), int64(i), o.reader())
	o.must(err)
	return p
}

func cert(i int) []byte { return append([]byte{0x30, 0x82}, fmt.Appendf(nil, "certificate %d", i)...) }

func newOut(t testing.TB) *out {
	o := &out{t: t, dir: t.TempDir(), seq: map[string]uint64{}, tree: status.New(), report: []byte(`{"format":"report","items":[]}`)}
	policy := ""
	for i, name := range []string{"log.example", "w1.example", "w2.example"} {
		h := sha256.Sum256([]byte(name))
		skey, vkey, err := note.GenerateKey(bytes.NewReader(append(h[:], h[:]...)), name)
		o.must(err)
		if i == 0 {
			s, err := note.NewSigner(skey)
			o.must(err)
			o.signers = append(o.signers, s)
			policy = "log " + vkey + "\n"
			continue
		}
		s, err := fnote.NewSignerForCosignatureV1(skey)
		o.must(err)
		o.signers = append(o.signers, s)
		v, err := fnote.VKeyToCosignatureV1(vkey)
		o.must(err)
		policy += fmt.Sprintf("witness w%d %s\n", i, v)
	}
	o.write("witness.policy", []byte(policy+"group both all w1 w2\nquorum both\n"))

	decision := entry.Decision{Allow: true, Bundle: entry.Sum(nil), Codes: []string{}, Engine: "opa-1", Facts: "ff", Ruleset: "issue"}
	issued := map[int]int{}
	for i := range 3 {
		d := entry.Sum(cert(i))
		o.add(entry.ByCA, &entry.CertIntent{Decision: decision, Issuer: d, Municipality: "202011", Ordinal: uint64(i), Profile: d, Serial: "0a", Subject: d, TBS: d})
		issued[i] = o.add(entry.ByCA, &entry.CertIssued{Certificate: d, Ordinal: uint64(i)})
	}
	o.add(entry.ByCA, &entry.Revocation{Ground: entry.GroundRequest, Ordinal: 1, Recorded: entry.At(at), Serial: "0a"})
	rep := o.add(entry.ByCouncil, &entry.ReviewReport{Covers: 7, Digest: entry.Sum(o.report), Items: entry.Items{A: 5, B: 1}})
	o.add(entry.ByLog, &entry.StatusRoot{Covers: uint64(len(o.entries)), Issued: 3, Revoked: 1, Root: o.tree.Root(), Size: 3})

	cp := o.checkpoint()
	for i, e := range o.entries {
		o.write(fmt.Sprintf("entries/%d.json", i), e)
		o.write(fmt.Sprintf("entries/%d.tlog-proof", i), (&proof.Receipt{Index: uint64(i), Hashes: o.inclusion(i), Checkpoint: cp}).Marshal())
	}
	last := len(o.entries) - 1
	for i, x := range issued {
		chunk, path, err := o.tree.Prove(uint64(i))
		o.must(err)
		s := &proof.StatusReceipt{Issued: o.entries[x], Index: uint64(x), IssuedPath: o.inclusion(x), Chunk: chunk, ChunkPath: path,
			Root: o.entries[last], RootPath: o.inclusion(last), Checkpoint: cp}
		o.write(fmt.Sprintf("receipts/%d.status", i), s.Marshal())
		o.write(fmt.Sprintf("certs/%d.pem", i), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert(i)}))
	}
	o.write("report.json", o.report)
	o.write("report.entry.json", o.entries[rep])
	o.write("report.tlog-proof", (&proof.Receipt{Index: uint64(rep), Hashes: o.inclusion(rep), Checkpoint: cp}).Marshal())
	return o
}
