package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/status"
)

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// statusWorld is a log of certificates with its status tree.
type statusWorld struct {
	*world
	tree  *status.Tree
	at    map[uint64]int // ordinal → index of cert.issued
	seq   map[string]uint64
	certs uint64
}

func newStatusWorld() *statusWorld {
	return &statusWorld{world: newWorld(3), tree: status.New(), at: map[uint64]int{}, seq: map[string]uint64{}}
}

func marshal(t testing.TB, e entry.Entry) []byte {
	t.Helper()
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *statusWorld) log(t testing.TB, by string, body entry.Body) int {
	t.Helper()
	e := entry.Entry{At: entry.At(start.Add(time.Duration(len(w.entries)) * time.Second)), By: by, Seq: w.seq[by], Body: body}
	w.seq[by]++
	w.add(t, marshal(t, e))
	if err := w.tree.Apply(e); err != nil {
		t.Fatal(err)
	}
	return len(w.entries) - 1
}

func cert(o uint64) []byte { return fmt.Appendf(nil, "certificate %d", o) }

var fakeDecision = entry.Decision{Allow: true, Bundle: entry.Sum([]byte("b")), Codes: []string{}, Engine: "opa-1", Facts: "ff", Ruleset: "issue"}

func (w *statusWorld) issue(t testing.TB) uint64 {
	o := w.certs
	w.certs++
	d := entry.Sum(cert(o))
	w.log(t, entry.ByCA, &entry.CertIntent{Decision: fakeDecision, Issuer: d, Municipality: "202011", Ordinal: o, Profile: d, Serial: "0a", Subject: d, TBS: d})
	w.at[o] = w.log(t, entry.ByCA, &entry.CertIssued{Certificate: d, Ordinal: o})
	return o
}

func (w *statusWorld) revoke(t testing.TB, o uint64) {
	w.log(t, entry.ByCA, &entry.Revocation{Ground: entry.GroundRequest, Ordinal: o, Recorded: entry.At(start), Serial: "0a"})
}

func (w *statusWorld) logRoot(t testing.TB) {
	w.log(t, entry.ByLog, &entry.StatusRoot{Covers: uint64(len(w.entries)), Issued: w.tree.Issued(), Revoked: w.tree.Revoked(), Root: w.tree.Root(), Size: w.tree.Size()})
}

// statusReceipt is the receipt of an ordinal under the newest status.root.
func (w *statusWorld) statusReceipt(t testing.TB, o uint64, witnesses ...int) *StatusReceipt {
	t.Helper()
	n := len(w.entries)
	chunk, path, err := w.tree.Prove(o)
	if err != nil {
		t.Fatal(err)
	}
	issued, root := w.receipt(t, w.at[o], n), w.receipt(t, n-1, n)
	return &StatusReceipt{
		Issued: w.entries[w.at[o]], Index: uint64(w.at[o]), IssuedPath: issued.Hashes,
		Chunk: chunk, ChunkPath: path, Root: w.entries[n-1], RootPath: root.Hashes,
		Checkpoint: w.sign(w.text(t, n), witnesses...),
	}
}

