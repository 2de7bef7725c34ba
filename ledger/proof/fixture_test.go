package proof

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// world is a log with witnesses, made from fixed seeds.
type world struct {
	origin    string
	logKey    ed25519.PrivateKey
	logVKey   string
	witKeys   []ed25519.PrivateKey
	witNames  []string
	witVKeys  []string
	hashes    []tlog.Hash // stored hashes
	entries   [][]byte
	witnessed time.Time
}

func keyFrom(seed string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(s[:])
}

func vkeyOf(name string, typ byte, pub ed25519.PublicKey) string {
	raw := append([]byte{typ}, pub...)
	h := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return fmt.Sprintf("%s+%08x+%s", name, binary.BigEndian.Uint32(h[:]), base64.StdEncoding.EncodeToString(raw))
}

func newWorld(witnesses int) *world {
	w := &world{origin: "log.example/sukashi", logKey: keyFrom("log"), witnessed: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)}
	w.logVKey = vkeyOf(w.origin, typeLog, w.logKey.Public().(ed25519.PublicKey))
	for i := range witnesses {
		name := fmt.Sprintf("w%d.example/witness", i+1)
		k := keyFrom(name)
		w.witKeys = append(w.witKeys, k)
		w.witNames = append(w.witNames, name)
		w.witVKeys = append(w.witVKeys, vkeyOf(name, typeCosignature, k.Public().(ed25519.PublicKey)))
	}
	return w
}

func (w *world) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(is []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(is))
		for i, x := range is {
			out[i] = w.hashes[x]
		}
		return out, nil
	})
}

func (w *world) add(t testing.TB, entries ...[]byte) {
	t.Helper()
	for _, e := range entries {
		hs, err := tlog.StoredHashes(int64(len(w.entries)), e, w.reader())
		if err != nil {
			t.Fatal(err)
		}
		w.hashes = append(w.hashes, hs...)
		w.entries = append(w.entries, e)
	}
}

func sigText(name string, typ byte, pub ed25519.PublicKey, sig []byte) string {
	raw := append([]byte{typ}, pub...)
	h := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return "— " + name + " " + base64.StdEncoding.EncodeToString(append(h[:4:4], sig...)) + "\n"
}

// sign signs a text as the log and as the witnesses with these numbers, each a
// minute later than the one before.
func (w *world) sign(text string, witnesses ...int) []byte {
	s := text + "\n" + sigText(w.origin, typeLog, w.logKey.Public().(ed25519.PublicKey), ed25519.Sign(w.logKey, []byte(text)))
	for _, i := range witnesses {
		s += w.cosign(text, i, w.witnessed.Add(time.Duration(i)*time.Minute).Unix())
	}
	return []byte(s)
}

func (w *world) cosign(text string, i int, unix int64) string {
	k := w.witKeys[i]
	sig := binary.BigEndian.AppendUint64(nil, uint64(unix))
	sig = append(sig, ed25519.Sign(k, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", unix, text))...)
	return sigText(w.witNames[i], typeCosignature, k.Public().(ed25519.PublicKey), sig)
}

func (w *world) root(t testing.TB, size int) tlog.Hash {
	t.Helper()
	if size == 0 {
		return sha256.Sum256(nil)
	}
	h, err := tlog.TreeHash(int64(size), w.reader())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (w *world) text(t testing.TB, size int) string {
	return fmt.Sprintf("%s\n%d\n%s\n", w.origin, size, w.root(t, size))
}

func (w *world) receipt(t testing.TB, index, size int, witnesses ...int) *Receipt {
	t.Helper()
	p, err := tlog.ProveRecord(int64(size), int64(index), w.reader())
	if err != nil {
		t.Fatal(err)
	}
	return &Receipt{Index: uint64(index), Hashes: p, Checkpoint: w.sign(w.text(t, size), witnesses...)}
}

// policyText is a policy with a threshold over all witnesses.
func (w *world) policyText(threshold string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# test policy\nlog %s https://log.example/\n", w.logVKey)
	names := ""
	for i, v := range w.witVKeys {
		fmt.Fprintf(&b, "witness w%d %s\n", i+1, v)
		names += fmt.Sprintf(" w%d", i+1)
	}
	if names == "" {
		return b.String() + "quorum none\n"
	}
	fmt.Fprintf(&b, "group all-of-them %s%s\nquorum all-of-them\n", threshold, names)
	return b.String()
}

func (w *world) policy(t testing.TB, threshold string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(w.policyText(threshold)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func filled(t testing.TB, witnesses, entries int) *world {
	w := newWorld(witnesses)
	for i := range entries {
		w.add(t, fmt.Appendf(nil, `{"entry":%d}`, i))
	}
	return w
}

func TestFixtureAgreesWithNotePackage(t *testing.T) {
	w := filled(t, 0, 5)
	v, err := note.NewVerifier(w.logVKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(w.sign(w.text(t, 5)), note.VerifierList(v)); err != nil {
		t.Fatal(err)
	}
}
