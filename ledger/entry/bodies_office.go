package entry

// What officers of the CA do through its API (operator.act).
const (
	ActRevoke       = "revoke"        // one certificate, on a ground that is no notice
	ActRevokeAll    = "revoke-all"    // Article 14: the issuer's key leaked
	ActErase        = "erase"         // a record key
	ActDisclose     = "disclose"      // the opening of a record
	ActPublishLists = "publish-lists" // revocation lists out of turn; one officer is enough
)

// How far an act has come. An act that needs two officers is proposed by one
// and approved by another; PhaseSingle is an act that one officer may do.
const (
	PhaseProposed  = "proposed"
	PhaseApproved  = "approved"
	PhaseWithdrawn = "withdrawn"
	PhaseExpired   = "expired"
	PhaseSingle    = "single"
)

// OperatorAct is one step of an officer at the CA's API. Who it was is the
// digest of the officer's TLS certificate; what it was about is a digest over
// the proposal with its random identifier, so the log tells neither a name nor
// whose certificate it is. The effects have entries of their own.
type OperatorAct struct {
	Act      string `json:"act"`
	Officer  Digest `json:"officer"` // SHA-256 of the officer's TLS certificate
	Phase    string `json:"phase"`
	Proposal Digest `json:"proposal"` // the same in all phases of one act
}

// Kind returns KindOperatorAct.
func (*OperatorAct) Kind() Kind { return KindOperatorAct }

// Validate implements Body.
func (b *OperatorAct) Validate() error {
	return firstError(oneOf("act", b.Act, ActRevoke, ActRevokeAll, ActErase, ActDisclose, ActPublishLists),
		oneOf("phase", b.Phase, PhaseProposed, PhaseApproved, PhaseWithdrawn, PhaseExpired, PhaseSingle),
		set("officer", b.Officer), set("proposal", b.Proposal))
}
