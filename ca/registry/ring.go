package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/say"
)

// ring is the key ring: one small file with everything that opens the store,
// itself sealed under the KEK. It is rewritten, under a new generation of the
// KEK, whenever a key in it is destroyed; then the old generation is destroyed,
// so that an old copy of the file opens nothing. That is also why the ring is
// kept apart from the store and from the store's backups: a restored store is
// opened with the ring of today.
//
//	sukashi-registry-ring-1 GENERATION LF
//	length of the wrapped key (2 bytes) ‖ wrapped key ‖ AES-256-GCM of the secrets
type ring struct {
	fs   kv.FS
	dir  string
	kek  KEK
	rand io.Reader

	writing sync.Mutex // one rewrite at a time
	mu      sync.RWMutex
	s       *secrets // replaced, never written into
}

// secrets are what a ring holds.
type secrets struct {
	Epoch   uint64   // grows with every rewrite
	Seal    []byte   // of rows that name no person
	Index   [][]byte // of the attribute index; more than one while it is rebuilt, the newest first
	Records *tree    // by ordinal: what names the person, record key
	Lists   *tree    // by sequence: the bytes of a daily holders list
}

type secretsJSON struct {
	Epoch   uint64   `json:"epoch"`
	Seal    []byte   `json:"seal"`
	Index   [][]byte `json:"index"`
	Records []byte   `json:"records"`
	Lists   []byte   `json:"lists"`
}

const (
	ringMagic = "sukashi-registry-ring-1 "
	ringName  = "ring"
	ringNew   = "ring-new"
	ringLimit = 1 << 30
)

func freshSecrets(rand io.Reader) (*secrets, error) {
	var b [4 * sha256.Size]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, fmt.Errorf("couldn't draw the registry's keys: %w", err)
	}
	return &secrets{Seal: b[:32:32], Index: [][]byte{b[32:64:64]}, Records: newTree([32]byte(b[64:96])), Lists: newTree([32]byte(b[96:]))}, nil
}

// openRing reads the ring in dir. mayCreate says that there is no store yet
// that another ring would belong to.
func openRing(fs kv.FS, dir string, kek KEK, rand io.Reader, mayCreate bool) (*ring, error) {
	r := &ring{fs: fs, dir: dir, kek: kek, rand: rand}
	if _, err := fs.Stat(fs.PathJoin(dir, ringName)); err != nil {
		if !mayCreate {
			return nil, say.New("registry.keys-missing", "発行記録の鍵束がありません。", "The registry's key ring is missing.").
				Hint("鍵束は保存先とは別に保管します。今使っている鍵束を置いてください。", "The ring is kept apart from the store. Put today's ring in its place.").Because(err)
		}
		if err := kv.MakeDir(fs, dir); err != nil {
			return nil, err
		}
		s, err := freshSecrets(rand)
		if err != nil {
			return nil, err
		}
		return r, r.write(s)
	}
	return r, r.load()
}

func (r *ring) load() error {
	b, err := readFile(r.fs, r.fs.PathJoin(r.dir, ringName))
	if err != nil {
		return fmt.Errorf("couldn't read the key ring: %w", err)
	}
	head, rest, ok := bytes.Cut(b, []byte("\n"))
	id, ok2 := strings.CutPrefix(string(head), ringMagic)
	if !ok || !ok2 || len(rest) < 2 || len(rest) > ringLimit || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
		return errors.New("the registry's key ring is damaged")
	}
	n := 2 + int(binary.BigEndian.Uint16(rest))
	key, err := r.kek.Unwrap(id, rest[2:n])
	if err != nil {
		return wrongKey(err)
	}
	plain, err := openWith(key, head, rest[n:])
	if err != nil {
		return wrongKey(err)
	}
	var j secretsJSON
	if err := json.Unmarshal(plain, &j); err != nil {
		return fmt.Errorf("couldn't read the key ring: %w", err)
	}
	s := &secrets{Epoch: j.Epoch, Seal: j.Seal, Index: j.Index}
	var err2 error
	s.Records, err = parseTree(j.Records)
	s.Lists, err2 = parseTree(j.Lists)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if len(s.Seal) != KeySize || len(s.Index) == 0 {
		return errors.New("the registry's key ring is damaged")
	}
	r.s = s
	return r.kek.Keep(id) // a crash may have left an older generation
}

func wrongKey(err error) error {
	return say.New("registry.key", "発行記録を開く鍵が違います。", "This key does not open the registry.").
		Hint("この認証局の鍵を設定してください。鍵束を古い控えから戻した場合は、今の鍵束を使ってください。",
			"Configure the key of this CA. If the key ring came from an old copy, use the present one.").Because(err)
}

func (r *ring) get() *secrets {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.s
}

// rewrite replaces the secrets for good: when it returns without an error, the
// old ones can't be had from this disk's file nor from a copy of it.
func (r *ring) rewrite(fn func(old secrets) *secrets) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	next := fn(*r.get())
	next.Epoch = r.get().Epoch + 1
	return r.write(next)
}

func (r *ring) write(s *secrets) error {
	id, err := r.kek.New()
	if err != nil {
		return err
	}
	b, err := r.encode(id, s)
	if err != nil {
		return err
	}
	if err := r.replace(b); err != nil {
		return err
	}
	r.mu.Lock()
	r.s = s
	r.mu.Unlock()
	return r.kek.Keep(id)
}

func (r *ring) encode(id string, s *secrets) ([]byte, error) {
	plain, err := json.Marshal(secretsJSON{Epoch: s.Epoch, Seal: s.Seal, Index: s.Index, Records: s.Records.marshal(), Lists: s.Lists.marshal()})
	if err != nil {
		return nil, err
	}
	var key [KeySize]byte
	if _, err := io.ReadFull(r.rand, key[:]); err != nil {
		return nil, fmt.Errorf("couldn't draw a key: %w", err)
	}
	wrapped, err := r.kek.Wrap(id, key[:])
	if err != nil {
		return nil, fmt.Errorf("couldn't wrap the key of the ring: %w", err)
	}
	head := []byte(ringMagic + id)
	sealed, err := sealWith(key[:], r.rand, head, plain)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint16(append(head, '\n'), uint16(len(wrapped)))
	return append(append(out, wrapped...), sealed...), nil
}

// replace puts the new file in the old one's place, then overwrites the old
// one's blocks through a handle that was opened before.
func (r *ring) replace(b []byte) error {
	name, tmp := r.fs.PathJoin(r.dir, ringName), r.fs.PathJoin(r.dir, ringNew)
	if err := writeFile(r.fs, tmp, b); err != nil {
		return err
	}
	var old kv.File
	if _, err := r.fs.Stat(name); err == nil {
		if old, err = r.fs.OpenReadWrite(name, kv.WriteCategory); err != nil {
			return fmt.Errorf("couldn't open the old key ring: %w", err)
		}
		defer old.Close()
	}
	if err := r.fs.Rename(tmp, name); err != nil {
		return fmt.Errorf("couldn't put the key ring in place: %w", err)
	}
	if err := kv.SyncDir(r.fs, r.dir); err != nil {
		return err
	}
	if old == nil {
		return nil
	}
	return overwrite(old)
}
