// Package witness lets independent parties vouch that everyone is shown the
// same log (promise P1). It holds a small witness server and the log's client
// for it, both speaking C2SP tlog-witness.
//
// A witness keeps, for each log, the newest checkpoint that it has cosigned.
// It cosigns a new one only with a proof that the new tree continues that one,
// and only after the new one is safely on disk: a log can't show two histories
// to one witness, nor go back after a restore. Cosignatures are Ed25519
// cosignature/v1 with the witness's time, which never runs backwards here.
//
// The server promises that an answer is never given before the checkpoint is
// on stable storage, and that a state that can't be read or verified stops it.
// It never cosigns for a log that it isn't configured with, and stores nothing
// but checkpoints.
//
//	s, err := witness.Open(witness.Config{Dir: dir, Name: "w1.example", Key: key, Logs: []string{logVKey}, Now: time.Now})
//	http.Serve(listener, s)
//
// The client asks all witnesses of a trust policy side by side:
//
//	c, err := witness.NewClient(witness.ClientConfig{Policy: policy, HTTP: http.DefaultClient, Now: time.Now})
//	cosigned, err := c.Cosign(ctx, checkpoint, prove)
package witness

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Config says who the witness is and whom it serves.
type Config struct {
	Dir  string             // state directory, created if missing; one process at a time
	Name string             // key name, a schema-less URL such as "witness.example/w1"
	Key  ed25519.PrivateKey // used for nothing else
	// Logs are the verifier keys of the logs. Several of one origin are its keys
	// one after the other, oldest first: once a checkpoint signed by one of them
	// was cosigned, those before it are worth nothing any more, so that a stolen
	// retired key can't lead the witness onto a fork.
	Logs []string
	Now  func() time.Time
}

// Server is a witness. It is an http.Handler and safe for concurrent use.
type Server struct {
	name  string
	vkey  string
	id    []byte // key id of the cosignature key
	key   ed25519.PrivateKey
	now   func() time.Time
	store *store
	logs  map[string]*logState // by origin; the map itself never changes

	closing  sync.Once
	closeErr error
}

// logState is one log's newest cosigned checkpoint.
type logState struct {
	mu       sync.Mutex      // held from the check of the old size until the new state is on disk
	keys     []note.Verifier // oldest first; never changes
	current  int             // keys before this one are retired
	file     string          // name in the store: hex of SHA-256(origin)
	size     uint64
	root     tlog.Hash
	cosigned []byte // note with the log's and this witness's signature; nil: none yet
	last     uint64 // time of the newest cosignature, Unix seconds
	closed   bool   // another process may own the state now
}

// Open reads the state and returns the witness. A state that doesn't verify
// under the log's and the witness's own key is refused: a witness that forgot
// what it signed could sign a fork.
func Open(c Config) (*Server, error) { return openOn(c, kv.Disk()) }

// openOn is Open on a file system, which crash tests take away.
func openOn(c Config, filesystem kv.FS) (*Server, error) {
	if c.Now == nil || len(c.Key) != ed25519.PrivateKeySize || len(c.Logs) == 0 || len(c.Logs) > 1024 {
		return nil, errors.New("witness needs a clock, an Ed25519 key and 1 to 1024 logs")
	}
	if c.Name == "" || len(c.Name) > 200 || strings.ContainsFunc(c.Name, unicode.IsSpace) || strings.Contains(c.Name, "+") {
		return nil, errors.New("witness name must be 1 to 200 bytes without spaces and plus signs")
	}
	s := &Server{name: c.Name, key: c.Key, now: c.Now, logs: make(map[string]*logState)}
	raw := append([]byte{cosignatureType}, c.Key.Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(c.Name+"\n"), raw...))
	s.id = sum[:4]
	s.vkey = fmt.Sprintf("%s+%x+%s", c.Name, s.id, base64.StdEncoding.EncodeToString(raw))
	st, err := openStore(c.Dir, filesystem)
	if err != nil {
		return nil, say.New("witness.dir", "証人の保存先を開けません。", "The witness's directory can't be opened.").
			Hint("別の証人が使っていないか、書き込めるかを確かめてください。", "See whether another witness uses it and whether it is writable.").Because(err)
	}
	s.store = st
	if err := s.addLogs(c.Logs); err != nil {
		st.close()
		return nil, err
	}
	return s, nil
}

