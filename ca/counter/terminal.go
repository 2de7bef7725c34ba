package counter

import (
	"bytes"
	"context"
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
	Now          func() time.Time
	Client       *http.Client // mutual TLS towards the CA front; may be nil if Submit is not used
	URL          string       // of the CA front, without a slash at the end
}

// Terminal is one reception terminal. It is safe for concurrent use.
type Terminal struct {
	cfg Config

	mu       sync.Mutex
	sequence uint32
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
	return &Terminal{cfg: cfg}, nil
}

// Apply makes an application of the transfer file, the form and the card's
// certification request. Every refusal is a sentence for the officer and
// quotes nothing of the form.
func (t *Terminal) Apply(transferFile []byte, form Form, shown Document, request []byte) (*Application, error) {
	f, err := transfer.Open(transferFile, t.cfg.Transfer)
	if err != nil {
		return nil, say.New("counter.transfer", "転送ファイルを受け付けられません。", "The transfer file can't be accepted.").
			Hint("住基端末でもう一度書き出してください。", "Export it again at the register's terminal.").Because(err)
	}
	now := t.cfg.Now()
	if age := now.Sub(f.At.Std()); f.Municipality != t.cfg.Municipality || age > t.cfg.MaxAge || age < -time.Minute {
		return nil, say.New("counter.transfer-scope", "転送ファイルが別の市町村のもの、または古いものです。",
			"The transfer file is another municipality's, or too old.").
			Hint("この窓口の住基端末で、今日の分を書き出してください。", "Export one today at this town hall's register terminal.")
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
	return app, nil
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
	return d, nil
}
