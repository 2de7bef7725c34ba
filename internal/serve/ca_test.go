package serve

import (
	"os"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
)

const caYAML = `
format: 1
role: ca
listen: 127.0.0.1:0
public: 127.0.0.1:0
metrics: 127.0.0.1:0
tls:
  cert: ledger.pem
  key: ledger.key
  roots: {lgwan: lgwan.pem}
ca:
  keys: ca.yaml
  state: state
  ledger: {url: https://127.0.0.1:9, cert: ledger.pem, key: ledger.key, root: open.pem}
  counters:
    - {name: counter-202011, municipality: "202011", counter: NAG202011}
  officers: {ca-officer-1: operator, ca-officer-2: operator, auditor-1: auditor}
  listsEvery: 24h
  link:
    listen: 127.0.0.1:0
    url: https://127.0.0.1:9
    dailyAt: "02:00"
    counts: {key: counts.key, peer: juki-counts.pub}
`

// strictly expects each change of a good configuration to be refused.
func (s *site) strictly(good string, changes map[string][2]string) {
	s.t.Helper()
	if _, err := Load(s.write("good.yaml", good, 0o644)); err != nil {
		s.t.Fatal(err)
	}
	for name, r := range changes {
		text := strings.Replace(good, r[0], r[1], 1)
		if text == good {
			s.t.Errorf("%s: nothing was changed", name)
		}
		if _, err := Load(s.write("bad.yaml", text, 0o644)); err == nil {
			s.t.Errorf("%s is accepted", name)
		}
	}
}

func TestCAConfigIsStrict(t *testing.T) {
	s := newSite(t)
	s.strictly(caYAML, map[string][2]string{
		"unknown member":           {"  state: state", "  state: state\n  staet: x"},
		"another role's section":   {"ca:\n", "witness: {dir: a, name: b, key: c, logs: [d]}\nca:\n"},
		"the register's root":      {"{lgwan: lgwan.pem}", "{lgwan: lgwan.pem, juki: juki.pem}"},
		"another network":          {"{lgwan: lgwan.pem}", "{open: open.pem}"},
		"no metrics":               {"metrics: 127.0.0.1:0\n", ""},
		"a log without mTLS":       {"url: https:", "url: http:"},
		"a log with a path":        {"127.0.0.1:9,", "127.0.0.1:9/ledger,"},
		"a town that is none":      {`"202011"`, `"202012"`},
		"an officer's role":        {"ca-officer-1: operator", "ca-officer-1: governor"},
		"a counter as officer":     {"auditor-1: auditor", "counter-202011: counter"},
		"lists that come too late": {"24h", "47h"},
		"no keys":                  {"  keys: ca.yaml\n", ""},
	})
	s.write("ca.yaml", strings.ReplaceAll(`
format: 1
dir: ca
journals: journals
base: http://ca.example
demo: true
threshold: 2
officers:
  - {id: officer-a, key: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=}
  - {id: officer-b, key: PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=}
issuer: {algorithm: p256}
responder: {algorithm: p256}
software: {dir: keys, passphrase_file: pass}
log: {vkey: VKEY, store: log/store, head: log/head, key_file: log.key}
authority: {registry: registry, registry_key: registry.key, notice_mode: reference}
`, "VKEY", s.vkey), 0o644)
	if a, stop := s.start("ca-role.yaml", caYAML); a != nil || say.Code(stop()) != "serve.demo-keys" {
		t.Error("a CA runs on demo keys")
	}
	if _, err := os.Stat(s.at("registry")); err == nil {
		t.Error("a registry was made before the keys were looked at")
	}
}

const jukiYAML = `
format: 1
role: juki
listen: 127.0.0.1:0
metrics: 127.0.0.1:0
tls:
  cert: ledger.pem
  key: ledger.key
  roots: {juki: juki.pem}
juki:
  dir: data
  noticeMode: reference
  ledger: {url: https://127.0.0.1:9, cert: ledger.pem, key: ledger.key, root: open.pem}
  terminals:
    - {name: juki-terminal-202011, municipality: "202011"}
  officers: [matching-01]
  link: {listen: 127.0.0.1:0, url: https://127.0.0.1:9, dailyAt: "23:50"}
`

const linkYAML = `
format: 1
role: juki-link
listen: 127.0.0.1:0
metrics: 127.0.0.1:0
tls:
  cert: ledger.pem
  key: ledger.key
  roots: {lgwan: lgwan.pem, juki: juki.pem}
link:
  inner: 127.0.0.1:0
  server: https://127.0.0.1:9
  peer: https://127.0.0.1:9
`

func TestJukiAndLinkConfigsAreStrict(t *testing.T) {
	s := newSite(t)
	s.strictly(jukiYAML, map[string][2]string{
		"the CA's root":             {"{juki: juki.pem}", "{juki: juki.pem, lgwan: lgwan.pem}"},
		"a public address":          {"metrics:", "public: 127.0.0.1:0\nmetrics:"},
		"a mode that is none":       {"reference", "both"},
		"a terminal as officer":     {"[matching-01]", "[juki-terminal-202011]"},
		"an officer with a code":    {"[matching-01]", "[op-99999000008]"},
		"no link":                   {`  link: {listen: 127.0.0.1:0, url: https://127.0.0.1:9, dailyAt: "23:50"}`, ""},
		"a time that is none":       {"23:50", "24:00"},
		"half a pair of keys":       {`dailyAt: "23:50"`, `dailyAt: "23:50", counts: {key: counts.key}`},
		"a gateway on a plain line": {"url: https://127.0.0.1:9, dailyAt", "url: http://127.0.0.1:9, dailyAt"},
	})
	s.strictly(linkYAML, map[string][2]string{
		"one root":               {"{lgwan: lgwan.pem, juki: juki.pem}", "{lgwan: lgwan.pem}"},
		"a third root":           {"juki: juki.pem}", "juki: juki.pem, open: open.pem}"},
		"no inner door":          {"  inner: 127.0.0.1:0\n", ""},
		"a peer on a plain line": {"peer: https", "peer: http"},
		"another section":        {"link:\n", "witness: {dir: a, name: b, key: c, logs: [d]}\nlink:\n"},
	})
	// A link server shows its own name to the other network, and no other.
	if a, stop := s.start("link.yaml", linkYAML); a != nil || !strings.Contains(stop().Error(), "juki-link-server") {
		t.Error("a link server runs under the ledger's certificate")
	}
}
