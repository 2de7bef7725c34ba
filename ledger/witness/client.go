package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// ClientConfig configures a log's client for the witnesses of its policy.
type ClientConfig struct {
	// Policy names the log, the witnesses with their submission prefixes (which
	// are taken to be their monitoring prefixes too) and the quorum. A witness
	// without a URL is never asked.
	Policy *proof.Policy
	// HTTP is used for all requests.
	HTTP *http.Client
	// Timeout bounds one witness's answer, all tries together; 0: 2 s.
	Timeout time.Duration
	// Grace is how long the others are waited for once the quorum is reached;
	// 0: 200 ms.
	Grace time.Duration
	// Backoff is the first pause after a witness failed; it doubles up to
	// 64 times; 0: 1 s. Whom the quorum can't do without is asked all the same.
	Backoff time.Duration
	// Now is the clock for the pauses.
	Now func() time.Time
}

// Client asks witnesses for cosignatures. It is safe for concurrent use, but a
// log has one newest checkpoint, so one Cosign at a time makes sense.
type Client struct {
	cfg   ClientConfig
	peers []*peer
}

// peer is one witness as the client knows it.
type peer struct {
	name  string
	url   string
	only  *proof.Policy // the log and this witness
	order int           // position in the policy

	mu     sync.Mutex
	size   uint64 // its newest size, as far as we know
	failed int    // failures in a row
	until  time.Time
}

// NewClient checks the configuration. It makes no request.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Policy == nil || cfg.HTTP == nil || cfg.Now == nil {
		return nil, errors.New("witness client needs a policy, an HTTP client and a clock")
	}
	for d, v := range map[*time.Duration]time.Duration{&cfg.Timeout: 2 * time.Second, &cfg.Grace: 200 * time.Millisecond, &cfg.Backoff: time.Second} {
		if *d < 0 {
			return nil, errors.New("witness client has a negative duration")
		}
		if *d == 0 {
			*d = v
		}
	}
	c := &Client{cfg: cfg}
	var names []string
	for i, w := range cfg.Policy.Witnesses() {
		if w.URL == "" {
			continue
		}
		if u, err := url.Parse(w.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, fmt.Errorf("the URL of witness %d of the policy is not an http or https URL", i+1)
		}
		only, err := cfg.Policy.Only(w.Name)
		if err != nil {
			return nil, err
		}
		names = append(names, w.Name)
		c.peers = append(c.peers, &peer{name: w.Name, url: strings.TrimSuffix(w.URL, "/"), only: only, order: i})
	}
	if !cfg.Policy.Quorum(names...) {
		return nil, say.New("witness.urls", "信頼方針の証人のうち、接続先が分かるものだけでは必要な数に足りません。",
			"The witnesses whose URLs the trust policy gives are too few for its quorum.")
	}
	return c, nil
}

// answer is what became of one witness.
type answer struct {
	p    *peer
	line []byte // its signature line
	err  error
}

// Prove returns the RFC 6962 2.1.2 consistency proof from oldSize to the size
// of the checkpoint that is being cosigned; it is called for 0 < oldSize <
// that size only, and by several goroutines at once.
type Prove = func(oldSize uint64) ([]tlog.Hash, error)

// Cosign asks all witnesses side by side to cosign a checkpoint that the log
// has signed, and returns it with their signature lines in the policy's order.
// prove is asked for a consistency proof from whatever size a witness has. It
// fails only below the quorum (code witness.quorum), and with witness.ahead if
// a witness shows a larger tree than this one: then this log was rolled back
// or forked.
func (c *Client) Cosign(ctx context.Context, checkpoint []byte, prove Prove) ([]byte, error) {
	cp, err := proof.ParseUnverified(checkpoint)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	peers := c.due()
	answers := make(chan answer, len(peers))
	for _, p := range peers {
		go func() {
			line, err := c.ask(ctx, p, cp, prove)
			answers <- answer{p, line, err}
		}()
	}
	var good []answer
	var names []string
	var failures []error
	var grace <-chan time.Time
	for left := len(peers); left > 0; left-- {
		select {
		case a := <-answers:
			if a.err != nil {
				failures = append(failures, fmt.Errorf("%s: %w", a.p.name, a.err))
				continue
			}
			good, names = append(good, a), append(names, a.p.name)
			if grace == nil && c.cfg.Policy.Quorum(names...) {
				t := time.NewTimer(c.cfg.Grace)
				defer t.Stop()
				grace = t.C
			}
		case <-grace:
			left = 1
		}
	}
	return c.join(checkpoint, good, names, failures)
}

func (c *Client) join(checkpoint []byte, good []answer, names []string, failures []error) ([]byte, error) {
	for _, err := range failures {
		if errors.Is(err, errAhead) {
			return nil, say.New("witness.ahead",
				"証人が、このログより新しい記録を見ています。ログが古い状態に戻ったか、分岐しています。",
				"A witness has seen a newer tree than this log has: the log went back or forked.").
				Hint("署名を止めて、失われた記録を探してください。", "Stop signing and look for the lost entries.").Because(err)
		}
	}
	if !c.cfg.Policy.Quorum(names...) {
		return nil, say.New("witness.quorum", "必要な数の証人の署名が集まりません。",
			"Not enough witnesses cosigned.").
			Hint("証人のサーバーに接続できるか確かめてください。", "See whether the witnesses' servers can be reached.").
			Because(errors.Join(failures...))
	}
	slices.SortFunc(good, func(a, b answer) int { return a.p.order - b.p.order })
	out := bytes.Clone(checkpoint)
	for _, a := range good {
		out = append(out, a.line...)
	}
	return out, nil
}

