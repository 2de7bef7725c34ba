package problem_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
)

func answer(err error, status int) *http.Response {
	rec := httptest.NewRecorder()
	problem.Write(rec, httptest.NewRequest("GET", "/", nil), status, err)
	return rec.Result()
}

func TestRoundTrip(t *testing.T) {
	want := say.New("notice.gap", "順番が違います。", "Out of sequence.").Hint("待つ", "Wait")
	err := problem.Read(answer(want, http.StatusConflict))
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want the same code", err)
	}
	var p *problem.Error
	if !errors.As(err, &p) || p.Status != http.StatusConflict {
		t.Fatalf("status lost: %v", err)
	}
	if s, h := say.For(err, say.Japanese); s != "順番が違います。" || h != "待つ" {
		t.Fatalf("sentence lost: %q %q", s, h)
	}
	if !strings.Contains(p.Error(), "[HTTP 409]") {
		t.Fatalf("no status in %q", p.Error())
	}
}

// An error of unknown origin may quote anything; none of it may leave.
func TestForeignErrorsAreNotShown(t *testing.T) {
	resp := answer(errors.New("name 総務太郎 is bad"), 500)
	b, _ := io.ReadAll(resp.Body)
	if strings.Contains(string(b), "総務") {
		t.Fatalf("cause left the server: %s", b)
	}
}

func TestReadOfOtherAnswers(t *testing.T) {
	for name, resp := range map[string]*http.Response{
		"no json":  {StatusCode: 502, Body: io.NopCloser(strings.NewReader("<html>"))},
		"bad code": {StatusCode: 400, Body: io.NopCloser(strings.NewReader(`{"code":"a b\n"}`))},
	} {
		if err := problem.Read(resp); say.Code(err) != "http" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := problem.Read(&http.Response{StatusCode: 204}); err != nil {
		t.Errorf("204: %v", err)
	}
}