// cosignatureType is the signature type of Ed25519 cosignature/v1 keys.
const cosignatureType = 0x04

func (s *Server) addLogs(vkeys []string) error {
	seen := make(map[string]bool, len(vkeys))
	for _, vkey := range vkeys {
		if _, err := proof.LogOnly(vkey); err != nil { // strict about form, type and weak keys
			return err
		}
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return fmt.Errorf("couldn't read a log's verifier key: %w", err)
		}
		if seen[vkey] {
			return errors.New("a log's key is listed twice")
		}
		seen[vkey] = true
		if s.logs[v.Name()] == nil {
			h := sha256.Sum256([]byte(v.Name()))
			s.logs[v.Name()] = &logState{file: hex.EncodeToString(h[:])}
		}
		s.logs[v.Name()].keys = append(s.logs[v.Name()].keys, v)
	}
	for _, l := range s.logs {
		if err := s.load(l); err != nil {
			return say.New("witness.state", "証人の記録が壊れているか、別の鍵のものです。証人を止めます。",
				"The witness's record is damaged or belongs to another key. The witness stops.").
				Hint("このディレクトリーのバックアップを調べてください。記録を消すと、ログの分岐を見逃すおそれがあります。",
					"Look for a backup of its directory. Deleting the record could let a fork of the log pass.").Because(err)
		}
	}
	return nil
}

// signer returns the newest of the log's keys among the signatures, and its
// line.
func (l *logState) signer(sigs []note.Signature) (index int, sig note.Signature) {
	index = -1
	for _, g := range sigs {
		for i, k := range l.keys {
			if i > index && g.Name == k.Name() && g.Hash == k.KeyHash() {
				index, sig = i, g
			}
		}
	}
	return index, sig
}

func (s *Server) load(l *logState) error {
	b, err := s.store.read(l.file)
	if err != nil || b == nil {
		return err
	}
	own, err := fnote.NewVerifierForCosignatureV1(s.vkey)
	if err != nil {
		return fmt.Errorf("couldn't read the witness's own key: %w", err)
	}
	n, err := note.Open(b, note.VerifierList(append([]note.Verifier{own}, l.keys...)...))
	if err != nil {
		return fmt.Errorf("couldn't verify the stored checkpoint: %w", err)
	}
	if len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 0 {
		return errors.New("stored checkpoint is not signed by the log and this witness")
	}
	cp, err := parseText(n.Text)
	if err != nil {
		return err
	}
	for _, sig := range n.Sigs {
		if sig.Name == s.name && sig.Hash == own.KeyHash() {
			at, err := fnote.CoSigV1Timestamp(sig)
			if err != nil {
				return fmt.Errorf("couldn't read the stored time: %w", err)
			}
			l.last = uint64(at.Unix())
		}
	}
	if l.current, _ = l.signer(n.Sigs); l.current < 0 {
		return errors.New("stored checkpoint is not signed by the log")
	}
	l.size, l.root, l.cosigned = cp.size, cp.root, b
	return nil
}

// VKey returns the witness's verifier key, for trust policies.
func (s *Server) VKey() string { return s.vkey }

// Close ends the witness: requests under way finish, later ones get ErrClosed,
// and the state directory is free. Closing twice is harmless.
func (s *Server) Close() error {
	for _, l := range s.logs {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
	}
	s.closing.Do(func() { s.closeErr = s.store.close() })
	return s.closeErr
}

