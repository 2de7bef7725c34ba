package transfer

import "encoding/json"

// diagnose tells why a line that the strict reader refused was refused; what
// it reads is never accepted.
func diagnose(line []byte, form *Form) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(line, &keys) != nil {
		return
	}
	form.Fields = len(keys) == len(fields)
	for _, k := range fields {
		if _, ok := keys[k]; !ok {
			form.Fields = false
		}
	}
	form.Basis = string(keys["basis"]) == `"`+Basis+`"`
	if form.Fields && form.Basis {
		form.Grammar = means(keys)
	}
}

// fields are the members of a file.
var fields = []string{"address", "at", "basis", "birthDate", "municipality", "name", "operator", "sex", "v"}

// means reports whether the members, written in canonical order, would be a
// file: then the bytes broke only the canonical form.
func means(keys map[string]json.RawMessage) bool {
	var line []byte
	for i, k := range fields {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		line = append(append(line, sep, '"'), k...)
		line = append(append(line, '"', ':'), keys[k]...)
	}
	_, ok := parse(append(line, '}'))
	return ok
}
