package juki

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/problem"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// PathExports is where a town hall's terminal asks for the four attributes of
// an applicant, for a transfer file that it signs itself. What is asked for
// holds a resident code and stays inside zone juki.
const PathExports = "/juki/v1/exports"

// maxExport bounds the request and the answer, in bytes.
const maxExport = 16 << 10

type wireExport struct {
	Code     string `json:"code"`
	Operator string `json:"operator"`
}

type wireExported struct {
	At   entry.Time      `json:"at"`
	Attr attr.Attributes `json:"attr"`
}

// Codes of the exports' sentences.
const (
	CodeExport     = "juki.export-form" // the request is not of the right form
	CodeExportPeer = "juki.export-peer" // not a town hall's terminal
	CodeExportDown = "juki.export-down" // the business subsystem cannot be reached
)

var (
	errExport     = say.New(CodeExport, "書き出しの要求の形式が正しくありません。", "The request for an export is not of the right form.")
	errExportPeer = say.New(CodeExportPeer, "書き出しを行えるのは、住基専用CS端末だけです。", "Only a town hall's terminal may export.")
)

// ExportsHandler is the business subsystem's end of an export: POST PathExports
// with a resident code and an operator id. The export is on record before the
// attributes leave. town says which municipality's terminal sent a request,
// from the verified TLS chain; a terminal gets residents of its own
// municipality only.
func (o *Office) ExportsHandler(town func(*http.Request) (municipality string, ok bool)) http.Handler {
	r := mux.NewRouter()
	r.HandleFunc(PathExports, func(w http.ResponseWriter, r *http.Request) {
		code, ok := town(r)
		if !ok {
			problem.Write(w, r, http.StatusForbidden, errExportPeer)
			return
		}
		var m wireExport
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxExport))
		dec.DisallowUnknownFields()
		if dec.Decode(&m) != nil || dec.More() {
			problem.Write(w, r, http.StatusUnprocessableEntity, errExport)
			return
		}
		x, err := o.Register.RecordExport(m.Code, code, m.Operator, nil)
		var said *say.Error
		switch {
		case errors.As(err, &said):
			problem.Write(w, r, http.StatusUnprocessableEntity, err)
			return
		case err != nil:
			problem.Write(w, r, http.StatusServiceUnavailable, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(wireExported{x.At, x.Attr}) // a terminal that went away asks again, on record
	}).Methods(http.MethodPost)
	return r
}

// RemoteTerminal sets up a terminal that reaches the business subsystem at url;
// h shows the terminal's certificate. The signing key stays at the terminal.
func RemoteTerminal(c TerminalConfig, h *http.Client, url string) (*Terminal, error) {
	if h == nil || url == "" {
		return nil, errors.New("a terminal needs the business subsystem's address and a client")
	}
	return newTerminal(c, func(ctx context.Context, code, operator string, seal func(register.Export) error) error {
		x, err := requestExport(ctx, h, url, wireExport{code, operator})
		if err != nil {
			return err
		}
		return seal(register.Export{At: x.At, Code: code, Municipality: c.Municipality, Operator: operator, Attr: x.Attr})
	})
}

func requestExport(ctx context.Context, h *http.Client, url string, m wireExport) (out wireExported, err error) {
	body, err := json.Marshal(m)
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+PathExports, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.Do(req)
	if err != nil {
		return out, say.New(CodeExportDown, "業務サブシステムにつながりません。", "The business subsystem can't be reached.").Because(err)
	}
	defer resp.Body.Close()
	if err := problem.Read(resp); err != nil {
		return out, err
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxExport)).Decode(&out); err != nil {
		return out, errExport
	}
	return out, nil
}