// due returns the witnesses to ask: those without a pause, and all of them
// where the quorum can't be reached otherwise.
func (c *Client) due() []*peer {
	now := c.cfg.Now()
	var out []*peer
	var names []string
	for _, p := range c.peers {
		p.mu.Lock()
		if !now.Before(p.until) {
			out, names = append(out, p), append(names, p.name)
		}
		p.mu.Unlock()
	}
	if !c.cfg.Policy.Quorum(names...) {
		return c.peers
	}
	return out
}

func (p *peer) result(cfg *ClientConfig, size uint64, known bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known {
		p.size = size
	}
	if err == nil {
		p.failed, p.until = 0, time.Time{}
		return
	}
	p.until = cfg.Now().Add(cfg.Backoff << min(p.failed, 6))
	p.failed++
}

// maxTries bounds how often one witness is asked for one checkpoint: its size
// may move while we ask only if another of our own requests is under way.
const maxTries = 3

// errRefused means that the witness knows the log and finds the checkpoint
// inconsistent with what it has seen.
var errRefused = errors.New("it finds the checkpoint inconsistent with what it has seen")

// claimError is a witness's word that it has seen a larger tree, without a
// signed checkpoint to prove it.
type claimError struct{ size uint64 }

// Error implements error.
func (e claimError) Error() string {
	return fmt.Sprintf("it claims to have seen %d entries and shows no checkpoint of them", e.size)
}

var errAhead = errors.New("its newest checkpoint is larger than ours")

// ask gets one witness's signature line.
func (c *Client) ask(ctx context.Context, p *peer, cp *proof.Checkpoint, prove Prove) ([]byte, error) {
	p.mu.Lock()
	old := p.size // 0 until the witness told us, by its answer to this
	p.mu.Unlock()
	var err error
	for range maxTries {
		if old > cp.Size {
			return nil, c.ahead(ctx, p, cp, old)
		}
		var hs []tlog.Hash
		if old > 0 && old < cp.Size {
			if hs, err = prove(old); err != nil {
				err = fmt.Errorf("couldn't prove consistency from %d to %d: %w", old, cp.Size, err)
				p.result(&c.cfg, 0, false, err)
				return nil, err
			}
		}
		var line []byte
		var conflict ConflictError
		line, err = c.post(ctx, p, cp, old, hs)
		if !errors.As(err, &conflict) {
			p.result(&c.cfg, cp.Size, err == nil, err)
			return line, err
		}
		old = conflict.Size
	}
	p.result(&c.cfg, old, true, err)
	return nil, fmt.Errorf("its size keeps changing: %w", err)
}

// ahead looks into a witness's claim to have seen a larger tree. Only a
// checkpoint with the log's own signature proves it; a bare number must not
// let one witness stop the log.
func (c *Client) ahead(ctx context.Context, p *peer, cp *proof.Checkpoint, claimed uint64) error {
	seen, err := c.newest(ctx, p)
	if err == nil && seen != nil && seen.Size > cp.Size {
		err = fmt.Errorf("%w: %d, ours %d", errAhead, seen.Size, cp.Size)
	} else {
		err = claimError{claimed}
	}
	p.result(&c.cfg, 0, true, err) // ask it again next time
	return err
}

// post makes one add-checkpoint request.
func (c *Client) post(ctx context.Context, p *peer, cp *proof.Checkpoint, old uint64, hashes []tlog.Hash) ([]byte, error) {
	body := marshalRequest(old, hashes, cp.Raw)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("couldn't make the request: %w", err)
	}
	status, kind, b, err := c.do(req)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusConflict && strings.HasPrefix(kind, "text/x.tlog.size"):
		size, ok := parseSize(strings.TrimSuffix(string(b), "\n"))
		if !ok {
			return nil, errors.New("its size is malformed")
		}
		return nil, ConflictError{size}
	case status == http.StatusUnprocessableEntity, status == http.StatusConflict: // 409 without a size: v1.0.0 of the protocol
		return nil, errRefused
	case status != http.StatusOK:
		return nil, fmt.Errorf("it answered with status %d", status)
	}
	return p.pick(cp.Raw, b)
}

// pick finds the witness's own valid line in its answer; what other keys
// signed is ignored, as the protocol asks for.
func (p *peer) pick(checkpoint, lines []byte) ([]byte, error) {
	note, err := p.only.Strip(append(bytes.Clone(checkpoint), lines...))
	if err != nil {
		return nil, fmt.Errorf("couldn't read its answer: %w", err)
	}
	if _, err := p.only.VerifyCheckpoint(note); err != nil {
		return nil, fmt.Errorf("its answer doesn't verify: %w", err)
	}
	i := bytes.LastIndex(note, []byte("\n— "))
	return note[i+1:], nil
}

// do makes a request and reads a bounded answer.
func (c *Client) do(req *http.Request) (status int, kind string, body []byte, err error) {
	res, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return 0, "", nil, fmt.Errorf("couldn't reach it: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxRequest+1))
	if err != nil {
		return 0, "", nil, fmt.Errorf("couldn't read its answer: %w", err)
	}
	if len(b) > maxRequest {
		return 0, "", nil, errors.New("its answer is too large")
	}
	return res.StatusCode, res.Header.Get("Content-Type"), b, nil
}
