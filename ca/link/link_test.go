package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
	"github.com/sukashi-project/sukashi/policy/pad"
)

// receiver records what arrives and answers as told.
type receiver struct {
	raw  []byte
	from ca.Arrival
	err  error
}

func (r *receiver) ReceiveNotice(_ context.Context, raw []byte, from ca.Arrival) (*ca.Outcome, error) {
	r.raw, r.from = raw, from
	return &ca.Outcome{}, r.err
}

func (r *receiver) ReceiveCounts(_ context.Context, raw []byte, from ca.Arrival) ([]byte, error) {
	r.raw, r.from = raw, from
	return []byte("counter-signed"), r.err
}

// post sends a notice and returns the answer's status and sentence.
func post(t *testing.T, url, name string, body []byte) (int, error) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url+policy.PathNotices, bytes.NewReader(policy.Padded(policy.PathNotices, body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = policy.LinkHeader()
	if name != "" {
		req.Header.Set("X-Test-Name", name)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a, err := policy.ReadAnswer(resp)
	if err != nil {
		t.Fatal(err)
	}
	return a.Status, a.Err()
}

func byHeader(r *http.Request) (string, bool) {
	name := r.Header.Get("X-Test-Name")
	r.Header.Del("X-Test-Name")
	return name, name != ""
}

func TestHandler(t *testing.T) {
	r := &receiver{}
	h, err := Handler(r, byHeader)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	raw, err := notice.Notice{Mode: notice.Reference, Ordinal: 5}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if status, err := post(t, srv.URL, "", raw); status != http.StatusForbidden || say.Code(err) != "link.forbidden" || r.raw != nil {
		t.Errorf("stranger: %d %v", status, err)
	}
	if status, err := post(t, srv.URL, entry.ByRegisterLink, raw); status != http.StatusNoContent || err != nil {
		t.Errorf("%d %v", status, err)
	}
	if !bytes.Equal(r.raw, raw) || r.from.Sender != entry.ByNoticeSender || !r.from.Metadata.Clean(policy.PathNotices, len(raw)) {
		t.Errorf("arrived otherwise than sent: %+v", r.from)
	}
	if _, _ = post(t, srv.URL, "juki-terminal", raw); r.from.Sender == entry.ByNoticeSender {
		t.Error("another server of the zone passes for the link server")
	}
	_, _ = post(t, srv.URL, entry.ByRegisterLink, bytes.Repeat([]byte{'9'}, 1<<20))
	if len(r.raw) != pad.Fixed+1 {
		t.Errorf("took %d bytes", len(r.raw))
	}
	for want, err := range map[int]error{
		http.StatusConflict:            &ca.Refused{Codes: []string{"N103"}},
		http.StatusServiceUnavailable:  ca.ErrUncertain.Because(errors.New("log")),
		http.StatusInternalServerError: errors.New("secret detail"),
	} {
		r.err = err
		status, got := post(t, srv.URL, entry.ByRegisterLink, raw)
		if status != want || got == nil || strings.Contains(got.Error(), "secret") {
			t.Errorf("want %d, got %d %v", want, status, got)
		}
	}
	for _, path := range []string{policy.PathNotices, "/elsewhere"} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := policy.ReadAnswer(resp); err != nil || a != policy.Status(http.StatusNotFound) {
			t.Errorf("GET %s: %+v %v", path, a, err)
		}
		resp.Body.Close()
	}
	if _, err := Handler(nil, nil); err == nil {
		t.Error("a handler of nothing")
	}
}

// box is an outbox of a few messages.
type box struct {
	mu   sync.Mutex
	left [][]byte
	seq  uint64
	err  error
}

func (b *box) Outbox(context.Context) (uint64, []byte, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.left) == 0 {
		return 0, nil, false, b.err
	}
	return b.seq, b.left[0], true, b.err
}

func (b *box) Acknowledged(_ context.Context, seq uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq != b.seq {
		return errors.New("another message")
	}
	b.left, b.seq = b.left[1:], b.seq+1
	return nil
}

func (b *box) add(m []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = append(b.left, m)
}

// register is the other end: it can be out of order.
type register struct {
	mu     sync.Mutex
	got    []string
	status int
	code   string
	came   chan struct{}
}

func (r *register) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.came <- struct{}{}
	if r.status != http.StatusNoContent {
		policy.Answer{Status: r.status, Code: r.code}.Write(w)
		return
	}
	b, meta := policy.Arrived(req, b)
	if !meta.Clean(policy.PathHolders, len(b)) {
		policy.Status(http.StatusInternalServerError).Write(w)
		return
	}
	r.got = append(r.got, string(b))
	policy.Taken.Write(w)
}

func (r *register) set(status int, code string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.code = status, code
}

func TestFlushSendsInOrder(t *testing.T) {
	reg := &register{status: http.StatusNoContent, came: make(chan struct{}, 16)}
	srv := httptest.NewServer(reg)
	defer srv.Close()
	b := &box{left: [][]byte{[]byte("one"), []byte("two"), []byte("three")}}
	s, err := NewSender(SenderConfig{Outbox: b, Client: srv.Client(), URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if strings.Join(reg.got, " ") != "one two three" {
		t.Errorf("got %v", reg.got)
	}
	b.add([]byte("four"))
	for code, status := range map[string]int{"H203": http.StatusConflict, "link.later": http.StatusServiceUnavailable} {
		reg.set(status, code)
		if err := s.Flush(context.Background()); say.Code(err) != code {
			t.Errorf("status %d counted as received, or: %v", status, err)
		}
	}
	srv.Close()
	if err := s.Flush(context.Background()); say.Code(err) != "link.unreachable" {
		t.Errorf("%v", err)
	}
	b.err = errors.New("disk")
	if err := s.Flush(context.Background()); err == nil {
		t.Error("a broken outbox went unnoticed")
	}
	if len(b.left) != 1 {
		t.Error("a message that was not received is gone")
	}
	if _, err := NewSender(SenderConfig{}); err == nil {
		t.Error("empty configuration accepted")
	}
}

// Run tries again by itself until the other end answers.
func TestRunTriesAgain(t *testing.T) {
	reg := &register{status: http.StatusServiceUnavailable, code: "link.later", came: make(chan struct{}, 1024)}
	srv := httptest.NewServer(reg)
	defer srv.Close()
	b := &box{left: [][]byte{[]byte("one")}}
	s, err := NewSender(SenderConfig{Outbox: b, Client: srv.Client(), URL: srv.URL, Retry: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	<-reg.came
	<-reg.came // a second try without a Wake
	reg.set(http.StatusNoContent, "")
	for {
		<-reg.came
		reg.mu.Lock()
		n := len(reg.got)
		reg.mu.Unlock()
		if n > 0 {
			break
		}
	}
	b.add([]byte("two"))
	s.Wake()
	<-reg.came
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
