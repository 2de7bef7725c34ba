# METADATA
# title: Revocation asked for without a notice (DOMAIN 6.4)
# scope: package
# schemas:
#   - input: schema.revoke
package sukashi.revoke

# METADATA
# entrypoint: true
# labels:
#   rule: decision
decision := {"allow": true, "codes": []} if allow
else := {"allow": false, "codes": deny}

# METADATA
# labels:
#   rule: allow
allow if {
	input.complete == true
	input.bundle_approved == true
	input.ground_known == true
	input.basis_named == true
	input.requester_verified == true
	input.role_may_ask == true
	input.certificate_issued == true
	input.not_yet_revoked == true
	input.public_reason_neutral == true
	input.no_free_text == true
	input.no_resident_code == true
}

# METADATA
# title: A fact that the decision needs is missing
# labels:
#   rule: N100
deny contains "N100" if input.complete == false

# METADATA
# title: The policy bundle is not approved by the council
# labels:
#   rule: N902
deny contains "N902" if input.bundle_approved == false

# METADATA
# title: The ground of the revocation is not a known one
# labels:
#   rule: R101
deny contains "R101" if input.ground_known == false

# METADATA
# title: The request for revocation does not name its legal basis
# labels:
#   rule: R105
deny contains "R105" if input.basis_named == false

# METADATA
# title: Who asks for the revocation was not verified
# labels:
#   rule: R201
deny contains "R201" if input.requester_verified == false

# METADATA
# title: This role may not ask for a revocation on that ground
# labels:
#   rule: R202
deny contains "R202" if input.role_may_ask == false

# METADATA
# title: The certificate was not issued or is not in the ledger
# labels:
#   rule: R204
deny contains "R204" if input.certificate_issued == false

# METADATA
# title: The certificate is revoked already
# labels:
#   rule: R205
deny contains "R205" if input.not_yet_revoked == false

# METADATA
# title: The public reason would show the content of a change
# labels:
#   rule: R301
deny contains "R301" if input.public_reason_neutral == false

# METADATA
# title: The request for revocation holds free text
# labels:
#   rule: R304
deny contains "R304" if input.no_free_text == false

# METADATA
# title: The request for revocation holds what looks like a resident record code
# labels:
#   rule: R401
deny contains "R401" if input.no_resident_code == false
