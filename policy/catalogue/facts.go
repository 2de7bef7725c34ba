package catalogue

// facts is each rule set without the two facts of the decider. Order is bit
// order: append only, and only together with a new policy bundle.
var facts = map[Ruleset][]Fact{
	Transfer: {
		{"grammar", "T101"},              // transfer.Open read it: closed grammar
		{"canonical_bytes", "T102"},      // its one canonical form
		{"field_set_exact", "T103"},      // no member more, none less
		{"basis_named", "T105"},          // names its legal basis (PR-10)
		{"signature_valid", "T106"},      // one signature, of the terminal's key
		{"terminal_registered", "T201"},  // the key is that of a registered JukiTerminal
		{"municipality_own", "T202"},     // the file's municipality is the counter's
		{"fresh", "T203"},                // made within the allowed time, not in the future
		{"not_used_before", "T204"},      // its digest was never taken in
		{"attributes_valid", "T301"},     // attr.Attributes.Validate
		{"no_resident_code", "T401"},     // PR-06, PR-07
		{"no_individual_number", "T402"}, //
		{"no_long_digits", "T403"},       //
		{"no_hidden_characters", "T404"}, //
		{"no_encoded_blob", "T405"},      //
	},
	Issue: {
		{"form_grammar", "A101"},              // closed form, every field in its domain
		{"basis_named", "A105"},               //
		{"counter_authenticated", "A201"},     // mTLS identity of a registered CounterTerminal
		{"existence_checked", "A202"},         // 実在性: transfer file allowed by rule set transfer
		{"authenticity_checked", "A203"},      // 本人性: document checked and recorded
		{"attributes_equal_transfer", "A204"}, // the form's four attributes are the file's
		{"substitutes_right", "A205"},         // certified values follow from record and substitutes
		{"no_live_certificate", "A206"},       // Article 6, IN-05
		{"key_possession", "A207"},            // proof of possession verified
		{"key_new", "A208"},                   // the public key was never certified
		{"key_acceptable", "A209"},            // kind and size
		{"profile_lints", "A210"},             // TBS passes the house lints
		{"subject_committed", "A211"},         // subject commitment opens to the certified values
		{"no_pending_change", "A301"},         // IN-08
		{"no_free_text", "A304"},              // PR-11
		{"no_resident_code", "A401"},          // PR-06
		{"no_individual_number", "A402"},      //
		{"no_long_digits", "A403"},            //
		{"no_hidden_characters", "A404"},      //
		{"no_encoded_blob", "A405"},           //
	},
	HoldersSend: {
		{"grammar", "H101"},               //
		{"canonical_bytes", "H102"},       //
		{"field_set_exact", "H103"},       //
		{"basis_named", "H105"},           // PR-10
		{"sender_is_ca", "H201"},          //
		{"addressee_is_register", "H202"}, //
		{"sequence_next", "H203"},         //
		{"day_once", "H204"},              // PR-12: at most once a day
		{"set_equals_live", "H205"},       // PR-12: after this list, exactly the live certificates
		{"attributes_certified", "H301"},  // each holder opens its cert.intent's subject commitment
		{"no_resident_code", "H401"},      // PR-06
		{"no_individual_number", "H402"},  //
		{"transport_clean", "H406"},       //
	},
	HoldersReceive: {
		{"grammar", "H101"},               //
		{"canonical_bytes", "H102"},       //
		{"field_set_exact", "H103"},       //
		{"basis_named", "H105"},           //
		{"sender_is_ca", "H201"},          //
		{"addressee_is_register", "H202"}, //
		{"sequence_next", "H203"},         //
		{"day_once", "H204"},              //
		{"set_equals_live", "H205"},       // own holders after this list are as many as the list says
		{"sender_entry_logged", "H206"},   // holders.sent with this set digest is in the ledger
		{"no_resident_code", "H401"},      //
		{"no_individual_number", "H402"},  //
		{"transport_clean", "H406"},       //
	},
	NoticeSend: {
		{"grammar", "N101"},                //
		{"canonical_bytes", "N102"},        //
		{"field_set_exact", "N103"},        //
		{"mode_configured", "N104"},        // the mode that this link is configured for
		{"basis_named", "N105"},            // PR-10
		{"sender_is_register", "N201"},     //
		{"addressee_is_ca", "N202"},        //
		{"sequence_next", "N203"},          //
		{"certificate_issued", "N204"},     // issued and in the ledger; it may be revoked or expired since
		{"echo_equals_certified", "N301"},  // PR-03; true in reference mode, where no attribute is sent
		{"no_new_address", "N302"},         // PR-02, by exact data match
		{"no_new_name", "N303"},            // PR-02, by exact data match
		{"no_free_text", "N304"},           // PR-11
		{"no_resident_code", "N401"},       // PR-01, exact, in every view
		{"no_individual_number", "N402"},   //
		{"no_long_digits", "N403"},         //
		{"no_hidden_characters", "N404"},   //
		{"no_encoded_blob", "N405"},        //
		{"transport_clean", "N406"},        //
		{"capacity_within_budget", "N501"}, // bits that the grammar leaves to the sender, given the certificate
	},
	NoticeReceive: {
		{"grammar", "N101"},                //
		{"canonical_bytes", "N102"},        //
		{"field_set_exact", "N103"},        //
		{"mode_configured", "N104"},        //
		{"basis_named", "N105"},            //
		{"sender_is_register", "N201"},     //
		{"addressee_is_ca", "N202"},        //
		{"sequence_next", "N203"},          //
		{"certificate_issued", "N204"},     //
		{"sender_decision_logged", "N206"}, // notice.sent allows exactly these bytes
		{"echo_equals_certified", "N301"},  //
		{"no_free_text", "N304"},           //
		{"no_resident_code", "N401"},       //
		{"no_individual_number", "N402"},   //
		{"no_long_digits", "N403"},         //
		{"no_hidden_characters", "N404"},   //
		{"no_encoded_blob", "N405"},        //
		{"transport_clean", "N406"},        //
		{"capacity_within_budget", "N501"}, //
	},
	Revoke: {
		{"ground_known", "R101"},          // one of entry.Grounds but Article 12
		{"basis_named", "R105"},           //
		{"requester_verified", "R201"},    // holder's identity, operator's key or council order
		{"role_may_ask", "R202"},          // this role may use this ground
		{"certificate_issued", "R204"},    //
		{"not_yet_revoked", "R205"},       // IN-06
		{"public_reason_neutral", "R301"}, // PR-08
		{"no_free_text", "R304"},          // PR-11
		{"no_resident_code", "R401"},      // PR-01
	},
}
