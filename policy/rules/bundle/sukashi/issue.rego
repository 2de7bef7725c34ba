# METADATA
# title: Application to be certified (DOMAIN 4.1, 5.1)
# scope: package
# schemas:
#   - input: schema.issue
package sukashi.issue

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
	input.form_grammar == true
	input.basis_named == true
	input.counter_authenticated == true
	input.existence_checked == true
	input.authenticity_checked == true
	input.attributes_equal_transfer == true
	input.substitutes_right == true
	input.no_live_certificate == true
	input.key_possession == true
	input.key_new == true
	input.key_acceptable == true
	input.profile_lints == true
	input.subject_committed == true
	input.no_pending_change == true
	input.no_free_text == true
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
# title: The application form does not have the prescribed shape
# labels:
#   rule: A101
deny contains "A101" if input.form_grammar == false

# METADATA
# title: The application does not name its legal basis
# labels:
#   rule: A105
deny contains "A105" if input.basis_named == false

# METADATA
# title: The counter terminal that sent the application is not authenticated
# labels:
#   rule: A201
deny contains "A201" if input.counter_authenticated == false

# METADATA
# title: The applicant's existence on the resident register was not checked
# labels:
#   rule: A202
deny contains "A202" if input.existence_checked == false

# METADATA
# title: That the applicant is this person was not checked
# labels:
#   rule: A203
deny contains "A203" if input.authenticity_checked == false

# METADATA
# title: The four attributes on the form differ from the transfer file
# labels:
#   rule: A204
deny contains "A204" if input.attributes_equal_transfer == false

# METADATA
# title: The substitute characters are not applied correctly
# labels:
#   rule: A205
deny contains "A205" if input.substitutes_right == false

# METADATA
# title: The person already has a live certificate
# labels:
#   rule: A206
deny contains "A206" if input.no_live_certificate == false

# METADATA
# title: Possession of the private key is not proved
# labels:
#   rule: A207
deny contains "A207" if input.key_possession == false

# METADATA
# title: The public key is already in use
# labels:
#   rule: A208
deny contains "A208" if input.key_new == false

# METADATA
# title: The kind or the size of the public key is not accepted
# labels:
#   rule: A209
deny contains "A209" if input.key_acceptable == false

# METADATA
# title: The certificate to be signed does not fit the profile
# labels:
#   rule: A210
deny contains "A210" if input.profile_lints == false

# METADATA
# title: The commitment to the certified attributes is not the one to be logged
# labels:
#   rule: A211
deny contains "A211" if input.subject_committed == false

# METADATA
# title: A change of the resident record is pending
# labels:
#   rule: A301
deny contains "A301" if input.no_pending_change == false

# METADATA
# title: The application holds free text
# labels:
#   rule: A304
deny contains "A304" if input.no_free_text == false

# METADATA
# title: The application holds what looks like a resident record code
# labels:
#   rule: A401
deny contains "A401" if input.no_resident_code == false

# METADATA
# title: The application holds what looks like an individual number
# labels:
#   rule: A402
deny contains "A402" if input.no_individual_number == false

# METADATA
# title: The application holds a run of 11 or more digits
# labels:
#   rule: A403
deny contains "A403" if input.no_long_digits == false

# METADATA
# title: The application holds hidden characters or unregistered variation sequences
# labels:
#   rule: A404
deny contains "A404" if input.no_hidden_characters == false

# METADATA
# title: The application holds an encoded blob
# labels:
#   rule: A405
deny contains "A405" if input.no_encoded_blob == false
