package juki

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
)

// PathChanges is where the business subsystem takes changes (M2).
const PathChanges = "/juki/v1/changes"

// Limits of one M2 message.
const (
	maxChanges     = 1000
	maxChangesSize = 1 << 20
)

type wireChanges struct {
	Events []register.Event `json:"events"`
}

type wirePositions struct {
	Positions []uint64 `json:"positions"`
}

// Codes of the intake's sentences.
const (
	CodeIntake       = "juki.intake"        // the message is not of the right form
	CodeIntakePeer   = "juki.intake-peer"   // not a town hall's terminal
	CodeIntakeTown   = "juki.intake-town"   // a change of another municipality's record
	CodeIntakeDown   = "juki.intake-down"   // the business subsystem cannot be reached
	CodeIntakeFailed = "juki.intake-failed" // the changes could not be taken in now
)

var (
	errIntake     = say.New(CodeIntake, "異動の通知の形式が正しくありません。", "The message of changes is not of the right form.")
	errIntakePeer = say.New(CodeIntakePeer, "異動を通知できるのは、住基専用CS端末だけです。", "Only a town hall's terminal may report changes.")
	errIntakeTown = say.New(CodeIntakeTown, "ほかの市町村の異動は、その市町村の端末から通知してください。", "A change of another municipality's record is for that municipality's terminal to report.")
)

// ChangesHandler is the business subsystem's end of M2: POST PathChanges with
// a batch of changes, taken in whole or not at all, then matched. town says
// which municipality's terminal sent a request, from the verified TLS chain; a
// terminal reports changes of its own municipality only. The answer holds the
// positions that the changes got.
func (o *Office) ChangesHandler(town func(*http.Request) (municipality string, ok bool)) http.Handler {
	r := mux.NewRouter()
	r.HandleFunc(PathChanges, func(w http.ResponseWriter, r *http.Request) {
		code, ok := town(r)
		if !ok {
			problem.Write(w, r, http.StatusForbidden, errIntakePeer)
			return
		}
		events, err := readChanges(http.MaxBytesReader(w, r.Body, maxChangesSize), code)
		if err != nil {
			problem.Write(w, r, http.StatusUnprocessableEntity, err)
			return
		}
		o.takeIn(w, r, events)
	}).Methods(http.MethodPost)
	return r
}

func readChanges(body io.Reader, town string) ([]register.Event, error) {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	var m wireChanges
	if dec.Decode(&m) != nil || dec.More() || len(m.Events) == 0 || len(m.Events) > maxChanges {
		return nil, errIntake
	}
	for _, e := range m.Events {
		if e.Municipality != town {
			return nil, errIntakeTown
		}
	}
	return m.Events, nil
}

// whichOne says which change of a batch was refused, where there is more than one.
func whichOne(row *register.RowError, of int) error {
	var why *say.Error
	if of == 1 || !errors.As(row.Err, &why) {
		return row.Err
	}
	c := *why
	c.Text = say.Text{JA: fmt.Sprintf("%d 件目: %s", row.Row+1, why.Text.JA), EN: fmt.Sprintf("Change %d: %s", row.Row+1, why.Text.EN)}
	c.Hints = say.Text{JA: "ほかの異動も受け付けていません。" + why.Hints.JA, EN: strings.TrimSpace("None of the others was taken in. " + why.Hints.EN)}
	return &c
}

func (o *Office) takeIn(w http.ResponseWriter, r *http.Request, events []register.Event) {
	cs, err := o.Register.Apply(events...)
	var row *register.RowError
	switch {
	case errors.As(err, &row):
		problem.Write(w, r, http.StatusUnprocessableEntity, whichOne(row, len(events)))
		return
	case err != nil:
		problem.Write(w, r, http.StatusServiceUnavailable, say.New(CodeIntakeFailed, "いまは異動を受け付けられません。", "Changes can't be taken in now.").Because(err))
		return
	}
	// The changes stand; what can't be matched now is matched with the next.
	_, _ = o.Matching.Match(r.Context())
	out := wirePositions{}
	for _, c := range cs {
		out.Positions = append(out.Positions, c.Pos)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// Report sends changes from a terminal to the business subsystem (M2) and
// returns the positions that they got. c shows the terminal's certificate. When
// the answer is lost, whether they were taken in is not known: the terminal
// looks at the records before it reports again.
func Report(ctx context.Context, c *http.Client, url string, events ...register.Event) ([]uint64, error) {
	body, err := json.Marshal(wireChanges{events})
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the changes: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+PathChanges, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return nil, say.New(CodeIntakeDown, "業務サブシステムにつながりません。", "The business subsystem can't be reached.").
			Hint("記録を確かめてから、もう一度通知してください。", "Look at the records, then report again.").Because(err)
	}
	defer resp.Body.Close()
	if err := problem.Read(resp); err != nil {
		return nil, err
	}
	var out wirePositions
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxChangesSize)).Decode(&out); err != nil || len(out.Positions) != len(events) {
		return nil, fmt.Errorf("the business subsystem's answer can't be read: %w", errIntake)
	}
	return out.Positions, nil
}
