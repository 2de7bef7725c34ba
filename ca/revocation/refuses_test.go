package revocation

import (
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// What can't follow changes nothing.
func TestApplyRefuses(t *testing.T) {
	serial := []byte{1, 2, 3}
	at := entry.At(start)
	two, three := uint64(2), uint64(3)
	revocation := func(ordinal uint64, serial string) *entry.Revocation {
		return &entry.Revocation{Ground: entry.GroundChange, Ordinal: ordinal, Recorded: at, Serial: serial}
	}
	for name, steps := range map[string][]entry.Body{
		"gap in ordinals":       {intentEntry(1, serial, "202029")},
		"serial twice":          {intentEntry(0, serial, "202029"), intentEntry(1, append([]byte{0}, serial...), "202029")},
		"bad serial":            {&entry.CertIntent{Serial: "xx", Municipality: "202029"}},
		"long serial":           {intentEntry(0, make([]byte, 30), "202029"), intentEntry(1, slices.Repeat([]byte{1}, 21), "202029")},
		"no place":              {intentEntry(0, serial, "2020")},
		"issued from nothing":   {&entry.CertIssued{}},
		"aborted from nothing":  {&entry.CertAborted{}},
		"revoked from nothing":  {revocation(0, "010203")},
		"issued twice":          {intentEntry(0, serial, "202029"), &entry.CertIssued{}, &entry.CertIssued{}},
		"aborted after issue":   {intentEntry(0, serial, "202029"), &entry.CertIssued{}, &entry.CertAborted{}},
		"revoked while pending": {intentEntry(0, serial, "202029"), revocation(0, "010203")},
		"revoked twice":         {intentEntry(0, serial, "202029"), &entry.CertIssued{}, revocation(0, "010203"), revocation(0, "010203")},
		"another serial":        {intentEntry(0, serial, "202029"), &entry.CertIssued{}, revocation(0, "010204")},
		"serial is not hex":     {intentEntry(0, serial, "202029"), &entry.CertIssued{}, revocation(0, "zz")},
		"CRL number stands":     {&entry.CRLPublished{Partition: Full, Number: 3}, &entry.CRLPublished{Partition: Full, Number: 3}},
		"CRL from the future":   {&entry.CRLPublished{Partition: Full, Number: 3, Covers: 99}},
		"CRL of no place":       {&entry.CRLPublished{Partition: "nagano", Number: 3}},
		"delta on nothing":      {&entry.CRLPublished{Partition: Full, Number: 3, Base: &three}},
		"delta on a delta":      {&entry.CRLPublished{Partition: Full, Number: 2}, &entry.CRLPublished{Partition: Full, Number: 3, Base: &two}, &entry.CRLPublished{Partition: Full, Number: 4, Base: &three}},
		"delta of another list": {&entry.CRLPublished{Partition: Full, Number: 2}, &entry.CRLPublished{Partition: "202011", Number: 3, Base: &two}},
		"no body":               {nil},
	} {
		s := NewState()
		for i, b := range steps {
			err := s.Apply(uint64(i), entry.Entry{At: at, By: entry.ByCA, Body: b})
			if last := i == len(steps)-1; (err != nil) != last && name != "long serial" {
				t.Errorf("%s: step %d: %v", name, i, err)
			}
		}
		if s.Covers() != uint64(len(steps)-1) && name != "long serial" {
			t.Errorf("%s: %d entries counted", name, s.Covers())
		}
	}
	if err := NewState().Apply(1, entry.Entry{Body: &entry.CertIssued{}}); err == nil {
		t.Error("a gap in the log")
	}
	if got := NewState().Lookup(entry.Digest{}, nil); got != (Answer{}) {
		t.Errorf("an empty serial is %v", got)
	}
}

func TestListsConfigRefuses(t *testing.T) {
	p, _ := profile.Shipped(profile.Resident)
	good := ListsConfig{State: NewState(), Issuer: bareIssuer().issuer, Resident: p, Places: placeOf, BaseURL: base, Validity: time.Hour}
	for name, change := range map[string]func(*ListsConfig){
		"no state": func(c *ListsConfig) { c.State = nil }, "no issuer": func(c *ListsConfig) { c.Issuer = nil },
		"no places": func(c *ListsConfig) { c.Places = nil }, "no address": func(c *ListsConfig) { c.BaseURL = "" },
		"long delta": func(c *ListsConfig) { c.DeltaLife = 2 * time.Hour }, "short delta": func(c *ListsConfig) { c.DeltaLife = time.Second },
		"short": func(c *ListsConfig) { c.Validity = time.Second }, "fraction": func(c *ListsConfig) { c.Validity += time.Millisecond },
	} {
		c := good
		change(&c)
		if _, err := NewLists(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	s := NewState()
	for i, b := range []entry.Body{intentEntry(0, []byte{9}, "202029"), &entry.CertIssued{},
		&entry.Revocation{Ground: entry.GroundChange, Recorded: entry.At(start), Serial: "09"}} {
		if err := s.Apply(uint64(i), entry.Entry{Body: b}); err != nil {
			t.Fatal(err)
		}
	}
	l := bareLists(t, s, false)
	if _, err := l.Build(Full, start.Add(-time.Second)); err == nil {
		t.Error("a list older than a revocation in it")
	}
	for _, p := range []string{"nagano", "202030", ""} {
		if _, err := l.Build(p, start); err == nil {
			t.Errorf("a list of %q", p)
		}
	}
	if _, err := l.BuildDelta(Full, start, Base{1, 0}); err == nil {
		t.Error("a delta from lists without deltas")
	}
	deltas := bareLists(t, s, true)
	for _, b := range []Base{{0, 0}, {1, 0}, {1, 99}} {
		if _, err := deltas.BuildDelta(Full, start, b); err == nil {
			t.Errorf("a delta of %v", b)
		}
	}
	if _, err := deltas.BuildDelta(CA, start, Base{1, 0}); err == nil {
		t.Error("a delta of CA certificates")
	}
	if got := l.Partitions(); !slices.Equal(got, []string{Full, "202029"}) {
		t.Errorf("partitions %v", got)
	}
	list, err := l.Build("202029", start)
	if err != nil {
		t.Fatal(err)
	}
	sig := bareIssuer().sign(list.TBS())
	if err := list.Write(failingWriter{}, sig); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
	sig[10] ^= 1
	if _, err := list.Assemble(sig); err == nil {
		t.Error("a list with a wrong signature")
	}
	if _, err := list.Assemble(make([]byte, 1000)); err == nil {
		t.Error("a list with a huge signature")
	}
	if list.Size() != len(list.TBS()) || list.Digest() != entry.Sum(list.TBS()) || list.Body().TBS != list.Digest() {
		t.Error("the list does not know itself")
	}
}

var errFull = errors.New("no room")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

var _ io.Writer = failingWriter{}
