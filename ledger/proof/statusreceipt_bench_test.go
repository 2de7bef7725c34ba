package proof

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

func BenchmarkVerifyStatus(b *testing.B) {
	s, w := sizedReceipt(b, 100_000_000, 220_000_001, rand.New(rand.NewPCG(1, 2)))
	p := w.policy(b, "all")
	der := cert(100_000_000 / 3)
	file := s.Marshal()
	n, err := parseSigned(s.Checkpoint)
	if err != nil {
		b.Fatal(err)
	}
	measure := func(b *testing.B, f func() error) {
		b.ReportAllocs()
		before := cpuTime()
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-us/op")
	}
	b.Run("receipt", func(b *testing.B) {
		measure(b, func() error {
			s, err := ParseStatusReceipt(file)
			if err == nil {
				_, err = p.VerifyStatus(s, der)
			}
			return err
		})
	})
	// The floor: the log's and the witnesses' signatures and nothing else, one
	// after the other, and as a receipt's are checked.
	lines, err := p.explain(n)
	if err != nil {
		b.Fatal(err)
	}
	all := func() error {
		for i := range lines {
			if !lines[i].valid {
				return fmt.Errorf("signature %d is not valid", i)
			}
		}
		return nil
	}
	b.Run("signatures/in-turn", func(b *testing.B) {
		measure(b, func() error {
			for i := range lines {
				lines[i].valid = lines[i].key.verifier.Verify([]byte(n.text), lines[i].sig)
			}
			return all()
		})
	})
	b.Run("signatures/side-by-side", func(b *testing.B) {
		measure(b, func() error { verifyAll([]byte(n.text), lines); return all() })
	})
}

// cpuTime is the processor time that the process has used.
func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // can't fail for the own process
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
