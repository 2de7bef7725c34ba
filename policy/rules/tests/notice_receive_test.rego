package sukashi.notice_receive_test

import data.sukashi.notice_receive

good := {
	"complete": true,
	"bundle_approved": true,
	"grammar": true,
	"canonical_bytes": true,
	"field_set_exact": true,
	"mode_configured": true,
	"basis_named": true,
	"sender_is_register": true,
	"addressee_is_ca": true,
	"sequence_next": true,
	"certificate_issued": true,
	"sender_decision_logged": true,
	"echo_equals_certified": true,
	"no_free_text": true,
	"no_resident_code": true,
	"no_individual_number": true,
	"no_long_digits": true,
	"no_hidden_characters": true,
	"no_encoded_blob": true,
	"transport_clean": true,
	"capacity_within_budget": true,
}

test_allows_when_all_hold if {
	notice_receive.decision == {"allow": true, "codes": []} with input as good
}

test_complete_false if {
	bad := object.union(good, {"complete": false})
	notice_receive.decision == {"allow": false, "codes": {"N100"}} with input as bad
}

test_complete_absent if {
	bad := object.remove(good, {"complete"})
	not notice_receive.allow with input as bad
}

test_bundle_approved_false if {
	bad := object.union(good, {"bundle_approved": false})
	notice_receive.decision == {"allow": false, "codes": {"N902"}} with input as bad
}

test_bundle_approved_absent if {
	bad := object.remove(good, {"bundle_approved"})
	not notice_receive.allow with input as bad
}

test_grammar_false if {
	bad := object.union(good, {"grammar": false})
	notice_receive.decision == {"allow": false, "codes": {"N101"}} with input as bad
}

test_grammar_absent if {
	bad := object.remove(good, {"grammar"})
	not notice_receive.allow with input as bad
}

test_canonical_bytes_false if {
	bad := object.union(good, {"canonical_bytes": false})
	notice_receive.decision == {"allow": false, "codes": {"N102"}} with input as bad
}

test_canonical_bytes_absent if {
	bad := object.remove(good, {"canonical_bytes"})
	not notice_receive.allow with input as bad
}

test_field_set_exact_false if {
	bad := object.union(good, {"field_set_exact": false})
	notice_receive.decision == {"allow": false, "codes": {"N103"}} with input as bad
}

test_field_set_exact_absent if {
	bad := object.remove(good, {"field_set_exact"})
	not notice_receive.allow with input as bad
}

test_mode_configured_false if {
	bad := object.union(good, {"mode_configured": false})
	notice_receive.decision == {"allow": false, "codes": {"N104"}} with input as bad
}

test_mode_configured_absent if {
	bad := object.remove(good, {"mode_configured"})
	not notice_receive.allow with input as bad
}

test_basis_named_false if {
	bad := object.union(good, {"basis_named": false})
	notice_receive.decision == {"allow": false, "codes": {"N105"}} with input as bad
}

test_basis_named_absent if {
	bad := object.remove(good, {"basis_named"})
	not notice_receive.allow with input as bad
}

test_sender_is_register_false if {
	bad := object.union(good, {"sender_is_register": false})
	notice_receive.decision == {"allow": false, "codes": {"N201"}} with input as bad
}

test_sender_is_register_absent if {
	bad := object.remove(good, {"sender_is_register"})
	not notice_receive.allow with input as bad
}

test_addressee_is_ca_false if {
	bad := object.union(good, {"addressee_is_ca": false})
	notice_receive.decision == {"allow": false, "codes": {"N202"}} with input as bad
}

test_addressee_is_ca_absent if {
	bad := object.remove(good, {"addressee_is_ca"})
	not notice_receive.allow with input as bad
}

test_sequence_next_false if {
	bad := object.union(good, {"sequence_next": false})
	notice_receive.decision == {"allow": false, "codes": {"N203"}} with input as bad
}

test_sequence_next_absent if {
	bad := object.remove(good, {"sequence_next"})
	not notice_receive.allow with input as bad
}

test_certificate_issued_false if {
	bad := object.union(good, {"certificate_issued": false})
	notice_receive.decision == {"allow": false, "codes": {"N204"}} with input as bad
}

test_certificate_issued_absent if {
	bad := object.remove(good, {"certificate_issued"})
	not notice_receive.allow with input as bad
}

test_sender_decision_logged_false if {
	bad := object.union(good, {"sender_decision_logged": false})
	notice_receive.decision == {"allow": false, "codes": {"N206"}} with input as bad
}

test_sender_decision_logged_absent if {
	bad := object.remove(good, {"sender_decision_logged"})
	not notice_receive.allow with input as bad
}

test_echo_equals_certified_false if {
	bad := object.union(good, {"echo_equals_certified": false})
	notice_receive.decision == {"allow": false, "codes": {"N301"}} with input as bad
}

test_echo_equals_certified_absent if {
	bad := object.remove(good, {"echo_equals_certified"})
	not notice_receive.allow with input as bad
}

test_no_free_text_false if {
	bad := object.union(good, {"no_free_text": false})
	notice_receive.decision == {"allow": false, "codes": {"N304"}} with input as bad
}

test_no_free_text_absent if {
	bad := object.remove(good, {"no_free_text"})
	not notice_receive.allow with input as bad
}

test_no_resident_code_false if {
	bad := object.union(good, {"no_resident_code": false})
	notice_receive.decision == {"allow": false, "codes": {"N401"}} with input as bad
}

test_no_resident_code_absent if {
	bad := object.remove(good, {"no_resident_code"})
	not notice_receive.allow with input as bad
}

test_no_individual_number_false if {
	bad := object.union(good, {"no_individual_number": false})
	notice_receive.decision == {"allow": false, "codes": {"N402"}} with input as bad
}

test_no_individual_number_absent if {
	bad := object.remove(good, {"no_individual_number"})
	not notice_receive.allow with input as bad
}

test_no_long_digits_false if {
	bad := object.union(good, {"no_long_digits": false})
	notice_receive.decision == {"allow": false, "codes": {"N403"}} with input as bad
}

test_no_long_digits_absent if {
	bad := object.remove(good, {"no_long_digits"})
	not notice_receive.allow with input as bad
}

test_no_hidden_characters_false if {
	bad := object.union(good, {"no_hidden_characters": false})
	notice_receive.decision == {"allow": false, "codes": {"N404"}} with input as bad
}

test_no_hidden_characters_absent if {
	bad := object.remove(good, {"no_hidden_characters"})
	not notice_receive.allow with input as bad
}

test_no_encoded_blob_false if {
	bad := object.union(good, {"no_encoded_blob": false})
	notice_receive.decision == {"allow": false, "codes": {"N405"}} with input as bad
}

test_no_encoded_blob_absent if {
	bad := object.remove(good, {"no_encoded_blob"})
	not notice_receive.allow with input as bad
}

test_transport_clean_false if {
	bad := object.union(good, {"transport_clean": false})
	notice_receive.decision == {"allow": false, "codes": {"N406"}} with input as bad
}

test_transport_clean_absent if {
	bad := object.remove(good, {"transport_clean"})
	not notice_receive.allow with input as bad
}

test_capacity_within_budget_false if {
	bad := object.union(good, {"capacity_within_budget": false})
	notice_receive.decision == {"allow": false, "codes": {"N501"}} with input as bad
}

test_capacity_within_budget_absent if {
	bad := object.remove(good, {"capacity_within_budget"})
	not notice_receive.allow with input as bad
}