// Newest returns the newest checkpoint that this witness cosigned for a log,
// with the log's and its own signature; nil if there is none.
func (s *Server) Newest(origin string) []byte {
	l := s.logs[origin]
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]byte(nil), l.cosigned...)
}

// Reasons why a checkpoint is not cosigned, each with its HTTP status in the
// protocol.
var (
	ErrMalformed    = errors.New("request is malformed")                            // 400
	ErrUnknownLog   = errors.New("log is unknown to this witness")                  // 404
	ErrSignature    = errors.New("checkpoint has no valid signature by its log")    // 403
	ErrInconsistent = errors.New("checkpoint doesn't continue the one seen before") // 422
	ErrClosed       = errors.New("witness is closed")                               // 503
)

// ConflictError says that the old size was not the witness's; 409.
type ConflictError struct{ Size uint64 }

// Error implements error.
func (e ConflictError) Error() string {
	return fmt.Sprintf("newest cosigned checkpoint has size %d", e.Size)
}

// text is what a witness reads of a checkpoint; extension lines are allowed
// and ignored, as tlog-witness asks for.
type text struct {
	origin string
	size   uint64
	root   tlog.Hash
}

// AddCheckpoint cosigns a checkpoint if it continues the newest one, and
// returns the signature line. Its errors are those above, or an I/O error.
func (s *Server) AddCheckpoint(ctx context.Context, oldSize uint64, hashes []tlog.Hash, signed []byte) ([]byte, error) {
	origin, _, _ := strings.Cut(string(signed), "\n")
	l := s.logs[origin]
	if l == nil {
		if !strings.Contains(string(signed), "\n\n") {
			return nil, ErrMalformed
		}
		return nil, ErrUnknownLog
	}
	n, err := note.Open(signed, note.VerifierList(l.keys...))
	if err != nil {
		return nil, openError(err)
	}
	cp, err := parseText(n.Text)
	if err != nil || oldSize > cp.size || len(hashes) > proof.MaxHashes {
		return nil, ErrMalformed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	by, sig := l.signer(n.Sigs)
	if by < l.current { // also -1
		return nil, ErrSignature
	}
	if oldSize != l.size {
		return nil, ConflictError{l.size}
	}
	if !l.continues(cp, hashes) {
		return nil, ErrInconsistent
	}
	line, err := s.cosign(l, cp, n.Text, sig)
	if err == nil {
		l.current = by
	}
	return line, err
}

func openError(err error) error {
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	if errors.As(err, &unverified) || errors.As(err, &invalid) {
		return ErrSignature
	}
	return ErrMalformed
}

func (l *logState) continues(cp text, hashes []tlog.Hash) bool {
	switch {
	case cp.size == 0 && cp.root != tlog.Hash(sha256.Sum256(nil)):
		return false
	case l.size == 0:
		return len(hashes) == 0
	case l.size == cp.size:
		return len(hashes) == 0 && l.root == cp.root
	}
	return tlog.CheckTree(hashes, int64(cp.size), cp.root, int64(l.size), l.root) == nil
}

// cosign signs, stores and only then gives the signature away.
func (s *Server) cosign(l *logState, cp text, signed string, log note.Signature) ([]byte, error) {
	now := s.now().Unix()
	if now <= 0 {
		return nil, errors.New("the witness's clock is before 1970")
	}
	at := max(uint64(now), l.last) // a clock stepping back must not contradict what was signed
	sig := binary.BigEndian.AppendUint64(append([]byte(nil), s.id...), at)
	sig = append(sig, ed25519.Sign(s.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, signed))...)
	line := "— " + s.name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"

	raw := "— " + log.Name + " " + log.Base64 + "\n"
	stored := []byte(signed + "\n" + raw + line)
	if err := s.store.write(l.file, stored); err != nil {
		return nil, fmt.Errorf("couldn't store the checkpoint: %w", err)
	}
	l.size, l.root, l.cosigned, l.last = cp.size, cp.root, stored, at
	return []byte(line), nil
}
