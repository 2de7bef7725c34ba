package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/clusterlog"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/internal/sequence"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/trillianlog"
)

// The systems that this package measures itself.
const (
	sukashi   = "sukashi"
	bare      = "bare"
	onCluster = "sukashi on a cluster"
)

const origin = "log.bench/1"

func keyPair(t testing.TB) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, vkey
}

// ourLog is the engine as a server runs it: every entry is parsed and checked,
// numbered without a gap, proved.
func ourLog(t testing.TB, o order) func() error {
	signer, vkey := keyPair(t)
	e, err := trillianlog.Open(context.Background(), trillianlog.Config{Dir: filepath.Join(o.Dir, "store"),
		HeadDir: filepath.Join(o.Dir, "head"), Origin: origin, Signer: signer, VKey: vkey, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return appends(t, o, e)
}

// clusterLog is the same over a cluster's servers.
func clusterLog(t testing.TB, o order) func() error {
	signer, vkey := keyPair(t)
	e, err := clusterlog.Open(context.Background(), clusterlog.Config{Address: o.Server, MaxMessage: servers.MaxMessage,
		CacheDir: filepath.Join(o.Dir, "cache"), HeadDir: filepath.Join(o.Dir, "head"), Origin: origin, Signer: signer, VKey: vkey, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return appends(t, o, e)
}

// engine is what both engines have below ledger.Log.
type engine interface {
	Submit(ctx context.Context, r *sequence.Request) error
	Receipts(ctx context.Context, r *sequence.Request) ([]*proof.Receipt, error)
}

// appends is one caller's append, whose number is the next.
func appends(t testing.TB, o order, e engine) func() error {
	forms := newForm(t, o.Bytes)
	q := queue{ready: make([]*sequence.Request, 2*o.InFlight)}
	return func() error {
		seq := q.ticket()
		r, err := sequence.Parse([][]byte{forms.entry(seq)})
		if err != nil {
			return err
		}
		if err := q.submit(e, seq, r); err != nil {
			return err
		}
		_, err = e.Receipts(context.Background(), r)
		return err
	}
}

// queue hands requests over in the order of their numbers, which is not the
// order in which they are ready: whoever fills the gap submits what waited for it.
type queue struct {
	mu        sync.Mutex
	next, out uint64
	ready     []*sequence.Request // by number, around
}

func (q *queue) ticket() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next++
	return q.next - 1
}

func (q *queue) submit(e engine, seq uint64, r *sequence.Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := uint64(len(q.ready))
	for q.ready[seq%n] = r; q.ready[q.out%n] != nil; q.out++ {
		if err := e.Submit(context.Background(), q.ready[q.out%n]); err != nil {
			return err
		}
		q.ready[q.out%n] = nil
	}
	return nil
}

// form makes entries of about one size quickly: the text of a real one with
// other random digests, keys and signatures in it each time, so that nothing
// compresses better than in life.
type form struct {
	head, tail []byte // before and after the number
	hex, b64   [][2]int
}

func newForm(t testing.TB, size int) *form {
	t.Helper()
	var d entry.Digest
	d[0] = 1
	key := base64.StdEncoding.EncodeToString(d[:])
	sig := base64.StdEncoding.EncodeToString(append(d[:], d[:]...))
	e := entry.Entry{At: entry.At(time.Now()), By: entry.ByNoticeSender, Body: &entry.NoticeSent{
		Decision: entry.Decision{Allow: true, Bundle: d, Codes: []string{}, Engine: "opa-1.22.2", Facts: "ffffff0f", Ruleset: "notice-send"},
		Digest:   d, Holder: d, Mode: entry.ModeReference}} // about 512 bytes
	if size > 700 {
		b := &entry.PolicyApproved{Bundle: d, Capabilities: d, Grammar: d, Proof: d, Scanner: d}
		for range 3 {
			b.Approvals = append(b.Approvals, entry.Approval{Key: key, Sig: sig})
		}
		e.By, e.Body = entry.ByCouncil, b // about 1 KiB
	}
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	f := &form{}
	at := bytes.LastIndex(b, []byte(`"seq":0`)) + len(`"seq":`)
	f.head, f.tail = b[:at], b[at+1:]
	spans := func(what string) (out [][2]int) {
		for i := 0; ; {
			n := bytes.Index(f.head[i:], []byte(`"`+what+`"`))
			if n < 0 {
				return out
			}
			i += n + 1
			out = append(out, [2]int{i, i + len(what)})
			i += len(what)
		}
	}
	f.hex, f.b64 = spans(d.String()), append(spans(key), spans(sig)...)
	return f
}

// size is what an entry has in bytes, for a number of six digits.
func (f *form) size() int { return len(f.head) + 6 + len(f.tail) }

func (f *form) entry(seq uint64) []byte {
	b := make([]byte, 0, len(f.head)+len(f.tail)+20)
	b = append(b, f.head...)
	var raw [64]byte
	fill := func() {
		for i := 0; i < len(raw); i += 8 {
			binary.LittleEndian.PutUint64(raw[i:], mathrand.Uint64())
		}
	}
	for _, s := range f.hex {
		fill()
		hex.Encode(b[s[0]:s[1]], raw[:32])
	}
	for _, s := range f.b64 {
		fill()
		n := 32
		if s[1]-s[0] > 44 {
			n = 64
		}
		base64.StdEncoding.Encode(b[s[0]:s[1]], raw[:n])
	}
	return append(strconv.AppendUint(b, seq, 10), f.tail...)
}

// bareLog is what the store alone can do: a group commit of leaves and C2SP
// tiles with one fsync and one Ed25519 signature. It checks nothing, orders
// nothing, proves nothing and keeps no head.
func bareLog(t testing.TB, o order) func() error {
	signer, _ := keyPair(t)
	s, err := kv.Open(filepath.Join(o.Dir, "bare"), kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	l := &bareStore{kv: s, signer: signer, wake: make(chan struct{}, 1), written: make(chan bareBatch)}
	go l.write()
	go l.finish()
	forms := newForm(t, o.Bytes)
	return func() error {
		w := bareLeaf{value: forms.entry(0), done: make(chan error, 1)}
		w.hash = tlog.RecordHash(w.value)
		l.mu.Lock()
		l.queue = append(l.queue, w)
		l.mu.Unlock()
		select {
		case l.wake <- struct{}{}:
		default:
		}
		return <-w.done
	}
}

type bareLeaf struct {
	value []byte
	hash  tlog.Hash
	done  chan error
}

type bareBatch struct {
	leaves []bareLeaf
	wait   func() error
}

type bareStore struct {
	kv      *kv.Store
	signer  note.Signer
	mu      sync.Mutex
	queue   []bareLeaf
	wake    chan struct{}
	written chan bareBatch

	edge  sequence.Frontier
	tiles [8][]byte // the unfinished tile of each level
}

func (l *bareStore) write() {
	for range l.wake {
		l.mu.Lock()
		leaves := l.queue
		l.queue = nil
		l.mu.Unlock()
		if len(leaves) == 0 {
			continue
		}
		wait, err := l.commit(leaves)
		if err != nil {
			wait = func() error { return err }
		}
		l.written <- bareBatch{leaves, wait}
	}
}

func (l *bareStore) finish() {
	for b := range l.written {
		err := b.wait()
		for _, x := range b.leaves {
			x.done <- err
		}
	}
}

func (l *bareStore) commit(leaves []bareLeaf) (func() error, error) {
	b := l.kv.NewBatch()
	hashes := make([]tlog.Hash, len(leaves))
	for i, x := range leaves {
		hashes[i] = x.hash
		b.Set(binary.BigEndian.AppendUint64([]byte{'l'}, l.edge.Size+uint64(i)), x.value)
	}
	g := l.edge.Extend(hashes)
	for level := range l.tiles {
		l.tile(b, g, level)
	}
	l.edge = g.New
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, g.New.Size, g.Root())
	n, err := note.Sign(&note.Note{Text: text}, l.signer)
	if err != nil {
		return nil, err
	}
	b.Set([]byte{'r'}, n)
	return b.Start()
}

// tile writes what a level of tiles got.
func (l *bareStore) tile(b *kv.Batch, g *sequence.Growth, level int) {
	from, to := g.Old.Size>>(8*level), g.New.Size>>(8*level)
	for i := from; i < to; i++ {
		h := g.Node(8*level, i)
		l.tiles[level] = append(l.tiles[level], h[:]...)
		if i+1 == to || (i+1)%sequence.TileWidth == 0 {
			b.Set(binary.BigEndian.AppendUint64([]byte{'t', byte(level)}, i/sequence.TileWidth), l.tiles[level])
		}
		if (i+1)%sequence.TileWidth == 0 {
			l.tiles[level] = l.tiles[level][:0]
		}
	}
}
