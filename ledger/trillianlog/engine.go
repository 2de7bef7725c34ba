package trillianlog

import (
	"time"

	"github.com/google/trillian/util/clock"

	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
)

// Engine is an open log. It implements ledger.Log and ledger.Reader and is
// safe for concurrent use.
type Engine struct{ *sequence.Log }

var (
	_ ledger.Log    = (*Engine)(nil)
	_ ledger.Reader = (*Engine)(nil)
)

// Why a log refuses to start. Codes are stable.
const (
	CodeBehind  = sequence.CodeBehind
	CodeForked  = sequence.CodeForked
	CodeLost    = sequence.CodeLost
	CodeHead    = sequence.CodeHead
	CodeDamaged = sequence.CodeDamaged
	CodeOrigin  = sequence.CodeOrigin
	CodeFormat  = sequence.CodeFormat
	CodeKey     = sequence.CodeKey
)

// timeSource is the log's clock as Trillian wants it.
type timeSource struct{ *sequence.Clock }

var _ clock.TimeSource = timeSource{}

// NewTimer implements clock.TimeSource; nothing that the engine calls uses it.
func (timeSource) NewTimer(d time.Duration) clock.Timer { return clock.System.NewTimer(d) }
