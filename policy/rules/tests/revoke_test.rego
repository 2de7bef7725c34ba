package sukashi.revoke_test

import data.sukashi.revoke

good := {
	"complete": true,
	"bundle_approved": true,
	"ground_known": true,
	"basis_named": true,
	"requester_verified": true,
	"role_may_ask": true,
	"certificate_issued": true,
	"not_yet_revoked": true,
	"public_reason_neutral": true,
	"no_free_text": true,
	"no_resident_code": true,
}

test_allows_when_all_hold if {
	revoke.decision == {"allow": true, "codes": []} with input as good
}

test_complete_false if {
	bad := object.union(good, {"complete": false})
	revoke.decision == {"allow": false, "codes": {"N100"}} with input as bad
}

test_complete_absent if {
	bad := object.remove(good, {"complete"})
	not revoke.allow with input as bad
}

test_bundle_approved_false if {
	bad := object.union(good, {"bundle_approved": false})
	revoke.decision == {"allow": false, "codes": {"N902"}} with input as bad
}

test_bundle_approved_absent if {
	bad := object.remove(good, {"bundle_approved"})
	not revoke.allow with input as bad
}

test_ground_known_false if {
	bad := object.union(good, {"ground_known": false})
	revoke.decision == {"allow": false, "codes": {"R101"}} with input as bad
}

test_ground_known_absent if {
	bad := object.remove(good, {"ground_known"})
	not revoke.allow with input as bad
}

test_basis_named_false if {
	bad := object.union(good, {"basis_named": false})
	revoke.decision == {"allow": false, "codes": {"R105"}} with input as bad
}

test_basis_named_absent if {
	bad := object.remove(good, {"basis_named"})
	not revoke.allow with input as bad
}

test_requester_verified_false if {
	bad := object.union(good, {"requester_verified": false})
	revoke.decision == {"allow": false, "codes": {"R201"}} with input as bad
}

test_requester_verified_absent if {
	bad := object.remove(good, {"requester_verified"})
	not revoke.allow with input as bad
}

test_role_may_ask_false if {
	bad := object.union(good, {"role_may_ask": false})
	revoke.decision == {"allow": false, "codes": {"R202"}} with input as bad
}

test_role_may_ask_absent if {
	bad := object.remove(good, {"role_may_ask"})
	not revoke.allow with input as bad
}

test_certificate_issued_false if {
	bad := object.union(good, {"certificate_issued": false})
	revoke.decision == {"allow": false, "codes": {"R204"}} with input as bad
}

test_certificate_issued_absent if {
	bad := object.remove(good, {"certificate_issued"})
	not revoke.allow with input as bad
}

test_not_yet_revoked_false if {
	bad := object.union(good, {"not_yet_revoked": false})
	revoke.decision == {"allow": false, "codes": {"R205"}} with input as bad
}

test_not_yet_revoked_absent if {
	bad := object.remove(good, {"not_yet_revoked"})
	not revoke.allow with input as bad
}

test_public_reason_neutral_false if {
	bad := object.union(good, {"public_reason_neutral": false})
	revoke.decision == {"allow": false, "codes": {"R301"}} with input as bad
}

test_public_reason_neutral_absent if {
	bad := object.remove(good, {"public_reason_neutral"})
	not revoke.allow with input as bad
}

test_no_free_text_false if {
	bad := object.union(good, {"no_free_text": false})
	revoke.decision == {"allow": false, "codes": {"R304"}} with input as bad
}

test_no_free_text_absent if {
	bad := object.remove(good, {"no_free_text"})
	not revoke.allow with input as bad
}

test_no_resident_code_false if {
	bad := object.union(good, {"no_resident_code": false})
	revoke.decision == {"allow": false, "codes": {"R401"}} with input as bad
}

test_no_resident_code_absent if {
	bad := object.remove(good, {"no_resident_code"})
	not revoke.allow with input as bad
}
