package world_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/office"
	"github.com/sukashi-project/sukashi/internal/world"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// caller calls the CA's API with real TLS certificates and holds every request
// that is meant to be well formed, and every answer, to the API description.
type caller struct {
	t       *testing.T
	w       *world.World
	router  routers.Router
	clients map[string]*http.Client
	seen    map[string]bool // operations that were answered with success
}

func newCaller(t *testing.T, w *world.World) (*caller, *openapi3.T) {
	t.Helper()
	openapi3filter.RegisterBodyDecoder("application/pkix-cert", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/problem+json", openapi3filter.JSONBodyDecoder)
	doc, err := openapi3.NewLoader().LoadFromData(office.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &caller{t: t, w: w, router: router, clients: map[string]*http.Client{}, seen: map[string]bool{}}, doc
}

func (c *caller) do(name, method, path string, body any, wellFormed bool) (int, map[string]any) {
	c.t.Helper()
	if c.clients[name] == nil {
		cl, err := c.w.Officer(name)
		if err != nil {
			c.t.Fatal(err)
		}
		c.clients[name] = cl
	}
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		raw, _ = json.Marshal(b)
	}
	req, err := http.NewRequest(method, c.w.CA.FrontURL+path, bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	if raw != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	// The description has paths only; where the server is, it leaves open.
	plain, err := http.NewRequest(method, path, bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	plain.Header = req.Header.Clone()
	route, params, err := c.router.FindRoute(plain)
	if err != nil {
		c.t.Fatalf("%s %s is not described: %v", method, path, err)
	}
	in := &openapi3filter.RequestValidationInput{Request: plain, PathParams: params, Route: route}
	if err := openapi3filter.ValidateRequest(context.Background(), in); (err == nil) != wellFormed {
		c.t.Errorf("%s %s %s: well formed should be %v: %v", method, path, raw, wellFormed, err)
	}
	resp, err := c.clients[name].Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header}
	out.SetBodyBytes(b)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		c.t.Errorf("%s %s: the answer %d is not as described: %v\n%s", method, path, resp.StatusCode, err, b)
	}
	if resp.StatusCode < 300 {
		c.seen[route.Operation.OperationID] = true
	}
	var m map[string]any
	_ = json.Unmarshal(b, &m) // not every answer is JSON
	return resp.StatusCode, m
}

// want calls and compares status and problem code ("" for success).
func (c *caller) want(status int, code, name, method, path string, body any) map[string]any {
	c.t.Helper()
	got, m := c.do(name, method, path, body, code != "office.body")
	if s, _ := m["code"].(string); got != status || s != code {
		c.t.Errorf("%s %s %s: %d %q, want %d %q", name, method, path, got, s, status, code)
	}
	return m
}

func wish(act, ground, basis string, ordinals ...uint64) office.Wish {
	return office.Wish{Act: act, Ground: ground, Basis: basis, Ordinals: ordinals, V: 1}
}

// Two officers with two certificates, or nothing; and every route, request and
// answer as the description says.
func TestOffice(t *testing.T) {
	w, clk := open(t, entry.ModeReference)
	rs := moveIn(t, w, 1, 5)
	for i := range 3 {
		k, err := world.NewCard(card.P256)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Apply(context.Background(), rs[i], k, nil); err != nil {
			t.Fatal(err)
		}
	}
	c, doc := newCaller(t, w)
	const counter1, counter2, ca1, ca2, auditor = "counter-officer-1", "counter-officer-2", "ca-officer-1", "ca-officer-2", "auditor-1"
	POST, GET, DELETE := http.MethodPost, http.MethodGet, http.MethodDelete

	// Who may do what.
	c.want(403, "office.forbidden", "stranger", GET, office.PathProposals, nil)
	c.want(403, "office.forbidden", auditor, POST, office.PathProposals, wish("revoke", "art9", "", 0))
	c.want(403, "office.forbidden", counter1, POST, office.PathProposals, wish("revoke", "art13", "", 0))
	c.want(403, "office.forbidden", ca1, POST, office.PathProposals, wish("revoke", "art9", "", 0))
	c.want(403, "office.forbidden", counter1, POST, office.PathProposals, wish("erase", "", "lawful-request", 0))
	c.want(403, "office.forbidden", counter1, POST, office.PathLists, nil)
	c.want(403, "office.forbidden", auditor, POST, office.PathLists, nil)
	c.want(200, "", auditor, GET, office.PathOpenAPI, nil)
	for _, bad := range []any{`{}`, `[]`, `{"act":"revoke","ground":"art9","ordinals":[0],"v":1,"note":"x"}`, `{"act":"revoke","ground":"art9","ordinals":[0],"v":2}`} {
		c.want(422, "office.body", counter1, POST, office.PathProposals, bad)
	}

	overdue := func(m map[string]any) any { return m["lists"].([]any)[0].(map[string]any)["overdue"] }
	if got := overdue(c.want(200, "", ca1, POST, office.PathLists, nil)); got != false {
		t.Errorf("new lists: overdue %v", got)
	}

	// Revocation at the counter.
	p := c.want(201, "", counter1, POST, office.PathProposals, wish("revoke", "art9", "", 0))
	at := office.PathProposals + "/" + p["id"].(string)
	c.want(200, "", auditor, GET, at, nil)
	c.want(404, "office.notfound", ca1, GET, at, nil)
	if m := c.want(200, "", counter2, GET, office.PathProposals, nil); len(m["proposals"].([]any)) != 1 {
		t.Errorf("%v", m)
	}
	c.want(409, "office.self", counter1, POST, at+"/approval", nil)
	delete(c.clients, counter1) // the same person with a new certificate is no second person
	c.want(409, "office.self", counter1, POST, at+"/approval", nil)
	c.want(404, "office.notfound", ca2, POST, at+"/approval", nil)
	c.want(403, "office.forbidden", auditor, POST, at+"/approval", nil)
	for range 2 { // the same answer again
		if m := c.want(200, "", counter2, POST, at+"/approval", nil); m["revoked"] != 1.0 {
			t.Errorf("%v", m)
		}
	}
	c.want(404, "office.notfound", counter1, POST, at+"/approval", nil)
	c.want(404, "office.notfound", counter1, DELETE, at, nil)

	// Withdrawn, and out of time.
	p = c.want(201, "", ca1, POST, office.PathProposals, wish("erase", "", "lawful-request", 0))
	at = office.PathProposals + "/" + p["id"].(string)
	c.want(403, "office.forbidden", ca2, DELETE, at, nil)
	c.want(204, "", ca1, DELETE, at, nil)
	p = c.want(201, "", ca1, POST, office.PathProposals, wish("erase", "", "lawful-request", 0))
	clk.Jump(office.ProposalLife + time.Minute)
	c.want(404, "office.notfound", ca2, POST, office.PathProposals+"/"+p["id"].(string)+"/approval", nil)

	clk.Jump(25 * time.Hour) // the lists of this world live for 48 hours
	if got := overdue(c.want(200, "", auditor, GET, office.PathLists, nil)); got != true {
		t.Errorf("two days later: overdue %v", got)
	}

	// The CA's own acts.
	run := func(x office.Wish) map[string]any {
		t.Helper()
		p := c.want(201, "", ca2, POST, office.PathProposals, x)
		return c.want(200, "", ca1, POST, office.PathProposals+"/"+p["id"].(string)+"/approval", nil)
	}
	if m := run(wish("disclose", "", "council-sample", 1)); len(m["openings"].([]any)) != 1 {
		t.Error("nothing was disclosed")
	}
	if m := run(wish("revoke", "art13", "", 1)); m["revoked"] != 1.0 {
		t.Errorf("%v", m)
	}
	if m := run(wish("erase", "", "lawful-request", 0)); m["erased"] != 1.0 {
		t.Errorf("%v", m)
	}
	if m := run(wish("revoke-all", "art14", "")); m["revoked"] != 1.0 {
		t.Errorf("%v", m)
	}
	p = c.want(201, "", ca1, POST, office.PathProposals, wish("revoke", "art13", "", 1))
	c.want(409, "R205", ca2, POST, office.PathProposals+"/"+p["id"].(string)+"/approval", nil)
	c.front(doc)
	officeLog(t, w)
}

// front goes through the rest of the description: the CA front.
func (c *caller) front(doc *openapi3.T) {
	c.t.Helper()
	c.want(200, "", "ca-officer-1", http.MethodGet, "/ca/v1/certificates/2", nil)
	c.want(404, "ca.notfound", "ca-officer-1", http.MethodGet, "/ca/v1/certificates/99", nil)
	c.want(403, "front.forbidden", "stranger", http.MethodPost, "/ca/v1/applications", `{}`)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !c.seen[op.OperationID] && op.OperationID != "apply" { // its success is what Apply is
				c.t.Errorf("%s %s was never answered with success", method, path)
			}
		}
	}
}

// officeLog counts the acts in the log.
func officeLog(t *testing.T, w *world.World) {
	t.Helper()
	got := map[string]int{}
	size, err := w.Ledger.Engine.Size(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	err = w.Ledger.Engine.Entries(context.Background(), 0, size, func(_ uint64, b []byte) error {
		e, err := entry.Parse(b)
		if a, ok := e.Body.(*entry.OperatorAct); ok {
			got[a.Phase]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{entry.PhaseProposed: 8, entry.PhaseApproved: 6, entry.PhaseWithdrawn: 1, entry.PhaseExpired: 1, entry.PhaseSingle: 1}
	for phase, n := range want {
		if got[phase] != n {
			t.Errorf("%d acts %s in the log, want %d", got[phase], phase, n)
		}
	}
}

// docs/ has the description that is served.
func TestOpenAPIInDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/openapi.yaml")
	if err != nil || !bytes.Equal(b, office.OpenAPI) {
		t.Errorf("docs/openapi.yaml is not ca/office/openapi.yaml: %v", err)
	}
	if !strings.HasPrefix(string(b), "openapi: 3.0") {
		t.Error("not an OpenAPI 3.0 document")
	}
}
