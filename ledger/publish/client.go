package publish

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Client is a ledger on another machine. It implements ledger.Log and
// ledger.Reader and is safe for concurrent use. It believes nothing: receipts
// and checkpoints are to be verified with package ledger/proof.
type Client struct {
	base string
	http *http.Client
}

var (
	_ ledger.Log    = (*Client)(nil)
	_ ledger.Reader = (*Client)(nil)
)

// NewClient returns a client for the server at base, such as
// "https://log.example:8443". The HTTP client carries the TLS client
// certificate of a writer, trust roots and timeouts.
func NewClient(base string, c *http.Client) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("ledger address is not an http(s) URL without query")
	}
	if c == nil {
		return nil, fmt.Errorf("ledger client needs an HTTP client")
	}
	return &Client{base: strings.TrimSuffix(base, "/"), http: c}, nil
}

// do sends a request and returns at most limit bytes of a good answer.
func (c *Client) do(ctx context.Context, method, path string, body []byte, limit int64) ([]byte, http.Header, error) {
	var rd io.Reader
	if body != nil {
		rd = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, rd)
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't make a request to the ledger: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", framesType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't reach the ledger: %w", err)
	}
	defer resp.Body.Close()
	if err := problem.Read(resp); err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, nil, fmt.Errorf("couldn't read the ledger's answer: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, nil, fmt.Errorf("the ledger's answer is larger than %d bytes", limit)
	}
	return b, resp.Header, nil
}

func (c *Client) get(ctx context.Context, path string, limit int64) ([]byte, http.Header, error) {
	return c.do(ctx, http.MethodGet, path, nil, limit)
}

func (c *Client) number(ctx context.Context, path string) (uint64, error) {
	b, _, err := c.get(ctx, path, 20)
	if err != nil {
		return 0, err
	}
	return decimal(string(b))
}

// maxReceipts bounds the answer to an append, in bytes.
const maxReceipts = proof.MaxFile + ledger.MaxAppendEntries*(9+proof.MaxHashes*32)

// Append implements ledger.Log. An error that is none of package ledger's
// leaves open whether the entries were logged; sending them again tells.
func (c *Client) Append(ctx context.Context, entries ...[]byte) ([]*proof.Receipt, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	if len(entries) > ledger.MaxAppendEntries {
		return nil, ledger.ErrTooLarge
	}
	n := 0
	for _, e := range entries {
		if len(e) == 0 {
			return nil, ledger.ErrInvalid
		}
		if n += len(e) + 2; len(e) > entry.MaxSize || n > ledger.MaxAppendBytes {
			return nil, ledger.ErrTooLarge
		}
	}
	body := make([]byte, 0, n)
	for _, e := range entries {
		body = appendFrame(body, e)
	}
	b, _, err := c.do(ctx, http.MethodPost, "/ledger/append", body, maxReceipts)
	if err != nil {
		return nil, err
	}
	rs, err := parseReceipts(b)
	if err != nil {
		return nil, err
	}
	if len(rs) != len(entries) {
		return nil, fmt.Errorf("the ledger answered %d receipts for %d entries", len(rs), len(entries))
	}
	return rs, nil
}

// NextSeq implements ledger.Log.
func (c *Client) NextSeq(ctx context.Context, by string) (uint64, error) {
	return c.number(ctx, "/ledger/next?by="+url.QueryEscape(by))
}

// Lookup implements ledger.Log.
func (c *Client) Lookup(ctx context.Context, by string, seq uint64) (uint64, []byte, error) {
	path := fmt.Sprintf("/ledger/lookup?by=%s&seq=%d", url.QueryEscape(by), seq)
	b, h, err := c.get(ctx, path, entry.MaxSize)
	if err != nil {
		return 0, nil, err
	}
	index, err := decimal(h.Get(indexHeader))
	return index, b, err
}

// Checkpoint implements ledger.Reader.
func (c *Client) Checkpoint(ctx context.Context) ([]byte, error) {
	b, _, err := c.get(ctx, "/ledger/checkpoint", proof.MaxFile)
	return b, err
}

// Entry implements ledger.Reader.
func (c *Client) Entry(ctx context.Context, index uint64) ([]byte, error) {
	b, _, err := c.get(ctx, "/ledger/entry/"+strconv.FormatUint(index, 10), entry.MaxSize)
	return b, err
}

// Entries implements ledger.Reader. It asks for as many entries at a time as
// the server gives.
func (c *Client) Entries(ctx context.Context, from, to uint64, fn func(index uint64, b []byte) error) error {
	for from < to {
		b, _, err := c.get(ctx, fmt.Sprintf("/ledger/entries?from=%d&to=%d", from, to), maxFrameBytes+entry.MaxSize)
		if err != nil {
			return err
		}
		frames, err := parseFrames(b)
		if err != nil || len(frames) == 0 || uint64(len(frames)) > to-from {
			return fmt.Errorf("the ledger's answer is not what was asked for: %w", errFrames)
		}
		for _, f := range frames {
			if err := fn(from, f); err != nil {
				return err
			}
			from++
		}
	}
	return nil
}

// Size implements ledger.Reader.
func (c *Client) Size(ctx context.Context) (uint64, error) { return c.number(ctx, "/ledger/size") }

// Proof implements ledger.Reader.
func (c *Client) Proof(ctx context.Context, index uint64) (*proof.Receipt, error) {
	b, _, err := c.get(ctx, "/ledger/proof/"+strconv.FormatUint(index, 10), proof.MaxFile)
	if err != nil {
		return nil, err
	}
	return proof.ParseReceipt(b)
}

// Status implements ledger.Reader.
func (c *Client) Status(ctx context.Context, ordinal uint64) (*proof.StatusReceipt, error) {
	b, _, err := c.get(ctx, "/status/ordinal/"+strconv.FormatUint(ordinal, 10), proof.MaxFile)
	if err != nil {
		return nil, err
	}
	return proof.ParseStatusReceipt(b)
}
