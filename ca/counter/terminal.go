package counter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

// Config of a terminal; everything is injected and checked once.
type Config struct {
	Municipality string            // 全国地方公共団体コード of the town hall
	Counter      string            // counter identifier: 9 capital letters and digits
	Officer      string            // operator id of the officer at the terminal
	Transfer     note.Verifier     // key of the register's terminal in this town hall
	MaxAge       time.Duration     // oldest transfer file accepted; 0 means 24 hours
	Scan         func(string) bool // reports whether a text holds a resident code, in any script
	Decider      Decider           // decides rule set transfer; nil: the checks below alone
	Now          func() time.Time
	Client       *http.Client // mutual TLS towards the CA front; may be nil if Submit is not used
	URL          string       // of the CA front, without a slash at the end
}

// Decider decides over facts; *policy.Decider is one.
type Decider interface {
	Decide(ctx context.Context, f *policy.Facts) entry.Decision
}

// Terminal is one reception terminal. It is safe for concurrent use.
type Terminal struct {
	cfg Config

	mu       sync.Mutex
	sequence uint32
	files    map[string]file // transfer files by application id, until they are too old anyway
}

// file is a transfer file that an application was made of. It counts as used
// when a certificate came of it: an application that the CA refuses may be
// made again from the same file.
type file struct {
	digest [sha256.Size]byte
	at     time.Time
	used   bool
}

// New checks the configuration and returns a terminal.
func New(cfg Config) (*Terminal, error) {
	if cfg.MaxAge == 0 {
		cfg.MaxAge = 24 * time.Hour
	}
	switch {
	case !municipality.ValidCode(cfg.Municipality):
		return nil, errors.New("terminal needs a municipality code")
	case !validCounter(cfg.Counter):
		return nil, errors.New("terminal needs a counter identifier of 9 capital letters and digits")
	case !transfer.IsOperator(cfg.Officer):
		return nil, errors.New("terminal needs an operator id")
	case cfg.Transfer == nil || cfg.Scan == nil || cfg.Now == nil || cfg.MaxAge < 0:
		return nil, errors.New("terminal needs a transfer key, a scanner and a clock")
	}
	return &Terminal{cfg: cfg, files: map[string]file{}}, nil
}

// Apply makes an application of the transfer file, the form and the card's
// certification request. Every refusal is a sentence for the officer and
// quotes nothing of the form.
func (t *Terminal) Apply(transferFile []byte, form Form, shown Document, request []byte) (*Application, error) {
	now := t.cfg.Now()
	f, err := t.open(transferFile, now)
	if err != nil {
		return nil, err
	}
	for _, s := range form.fields() {
		if t.cfg.Scan(s) {
			return nil, errResidentCode()
		}
	}
	a, err := form.attributes()
	if err != nil {
		return nil, say.New("counter.form", "申請書の記入に誤りがあります。", "The form is not filled in correctly.").
			Hint("日付・男女の別・氏名・住所の欄を確かめてください。", "Check the dates, the sex, the name and the address.").Because(err)
	}
	if a != f.Attr {
		return nil, say.New("counter.existence", "申請書の内容が住民票の記録と一致しません。", "The form does not equal the resident record.").
			Hint("申請書を住民票のとおりに書き直してもらうか、住民票を確かめてください。",
				"Have the form written as on the resident record, or check the record.")
	}
	c, err := form.certified(a)
	if err != nil {
		return nil, err
	}
	app := &Application{ID: t.nextID(now), Municipality: t.cfg.Municipality, Certified: c, Request: request,
		Check: Check{Authenticity: shown, Existence: true, Officer: t.cfg.Officer}, Twin: form.Twin, Renews: form.Renews}
	if err := app.Validate(); err != nil {
		return nil, err
	}
	if _, err := app.PublicKey(); err != nil {
		return nil, say.New("counter.request", "カードからの公開鍵を受け付けられません。", "The public key from the card can't be accepted.").
			Hint("鍵ペアを作り直してください。", "Make the key pair again.").Because(err)
	}
	t.mu.Lock()
	t.files[app.ID] = file{digest: sha256.Sum256(transferFile), at: f.At.Std()}
	t.mu.Unlock()
	return app, nil
}

