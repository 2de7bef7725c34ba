package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/logkey"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

const roleWitness = `format: 1
role: witness
listen: 127.0.0.1:0
witness:
  dir: state
  name: w.test
  key: w.key
  logs: ["%s"]
`

// history is a log's checkpoints as a witness meets them, and another history
// that the log signs as well.
type history struct {
	key           *logkey.Key
	hashes, other []tlog.Hash
	sizes         []int64
}

func (f *site) newWitness() (string, *history) {
	dir := f.t.TempDir()
	key, err := logkey.CreateFile(filepath.Join(dir, "log.key"), logtest.Origin, rand.Reader)
	f.must(err)
	der, err := x509.MarshalPKCS8PrivateKey(f.witness)
	f.must(err)
	f.must(os.WriteFile(filepath.Join(dir, "w.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	f.must(os.WriteFile(filepath.Join(dir, "role.yaml"), fmt.Appendf(nil, roleWitness, key.VKey()), 0o600))
	h := &history{key: key, sizes: []int64{2, 5, 5, 9}}
	h.hashes, h.other = stored(f.t, "a", 12), stored(f.t, "b", 12)
	return dir, h
}

// stored are the hashes of a tree of n leaves.
func stored(t *testing.T, what string, n int64) []tlog.Hash {
	var out []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		hs := make([]tlog.Hash, len(at))
		for i, x := range at {
			hs[i] = out[x]
		}
		return hs, nil
	})
	for i := range n {
		hs, err := tlog.StoredHashes(i, fmt.Appendf(nil, "%s %d", what, i), read)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, hs...)
	}
	return out
}

// witnessAct is sukashi serve as a witness.
type witnessAct struct {
	*site
	*history
	cosigned int64 // newest size with a cosignature
	told     []moment
}

// moment is when a size was promised.
type moment struct {
	size uint64
	at   time.Time
}

// until is the newest size that was promised by then.
func until(told []moment, t time.Time) (size uint64) {
	for _, m := range told {
		if m.at.Before(t) {
			size = m.size
		}
	}
	return size
}

// at implements act.
func (a *witnessAct) at(t time.Time, s *sandbox) (act, error) {
	return &witnessAct{site: a.site, history: a.history, cosigned: int64(until(a.told, t))}, nil
}

// ask hands in the checkpoint of a size. The answer is the HTTP status.
func (a *witnessAct) ask(v *serving, hashes []tlog.Hash, old, size int64) (int, error) {
	return a.post(v.addr["witness"], hashes, old, size)
}

// run implements act.
func (a *witnessAct) run(s *sandbox) error {
	v, err := s.serve(true)
	if err != nil {
		return err
	}
	for i := 0; v.addr["witness"] != "" && i < len(a.sizes); i++ {
		status, err := a.ask(v, a.hashes, a.cosigned, a.sizes[i])
		if err != nil || status != http.StatusOK {
			break
		}
		a.cosigned = a.sizes[i]
		a.told = append(a.told, moment{uint64(a.cosigned), time.Now()})
	}
	_, err = v.stop()
	return err
}

// check implements act.
func (a *witnessAct) check(s *sandbox) (promises int, err error) {
	v, err := s.serve(false)
	if err != nil {
		return 0, err
	}
	if v.addr == nil {
		_, err := v.stop()
		return 0, errors.Join(errors.New("it doesn't start again"), err)
	}
	err = a.holds(v)
	if ok, serr := v.stop(); err == nil && (!ok || serr != nil) {
		err = errors.Join(errors.New("the second run doesn't end well"), serr)
	}
	return min(1, int(a.cosigned)), err
}

// holds: what was cosigned is known, nothing else is cosigned beside it, and the
// log's next checkpoint is.
func (a *witnessAct) holds(v *serving) error {
	sum := sha256.Sum256([]byte(logtest.Origin))
	res, err := http.Get(fmt.Sprintf("%s/%x/checkpoint", v.addr["witness"], sum))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	known := int64(0)
	if res.StatusCode == http.StatusOK {
		var text bytes.Buffer
		if _, err := text.ReadFrom(res.Body); err != nil {
			return err
		}
		cp, err := proof.ParseUnverified(text.Bytes())
		if err != nil {
			return err
		}
		known = int64(cp.Size)
	}
	if known < a.cosigned {
		return fmt.Errorf("it cosigned size %d and now knows size %d", a.cosigned, known)
	}
	if known > 0 {
		for _, size := range []int64{known, 11} {
			if status, err := a.ask(v, a.other, known, size); err != nil || status == http.StatusOK {
				return fmt.Errorf("it cosigns a fork of size %d: %d %w", size, status, err)
			}
		}
	}
	if status, err := a.ask(v, a.hashes, known, 10); err != nil || status != http.StatusOK {
		return fmt.Errorf("it doesn't go on: %d %w", status, err)
	}
	return nil
}

// post sends an add-checkpoint request (C2SP tlog-witness).
func (h *history) post(url string, hashes []tlog.Hash, old, size int64) (int, error) {
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = hashes[x]
		}
		return out, nil
	})
	root, err := tlog.TreeHash(size, read)
	if err != nil {
		return 0, err
	}
	var body strings.Builder
	fmt.Fprintf(&body, "old %d\n", old)
	if old > 0 && old < size {
		p, err := tlog.ProveTree(size, old, read)
		if err != nil {
			return 0, err
		}
		for _, x := range p {
			fmt.Fprintln(&body, x)
		}
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", logtest.Origin, size, root)}, h.key)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(&body, "\n%s", signed)
	res, err := http.Post(url+"/add-checkpoint", "text/plain", strings.NewReader(body.String()))
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
