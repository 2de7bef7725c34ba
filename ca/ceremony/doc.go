// Package ceremony makes, links, succeeds and retires the keys of the CA: acts
// that several people answer for, that are announced in the log before the key
// is used, and that leave a transcript.
//
// # Two phases
//
// A Plan says completely what will be done: which keys, of which kind, under
// which label, on which token, by which profiles, who may approve it and how
// many must. Its canonical bytes have a digest. Each officer looks at the plan
// and signs the digest with an Ed25519 key of their own (Approve). Run refuses
// to begin with fewer valid approvals than the plan's threshold. A plan names the
// log, the generation and the key before it, so an approval fits one act once.
//
// # One act
//
// Run brings an act to its end in steps, each of which can be done again:
//
//	plan approved
//	  → intention to make the keys on disk → keys made on the token, and looked at:
//	    sensitive, not extractable, made there (never otherwise)
//	  → draft on disk: every byte that will be announced or signed, the transcript,
//	    and their digests
//	  → for each line of the draft: entry in the log → signature with its receipt →
//	    file
//	  → everything read back: files, token, log
//	  → the directory gets its name
//
// The last step is one rename: a generation exists whole or not at all. A crash
// anywhere leaves the work directory, and Run with the same plan goes on where it
// stopped. A token whose signatures are random (ECDSA) can't give one again that
// was lost between token and disk; then the draft is made anew with new serials,
// and the announcement of the lost signature stays in the log, where every use of
// the key is accounted for.
//
// # What the log holds
//
//	init      key.created ×2 (issuer with its root, responder with its certificate)
//	rollover  the same for the next generation, cross.intent ×2 (link certificates
//	          both ways, RFC 4210 4.4), key.succeeded: the switch
//	responder key.created (the generation's next responder with its certificate)
//	cross     cross.intent
//	uncross   cross.revoked
//	leak      key.leaked, and cross.revoked for every link certificate that other
//	          generations gave the leaked key
//	retire    key.retired
//
// Each carries the SHA-256 of the transcript as its record. The transcript is
// public: officers' ids, approvals, digests, what the token says of itself,
// versions of the tools. It holds no secret.
//
// # Generations
//
// All generations have one name (DOMAIN 6.1) and are told apart by key alone. The
// first one answers at the base address, the n-th at BASE/gn: a client that looks
// for a list by address must not be given another generation's.
//
// # Responders
//
// A responder's certificate carries ocsp-nocheck: nothing can revoke it, so it
// lives a year less a day. ActResponder makes its successor in good time, always
// with a new key: whoever got hold of the old one has it until that certificate
// ends, not longer. The n-th responder of a generation lies in
// responder-GENERATION-n and the newest one answers; answers of the one before
// verify until their nextUpdate, for each carries its responder's certificate.
//
// Software keys are for demonstrations and need demo: true in the configuration,
// which the transcript shows.
package ceremony
