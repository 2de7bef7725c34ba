package world

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/policy"
)

// townHall is one municipality's two terminals. They stand in one room and are
// not joined: what passes between them is a file.
type townHall struct {
	register *juki.Terminal    // JukiTerminal, zone juki
	counter  *counter.Terminal // CounterTerminal, zone lgwan
}

// officer is the operator id of the demo's officers at every counter.
const officer = "counter-01"

func (w *World) townHall(code string) (*townHall, error) {
	w.CA.mu.Lock()
	defer w.CA.mu.Unlock()
	if h := w.CA.counters[code]; h != nil {
		return h, nil
	}
	skey, vkey, err := note.GenerateKey(w.Rand, "juki-terminal-"+code)
	if err != nil {
		return nil, fmt.Errorf("couldn't make a terminal's key: %w", err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	h := &townHall{}
	if h.register, err = w.Juki.Office.Terminal(juki.TerminalConfig{Municipality: code, Signer: signer, Verifier: verifier, Decider: w.Juki.Decider}); err != nil {
		return nil, err
	}
	cert, err := w.roots[zone.LGWAN].Issue(counterName(code), w.Now(), w.Rand)
	if err != nil {
		return nil, err
	}
	h.counter, err = counter.New(counter.Config{Municipality: code, Counter: counterID(code), Officer: officer, Transfer: verifier,
		Scan: policy.ScanResidentCode, Decider: w.CA.Decider, Now: w.Now, Client: zone.Peers{w.roots[zone.LGWAN]}.Client(cert, time.Minute), URL: w.CA.FrontURL})
	if err != nil {
		return nil, err
	}
	w.CA.counters[code] = h
	return h, nil
}

// PIN is the signing PIN of every demo card.
const PIN = "SUKASHI2026"

// cardIterations keeps thousands of demo cards cheap; a real card has no such
// cost because it has hardware.
const cardIterations = 1000

// NewCard makes a resident's card at the key pair generator.
func NewCard(alg card.Algorithm) (*card.Card, error) {
	c, err := card.Generate(card.Config{Algorithm: alg, PIN: PIN, Iterations: cardIterations})
	if err != nil {
		return nil, err
	}
	return c, c.Verify(PIN)
}

// FormOf fills in the application form as the resident would.
func FormOf(r people.Resident, a attr.Attributes, now time.Time) (counter.Form, error) {
	f := counter.Form{NameKana: r.NameKana, Name: a.Name, Address: a.Address}
	today := now.In(jtext.JST())
	day, err := jtext.DateOf(today.Year(), int(today.Month()), today.Day())
	if err != nil {
		return f, err
	}
	born, err := jtext.ParseBirthDate(a.BirthDate)
	if err != nil {
		return f, err
	}
	f.AppliedOn, f.BirthDate = day.Japanese(), born.Japanese()
	f.Sex = map[string]string{attr.Male: "男", attr.Female: "女", attr.SexUnknown: "不明"}[a.Sex]
	f.SubstituteName, f.SubstituteAddress = r.SubstituteName, r.SubstituteAddress
	f.HasSubstitutes = f.SubstituteName != "" || f.SubstituteAddress != ""
	return f, nil
}

// Apply brings one resident with their card to the counter: export, form,
// application over mTLS, delivery onto the card.
func (w *World) Apply(ctx context.Context, r people.Resident, c *card.Card, edit func(*counter.Form)) (*counter.Delivery, error) {
	h, err := w.townHall(r.Municipality)
	if err != nil {
		return nil, err
	}
	form, err := FormOf(r, r.Attr, w.Now())
	if err != nil {
		return nil, err
	}
	if edit != nil {
		edit(&form)
	}
	request, err := c.Request()
	if err != nil {
		return nil, err
	}
	app, err := w.atCounter(ctx, h, r, form, request)
	if err != nil {
		return nil, err
	}
	d, err := h.counter.Submit(ctx, app)
	if err != nil {
		return nil, err
	}
	return d, c.Install(d.Certificate)
}

// atCounter carries a transfer file to the counter and hands the form in. A
// file names its moment in whole seconds and nothing else of its own (a random
// number would be a leak channel), so two exports for equal attributes within
// one second are one file, which the counter takes only once: then the officer
// exports again a second later.
func (w *World) atCounter(ctx context.Context, h *townHall, r people.Resident, form counter.Form, request []byte) (*counter.Application, error) {
	for {
		file, err := h.register.Export(ctx, r.Code, "register-01")
		if err != nil {
			return nil, err
		}
		app, err := h.counter.Apply(file, form, counter.DrivingLicence, request)
		if say.Code(err) != "counter.transfer-used" {
			return app, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
