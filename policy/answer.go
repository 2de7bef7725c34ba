package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/pad"
)

// An Answer is what one end of the link says about a message of the other's.
//
// An answer crosses the wall too, and the register's answers go the forbidden
// way: out of the zone that holds resident codes. So an answer is a word of a
// closed list (Answers): a status and, for a refusal, a code. Sentences do not
// travel; each end has its own. On the wire every answer is the same HTTP
// status with one header and pad.Fixed bytes, whatever it says: neither a
// length nor a status line tells a refusal from a receipt. See formats.md.
type Answer struct {
	Status int    // 204 taken, 409 refused, and what errors have
	Code   string // why not; "" when taken
}

// CodeAnswer is the code of ErrAnswer.
const CodeAnswer = "link.answer"

// ErrAnswer means that the other end's answer is not a word of the list, or
// has something beside it.
var ErrAnswer = say.New(CodeAnswer, "連携の相手の応答が、定められた形ではありません。", "The other end of the link answered in a form that is not allowed.").
	Hint("応答は読まずに捨てました。相手のサーバーを調べてください。", "The answer was dropped unread. The other end's server must be examined.")

// Taken says that a message was received for good.
var Taken = Answer{Status: http.StatusNoContent}

// words are the answers beside rule codes, with what each end says about them.
var words = []struct {
	status int
	text   *say.Error
}{
	{http.StatusForbidden, say.New("link.forbidden", "この連携の相手ではありません。", "You are not the other end of this link.")},
	{http.StatusNotFound, say.New("link.address", "この連携に、そのような宛先はありません。", "The link has no such address.")},
	{http.StatusRequestEntityTooLarge, say.New("link.size", "一覧が大きすぎます。", "The list is too large.")},
	{http.StatusInternalServerError, say.New("link.failed", "相手のサーバーが処理できませんでした。", "The other server couldn't process the message.")},
	{http.StatusServiceUnavailable, say.New("link.later", "相手のサーバーは今は受け取れません。後で送り直します。", "The other server can't take the message now. It is sent again later.")},
	{http.StatusConflict, say.New("link.conflict", "同じ番号の別の一覧が、すでに受け取られています。", "Another list with this sequence was taken in before.")},
	{http.StatusConflict, say.New("counts.refused", "件数の確認書が正しくありません。", "The statement of counts is not valid.")},
	{http.StatusConflict, say.New("counts.differ", "両側の件数が一致しません。", "The two ends' counts differ.")},
	{http.StatusConflict, say.New("counts.off", "この連携では、件数の確認書を交わしていません。", "This link exchanges no statements of counts.")},
}

// answers is the closed list: what is on the wire, and what it means.
var answers = func() map[string]*said {
	list := map[string]*said{}
	add := func(a Answer, text *say.Error) { list[string(a.message())] = &said{a, text} }
	add(Taken, nil)
	for _, w := range words {
		add(Answer{w.status, w.text.Code}, w.text)
	}
	for _, c := range catalogue.Codes() {
		if strings.HasPrefix(c.Code, "N") || strings.HasPrefix(c.Code, "H") {
			add(Answer{http.StatusConflict, c.Code}, catalogue.Refusal(c.Code))
		}
	}
	return list
}()

type said struct {
	answer Answer
	text   *say.Error
}

// Answers is the number of words of the list: an answer carries at most the
// logarithm of it.
func Answers() int { return len(answers) }

// Refusal is the answer for a refusal by err's code. A code that is not on the
// list is not said.
func Refusal(err error) Answer { return Answer{http.StatusConflict, say.Code(err)} }

// Status is the answer that has an HTTP status of its own, such as 503.
func Status(status int) Answer {
	for _, w := range words {
		if w.status == status && status != http.StatusConflict {
			return Answer{status, w.text.Code}
		}
	}
	return Answer{http.StatusInternalServerError, "link.failed"}
}

// Err is the answer as an error with its sentence in both languages, nil for
// Taken.
func (a Answer) Err() error {
	if s, ok := answers[string(a.message())]; ok && s.text != nil {
		return s.text
	}
	if a == Taken {
		return nil
	}
	return ErrAnswer
}

// message is the canonical bytes of an answer.
func (a Answer) message() []byte {
	b, _ := json.Marshal(struct { // members in ascending order; the codes need no escapes
		Code   string `json:"code,omitempty"`
		Status int    `json:"status"`
	}{a.Code, a.Status})
	return b
}

// Write answers a request. What is not on the list is answered as a failure,
// by the same bytes each time.
func (a Answer) Write(w http.ResponseWriter) {
	m := a.message()
	if answers[string(m)] == nil {
		m = Status(http.StatusInternalServerError).message()
	}
	h := w.Header()
	clear(h)
	h["Content-Length"] = []string{strconv.Itoa(pad.Fixed)}
	h["Content-Type"], h["Date"] = nil, nil // the server adds neither
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(pad.Wire(m, pad.Fixed)) // a client that went away needs no answer
}

// Nowhere answers what the link has no address for, in the form of every other
// answer.
func Nowhere(w http.ResponseWriter, _ *http.Request) { Status(http.StatusNotFound).Write(w) }

// Ask sends a message to a path of the link's other end at base
// (https://host:port) and returns the answer. The request has the fixed
// headers and the padded message, nothing else. An answer in any other form
// than Answer's is ErrAnswer; what it held is in no error.
func Ask(ctx context.Context, c *http.Client, base, path string, message []byte) (Answer, error) {
	// Interim answers have headers of their own, which a client would skip.
	var interim atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { interim.Store(true); return ErrAnswer },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(Padded(path, message)))
	if err != nil {
		return Answer{}, err
	}
	req.Header = LinkHeader()
	resp, err := c.Do(req)
	if err != nil {
		if interim.Load() {
			return Answer{}, ErrAnswer
		}
		return Answer{}, err
	}
	defer resp.Body.Close()
	return ReadAnswer(resp)
}

// ReadAnswer reads the one form of an answer. The body is read, not closed.
func ReadAnswer(resp *http.Response) (Answer, error) {
	for name, values := range resp.Header {
		if len(values) > 0 && (name != "Content-Length" || len(values) != 1 || values[0] != strconv.Itoa(pad.Fixed)) {
			return Answer{}, ErrAnswer
		}
	}
	// HTTP/2 has no reason; the client's own stands in its place.
	if resp.Status != "200 OK" || !resp.ProtoAtLeast(1, 1) || resp.Header.Get("Content-Length") == "" || len(resp.TransferEncoding) > 0 || resp.Uncompressed {
		return Answer{}, ErrAnswer
	}
	wire, err := io.ReadAll(io.LimitReader(resp.Body, pad.Fixed+1))
	if err != nil {
		return Answer{}, err // cut off on the way
	}
	m, ok := pad.Message(wire, pad.Fixed)
	if !ok || len(resp.Trailer) > 0 { // trailers come after the body
		return Answer{}, ErrAnswer
	}
	s, ok := answers[string(m)]
	if !ok {
		return Answer{}, ErrAnswer
	}
	return s.answer, nil
}
