// Package office is the CA's API for people: counter officers, the CA's own
// officers, auditors. Package ca does what it is told; this package sees to it
// that the right persons tell it.
//
// Callers are known by their TLS certificates, by name on a list, and each has
// one role. What the law puts weight on needs two of them: one proposes, and
// another one of the same role, with another certificate and another name,
// approves within a day. Both steps are operator.act entries in the log, each
// before anything happens; so are withdrawal and expiry. What then happens
// (revocation.requested, erasure, disclosure, key leaks) has its own entries.
//
//	act             role               persons  law
//	revoke          counter, operator  two      Articles 9, 10; 13, renewal
//	revoke-all      operator           two      Article 14
//	erase           operator           two      retention, lawful request
//	disclose        operator           two      council's sample, person concerned
//	publish-lists   operator           one
//
// The API is described by openapi.yaml, which is served at PathOpenAPI; a test
// holds every route, request and answer to it. Errors are RFC 9457 problem
// documents with stable codes, in Japanese and English.
//
// Proposals, at most MaxOpen open ones, are kept in the registry, so that the
// second officer may come after a restart. An officer who got no answer asks
// again: that the proposal is about to end is stored before the end is logged,
// so whoever comes next, in the same process or another, looks into the log
// first. One proposal has one end there, what is done for it is done once, and
// the same officer gets the same answer for a day after the proposal's time. A
// proposal that was logged and not yet kept when the process died came to
// nothing.
package office

import (
	_ "embed" // the API description
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Role is what a caller may do.
type Role string

// Roles.
const (
	Counter  Role = "counter"  // an officer at a town hall's counter
	Operator Role = "operator" // an officer of the CA
	Auditor  Role = "auditor"  // reads, and acts on nothing
)

// Officer is a caller as its TLS certificate says.
type Officer struct {
	Name        string       `json:"name"`        // on the list; form of transfer.IsOperator
	Certificate entry.Digest `json:"certificate"` // SHA-256 of the certificate's DER
}

// Config says who may call.
type Config struct {
	Authority *ca.Authority
	Proposals Store // where open proposals are kept
	// Identify says who sent a request, from the verified TLS chain.
	Identify func(*http.Request) (Officer, bool)
	// Roles is the allow-list: a name that is not in it may do nothing.
	Roles map[string]Role
	Now   func() time.Time
}

// Limits of the API.
const (
	ProposalLife = 24 * time.Hour // from proposal to approval
	MaxOpen      = 1024           // proposals that wait at one time
	MaxEnded     = 4096           // ended ones whose answer is remembered
	MaxOrdinals  = 256            // certificates in one act
	MaxBody      = 16 << 10       // bytes of a request
)

// Paths.
const (
	PathOpenAPI   = "/ca/v1/openapi.yaml"
	PathProposals = "/ca/v1/proposals"
	PathLists     = "/ca/v1/revocation-lists"
)

// OpenAPI is the description of this API and of the CA front, in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Refusals. Codes are stable.
var (
	errForbidden = say.New("office.forbidden", "この操作を行う権限がありません。", "You may not do this.")
	errBody      = say.New("office.body", "要求の形式が正しくありません。", "The request is not of the right form.")
	errGone      = say.New("office.notfound", "その提案はありません。承認、取り下げ、または期限切れになっています。", "There is no such proposal: it was approved or withdrawn, or its time is over.").
			Hint("必要なら、もう一度提案してください。", "Propose it again if it is still needed.")
	errSelf = say.New("office.self", "自分の提案を自分で承認することはできません。", "You can't approve your own proposal.").
		Hint("同じ役割の別の担当者が、自分の証明書で承認してください。", "Another officer of the same role must approve it with their own certificate.")
	errUncertain = say.New("office.uncertain", "記録できたかどうか確認中です。", "It is not yet certain whether this was recorded.").
			Hint("同じ操作をもう一度送ってください。二重に行われることはありません。", "Send the same again; nothing is done twice.")
	errFull = say.New("office.full", "承認待ちの提案が多すぎます。", "Too many proposals are waiting.").
		Hint("待っている提案を承認するか、取り下げてください。", "Approve or withdraw some that are waiting.")
)

type office struct {
	c   Config
	mu  sync.Mutex
	all map[string]*proposal // by id: those that wait, and those that ended lately
}

// New returns the handler of the API.
func New(c Config) (http.Handler, error) {
	if c.Authority == nil || c.Proposals == nil || c.Identify == nil || c.Now == nil {
		return nil, errors.New("the office needs an authority, a place for proposals, a way to identify callers and a clock")
	}
	for name, role := range c.Roles {
		if role != Counter && role != Operator && role != Auditor || !isName(name) {
			return nil, errors.New("the office's list has a name or a role that can't be used")
		}
	}
	o := &office{c: c, all: map[string]*proposal{}}
	if err := o.load(); err != nil {
		return nil, err
	}
	r := mux.NewRouter()
	any := []Role{Counter, Operator, Auditor}
	r.Handle(PathOpenAPI, o.only(o.describe, any...)).Methods(http.MethodGet)
	r.Handle(PathProposals, o.only(o.propose, Counter, Operator)).Methods(http.MethodPost)
	r.Handle(PathProposals, o.only(o.list, any...)).Methods(http.MethodGet)
	r.Handle(PathProposals+"/{id:[0-9a-f]{32}}", o.only(o.show, any...)).Methods(http.MethodGet)
	r.Handle(PathProposals+"/{id:[0-9a-f]{32}}", o.only(o.withdraw, Counter, Operator)).Methods(http.MethodDelete)
	r.Handle(PathProposals+"/{id:[0-9a-f]{32}}/approval", o.only(o.approve, Counter, Operator)).Methods(http.MethodPost)
	r.Handle(PathLists, o.only(o.publish, Operator)).Methods(http.MethodPost)
	r.Handle(PathLists, o.only(o.lists, Operator, Auditor)).Methods(http.MethodGet)
	return r, nil
}
