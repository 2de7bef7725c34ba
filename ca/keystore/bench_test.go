package keystore

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
)

// BenchmarkGate signs through the whole gate with a software key: receipt,
// journal with fsync, key, verification. Intents are logged beforehand.
func BenchmarkGate(b *testing.B) {
	for _, alg := range []string{RSA2048, P256} {
		b.Run(alg, func(b *testing.B) {
			l := newLog(b)
			k := create(b, config(b, l, alg))
			tbs, logged := make([][]byte, b.N), make([]*keystoretest.Logged, b.N)
			for i := range b.N {
				tbs[i], logged[i] = intent(b, l, k.KeyID(), uint64(i))
			}
			var next atomic.Int64
			b.SetParallelism(64)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := next.Add(1) - 1
					if _, err := k.Sign(context.Background(), tbs[i], logged[i].Bytes, logged[i].Receipt); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sign/s")
		})
	}
}
