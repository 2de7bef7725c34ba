package serve

import "testing"

const pagesYAML = `
format: 1
role: agency
listen: 127.0.0.1:0
metrics: 127.0.0.1:0
pages: {log: "http://127.0.0.1:9", policy: witness.policy, issuers: [issuer.pem]}
`

func TestPagesConfigIsStrict(t *testing.T) {
	s := newSite(t)
	s.strictly(pagesYAML, map[string][2]string{
		"no issuers":        {", issuers: [issuer.pem]", ""},
		"no policy":         {", policy: witness.policy", ""},
		"a report too":      {"issuers:", "report: report.html, issuers:"},
		"a portal's issuer": {"role: agency", "role: portal"},
		"a council's log":   {"role: agency", "role: council"},
		"client roots":      {"metrics:", "tls: {cert: a, key: b, roots: {open: open.pem}}\nmetrics:"},
		"a log elsewhere":   {"http://127.0.0.1:9", "file:///log"},
		"no metrics":        {"metrics: 127.0.0.1:0\n", ""},
		"everywhere":        {"listen: 127.0.0.1:0", "listen: :0"},
	})
}
