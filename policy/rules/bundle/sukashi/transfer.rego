# METADATA
# title: Transfer file read at the counter (DOMAIN PR-07)
# scope: package
# schemas:
#   - input: schema.transfer
package sukashi.transfer

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
	input.signature_valid == true
	input.terminal_registered == true
	input.municipality_own == true
	input.fresh == true
	input.not_used_before == true
	input.attributes_valid == true
	input.no_resident_code == true
	input.no_individual_number == true
	input.no_long_digits == true
	input.no_hidden_characters == true
	input.no_encoded_blob == true
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
# title: The transfer file is outside the closed grammar
# labels:
#   rule: T101
deny contains "T101" if input.grammar == false

# METADATA
# title: The transfer file is not in canonical bytes
# labels:
#   rule: T102
deny contains "T102" if input.canonical_bytes == false

# METADATA
# title: The transfer file does not have exactly the prescribed fields
# labels:
#   rule: T103
deny contains "T103" if input.field_set_exact == false

# METADATA
# title: The transfer file does not name its legal basis
# labels:
#   rule: T105
deny contains "T105" if input.basis_named == false

# METADATA
# title: The transfer file's signature is not valid
# labels:
#   rule: T106
deny contains "T106" if input.signature_valid == false

# METADATA
# title: The terminal that signed the transfer file is not registered
# labels:
#   rule: T201
deny contains "T201" if input.terminal_registered == false

# METADATA
# title: The transfer file is not this municipality's
# labels:
#   rule: T202
deny contains "T202" if input.municipality_own == false

# METADATA
# title: The transfer file is too old, or from the future
# labels:
#   rule: T203
deny contains "T203" if input.fresh == false

# METADATA
# title: The transfer file was used before
# labels:
#   rule: T204
deny contains "T204" if input.not_used_before == false

# METADATA
# title: The four attributes of the transfer file are not well-formed
# labels:
#   rule: T301
deny contains "T301" if input.attributes_valid == false

# METADATA
# title: The transfer file holds what looks like a resident record code
# labels:
#   rule: T401
deny contains "T401" if input.no_resident_code == false

# METADATA
# title: The transfer file holds what looks like an individual number
# labels:
#   rule: T402
deny contains "T402" if input.no_individual_number == false

# METADATA
# title: The transfer file holds a run of 11 or more digits
# labels:
#   rule: T403
deny contains "T403" if input.no_long_digits == false

# METADATA
# title: The transfer file holds hidden characters or unregistered variation sequences
# labels:
#   rule: T404
deny contains "T404" if input.no_hidden_characters == false

# METADATA
# title: The transfer file holds an encoded blob
# labels:
#   rule: T405
deny contains "T405" if input.no_encoded_blob == false
