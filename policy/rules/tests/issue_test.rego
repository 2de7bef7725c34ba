package sukashi.issue_test

import data.sukashi.issue

good := {
	"complete": true,
	"bundle_approved": true,
	"form_grammar": true,
	"basis_named": true,
	"counter_authenticated": true,
	"existence_checked": true,
	"authenticity_checked": true,
	"attributes_equal_transfer": true,
	"substitutes_right": true,
	"no_live_certificate": true,
	"key_possession": true,
	"key_new": true,
	"key_acceptable": true,
	"profile_lints": true,
	"subject_committed": true,
	"no_pending_change": true,
	"no_free_text": true,
	"no_resident_code": true,
	"no_individual_number": true,
	"no_long_digits": true,
	"no_hidden_characters": true,
	"no_encoded_blob": true,
}

test_allows_when_all_hold if {
	issue.decision == {"allow": true, "codes": []} with input as good
}

test_complete_false if {
	bad := object.union(good, {"complete": false})
	issue.decision == {"allow": false, "codes": {"N100"}} with input as bad
}

test_complete_absent if {
	bad := object.remove(good, {"complete"})
	not issue.allow with input as bad
}

test_bundle_approved_false if {
	bad := object.union(good, {"bundle_approved": false})
	issue.decision == {"allow": false, "codes": {"N902"}} with input as bad
}

test_bundle_approved_absent if {
	bad := object.remove(good, {"bundle_approved"})
	not issue.allow with input as bad
}

test_form_grammar_false if {
	bad := object.union(good, {"form_grammar": false})
	issue.decision == {"allow": false, "codes": {"A101"}} with input as bad
}

test_form_grammar_absent if {
	bad := object.remove(good, {"form_grammar"})
	not issue.allow with input as bad
}

test_basis_named_false if {
	bad := object.union(good, {"basis_named": false})
	issue.decision == {"allow": false, "codes": {"A105"}} with input as bad
}

test_basis_named_absent if {
	bad := object.remove(good, {"basis_named"})
	not issue.allow with input as bad
}

test_counter_authenticated_false if {
	bad := object.union(good, {"counter_authenticated": false})
	issue.decision == {"allow": false, "codes": {"A201"}} with input as bad
}

test_counter_authenticated_absent if {
	bad := object.remove(good, {"counter_authenticated"})
	not issue.allow with input as bad
}

test_existence_checked_false if {
	bad := object.union(good, {"existence_checked": false})
	issue.decision == {"allow": false, "codes": {"A202"}} with input as bad
}

test_existence_checked_absent if {
	bad := object.remove(good, {"existence_checked"})
	not issue.allow with input as bad
}

test_authenticity_checked_false if {
	bad := object.union(good, {"authenticity_checked": false})
	issue.decision == {"allow": false, "codes": {"A203"}} with input as bad
}

test_authenticity_checked_absent if {
	bad := object.remove(good, {"authenticity_checked"})
	not issue.allow with input as bad
}

test_attributes_equal_transfer_false if {
	bad := object.union(good, {"attributes_equal_transfer": false})
	issue.decision == {"allow": false, "codes": {"A204"}} with input as bad
}

test_attributes_equal_transfer_absent if {
	bad := object.remove(good, {"attributes_equal_transfer"})
	not issue.allow with input as bad
}

test_substitutes_right_false if {
	bad := object.union(good, {"substitutes_right": false})
	issue.decision == {"allow": false, "codes": {"A205"}} with input as bad
}

test_substitutes_right_absent if {
	bad := object.remove(good, {"substitutes_right"})
	not issue.allow with input as bad
}

test_no_live_certificate_false if {
	bad := object.union(good, {"no_live_certificate": false})
	issue.decision == {"allow": false, "codes": {"A206"}} with input as bad
}

test_no_live_certificate_absent if {
	bad := object.remove(good, {"no_live_certificate"})
	not issue.allow with input as bad
}

test_key_possession_false if {
	bad := object.union(good, {"key_possession": false})
	issue.decision == {"allow": false, "codes": {"A207"}} with input as bad
}

test_key_possession_absent if {
	bad := object.remove(good, {"key_possession"})
	not issue.allow with input as bad
}

test_key_new_false if {
	bad := object.union(good, {"key_new": false})
	issue.decision == {"allow": false, "codes": {"A208"}} with input as bad
}

test_key_new_absent if {
	bad := object.remove(good, {"key_new"})
	not issue.allow with input as bad
}

test_key_acceptable_false if {
	bad := object.union(good, {"key_acceptable": false})
	issue.decision == {"allow": false, "codes": {"A209"}} with input as bad
}

test_key_acceptable_absent if {
	bad := object.remove(good, {"key_acceptable"})
	not issue.allow with input as bad
}

test_profile_lints_false if {
	bad := object.union(good, {"profile_lints": false})
	issue.decision == {"allow": false, "codes": {"A210"}} with input as bad
}

test_profile_lints_absent if {
	bad := object.remove(good, {"profile_lints"})
	not issue.allow with input as bad
}

test_subject_committed_false if {
	bad := object.union(good, {"subject_committed": false})
	issue.decision == {"allow": false, "codes": {"A211"}} with input as bad
}

test_subject_committed_absent if {
	bad := object.remove(good, {"subject_committed"})
	not issue.allow with input as bad
}

test_no_pending_change_false if {
	bad := object.union(good, {"no_pending_change": false})
	issue.decision == {"allow": false, "codes": {"A301"}} with input as bad
}

test_no_pending_change_absent if {
	bad := object.remove(good, {"no_pending_change"})
	not issue.allow with input as bad
}

test_no_free_text_false if {
	bad := object.union(good, {"no_free_text": false})
	issue.decision == {"allow": false, "codes": {"A304"}} with input as bad
}

test_no_free_text_absent if {
	bad := object.remove(good, {"no_free_text"})
	not issue.allow with input as bad
}

test_no_resident_code_false if {
	bad := object.union(good, {"no_resident_code": false})
	issue.decision == {"allow": false, "codes": {"A401"}} with input as bad
}

test_no_resident_code_absent if {
	bad := object.remove(good, {"no_resident_code"})
	not issue.allow with input as bad
}

test_no_individual_number_false if {
	bad := object.union(good, {"no_individual_number": false})
	issue.decision == {"allow": false, "codes": {"A402"}} with input as bad
}

test_no_individual_number_absent if {
	bad := object.remove(good, {"no_individual_number"})
	not issue.allow with input as bad
}

test_no_long_digits_false if {
	bad := object.union(good, {"no_long_digits": false})
	issue.decision == {"allow": false, "codes": {"A403"}} with input as bad
}

test_no_long_digits_absent if {
	bad := object.remove(good, {"no_long_digits"})
	not issue.allow with input as bad
}

test_no_hidden_characters_false if {
	bad := object.union(good, {"no_hidden_characters": false})
	issue.decision == {"allow": false, "codes": {"A404"}} with input as bad
}

test_no_hidden_characters_absent if {
	bad := object.remove(good, {"no_hidden_characters"})
	not issue.allow with input as bad
}

test_no_encoded_blob_false if {
	bad := object.union(good, {"no_encoded_blob": false})
	issue.decision == {"allow": false, "codes": {"A405"}} with input as bad
}

test_no_encoded_blob_absent if {
	bad := object.remove(good, {"no_encoded_blob"})
	not issue.allow with input as bad
}
