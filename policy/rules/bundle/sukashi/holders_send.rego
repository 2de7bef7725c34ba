# METADATA
# title: M1 as sent by the CA's link server (DOMAIN PR-12)
# scope: package
# schemas:
#   - input: schema.holders_send
package sukashi.holders_send

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
	input.grammar == true
	input.canonical_bytes == true
	input.field_set_exact == true
	input.basis_named == true
	input.sender_is_ca == true
	input.addressee_is_register == true
	input.sequence_next == true
	input.day_once == true
	input.set_equals_live == true
	input.attributes_certified == true
	input.no_resident_code == true
	input.no_individual_number == true
	input.transport_clean == true
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
# title: The holders list is outside the closed grammar
# labels:
#   rule: H101
deny contains "H101" if input.grammar == false

# METADATA
# title: The holders list is not in canonical bytes
# labels:
#   rule: H102
deny contains "H102" if input.canonical_bytes == false

# METADATA
# title: The holders list does not have exactly the prescribed fields
# labels:
#   rule: H103
deny contains "H103" if input.field_set_exact == false

# METADATA
# title: The holders list does not name its legal basis
# labels:
#   rule: H105
deny contains "H105" if input.basis_named == false

# METADATA
# title: The holders list does not come from the CA's link server
# labels:
#   rule: H201
deny contains "H201" if input.sender_is_ca == false

# METADATA
# title: The holders list is not addressed to the register's link server
# labels:
#   rule: H202
deny contains "H202" if input.addressee_is_register == false

# METADATA
# title: The holders list does not carry the next sequence number
# labels:
#   rule: H203
deny contains "H203" if input.sequence_next == false

# METADATA
# title: There already is a holders list for that day
# labels:
#   rule: H204
deny contains "H204" if input.day_once == false

# METADATA
# title: The holders list does not equal the set of live certificates
# labels:
#   rule: H205
deny contains "H205" if input.set_equals_live == false

# METADATA
# title: Attributes in the holders list differ from those certified
# labels:
#   rule: H301
deny contains "H301" if input.attributes_certified == false

# METADATA
# title: The holders list holds what looks like a resident record code
# labels:
#   rule: H401
deny contains "H401" if input.no_resident_code == false

# METADATA
# title: The holders list holds what looks like an individual number
# labels:
#   rule: H402
deny contains "H402" if input.no_individual_number == false

# METADATA
# title: The transport metadata holds more than is allowed
# labels:
#   rule: H406
deny contains "H406" if input.transport_clean == false
