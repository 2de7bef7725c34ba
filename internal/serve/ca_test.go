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
