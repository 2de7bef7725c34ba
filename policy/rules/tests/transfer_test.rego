package sukashi.transfer_test

import data.sukashi.transfer

good := {
	"complete": true,
	"bundle_approved": true,
	"grammar": true,
	"canonical_bytes": true,
	"field_set_exact": true,
	"basis_named": true,
	"signature_valid": true,
	"terminal_registered": true,
	"municipality_own": true,
	"fresh": true,
	"not_used_before": true,
	"attributes_valid": true,
	"no_resident_code": true,
	"no_individual_number": true,
	"no_long_digits": true,
	"no_hidden_characters": true,
	"no_encoded_blob": true,
}

test_allows_when_all_hold if {
	transfer.decision == {"allow": true, "codes": []} with input as good
}

test_complete_false if {
	bad := object.union(good, {"complete": false})
	transfer.decision == {"allow": false, "codes": {"N100"}} with input as bad
}

test_complete_absent if {
	bad := object.remove(good, {"complete"})
	not transfer.allow with input as bad
}

test_bundle_approved_false if {
	bad := object.union(good, {"bundle_approved": false})
	transfer.decision == {"allow": false, "codes": {"N902"}} with input as bad
}

test_bundle_approved_absent if {
	bad := object.remove(good, {"bundle_approved"})
	not transfer.allow with input as bad
}

test_grammar_false if {
	bad := object.union(good, {"grammar": false})
	transfer.decision == {"allow": false, "codes": {"T101"}} with input as bad
}

test_grammar_absent if {
	bad := object.remove(good, {"grammar"})
	not transfer.allow with input as bad
}

test_canonical_bytes_false if {
	bad := object.union(good, {"canonical_bytes": false})
	transfer.decision == {"allow": false, "codes": {"T102"}} with input as bad
}

test_canonical_bytes_absent if {
	bad := object.remove(good, {"canonical_bytes"})
	not transfer.allow with input as bad
}

test_field_set_exact_false if {
	bad := object.union(good, {"field_set_exact": false})
	transfer.decision == {"allow": false, "codes": {"T103"}} with input as bad
}

test_field_set_exact_absent if {
	bad := object.remove(good, {"field_set_exact"})
	not transfer.allow with input as bad
}

test_basis_named_false if {
	bad := object.union(good, {"basis_named": false})
	transfer.decision == {"allow": false, "codes": {"T105"}} with input as bad
}

test_basis_named_absent if {
	bad := object.remove(good, {"basis_named"})
	not transfer.allow with input as bad
}

test_signature_valid_false if {
	bad := object.union(good, {"signature_valid": false})
	transfer.decision == {"allow": false, "codes": {"T106"}} with input as bad
}

test_signature_valid_absent if {
	bad := object.remove(good, {"signature_valid"})
	not transfer.allow with input as bad
}

test_terminal_registered_false if {
	bad := object.union(good, {"terminal_registered": false})
	transfer.decision == {"allow": false, "codes": {"T201"}} with input as bad
}

test_terminal_registered_absent if {
	bad := object.remove(good, {"terminal_registered"})
	not transfer.allow with input as bad
}

test_municipality_own_false if {
	bad := object.union(good, {"municipality_own": false})
	transfer.decision == {"allow": false, "codes": {"T202"}} with input as bad
}

test_municipality_own_absent if {
	bad := object.remove(good, {"municipality_own"})
	not transfer.allow with input as bad
}

test_fresh_false if {
	bad := object.union(good, {"fresh": false})
	transfer.decision == {"allow": false, "codes": {"T203"}} with input as bad
}

test_fresh_absent if {
	bad := object.remove(good, {"fresh"})
	not transfer.allow with input as bad
}

test_not_used_before_false if {
	bad := object.union(good, {"not_used_before": false})
	transfer.decision == {"allow": false, "codes": {"T204"}} with input as bad
}

test_not_used_before_absent if {
	bad := object.remove(good, {"not_used_before"})
	not transfer.allow with input as bad
}

test_attributes_valid_false if {
	bad := object.union(good, {"attributes_valid": false})
	transfer.decision == {"allow": false, "codes": {"T301"}} with input as bad
}

test_attributes_valid_absent if {
	bad := object.remove(good, {"attributes_valid"})
	not transfer.allow with input as bad
}

test_no_resident_code_false if {
	bad := object.union(good, {"no_resident_code": false})
	transfer.decision == {"allow": false, "codes": {"T401"}} with input as bad
}

test_no_resident_code_absent if {
	bad := object.remove(good, {"no_resident_code"})
	not transfer.allow with input as bad
}

test_no_individual_number_false if {
	bad := object.union(good, {"no_individual_number": false})
	transfer.decision == {"allow": false, "codes": {"T402"}} with input as bad
}

test_no_individual_number_absent if {
	bad := object.remove(good, {"no_individual_number"})
	not transfer.allow with input as bad
}

test_no_long_digits_false if {
	bad := object.union(good, {"no_long_digits": false})
	transfer.decision == {"allow": false, "codes": {"T403"}} with input as bad
}

test_no_long_digits_absent if {
	bad := object.remove(good, {"no_long_digits"})
	not transfer.allow with input as bad
}

test_no_hidden_characters_false if {
	bad := object.union(good, {"no_hidden_characters": false})
	transfer.decision == {"allow": false, "codes": {"T404"}} with input as bad
}

test_no_hidden_characters_absent if {
	bad := object.remove(good, {"no_hidden_characters"})
	not transfer.allow with input as bad
}

test_no_encoded_blob_false if {
	bad := object.union(good, {"no_encoded_blob": false})
	transfer.decision == {"allow": false, "codes": {"T405"}} with input as bad
}

test_no_encoded_blob_absent if {
	bad := object.remove(good, {"no_encoded_blob"})
	not transfer.allow with input as bad
}
