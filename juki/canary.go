package juki

import (
	"bufio"
	"fmt"
	"index/suffixarray"
	"io"
	"slices"
	"strings"

	"github.com/sukashi-project/sukashi/juki/register"
)

// WriteCanaries writes what no byte outside zone juki may ever hold, one value
// a line, UTF-8, sorted: every resident code, and every name and address that
// a change brought and that never lawfully crossed the wall. A value crosses
// lawfully in a transfer file or in a certificate; so a value that equals one
// of those, or is part of one, is left out.
func (o *Office) WriteCanaries(w io.Writer) error {
	crossed, err := o.crossed()
	if err != nil {
		return err
	}
	index := suffixarray.New([]byte(crossed))
	lines := map[string]bool{}
	if err := o.Register.Records(func(r register.Record) error {
		lines[r.Code] = true
		return nil
	}); err != nil {
		return err
	}
	if err := o.Register.NewValues(func(v string) {
		if !lines[v] && len(index.Lookup([]byte(v), 1)) == 0 {
			lines[v] = true
		}
	}); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	for _, v := range sorted(lines) {
		if _, err := fmt.Fprintln(out, v); err != nil {
			return fmt.Errorf("couldn't write the canaries: %w", err)
		}
	}
	return out.Flush()
}

// crossed returns all lawfully crossed values, separated by a character that
// no value holds.
func (o *Office) crossed() (string, error) {
	var all strings.Builder
	add := func(v string) { all.WriteString(v); all.WriteByte('\n') }
	if err := o.Register.Exports(func(x register.Export) error {
		add(x.Attr.Name)
		add(x.Attr.Address)
		return nil
	}); err != nil {
		return "", err
	}
	err := o.Matching.Crossed(add)
	return all.String(), err
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for v := range set {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}
