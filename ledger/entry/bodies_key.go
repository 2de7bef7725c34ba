package entry

// The life of an issuer key after key.created (bodies.go): its certificates for
// other CA keys, its succession, its leak.

// Purposes of CrossIntent.
const (
	PurposeLink  = "link"  // another generation of the same CA (RFC 4210 4.4)
	PurposeCross = "cross" // another CA, such as a bridge
)

// CrossIntent announces a certificate for another CA's key before it is signed:
// the key store signs it only with a receipt for this entry (promise P2).
type CrossIntent struct {
	Issuer  Digest `json:"issuer"`  // SHA-256 of the signing key's SubjectPublicKeyInfo
	Purpose string `json:"purpose"` // PurposeLink or PurposeCross
	Record  Digest `json:"record"`  // digest of the ceremony record
	Serial  string `json:"serial"`  // lower-case hex
	SPKI    Digest `json:"spki"`    // SHA-256 of the certified key's SubjectPublicKeyInfo
	TBS     Digest `json:"tbs"`     // SHA-256 of the TBSCertificate
}

// Kind returns KindCrossIntent.
func (*CrossIntent) Kind() Kind { return KindCrossIntent }

// Validate implements Body.
func (b *CrossIntent) Validate() error {
	return firstError(oneOf("purpose", b.Purpose, PurposeLink, PurposeCross), set("issuer", b.Issuer), set("record", b.Record),
		serial(b.Serial), set("spki", b.SPKI), set("tbs", b.TBS))
}

// CrossRevoked revokes a link or cross certificate. The next revocation list of
// its issuer for CA certificates shows it.
type CrossRevoked struct {
	Ground   string `json:"ground"`   // GroundIssuerKey (the certified key leaked), GroundRenewed or GroundRequest (the relation ended)
	Issuer   Digest `json:"issuer"`   // SHA-256 of the signing key's SubjectPublicKeyInfo
	Record   Digest `json:"record"`   // digest of the record of who decided it
	Recorded Time   `json:"recorded"` // date of recording, the revocationDate in lists
	Serial   string `json:"serial"`   // lower-case hex
}

// Kind returns KindCrossRevoked.
func (*CrossRevoked) Kind() Kind { return KindCrossRevoked }

// Validate implements Body.
func (b *CrossRevoked) Validate() error {
	return firstError(oneOf("ground", b.Ground, GroundIssuerKey, GroundRenewed, GroundRequest), set("issuer", b.Issuer),
		set("record", b.Record), serial(b.Serial))
}

// KeySucceeded says that from its index on certificates are issued by another
// generation's key. The older key goes on signing revocation lists for its own
// certificates until key.retired.
type KeySucceeded struct {
	Record    Digest `json:"record"`    // digest of the ceremony record
	SPKI      Digest `json:"spki"`      // of the key that issues no more
	Successor Digest `json:"successor"` // of the key that issues from now on
}

// Kind returns KindKeySucceeded.
func (*KeySucceeded) Kind() Kind { return KindKeySucceeded }

// Validate implements Body.
func (b *KeySucceeded) Validate() error {
	return firstError(set("record", b.Record), set("spki", b.SPKI), set("successor", b.Successor))
}

// KeyLeaked records 発行者署名符号の漏えい等 (IssuerKeyLeak, Article 14): from its
// index on no certificate is issued by the key and every one in force is
// revoked.
type KeyLeaked struct {
	Record Digest `json:"record"` // digest of the record of who decided it
	SPKI   Digest `json:"spki"`
}

// Kind returns KindKeyLeaked.
func (*KeyLeaked) Kind() Kind { return KindKeyLeaked }

// Validate implements Body.
func (b *KeyLeaked) Validate() error { return firstError(set("record", b.Record), set("spki", b.SPKI)) }
