package sukashi.holders_receive_test

import data.sukashi.holders_receive

good := {
	"complete": true,
	"bundle_approved": true,
	"grammar": true,
	"canonical_bytes": true,
	"field_set_exact": true,
	"basis_named": true,
	"sender_is_ca": true,
	"addressee_is_register": true,
	"sequence_next": true,
	"day_once": true,
	"set_equals_live": true,
	"sender_entry_logged": true,
	"no_resident_code": true,
	"no_individual_number": true,
	"transport_clean": true,
}

test_allows_when_all_hold if {
	holders_receive.decision == {"allow": true, "codes": []} with input as good
}

test_complete_false if {
	bad := object.union(good, {"complete": false})
	holders_receive.decision == {"allow": false, "codes": {"N100"}} with input as bad
}

test_complete_absent if {
	bad := object.remove(good, {"complete"})
	not holders_receive.allow with input as bad
}

test_bundle_approved_false if {
	bad := object.union(good, {"bundle_approved": false})
	holders_receive.decision == {"allow": false, "codes": {"N902"}} with input as bad
}

test_bundle_approved_absent if {
	bad := object.remove(good, {"bundle_approved"})
	not holders_receive.allow with input as bad
}

test_grammar_false if {
	bad := object.union(good, {"grammar": false})
	holders_receive.decision == {"allow": false, "codes": {"H101"}} with input as bad
}

test_grammar_absent if {
	bad := object.remove(good, {"grammar"})
	not holders_receive.allow with input as bad
}

test_canonical_bytes_false if {
	bad := object.union(good, {"canonical_bytes": false})
	holders_receive.decision == {"allow": false, "codes": {"H102"}} with input as bad
}

test_canonical_bytes_absent if {
	bad := object.remove(good, {"canonical_bytes"})
	not holders_receive.allow with input as bad
}

test_field_set_exact_false if {
	bad := object.union(good, {"field_set_exact": false})
	holders_receive.decision == {"allow": false, "codes": {"H103"}} with input as bad
}

test_field_set_exact_absent if {
	bad := object.remove(good, {"field_set_exact"})
	not holders_receive.allow with input as bad
}

test_basis_named_false if {
	bad := object.union(good, {"basis_named": false})
	holders_receive.decision == {"allow": false, "codes": {"H105"}} with input as bad
}

test_basis_named_absent if {
	bad := object.remove(good, {"basis_named"})
	not holders_receive.allow with input as bad
}

test_sender_is_ca_false if {
	bad := object.union(good, {"sender_is_ca": false})
	holders_receive.decision == {"allow": false, "codes": {"H201"}} with input as bad
}

test_sender_is_ca_absent if {
	bad := object.remove(good, {"sender_is_ca"})
	not holders_receive.allow with input as bad
}

test_addressee_is_register_false if {
	bad := object.union(good, {"addressee_is_register": false})
	holders_receive.decision == {"allow": false, "codes": {"H202"}} with input as bad
}

test_addressee_is_register_absent if {
	bad := object.remove(good, {"addressee_is_register"})
	not holders_receive.allow with input as bad
}

test_sequence_next_false if {
	bad := object.union(good, {"sequence_next": false})
	holders_receive.decision == {"allow": false, "codes": {"H203"}} with input as bad
}

test_sequence_next_absent if {
	bad := object.remove(good, {"sequence_next"})
	not holders_receive.allow with input as bad
}

test_day_once_false if {
	bad := object.union(good, {"day_once": false})
	holders_receive.decision == {"allow": false, "codes": {"H204"}} with input as bad
}

test_day_once_absent if {
	bad := object.remove(good, {"day_once"})
	not holders_receive.allow with input as bad
}

test_set_equals_live_false if {
	bad := object.union(good, {"set_equals_live": false})
	holders_receive.decision == {"allow": false, "codes": {"H205"}} with input as bad
}

test_set_equals_live_absent if {
	bad := object.remove(good, {"set_equals_live"})
	not holders_receive.allow with input as bad
}

test_sender_entry_logged_false if {
	bad := object.union(good, {"sender_entry_logged": false})
	holders_receive.decision == {"allow": false, "codes": {"H206"}} with input as bad
}

test_sender_entry_logged_absent if {
	bad := object.remove(good, {"sender_entry_logged"})
	not holders_receive.allow with input as bad
}

test_no_resident_code_false if {
	bad := object.union(good, {"no_resident_code": false})
	holders_receive.decision == {"allow": false, "codes": {"H401"}} with input as bad
}

test_no_resident_code_absent if {
	bad := object.remove(good, {"no_resident_code"})
	not holders_receive.allow with input as bad
}

test_no_individual_number_false if {
	bad := object.union(good, {"no_individual_number": false})
	holders_receive.decision == {"allow": false, "codes": {"H402"}} with input as bad
}

test_no_individual_number_absent if {
	bad := object.remove(good, {"no_individual_number"})
	not holders_receive.allow with input as bad
}

test_transport_clean_false if {
	bad := object.union(good, {"transport_clean": false})
	holders_receive.decision == {"allow": false, "codes": {"H406"}} with input as bad
}

test_transport_clean_absent if {
	bad := object.remove(good, {"transport_clean"})
	not holders_receive.allow with input as bad
}
