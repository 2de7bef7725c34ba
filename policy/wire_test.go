package policy_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
	"github.com/sukashi-project/sukashi/policy/pad"
)

// arrived is a body as the CA's link server takes it.
func arrivedAs(t testing.TB, wire []byte) ([]byte, policy.Metadata) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, policy.PathNotices, bytes.NewReader(wire))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = policy.LinkHeader()
	return policy.Arrived(r, wire)
}

// Codes hidden in the padding, in its length, or in the place of it, in every
// family: all are refused. The honest wire form passes.
func TestWireCarriesNothing(t *testing.T) {
	ctx, d := context.Background(), decider(t, 3)
	into := map[string]func(w []byte, end int, hidden string) []byte{
		"in the padding":       func(w []byte, end int, h string) []byte { copy(w[end+100:], h); return w },
		"at its beginning":     func(w []byte, end int, h string) []byte { copy(w[end+1:], h); return w },
		"for the line feed":    func(w []byte, end int, h string) []byte { copy(w[end:], h); return w },
		"at its end":           func(w []byte, end int, h string) []byte { copy(w[len(w)-len(h):], h); return w },
		"after it":             func(w []byte, end int, h string) []byte { return append(w, h...) },
		"in a second line":     func(w []byte, end int, h string) []byte { copy(w[end+1:], h+"\n"); return w },
		"for all of it":        func(w []byte, end int, h string) []byte { return append(w[:end:end], h...) },
		"before it all":        func(w []byte, end int, h string) []byte { return append([]byte(h), w...) },
		"as its length":        func(w []byte, end int, h string) []byte { return w[:len(w)-int(h[0])-1] },
		"as spaces and feeds":  func(w []byte, end int, h string) []byte { return feeds(w, end, h) },
		"as more than is due":  func(w []byte, end int, h string) []byte { return pad.Wire(w[:end], 2*pad.Fixed) },
		"as no padding at all": func(w []byte, end int, h string) []byte { return w[:end] },
	}
	tried := 0
	for _, mode := range []string{notice.Reference, notice.Echo} {
		honest := receive(t, mode)
		honest.Bytes, honest.Metadata = arrivedAs(t, policy.Padded(policy.PathNotices, honest.Bytes))
		if !d.Decide(ctx, honest.Facts()).Allow {
			t.Fatalf("%s: the honest wire form is refused", mode)
		}
		for fname, f := range families() {
			for i := range uint64(5) {
				code, err := jtext.MakeResidentCode(i * 37)
				if err != nil {
					t.Fatal(err)
				}
				hidden := f(code)
				if len(hidden) > 1000 {
					continue
				}
				for cname, c := range into {
					wire := policy.Padded(policy.PathNotices, honest.Bytes)
					r := honest
					r.Bytes, r.Metadata = arrivedAs(t, c(wire, len(honest.Bytes), hidden))
					tried++
					// The engine is asked where form and metadata don't tell at once.
					if _, form := notice.Examine(r.Bytes); i > 0 && (form.Code() != "" || !r.Metadata.Clean(policy.PathNotices, len(r.Bytes))) {
						continue
					}
					if d.Decide(ctx, r.Facts()).Allow {
						t.Errorf("%s %s passes in %s", fname, cname, mode)
					}
				}
			}
		}
	}
	t.Logf("%d tried, 0 passed", tried)
}

// feeds writes the bits of a code as spaces and line feeds.
func feeds(w []byte, end int, hidden string) []byte {
	at := end + 1
	for _, b := range []byte(hidden) {
		for bit := range 8 {
			if at < len(w) && b>>bit&1 == 1 {
				w[at] = '\n'
			}
			at++
		}
	}
	if !strings.Contains(string(w[end+1:]), "\n") {
		w[end+1] = '\n'
	}
	return w
}
