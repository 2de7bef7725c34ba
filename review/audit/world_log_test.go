package audit

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/proof"
)

// leaf returns entry i's bytes as the log hands them out.
func (w *world) leaf(i int) []byte {
	if b, ok := w.raw[i]; ok {
		return b
	}
	b, err := w.entries[i].Marshal()
	must(w.t, err)
	return b
}

func (w *world) root(n int) tlog.Hash {
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(is []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(is))
		for i, x := range is {
			out[i] = hashes[x]
		}
		return out, nil
	})
	for i := range n {
		b, err := w.entries[i].Marshal()
		must(w.t, err)
		hs, err := tlog.StoredHashes(int64(i), b, reader)
		must(w.t, err)
		hashes = append(hashes, hs...)
	}
	h, err := tlog.TreeHash(int64(n), reader)
	must(w.t, err)
	return h
}

// checkpoint signs the log as it is, over the entries as written: w.raw is
// what happens to the store afterwards.
func (w *world) checkpoint() []byte {
	n := len(w.entries)
	h := w.root(n)
	msg, err := note.Sign(&note.Note{Text: fmt.Sprintf("log.example/audit\n%d\n%s\n", n, h)}, w.logKey)
	must(w.t, err)
	return msg
}

// Entries implements the auditor's source.
func (w *world) Entries(ctx context.Context, from, to uint64, fn func(uint64, []byte) error) error {
	for i := from; i < to && i < uint64(len(w.entries)); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(i, w.leaf(int(i))); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) source() Source {
	p, err := proof.LogOnly(w.vkey)
	must(w.t, err)
	s := Source{Log: w, Checkpoint: w.checkpoint(), Policy: p, Earlier: w.earlier,
		Issuers:      []File{{"issuer.pem", w.ca.DER}},
		Certificates: FileList(w.certs...), CRLs: FileList(w.crls...), OCSP: FileList(w.ocsps...), Journal: &w.journal,
		Openings: w.openings, Threshold: 2, Replay: w.replay, Proofs: w.proofs,
		Links: &LinkKeys{Register: &linkKeys()[0].PublicKey, CA: &linkKeys()[1].PublicKey}}
	for _, k := range w.council {
		s.Council = append(s.Council, k.Public().(ed25519.PublicKey))
	}
	return s
}

func (w *world) audit() *Result {
	w.t.Helper()
	r, err := Audit(context.Background(), w.source(), Options{Now: w.now})
	must(w.t, err)
	return r
}
