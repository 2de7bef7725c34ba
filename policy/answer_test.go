package policy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/pad"
)

// every is each word of the list.
func every() []policy.Answer {
	out := []policy.Answer{policy.Taken}
	for _, s := range []int{403, 404, 413, 500, 503} {
		out = append(out, policy.Status(s))
	}
	for _, c := range []string{"link.conflict", "counts.refused", "counts.differ", "counts.off"} {
		out = append(out, policy.Answer{Status: http.StatusConflict, Code: c})
	}
	for _, c := range policy.Codes() {
		if c.Code[0] == 'N' || c.Code[0] == 'H' {
			out = append(out, policy.Refusal(say.New(c.Code, "", "")))
		}
	}
	return out
}

// serve runs a server of one handler in the protocol that the links speak, or
// in HTTP/1.1.
func serve(t *testing.T, h2 bool, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = h2
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func ask(s *httptest.Server) (policy.Answer, error) {
	return policy.Ask(context.Background(), s.Client(), s.URL, policy.PathNotices, []byte(`{"v":1}`))
}

// Each word of the list comes back as it was said, with a sentence of the
// asker's own.
func TestAnswers(t *testing.T) {
	list := every()
	if len(list) != policy.Answers() {
		t.Fatalf("%d answers here, %d on the list", len(list), policy.Answers())
	}
	var next policy.Answer
	for _, h2 := range []bool{true, false} {
		s := serve(t, h2, func(w http.ResponseWriter, _ *http.Request) { next.Write(w) })
		for _, next = range list {
			got, err := ask(s)
			if err != nil || got != next {
				t.Errorf("said %v, heard %v, %v", next, got, err)
			}
			if sentence := got.Err(); (got == policy.Taken) != (sentence == nil) || sentence != nil && say.Code(sentence) != got.Code {
				t.Errorf("%v: sentence %v", got, sentence)
			}
		}
		// What is not on the list is not said: a code of one's own least of all.
		for _, next = range []policy.Answer{{409, "12345678902"}, {409, "A101"}, {200, ""}, {204, "N203"}, {418, "link.later"}} {
			if got, err := ask(s); err != nil || got != policy.Status(500) {
				t.Errorf("%v was said as %v, %v", next, got, err)
			}
			if next.Err() == nil {
				t.Errorf("%v has no error", next)
			}
		}
	}
}

// A code hidden anywhere in an answer: the asker drops the answer, and the
// error says nothing of it.
func TestAnswerCarriesNothing(t *testing.T) {
	const hidden = "12345678902"
	honest := policy.Padded(policy.PathNotices, []byte(`{"code":"N203","status":409}`))
	body := func(edit func(b []byte) []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			b := edit([]byte(string(honest)))
			w.Header()["Content-Type"], w.Header()["Date"] = nil, nil
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			w.Write(b)
		}
	}
	message := func(m string) http.HandlerFunc {
		return body(func([]byte) []byte { return pad.Wire([]byte(m), pad.Fixed) })
	}
	header := func(name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			policy.Taken.Write(rec)
			maps.Copy(w.Header(), rec.Header())
			w.Header().Add(name, value)
			w.Write(rec.Body.Bytes())
		}
	}
	hide := map[string]http.HandlerFunc{
		"another header":      header("X-Trace", hidden),
		"a known header":      header("Content-Type", "application/octet-stream"),
		"a date":              header("Date", "Mon, 02 Jan 2006 15:04:05 GMT"),
		"a cookie":            header("Set-Cookie", "a="+hidden),
		"a trailer":           header(http.TrailerPrefix+"X-Sum", hidden),
		"an encoding":         header("Content-Encoding", "identity"),
		"another code":        message(`{"code":"` + hidden + `","status":409}`),
		"a code of elsewhere": message(`{"code":"A101","status":409}`),
		"another status":      message(`{"code":"N203","status":410}`),
		"another order":       message(`{"status":409,"code":"N203"}`),
		"another member":      message(`{"code":"N203","status":409,"x":1}`),
		"a member twice":      message(`{"code":"N203","code":"N203","status":409}`),
		"a space":             message(`{"code":"N203", "status":409}`),
		"an escape":           message(`{"code":"N20\u0033","status":409}`),
		"another number form": message(`{"code":"N203","status":4.09e2}`),
		"nothing at all":      message(``),
		"a longer body":       body(func(b []byte) []byte { return append(b, hidden...) }),
		"a shorter body":      body(func(b []byte) []byte { return b[:len(b)-len(hidden)] }),
		"a body twice as big": body(func(b []byte) []byte { return append(b, b...) }),
		"the padding":         body(func(b []byte) []byte { copy(b[1000:], hidden); return b }),
		"the end":             body(func(b []byte) []byte { copy(b[len(b)-11:], hidden); return b }),
		"no length":           func(w http.ResponseWriter, _ *http.Request) { w.Write(honest[:100]); w.(http.Flusher).Flush() },
		"an interim answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", hidden)
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			policy.Taken.Write(w)
		},
		"a status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"a problem": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusConflict)
			fmt.Fprintf(w, `{"code":%q}`, hidden)
		},
	}
	for _, h2 := range []bool{true, false} {
		for name, h := range hide {
			if name == "a trailer" && !h2 {
				continue // in HTTP/1.1 there is none beside a length
			}
			got, err := ask(serve(t, h2, h))
			if !errors.Is(err, policy.ErrAnswer) || got != (policy.Answer{}) {
				t.Errorf("h2 %t: %s passes as %v, %v", h2, name, got, err)
			} else if strings.Contains(err.Error(), hidden) {
				t.Errorf("h2 %t: %s is in the error", h2, name)
			}
		}
	}
}

// In HTTP/1.1 a status line has a reason, chunks have extensions.
func TestAnswerLine(t *testing.T) {
	body := string(policy.Padded(policy.PathNotices, []byte(`{"status":204}`)))
	for name, raw := range map[string]string{
		"honest":        "HTTP/1.1 200 OK\r\nContent-Length: 2048\r\n\r\n" + body,
		"a reason":      "HTTP/1.1 200 12345678902\r\nContent-Length: 2048\r\n\r\n" + body,
		"a version":     "HTTP/1.0 200 OK\r\nContent-Length: 2048\r\n\r\n" + body,
		"chunks":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800;x=12345678902\r\n" + body + "\r\n0\r\n\r\n",
		"until the end": "HTTP/1.1 200 OK\r\n\r\n" + body,
		"closing":       "HTTP/1.1 200 OK\r\nContent-Length: 2048\r\nConnection: 12345678902\r\n\r\n" + body,
	} {
		s := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			rw.WriteString(raw)
			rw.Flush()
			c.(*tls.Conn).CloseWrite()
		})
		a, err := ask(s)
		if honest := name == "honest"; honest != (err == nil && a == policy.Taken) {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
}
