// Package problem carries errors over HTTP as RFC 9457 problem documents.
//
// A document has a stable code, the sentence in Japanese and English and a
// hint, never a cause: causes are for the server's own log.
//
//	problem.Write(w, r, http.StatusConflict, say.New("notice.gap", "…", "…"))
//	…
//	err := problem.Read(resp) // on the client's side: the same *say.Error
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/sukashi-project/sukashi/internal/say"
)

// ContentType is the media type of RFC 9457.
const ContentType = "application/problem+json"

// maxBody bounds what Read takes from a peer.
const maxBody = 16 << 10

// Document is the wire form. Type is a URN made of the code.
type Document struct {
	Type   string `json:"type"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	JA     string `json:"ja"`
	EN     string `json:"en"`
	HintJA string `json:"hint_ja,omitempty"`
	HintEN string `json:"hint_en,omitempty"`
}

// Write answers a request with a problem document. An error that was not made
// with package say becomes a general sentence: its text may hold anything, so
// it is not shown.
func Write(w http.ResponseWriter, _ *http.Request, status int, err error) {
	Of(status, err).Write(w)
}

// Of is the document that Write answers with.
func Of(status int, err error) Document {
	var e *say.Error
	if !errors.As(err, &e) {
		e = say.New("internal", "サーバー内部で処理できませんでした。", "The server couldn't process the request.").
			Hint("運用者に時刻を伝えてください。", "Tell the operator the time of your request.")
	}
	return Document{Type: "urn:sukashi:problem:" + e.Code, Status: status, Code: e.Code, Title: e.Text.EN,
		JA: e.Text.JA, EN: e.Text.EN, HintJA: e.Hints.JA, HintEN: e.Hints.EN}
}

// Write answers a request with the document.
func (d Document) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(d.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(d) // a client that went away needs no answer
}

var codeForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Error is a problem document that a server answered with.
type Error struct {
	Status   int        // HTTP status
	Sentence *say.Error // what the server said
}

// Unwrap returns the sentence, so that errors.As finds the *say.Error.
func (e *Error) Unwrap() error { return e.Sentence }

// Error is the English sentence with the HTTP status.
func (e *Error) Error() string { return fmt.Sprintf("%s [HTTP %d]", e.Sentence.Error(), e.Status) }

// Read turns a response that is not 2xx into an error and closes nothing. It
// returns nil for 2xx. A body that is no problem document gives an error with
// the code "http".
func Read(resp *http.Response) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	var d Document
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil || json.Unmarshal(b, &d) != nil || !codeForm.MatchString(d.Code) {
		return &Error{Status: resp.StatusCode, Sentence: say.New("http",
			fmt.Sprintf("相手のサーバーが状態 %d を返しました。", resp.StatusCode),
			fmt.Sprintf("The other server answered with status %d.", resp.StatusCode))}
	}
	return &Error{Status: resp.StatusCode, Sentence: say.New(d.Code, d.JA, d.EN).Hint(d.HintJA, d.HintEN)}
}