func TestStatusReceipt(t *testing.T) {
	w := newStatusWorld()
	p := w.policy(t, "2")
	for range 1500 {
		w.issue(t)
	}
	w.logRoot(t)
	early := w.statusReceipt(t, 1200, 0, 1, 2)
	w.revoke(t, 1200)
	w.logRoot(t)
	w.witnessed = w.witnessed.Add(time.Hour)
	late := w.statusReceipt(t, 1200, 0, 1, 2)

	check := func(s *StatusReceipt, want status.State) *StatusResult {
		t.Helper()
		s, err := ParseStatusReceipt(s.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.VerifyStatus(s, cert(1200))
		if err != nil {
			t.Fatal(err)
		}
		if r.State != want || r.Ordinal != 1200 || r.Certificate != entry.Sum(cert(1200)) || !r.Witnessed {
			t.Fatalf("%+v", r)
		}
		return r
	}
	before, after := check(early, status.Valid), check(late, status.Revoked)
	if !after.AsOf.Equal(before.AsOf.Add(time.Hour)) || !before.AsOf.Equal(start.Add(63*time.Minute+3*time.Second)) {
		t.Errorf("as of %v and %v", before.AsOf, after.AsOf)
	}
	for _, c := range []struct {
		name string
		r    *StatusResult
		t    time.Time
		want Answer
	}{
		{"signed while valid, older receipt", before, before.AsOf, WasValid},
		{"signed right at the issue", before, before.IssuedAt, WasValid},
		{"signed before the issue", before, before.IssuedAt.Add(-time.Second), WasNone},
		{"signed after the older receipt", before, before.AsOf.Add(time.Second), Unknown},
		{"signed after the revocation", after, after.AsOf, WasRevoked},
		{"signed before, newer receipt only", after, before.AsOf, Unknown},
		{"held at that moment", &StatusResult{State: status.Held, AsOf: start}, start, WasHeld},
		{"held at another moment", &StatusResult{State: status.Held, AsOf: start}, start.Add(1), Unknown},
	} {
		if got := c.r.At(c.t); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if r, err := p.VerifyStatus(early, nil); err != nil || r.State != status.Valid {
		t.Error("without a certificate to compare:", err)
	}
	only, err := LogOnly(w.logVKey)
	if err != nil {
		t.Fatal(err)
	}
	r, err := only.VerifyStatus(w.statusReceipt(t, 7), nil)
	if err != nil || r.Witnessed || !r.AsOf.Equal(start.Add(time.Duration(len(w.entries)-1)*time.Second)) {
		t.Errorf("no witness: %+v, %v", r, err)
	}
}

// TestCheckpointExchangedAfterReading: what counts is the checkpoint that the
// receipt has, not the one that it had when it was read.
func TestCheckpointExchangedAfterReading(t *testing.T) {
	w := newStatusWorld()
	p := w.policy(t, "1")
	w.issue(t)
	w.logRoot(t)
	s, err := ParseStatusReceipt(w.statusReceipt(t, 0, 0).Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.VerifyStatus(s, cert(0)); err != nil {
		t.Fatal(err)
	}
	s.Checkpoint[bytes.IndexByte(s.Checkpoint, '\n')+1]++ // the first digit of the size
	if _, err := p.VerifyStatus(s, cert(0)); err == nil {
		t.Error("another checkpoint was believed")
	}
}

func TestStatusReceiptRefuses(t *testing.T) {
	w := newStatusWorld()
	p := w.policy(t, "1")
	for range 3000 {
		w.issue(t)
	}
	w.logRoot(t)
	oldRoot := len(w.entries) - 1
	oldChunk, oldPath, _ := w.tree.Prove(2500)
	w.revoke(t, 2500)
	w.logRoot(t)
	n := len(w.entries)
	other := w.statusReceipt(t, 11, 0)
	for name, c := range map[string]struct {
		code   string
		change func(*StatusReceipt)
	}{
		"outdated root, right index":  {"status.root", func(s *StatusReceipt) { s.Root = w.entries[oldRoot] }},
		"outdated chunk":              {"status.chunk", func(s *StatusReceipt) { s.Chunk, s.ChunkPath = oldChunk, oldPath }},
		"chunk of another":            {"status.chunk", func(s *StatusReceipt) { s.Chunk, s.ChunkPath = other.Chunk, other.ChunkPath }},
		"issue of another":            {"receipt.inclusion", func(s *StatusReceipt) { s.Issued = other.Issued }},
		"intent for issue":            {"status.issued", func(s *StatusReceipt) { s.Issued = w.entries[w.at[2500]-1] }},
		"issue for root":              {"status.root", func(s *StatusReceipt) { s.Root = s.Issued }},
		"index":                       {"receipt.inclusion", func(s *StatusReceipt) { s.Index++ }},
		"index beyond":                {"receipt.beyond", func(s *StatusReceipt) { s.Index = uint64(n) }},
		"root path":                   {"receipt.inclusion", func(s *StatusReceipt) { s.RootPath = s.RootPath[1:] }},
		"no witness":                  {"checkpoint.quorum", func(s *StatusReceipt) { s.Checkpoint = w.sign(w.text(t, n)) }},
		"earlier checkpoint":          {"receipt.inclusion", func(s *StatusReceipt) { s.Checkpoint = w.sign(w.text(t, oldRoot+1), 0) }},
		"checkpoint without the root": {"receipt.inclusion", func(s *StatusReceipt) { s.Checkpoint = w.sign(w.text(t, n-1), 0) }},
		"garbage for issue":           {"status.malformed", func(s *StatusReceipt) { s.Issued = []byte("{}") }},
		"garbage for root":            {"status.malformed", func(s *StatusReceipt) { s.Root = []byte("{}") }},
		"short chunk":                 {"status.chunk", func(s *StatusReceipt) { s.Chunk = s.Chunk[1:] }},
	} {
		s := w.statusReceipt(t, 2500, 0)
		if _, err := p.VerifyStatus(s, nil); err != nil {
			t.Fatal(err)
		}
		c.change(s)
		_, err := p.VerifyStatus(s, nil)
		if err == nil || say.Code(err) != c.code {
			t.Errorf("%s: want %s, got %v", name, c.code, err)
			continue
		}
		if errors.Is(err, ErrFalse) != (c.code != "status.malformed") {
			t.Errorf("%s: wrong kind of failure", name)
		}
		checkSentence(t, err)
	}
	if _, err := p.VerifyStatus(other, cert(12)); say.Code(err) != "status.other-certificate" {
		t.Errorf("another certificate: %v", err)
	}
}

// TestStatusContradiction: a log that says issued and whose logged root says
// never issued must not pass as "valid" nor as "revoked".
func TestStatusContradiction(t *testing.T) {
	w := newStatusWorld()
	o := w.issue(t)
	lie := status.New()
	_ = lie.Apply(entry.Entry{Body: &entry.CertIntent{Ordinal: 0}})
	w.log(t, entry.ByLog, &entry.StatusRoot{Covers: uint64(len(w.entries)), Root: lie.Root(), Size: 1})
	w.tree = lie
	_, err := w.policy(t, "1").VerifyStatus(w.statusReceipt(t, o, 0), nil)
	if say.Code(err) != "status.none" || !errors.Is(err, ErrFalse) {
		t.Error(err)
	}
}

// TestStatusByTheWrongWriter: right content, logged by somebody who may not
// say so.
func TestStatusByTheWrongWriter(t *testing.T) {
	w := newStatusWorld()
	d := entry.Sum(cert(0))
	w.log(t, entry.ByCA, &entry.CertIntent{Decision: fakeDecision, Issuer: d, Municipality: "202011", Serial: "0a", Profile: d, Subject: d, TBS: d})
	w.at[0] = w.log(t, entry.ByOperator, &entry.CertIssued{Certificate: d})
	w.logRoot(t)
	p := w.policy(t, "1")
	if _, err := p.VerifyStatus(w.statusReceipt(t, 0, 0), nil); say.Code(err) != "status.issued" || !errors.Is(err, ErrFalse) {
		t.Errorf("issued by the operator: %v", err)
	}
	w = newStatusWorld()
	w.issue(t)
	w.log(t, entry.ByOperator, &entry.StatusRoot{Covers: uint64(len(w.entries)), Issued: 1, Root: w.tree.Root(), Size: 1})
	if _, err := p.VerifyStatus(w.statusReceipt(t, 0, 0), nil); say.Code(err) != "status.root" || !errors.Is(err, ErrFalse) {
		t.Errorf("status.root by the operator: %v", err)
	}
}

func TestEveryChangedByteOfStatusReceiptFails(t *testing.T) {
	w := newStatusWorld()
	for range 1030 {
		w.issue(t)
	}
	w.logRoot(t)
	p := w.policy(t, "1")
	good := w.statusReceipt(t, 3, 0).Marshal()
	n := 0
	everyChange(good, func(pos int, b []byte) {
		n++
		if n%3 != 0 && testing.Short() {
			return
		}
		s, err := ParseStatusReceipt(b)
		if err == nil {
			_, err = p.VerifyStatus(s, nil)
		}
		if err == nil {
			t.Errorf("byte %d changed and the receipt still holds", pos)
		}
	})
	t.Logf("%d bytes, %d changes", len(good), n)
}

func TestParseStatusReceiptRefuses(t *testing.T) {
	w := newStatusWorld()
	w.issue(t)
	w.logRoot(t)
	good := string(w.statusReceipt(t, 0, 0).Marshal())
	if !IsStatusReceipt([]byte(good)) || IsReceipt([]byte(good)) || !IsReceipt(w.receipt(t, 0, 1).Marshal()) {
		t.Error("recognising files")
	}
	long := base64.StdEncoding.EncodeToString(make([]byte, 64*32))
	for name, b := range map[string]string{
		"empty":             "",
		"header":            statusHeader + "\n",
		"other version":     strings.Replace(good, "@v1", "@v2", 1),
		"line missing":      strings.Replace(good, "chunk-path -\n", "", 1),
		"lines swapped":     strings.Replace(good, "chunk-path -\n", "", 1) + "chunk-path -\n",
		"empty path":        strings.Replace(good, "chunk-path -\n", "chunk-path \n", 1),
		"path of 31 bytes":  strings.Replace(good, "chunk-path -\n", "chunk-path "+base64.StdEncoding.EncodeToString(make([]byte, 31))+"\n", 1),
		"path of 64 hashes": strings.Replace(good, "chunk-path -\n", "chunk-path "+long+"\n", 1),
		"short chunk":       strings.Replace(good, "chunk ", "chunk AAAA\nx ", 1),
		"chunk of 3 bytes":  replaceLine(good, "chunk ", "AAAA"),
		"checkpoint":        good[:strings.Index(good, "\n\n")+2] + "x\n",
		"too large":         good + strings.Repeat("x", MaxFile),
	} {
		if _, err := ParseStatusReceipt([]byte(b)); err == nil || errors.Is(err, ErrFalse) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func replaceLine(s, name, value string) string {
	i := strings.Index(s, "\n"+name) + 1
	return s[:i] + name + value + s[i+strings.Index(s[i:], "\n"):]
}

// sizedReceipt builds a status receipt as a log of size entries over certs
// certificates would give it, without building the log: the paths are random
// and the roots are computed from them.
func sizedReceipt(t testing.TB, certs, size uint64, rng *rand.Rand) (*StatusReceipt, *world) {
	w := newWorld(3)
	w.origin = "ledger.pref.nagano.example/sukashi"
	w.logVKey = vkeyOf(w.origin, typeLog, w.logKey.Public().(ed25519.PublicKey))
	randomHash := func() (h tlog.Hash) {
		for i := range h {
			h[i] = byte(rng.Uint32())
		}
		return h
	}
	ordinal := certs / 3
	s := &StatusReceipt{Index: ordinal*2 + 1000}
	s.Issued = marshal(t, entry.Entry{At: entry.At(start), By: entry.ByCA, Seq: s.Index - 7, Body: &entry.CertIssued{Certificate: entry.Sum(cert(ordinal)), Ordinal: ordinal}})
	s.Chunk = bytes.Repeat([]byte{0b01100101}, status.ChunkSize)
	chunkPath := pathLength(ordinal/status.ChunkCertificates, status.Chunks(certs))
	for range chunkPath {
		s.ChunkPath = append(s.ChunkPath, randomHash())
	}
	root := climb(tlog.RecordHash(s.Chunk), ordinal/status.ChunkCertificates, status.Chunks(certs), s.ChunkPath)
	s.Root = marshal(t, entry.Entry{At: entry.At(start), By: entry.ByLog, Seq: size / 7, Body: &entry.StatusRoot{Covers: size - 1, Issued: certs - 40, Revoked: certs / 19, Root: entry.Digest(root), Size: certs}})
	// Two leaves that part at the top: each path's last hash is the other's subtree.
	split := uint64(1) << (bits.Len64(size-1) - 1)
	if s.Index >= split {
		t.Fatal("the issue must be in the left subtree")
	}
	for range pathLength(s.Index, split) {
		s.IssuedPath = append(s.IssuedPath, randomHash())
	}
	for range pathLength(size-1-split, size-split) {
		s.RootPath = append(s.RootPath, randomHash())
	}
	left := climb(tlog.RecordHash(s.Issued), s.Index, split, s.IssuedPath)
	right := climb(tlog.RecordHash(s.Root), size-1-split, size-split, s.RootPath)
	s.IssuedPath = append(s.IssuedPath, right)
	s.RootPath = append(s.RootPath, left)
	s.Checkpoint = w.sign(fmt.Sprintf("%s\n%d\n%s\n", w.origin, size, tlog.NodeHash(left, right)), 0, 1, 2)
	return s, w
}

// pathLength and climb are RFC 6962 2.1.1 once more, for one path.
func pathLength(i, n uint64) int {
	inner := bits.Len64(i ^ (n - 1))
	return inner + bits.OnesCount64(i>>inner)
}

func climb(h tlog.Hash, i, n uint64, path []tlog.Hash) tlog.Hash {
	inner := bits.Len64(i ^ (n - 1))
	for l, p := range path {
		if l < inner && i>>l&1 == 0 {
			h = tlog.NodeHash(h, p)
		} else {
			h = tlog.NodeHash(p, h)
		}
	}
	return h
}

// TestStatusReceiptSize: 10^8 certificates, two entries each, one in twenty
// revoked with its notices, three cosignatures (DESIGN 9: at most 4 kB).
func TestStatusReceiptSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const certs = 100_000_000
	typical := uint64(2*certs + certs/20*4 + 1)
	s, w := sizedReceipt(t, certs, typical, rng)
	b := s.Marshal()
	if _, err := w.policy(t, "all").VerifyStatus(s, cert(certs/3)); err != nil {
		t.Fatal(err)
	}
	t.Logf("10^8 certificates, %d entries, 3 cosignatures: %d bytes (paths of %d, %d and %d hashes, checkpoint %d bytes)",
		typical, len(b), len(s.IssuedPath), len(s.RootPath), len(s.ChunkPath), len(s.Checkpoint))
	if len(b) > 4096 {
		t.Errorf("%d bytes", len(b))
	}
	sum, least, worst, small := 0, 1<<20, 0, 0
	const n = 300
	for range n {
		s, _ := sizedReceipt(t, certs, typical+rng.Uint64N(40_000_000), rng)
		l := len(s.Marshal())
		sum += l
		least, worst = min(least, l), max(worst, l)
		if l <= 4096 {
			small++
		}
	}
	t.Logf("%d random log sizes near it: mean %d bytes, least %d, largest %d, %d of them at most 4096", n, sum/n, least, worst, small)
	if sum/n > 4096 {
		t.Errorf("mean %d bytes", sum/n)
	}
}

func FuzzParseStatusReceipt(f *testing.F) {
	w := newStatusWorld()
	for range 1030 {
		w.issue(f)
	}
	w.logRoot(f)
	p := w.policy(f, "1")
	f.Add(w.statusReceipt(f, 1, 0).Marshal())
	f.Add([]byte(statusHeader + "\nissued {}\nindex 0\npath -\nchunk AA==\nchunk-path -\nroot {}\nroot-path -\n\nx\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStatusReceipt(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Marshal(), b) {
			t.Fatal("not canonical")
		}
		if r, err := p.VerifyStatus(s, nil); err == nil && r.State != status.Valid {
			t.Fatal("a forged status holds")
		}
	})
}