// open reads the transfer file: form and signature, this town hall's, of
// today, not taken in before; and what rule set transfer says about it.
func (t *Terminal) open(b []byte, now time.Time) (transfer.File, error) {
	check := policy.TransferCheck{Bytes: b, Terminal: t.cfg.Transfer, Registered: true, Municipality: t.cfg.Municipality,
		Now: now, MaxAge: t.cfg.MaxAge, UsedBefore: t.usedBefore(b, now)}
	f, facts := check.Facts()
	switch {
	case !facts.Get("signature_valid") || !facts.Get("grammar"):
		_, err := transfer.Open(b, t.cfg.Transfer)
		return f, say.New("counter.transfer", "転送ファイルを受け付けられません。", "The transfer file can't be accepted.").
			Hint("住基端末でもう一度書き出してください。", "Export it again at the register's terminal.").Because(err)
	case !facts.Get("municipality_own") || !facts.Get("fresh"):
		return f, say.New("counter.transfer-scope", "転送ファイルが別の市町村のもの、または古いものです。",
			"The transfer file is another municipality's, or too old.").
			Hint("この窓口の住基端末で、今日の分を書き出してください。", "Export one today at this town hall's register terminal.")
	case !facts.Get("not_used_before"):
		return f, say.New("counter.transfer-used", "この転送ファイルはすでに使われています。", "This transfer file was used before.").
			Hint("申請ごとに書き出してください。", "Export one for each application.")
	}
	if t.cfg.Decider != nil {
		if d := t.cfg.Decider.Decide(context.Background(), facts); !d.Allow {
			return f, catalogue.Refusal(d.Codes[0])
		}
	}
	return f, nil
}

func (t *Terminal) usedBefore(b []byte, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	digest, found := sha256.Sum256(b), false
	for id, f := range t.files {
		if now.Sub(f.at) > t.cfg.MaxAge {
			delete(t.files, id)
		}
		found = found || f.used && f.digest == digest
	}
	return found
}

func (t *Terminal) markUsed(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, ok := t.files[id]; ok {
		f.used = true
		t.files[id] = f
	}
}

func errResidentCode() error {
	return say.New("counter.resident-code", "申請書に住民票コードらしい数字があります。送信しませんでした。",
		"The form holds what looks like a resident code. Nothing was sent.").
		Hint("住民票コードは申請書に書きません。その欄を消してください。", "A resident code doesn't belong on this form. Remove it.")
}

// nextID is deterministic in time and order: an id drawn at random could carry
// something.
func (t *Terminal) nextID(now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := fmt.Sprintf("%s%05d%s", now.In(jst).Format(timeLayout), t.sequence, t.cfg.Counter)
	t.sequence = (t.sequence + 1) % 100_000
	return id
}

// Delivery is the CA's answer to an application.
type Delivery struct {
	Certificate []byte `json:"certificate"` // DER
	Ordinal     uint64 `json:"ordinal"`
	Serial      string `json:"serial"`
}

const maxDelivery = 64 << 10

// Submit sends an application to the CA front. It is safe to send the same one
// again: the CA answers with the same certificate.
func (t *Terminal) Submit(ctx context.Context, app *Application) (*Delivery, error) {
	body, err := app.Marshal()
	if err != nil {
		return nil, err
	}
	if t.cfg.Client == nil {
		return nil, errors.New("terminal has no connection to the CA front")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.cfg.URL+"/ca/v1/applications", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := t.cfg.Client.Do(req)
	if err != nil {
		return nil, say.New("counter.front", "認証局の受付サーバーにつながりません。", "The CA front can't be reached.").
			Hint("同じ申請をもう一度送れます。二重に発行されることはありません。",
				"Send the same application again; nothing is issued twice.").Because(err)
	}
	defer resp.Body.Close()
	if err := problem.Read(resp); err != nil {
		return nil, err
	}
	b, err := readBounded(resp.Body, maxDelivery)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the CA front's answer: %w", err)
	}
	d := new(Delivery)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(d); err != nil || len(d.Certificate) == 0 {
		return nil, errors.New("couldn't read the CA front's answer")
	}
	t.markUsed(app.ID)
	return d, nil
}
