package register

// Kind is the type of a change to a resident record (DOMAIN 8.4).
type Kind string

// Kinds of change. Load is no change: it marks the state in which a record was
// taken over when the database was set up.
const (
	Load                Kind = "load"                  // 初期データ: taken over from the municipality, not in the change sequence
	Entry               Kind = "entry"                 // 記載: birth, arrival from abroad; a new record
	MoveWithin          Kind = "move-within"           // 転居: new address in the same municipality
	MoveOut             Kind = "move-out"              // 転出: the record is deleted in the old municipality
	MoveIn              Kind = "move-in"               // 転入: recorded in a municipality, after a MoveOut or straight away
	NameChange          Kind = "name-change"           // 婚姻・離婚・養子縁組・許可による変更
	Death               Kind = "death"                 // 死亡: deleted
	MoveAbroad          Kind = "move-abroad"           // 国外転出: deleted
	ExOfficioDeletion   Kind = "ex-officio-deletion"   // 職権消除: deleted
	Correction          Kind = "correction"            // 職権修正: name or address corrected without a move or a change of name
	BirthDateCorrection Kind = "birth-date-correction" // 生年月日の訂正
	SexCorrection       Kind = "sex-correction"        // 性別の訂正
	Merger              Kind = "merger"                // 行政区画等の変更: renaming, renumbering, merger; a minor correction
	Reversal            Kind = "reversal"              // 修正の取消し: a change turned out to be a clerical slip
)

// Kinds are all kinds that may stand in the change sequence.
var Kinds = []Kind{Entry, MoveWithin, MoveOut, MoveIn, NameChange, Death, MoveAbroad,
	ExOfficioDeletion, Correction, BirthDateCorrection, SexCorrection, Merger, Reversal}

// Minor reports whether the change is a minor correction (軽微な修正), which
// Article 12 of the JPKI Act excepts: it leads to no notice.
func (k Kind) Minor() bool { return k == Merger }

// Deletes reports whether the change deletes the record (消除).
func (k Kind) Deletes() bool {
	return k == MoveOut || k == Death || k == MoveAbroad || k == ExOfficioDeletion
}
