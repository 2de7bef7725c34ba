package entry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	. "github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/entry/schema"
)

type noNetwork struct{}

func (noNetwork) Load(string) (any, error) { return nil, errors.New("nothing is fetched") }

func compile(t testing.TB) map[Kind]*jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.UseLoader(noNetwork{})
	c.AssertFormat()
	for _, n := range schema.Names() {
		b, ok := schema.File(n)
		if !ok {
			t.Fatal(n)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(schema.Base+n, doc); err != nil {
			t.Fatal(err)
		}
	}
	out := map[Kind]*jsonschema.Schema{}
	for _, k := range allKinds {
		s, err := c.Compile(schema.Base + string(k) + ".json")
		if err != nil {
			t.Fatal(err)
		}
		out[k] = s
	}
	return out
}

func valid(s *jsonschema.Schema, b []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func TestSchemaAcceptsWhatGoWrites(t *testing.T) {
	schemas := compile(t)
	for _, k := range allKinds {
		t.Run(string(k), rapid.MakeCheck(func(t *rapid.T) {
			b, err := entryOf(t, k).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if err := valid(schemas[k], b); err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			for _, other := range allKinds {
				if other != k && valid(schemas[other], b) == nil {
					t.Fatalf("%s is also a valid %s", k, other)
				}
			}
		}))
	}
}

// beyondSchema are the rules of the Go types that JSON Schema can't say.
var beyondSchema = []string{
	"ascending order",              // of codes and ordinals
	"revoked <= issued <= size",    //
	"window ends before it starts", //
	"must end after it starts",     // of a test's window
	"received or refused",          // of counts
	"more holders struck off",      // of counts
	"number of an earlier list",    // of a delta's base
	"larger than 65535",            // the whole entry
}

// odd are values put in the place of others.
var odd = []any{nil, true, false, "", "x", "a b", "ß", "N101", "2026-11-23", "2026-02-30T00:00:00Z", "2026-11-23T01:02:03Z",
	"0000-01-01T00:00:00Z", "full", "art12", "echo", "202011", "00", strings.Repeat("0", 64), strings.Repeat("ab", 32), strings.Repeat("A", 64),
	strings.Repeat("a", 33), strings.Repeat("A", 43) + "=", strings.Repeat("A", 42) + "B=", json.Number("0"), json.Number("-1"), json.Number("0.5"),
	json.Number("2"), json.Number("9007199254740991"), json.Number("9007199254740992"), json.Number("1048577"),
	[]any{}, []any{json.Number("1"), json.Number("1")}, []any{json.Number("2"), json.Number("1")}, []any{"N1"}, map[string]any{}}

// mutate changes one place of a JSON document.
func mutate(t *rapid.T, v any) any {
	switch x := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(x))
		switch k := rapid.SampledFrom(append(keys, "\x00add")).Draw(t, "member"); {
		case k == "\x00add":
			x[rapid.SampledFrom([]string{"note", "tbs", "name", "Ordinal"}).Draw(t, "new member")] = rapid.SampledFrom(odd).Draw(t, "value")
		case rapid.IntRange(0, 9).Draw(t, "delete") == 0:
			delete(x, k)
		default:
			x[k] = mutate(t, x[k])
		}
		return x
	case []any:
		if len(x) > 0 && rapid.Bool().Draw(t, "item") {
			i := rapid.IntRange(0, len(x)-1).Draw(t, "index")
			x[i] = mutate(t, x[i])
			return x
		}
	}
	return rapid.SampledFrom(odd).Draw(t, "value")
}

// TestSchemaAndGoAgree changes valid entries in one place and asks both.
func TestSchemaAndGoAgree(t *testing.T) {
	schemas := compile(t)
	accepted, refused := 0, 0
	for range 8 {
		rapid.Check(t, func(t *rapid.T) {
			k := rapid.SampledFrom(allKinds).Draw(t, "kind")
			b, err := entryOf(t, k).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(mutate(t, doc))
			if err != nil {
				t.Fatal(err)
			}
			if b, err = jcs.Transform(raw); err != nil {
				t.Skip("not JCS: " + err.Error())
			}
			_, goErr := Parse(b)
			schemaErr := valid(schemas[k], b)
			switch {
			case goErr == nil && schemaErr == nil:
				accepted++
			case goErr != nil && schemaErr != nil:
				refused++
			case goErr == nil:
				t.Fatalf("only Go accepts: %v\n%s", schemaErr, b)
			case !slices.ContainsFunc(beyondSchema, func(s string) bool { return strings.Contains(goErr.Error(), s) }):
				t.Fatalf("only the schema accepts: %v\n%s", goErr, b)
			}
		})
	}
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted, %d refused: the test says nothing", accepted, refused)
	}
}

// TestSchemaFields compares the names of members, so that a new Go field
// without a schema is seen even where no generator sets it.
func TestSchemaFields(t *testing.T) {
	if n := len(schema.Names()); n != len(allKinds)+1 {
		t.Errorf("%d schema files for %d kinds", n, len(allKinds))
	}
	for _, k := range allKinds {
		b, ok := schema.For(k)
		if !ok {
			t.Errorf("%s has no schema", k)
			continue
		}
		var doc struct {
			ID         string `json:"$id"`
			Additional *bool  `json:"additionalProperties"`
			Properties struct {
				Body struct {
					Additional *bool          `json:"additionalProperties"`
					Required   []string       `json:"required"`
					Properties map[string]any `json:"properties"`
				} `json:"body"`
			} `json:"properties"`
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		body := doc.Properties.Body
		if doc.Additional == nil || *doc.Additional || body.Additional == nil || *body.Additional || doc.ID != schema.Base+string(k)+".json" {
			t.Errorf("%s is not closed or has another $id", k)
		}
		var names, required []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(NewBody(k)).Elem()) {
			if f.Anonymous {
				continue
			}
			name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
			if opts == "" {
				required = append(required, name)
			}
		}
		slices.Sort(names)
		slices.Sort(required)
		if got := slices.Sorted(maps.Keys(body.Properties)); !slices.Equal(got, names) || !slices.Equal(body.Required, required) {
			t.Errorf("%s: schema has %v (required %v), Go has %v (required %v)", k, got, body.Required, names, required)
		}
	}
}
