package policy_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// The acceptance scenarios of DOMAIN 11.4 that the policy decides, by their
// numbers.

func mustHold(t *testing.T, got []string, want ...string) {
	t.Helper()
	for _, c := range want {
		if !slices.Contains(got, c) {
			t.Errorf("refused by %v, not by %s", got, c)
		}
	}
}

func swap(b []byte, old, new string) []byte {
	return bytes.Replace(b, []byte(old), []byte(new), 1)
}

// 9: notice with a code hidden in the name, in full-width digits, in an extra
// field.
func TestScenario09HiddenCode(t *testing.T) {
	r := receive(t, notice.Echo)
	r.Bytes = swap(r.Bytes, "太郎", "太郎九九九九九〇〇〇〇一七")
	mustHold(t, codes(t, r.Facts()), "N301", "N401")
	r = receive(t, notice.Echo)
	r.Bytes = swap(r.Bytes, "太郎", "太郎９９９９９００００１７")
	mustHold(t, codes(t, r.Facts()), "N301", "N401", "N403")
	r = receive(t, notice.Reference)
	r.Bytes = swap(r.Bytes, `,"v"`, `,"residentCode":"99999000017","v"`)
	mustHold(t, codes(t, r.Facts()), "N103", "N401", "N403")
	// The sender knows the code, so no check digit is needed to find it.
	s := send(t, notice.Echo)
	s.Bytes = swap(s.Bytes, "太郎", "太郎9あ9い9う9え9お0か0き0く0け1こ7")
	mustHold(t, codes(t, s.Facts()), "N301", "N401")
}

// 10: notice with the new address.
func TestScenario10NewAddress(t *testing.T) {
	s := send(t, notice.Echo)
	s.Bytes = swap(s.Bytes, s.Match.Certified.Address, s.Secrets.NewAddress)
	mustHold(t, codes(t, s.Facts()), "N301", "N302")
	// The receiver does not know the new address; that the old one is missing
	// is enough.
	r := receive(t, notice.Echo)
	r.Bytes = s.Bytes
	mustHold(t, codes(t, r.Facts()), "N206", "N301")
	// Written otherwise it is found as well.
	s = send(t, notice.Echo)
	s.Bytes = swap(s.Bytes, s.Match.Certified.Address, "長野県 松本市 丸の内3番7号")
	mustHold(t, codes(t, s.Facts()), "N301", "N302")
}

// 11: name-only change: old address = new address, must pass.
func TestScenario11NameOnlyChange(t *testing.T) {
	s := send(t, notice.Echo)
	s.Secrets.NewAddress = s.Match.Certified.Address
	if got := codes(t, s.Facts()); len(got) != 0 {
		t.Errorf("refused by %v", got)
	}
}

// 13: replayed notice.
func TestScenario13Replay(t *testing.T) {
	r := receive(t, notice.Reference)
	r.NextSeq++
	if got := codes(t, r.Facts()); !slices.Equal(got, []string{"N203"}) {
		t.Errorf("refused by %v", got)
	}
}

// 14 and 15: a notice for an expired certificate, or one revoked on request.
// Neither is an attack: the notice passes, and that nothing is left to revoke
// is found by the CA from the certificate's state.
func TestScenario14And15NothingLeftToRevoke(t *testing.T) {
	r := receive(t, notice.Reference)
	r.Found.Issued = true // issued once; whether it is live since is not asked
	if got := codes(t, r.Facts()); len(got) != 0 {
		t.Errorf("refused by %v", got)
	}
	f := allTrue(policy.Revoke)
	f.Set("not_yet_revoked", false)
	if got := codes(t, f); !slices.Equal(got, []string{"R205"}) {
		t.Errorf("a second revocation is refused by %v", got)
	}
}

// A server sees a request as net/http gives it; what Go's client adds is
// allowed, what anybody else adds is not.
func TestMetadataAsServersSeeIt(t *testing.T) {
	m := policy.Metadata{Method: http.MethodPost, Path: policy.PathNotices, Header: map[string][]string{
		"Content-Type": {policy.LinkContentType}, "User-Agent": {policy.LinkUserAgent}, "Accept-Encoding": {"gzip"}, "Content-Length": {"2048"}}}
	if !m.Clean(policy.PathNotices, 68) {
		t.Error("an honest request is not clean")
	}
	for name, change := range map[string]func(*policy.Metadata){
		"length of another body": func(m *policy.Metadata) { m.Header["Content-Length"] = []string{"68"} },
		"no user agent":          func(m *policy.Metadata) { delete(m.Header, "User-Agent") },
		"tracing":                func(m *policy.Metadata) { m.Header["Traceparent"] = []string{"00-" + strings.Repeat("a", 32)} },
		"another path":           func(m *policy.Metadata) { m.Path = policy.PathHolders },
	} {
		c := m
		c.Header = map[string][]string{}
		for k, v := range m.Header {
			c.Header[k] = v
		}
		change(&c)
		if c.Clean(policy.PathNotices, 68) {
			t.Errorf("a request with %s is clean", name)
		}
	}
}
