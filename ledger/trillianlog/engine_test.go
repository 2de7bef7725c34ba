package trillianlog

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

var ctx = context.Background()

func TestOtherLogsStoreIsRefused(t *testing.T) {
	fs := kv.NewMemFS()
	c := config(t, fs)
	mustOpen(t, c).Close()
	other := c
	other.Origin = "log.test/2"
	other.Signer, other.VKey = keyPair(t, "log.test/2")
	if _, err := Open(ctx, other); say.Code(err) != CodeOrigin {
		t.Errorf("other origin: %v", err)
	}
	empty := c
	empty.Dir = "/elsewhere"
	if _, err := Open(ctx, empty); say.Code(err) != CodeLost {
		t.Errorf("store gone: %v", err)
	}
	e := mustOpen(t, c)
	appendAll(t, e, event(t, entry.ByCA, 0))
	if _, err := Open(ctx, c); err == nil {
		t.Error("one log could be opened twice")
	}
	e.Close()
	headless := c
	headless.HeadDir = "/new-head"
	if _, err := Open(ctx, headless); say.Code(err) != CodeHead {
		t.Errorf("head gone: %v", err)
	}
	headless.AdoptHead = true
	mustOpen(t, headless)
}

func TestConfigIsChecked(t *testing.T) {
	good := config(t, kv.NewMemFS())
	_, otherKey := keyPair(t, "log.test/2")
	for name, change := range map[string]func(*Config){
		"no dir":       func(c *Config) { c.Dir = "" },
		"same dir":     func(c *Config) { c.HeadDir = c.Dir },
		"no signer":    func(c *Config) { c.Signer = nil },
		"no clock":     func(c *Config) { c.Now = nil },
		"other origin": func(c *Config) { c.Origin = "x" },
		"other key":    func(c *Config) { c.VKey = otherKey },
		"no key":       func(c *Config) { c.VKey = "" },
		"limits":       func(c *Config) { c.MaxBatch = -1 },
	} {
		c := good
		change(&c)
		if _, err := Open(ctx, c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCancelledAppendIsCertain(t *testing.T) {
	e := mustOpen(t, config(t, kv.NewMemFS()))
	for i := uint64(0); i < 200; {
		c, cancel := context.WithCancel(ctx)
		go cancel()
		b := event(t, entry.ByCA, i)
		rs, err := e.Append(c, b)
		if err == nil {
			check(t, e, rs, [][]byte{b})
			i++
			continue
		}
		if n, _ := e.NextSeq(ctx, entry.ByCA); n != i {
			t.Fatalf("append was cancelled, but the entry is there")
		}
		if _, err := e.Append(ctx, b); err != nil {
			t.Fatal(err)
		}
		i++
	}
}

func TestCosignHook(t *testing.T) {
	c := config(t, kv.NewMemFS())
	var fail error
	var proved int
	var foreign bool
	c.Cosign = func(_ context.Context, note []byte, prove func(uint64) ([]tlog.Hash, error)) ([]byte, error) {
		if fail != nil {
			return nil, fail
		}
		if foreign {
			return []byte("something else"), nil
		}
		hs, err := prove(1)
		if err != nil {
			return nil, err
		}
		proved = len(hs)
		return append(note, "— witness AAAA\n"...), nil
	}
	e := mustOpen(t, c)
	first, err := e.Publish(ctx)
	if err != nil || !bytes.HasSuffix(first, []byte("witness AAAA\n")) || proved == 0 {
		t.Fatalf("%q %v", first, err)
	}
	appendAll(t, e, event(t, entry.ByCA, 0))
	fail = errors.New("witness is away")
	if _, err := e.Publish(ctx); !errors.Is(err, fail) {
		t.Errorf("publish without witness: %v", err)
	}
	size, _ := e.Size(ctx)
	if _, err := e.Publish(ctx); !errors.Is(err, fail) {
		t.Errorf("publish without witness again: %v", err)
	}
	if now, _ := e.Size(ctx); now != size {
		t.Error("the log grows while a witness is away")
	}
	if got, _ := e.Checkpoint(ctx); !bytes.Equal(got, first) {
		t.Error("a checkpoint without cosignature was published")
	}
	appendAll(t, e, event(t, entry.ByCA, 1)) // goes on meanwhile
	fail = nil
	if got, err := e.Publish(ctx); err != nil || bytes.Equal(got, first) {
		t.Errorf("publish after the witness is back: %v", err)
	}
	foreign = true
	appendAll(t, e, event(t, entry.ByCA, 2))
	if _, err := e.Publish(ctx); err == nil {
		t.Error("a foreign checkpoint was published")
	}
}
