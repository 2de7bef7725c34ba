# METADATA
# title: M3 as received by the CA's link server (DOMAIN PR-01 to PR-03)
# scope: package
# schemas:
#   - input: schema.notice_receive
package sukashi.notice_receive

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
	input.mode_configured == true
	input.basis_named == true
	input.sender_is_register == true
	input.addressee_is_ca == true
	input.sequence_next == true
	input.certificate_issued == true
	input.sender_decision_logged == true
	input.echo_equals_certified == true
	input.no_free_text == true
	input.no_resident_code == true
	input.no_individual_number == true
	input.no_long_digits == true
	input.no_hidden_characters == true
	input.no_encoded_blob == true
	input.transport_clean == true
	input.capacity_within_budget == true
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
# title: The notice is outside the closed grammar
# labels:
#   rule: N101
deny contains "N101" if input.grammar == false

# METADATA
# title: The notice is not in canonical bytes
# labels:
#   rule: N102
deny contains "N102" if input.canonical_bytes == false

# METADATA
# title: The notice does not have exactly the prescribed fields
# labels:
#   rule: N103
deny contains "N103" if input.field_set_exact == false

# METADATA
# title: The notice is not in the mode of this link
# labels:
#   rule: N104
deny contains "N104" if input.mode_configured == false

# METADATA
# title: The notice does not name its legal basis
# labels:
#   rule: N105
deny contains "N105" if input.basis_named == false

# METADATA
# title: The notice does not come from the register's link server
# labels:
#   rule: N201
deny contains "N201" if input.sender_is_register == false

# METADATA
# title: The notice is not addressed to the CA's link server
# labels:
#   rule: N202
deny contains "N202" if input.addressee_is_ca == false

# METADATA
# title: The notice does not carry the next sequence number
# labels:
#   rule: N203
deny contains "N203" if input.sequence_next == false

# METADATA
# title: The notice does not refer to a certificate that was issued and is in the ledger
# labels:
#   rule: N204
deny contains "N204" if input.certificate_issued == false

# METADATA
# title: The sender's decision on exactly this notice is not in the ledger
# labels:
#   rule: N206
deny contains "N206" if input.sender_decision_logged == false

# METADATA
# title: The notice's attributes differ from the commitment made at issuance
# labels:
#   rule: N301
deny contains "N301" if input.echo_equals_certified == false

# METADATA
# title: The notice holds free text
# labels:
#   rule: N304
deny contains "N304" if input.no_free_text == false

# METADATA
# title: The notice holds a resident record code
# labels:
#   rule: N401
deny contains "N401" if input.no_resident_code == false

# METADATA
# title: The notice holds an individual number
# labels:
#   rule: N402
deny contains "N402" if input.no_individual_number == false

# METADATA
# title: The notice holds a run of 11 or more digits outside its typed slots
# labels:
#   rule: N403
deny contains "N403" if input.no_long_digits == false

# METADATA
# title: The notice holds hidden characters or unregistered variation sequences
# labels:
#   rule: N404
deny contains "N404" if input.no_hidden_characters == false

# METADATA
# title: The notice holds an encoded blob
# labels:
#   rule: N405
deny contains "N405" if input.no_encoded_blob == false

# METADATA
# title: The transport metadata holds more than is allowed
# labels:
#   rule: N406
deny contains "N406" if input.transport_clean == false

# METADATA
# title: The notice format could carry more information than the budget allows
# labels:
#   rule: N501
deny contains "N501" if input.capacity_within_budget == false
