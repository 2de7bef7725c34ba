package registrytest

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sukashi-project/sukashi/ca/registry"
)

// inFlight is how many issuances are under way at a time in Bench.
const inFlight = 64

// Bench takes records with a certificate of 1,500 bytes from Prepared to
// Issued: the four writes that one issuance costs, with many under way.
func Bench(b *testing.B, r *registry.Registry) {
	tbs, der := bytes.Repeat([]byte{1}, 1200), bytes.Repeat([]byte{2}, 1500)
	recs := make([]*registry.Record, b.N)
	for i := range recs {
		recs[i] = NewRecord(b, uint64(i), "総務　太郎")
		recs[i].Certified.Address = fmt.Sprint("長野県長野市", i)
		recs[i].Certified.AddressMap = string(bytes.Repeat([]byte("0"), len([]rune(recs[i].Certified.Address))))
		recs[i].TBS = tbs
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range inFlight {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				if err := issueOne(r, recs[i], der); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "issuances/s")
}

func issueOne(r *registry.Registry, rec *registry.Record, der []byte) error {
	if err := r.Prepare(rec); err != nil {
		return err
	}
	for _, step := range []struct {
		d  registry.Durability
		fn func(*registry.Record) error
	}{
		{registry.Relaxed, func(x *registry.Record) error { x.State = registry.Intended; return nil }},
		{registry.Synced, func(x *registry.Record) error { x.State, x.DER, x.TBS = registry.Signed, der, nil; return nil }},
		{registry.Relaxed, func(x *registry.Record) error { x.State = registry.Issued; return nil }},
	} {
		if err := r.Change(rec.Ordinal, step.d, step.fn); err != nil {
			return err
		}
	}
	return nil
}

// BenchShred erases one record among b.N: the price of an erasure is the
// index, which is made anew. The time is for each record that is kept.
func BenchShred(b *testing.B, r *registry.Registry) {
	for i := range b.N + 1 {
		must(b, r.Prepare(NewRecord(b, uint64(i), fmt.Sprint("人", i))))
	}
	must(b, r.Change(0, registry.Synced, func(x *registry.Record) error { x.Abort(); return nil }))
	b.ResetTimer()
	must(b, r.Shred(b.Context()))
}
