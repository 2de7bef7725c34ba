package world

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/engine"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/ledger/witness"
)

// Origin is the demo log's name in checkpoints.
const Origin = "sukashi.example/nagano/1"

// witnessNames are the demo's witnesses: three, of whom two are enough.
var witnessNames = []string{"witness1.example", "witness2.example", "witness3.example"}

const quorum = 2

// LedgerNode is the log with its engine, witnesses and servers.
type LedgerNode struct {
	Engine engine.Log
	VKey   string
	// Policy is whom outsiders believe (witness.policy); PolicyText its file.
	Policy     *proof.Policy
	PolicyText []byte
	// CommitPolicy believes the log's signature alone: for append receipts.
	CommitPolicy *proof.Policy

	URL       string // mTLS: appends
	PublicURL string // plain HTTP: what is signed in itself
	witnesses []*witness.Server
	public    *http.ServeMux
}

// writers maps TLS identities to the role identifiers that each may write as.
var writers = map[zone.Identity][]string{
	// CAServer and JukiLinkServer are one process of the authority.
	{Zone: zone.LGWAN, Name: entry.ByCA}:          {entry.ByCA, entry.ByCALink, entry.ByCACounts},
	{Zone: zone.Juki, Name: entry.ByRegisterLink}: {entry.ByRegisterLink, entry.ByNoticeSender, entry.ByRegisterCounts},
	{Zone: zone.Open, Name: nameCouncil}:          {entry.ByCouncil},
	{Zone: zone.Open, Name: nameOperator}:         {entry.ByOperator},
}

func (w *World) openLedger(ctx context.Context) error {
	n := &LedgerNode{public: http.NewServeMux()}
	w.Ledger = n
	skey, vkey, err := note.GenerateKey(w.Rand, Origin)
	if err != nil {
		return fmt.Errorf("couldn't make the log key: %w", err)
	}
	if err := os.WriteFile(filepath.Join(w.Dirs.Ledger, "log.key"), []byte(skey+"\n"), 0o600); err != nil {
		return fmt.Errorf("couldn't keep the log key: %w", err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return fmt.Errorf("couldn't read the log key: %w", err)
	}
	n.VKey = vkey
	if n.CommitPolicy, err = proof.LogOnly(vkey); err != nil {
		return err
	}
	if n.PublicURL, err = w.servers.start("public", w.PublicAddr, nil, n.public); err != nil {
		return err
	}
	if err := w.openWitnesses(n); err != nil {
		return err
	}
	client, err := witness.NewClient(witness.ClientConfig{Policy: n.Policy, HTTP: &http.Client{Timeout: 5 * time.Second}, Now: time.Now})
	if err != nil {
		return fmt.Errorf("couldn't set up the witness client: %w", err)
	}
	n.Engine, err = engine.Open(ctx, engine.Config{Place: engine.Place{Dir: filepath.Join(w.Dirs.Ledger, "store"), HeadDir: w.Dirs.Head}, Origin: Origin,
		Signer: signer, VKey: vkey, Now: w.Now, Cosign: client.Cosign, CheckHead: client.CheckHead, Logger: w.Logger})
	if err != nil {
		return err
	}
	return w.serveLedger(n)
}

func (w *World) openWitnesses(n *LedgerNode) error {
	text := "log " + n.VKey + " " + n.PublicURL + "/ledger/\n"
	members := ""
	for i, name := range witnessNames {
		_, key, err := ed25519.GenerateKey(w.Rand)
		if err != nil {
			return fmt.Errorf("couldn't make a witness key: %w", err)
		}
		dir := filepath.Join(w.Dirs.Witness, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("couldn't make a witness's directory: %w", err)
		}
		s, err := witness.Open(witness.Config{Dir: dir, Name: name, Key: key, Logs: []string{n.VKey}, Now: w.Now})
		if err != nil {
			return fmt.Errorf("couldn't start a witness: %w", err)
		}
		n.witnesses = append(n.witnesses, s)
		url, err := w.servers.start(name, "", nil, s)
		if err != nil {
			return err
		}
		label := fmt.Sprintf("w%d", i+1)
		text += "witness " + label + " " + s.VKey() + " " + url + "\n"
		members += " " + label
	}
	text += fmt.Sprintf("group two-of-three %d%s\nquorum two-of-three\n", quorum, members)
	n.PolicyText = []byte(text)
	var err error
	if n.Policy, err = proof.ParsePolicy(n.PolicyText); err != nil {
		return fmt.Errorf("couldn't read the witness policy back: %w", err)
	}
	return nil
}

func (w *World) serveLedger(n *LedgerNode) error {
	cert, err := w.roots[zone.Open].Issue(nameLedger, w.Now(), w.Rand)
	if err != nil {
		return err
	}
	peers := zone.Peers{w.roots[zone.Juki], w.roots[zone.LGWAN], w.roots[zone.Open]}
	authorize := func(r *http.Request) []string {
		id, ok := peers.Identify(r)
		if !ok {
			return nil
		}
		return writers[id]
	}
	write := publish.Handler(publish.Config{Source: n.Engine, Log: n.Engine, Authorize: authorize, Logger: w.Logger})
	if n.URL, err = w.servers.start(nameLedger, "", peers.Server(cert), write); err != nil {
		return err
	}
	read := publish.Handler(publish.Config{Source: n.Engine, Logger: w.Logger})
	n.public.Handle("/ledger/", read)
	n.public.Handle("/status/", read)
	return nil
}

// client returns a role's connection to the ledger, under its own TLS identity.
func (w *World) ledgerClient(z zone.Zone, name string) (*publish.Client, error) {
	cert, err := w.roots[z].Issue(name, w.Now(), w.Rand)
	if err != nil {
		return nil, err
	}
	return w.ledgerClientWith(cert)
}

func (w *World) ledgerClientWith(cert tls.Certificate) (*publish.Client, error) {
	return publish.NewClient(w.Ledger.URL, zone.Peers{w.roots[zone.Open]}.Client(cert, time.Minute))
}

// Public mounts a handler on the public server, for pages and for what is
// signed in itself.
func (n *LedgerNode) Public(pattern string, h http.Handler) { n.public.Handle(pattern, h) }

func (n *LedgerNode) close() error {
	var first error
	if n.Engine != nil {
		first = n.Engine.Close()
	}
	for _, s := range n.witnesses {
		if err := s.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
