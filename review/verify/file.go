package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

// Options name files that File would look for otherwise.
type Options struct {
	PolicyPath string // trust policy; "": the nearest witness.policy beside or above the file
	EntryPath  string // entry; "": N.entry.json or N.json beside N.tlog-proof
	CertPath   string // certificate for a status receipt; "": ../certs/N.pem or N.pem for N.status
}

// PolicyName is the file name of the trust policy that File looks for.
const PolicyName = "witness.policy"

// maxReport is the largest report in bytes; all other files have
// proof.MaxFile.
const maxReport = 64 << 20

// levels is how many directories above the file are searched for the policy.
const levels = 4

// File checks the file at path.
func File(ctx context.Context, path string, o Options) *Result {
	f := finder{ctx: ctx, path: path, o: o}
	in, err := f.gather()
	if err != nil {
		r := &Result{Path: path, Kind: Detect(in.File), Steps: f.notes}
		return r.fail(err)
	}
	r := Check(in)
	r.Path = path
	r.Steps = append(f.notes, r.Steps...)
	return r
}

// finder gathers the files that belong to one file.
type finder struct {
	ctx   context.Context
	path  string
	o     Options
	notes []Step
}

func (f *finder) used(code, ja, en, path string) {
	f.notes = append(f.notes, Step{Code: code, OK: true, Note: true, Text: say.Text{JA: ja + ": " + path, EN: en + ": " + path}})
}

func (f *finder) gather() (in Input, err error) {
	if in.File, err = f.read(f.path, maxReport); err != nil {
		return in, err
	}
	if Detect(in.File) == KindEntry {
		if err := f.swap(&in); err != nil {
			return in, err
		}
	}
	switch Detect(in.File) {
	case KindProof:
		if len(in.Entry) == 0 {
			in.Entry, err = f.sibling(f.o.EntryPath, "entry", "記録のファイル", "Entry file", f.beside(".entry.json", ".json")...)
		}
	case KindStatus:
		in.Cert, err = f.sibling(f.o.CertPath, "cert", "証明書のファイル", "Certificate file", f.certs()...)
	case KindReport:
		in.Proof, err = f.sibling("", "proof", "証明ファイル", "Proof file", f.beside(".tlog-proof")...)
		if err == nil {
			in.Entry, err = f.sibling(f.o.EntryPath, "entry", "記録のファイル", "Entry file", f.beside(".entry.json")...)
		}
	case KindUnknown:
		return in, nil // Check says so; no policy needed for that
	}
	if err != nil {
		return in, err
	}
	in.Policy, err = f.policy()
	return in, err
}

// swap turns a given entry file into its proof.
func (f *finder) swap(in *Input) error {
	b, err := f.sibling("", "proof", "証明ファイル", "Proof file", f.beside(".tlog-proof")...)
	if err != nil {
		return err
	}
	if b == nil {
		return say.New("verify.proof", "これは記録のファイルですが、隣に証明ファイルがありません。",
			"This is an entry, but there is no proof file beside it.")
	}
	in.Entry, in.File = in.File, b
	return nil
}

// beside gives the file's path with other endings.
func (f *finder) beside(endings ...string) []string {
	base := f.path
	for _, e := range []string{".entry.json", ".json", ".tlog-proof"} {
		if b, ok := strings.CutSuffix(base, e); ok {
			base = b
			break
		}
	}
	out := make([]string, len(endings))
	for i, e := range endings {
		out[i] = base + e
	}
	return out
}

func (f *finder) certs() []string {
	dir, name := filepath.Split(f.path)
	name = strings.TrimSuffix(name, ".status") + ".pem"
	return []string{filepath.Join(dir, "..", "certs", name), filepath.Join(dir, name)}
}

// sibling reads the named file, or the first of the candidates that exists; a
// missing candidate is no error and gives nil.
func (f *finder) sibling(named, code, ja, en string, candidates ...string) ([]byte, error) {
	if named != "" {
		return f.read(named, proof.MaxFile)
	}
	for _, c := range candidates {
		if c == f.path {
			continue
		}
		b, err := f.read(c, proof.MaxFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			f.used(code, ja, en, c)
		}
		return b, err
	}
	return nil, nil
}

// policy reads the trust policy and says which one it was.
func (f *finder) policy() ([]byte, error) {
	if f.o.PolicyPath != "" {
		f.used("policy", "信頼方針", "Trust policy", f.o.PolicyPath)
		return f.read(f.o.PolicyPath, proof.MaxFile)
	}
	abs, err := filepath.Abs(f.path)
	if err != nil {
		return nil, fmt.Errorf("couldn't find the file's directory: %w", err)
	}
	dir := filepath.Dir(abs)
	for range levels {
		p := filepath.Join(dir, PolicyName)
		b, err := f.read(p, proof.MaxFile)
		if err == nil {
			f.used("policy", "信頼方針 (ファイルの近くで見つけたもの。別の経路で受け取ったものと同じか確かめてください)",
				"Trust policy (found near the file; compare it with one that you got by another way)", p)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
		dir = filepath.Dir(dir)
	}
	return nil, say.New("verify.policy", "信頼方針ファイル (witness.policy) が見つかりません。",
		"No trust policy file (witness.policy) was found.").
		Hint("--policy で指定してください。誰を信じるかは、あなたが決めることです。", "Name it with --policy: whom to believe is yours to decide.")
}

// read reads a bounded regular file.
func (f *finder) read(path string, limit int64) ([]byte, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, err
	}
	unreadable := func(err error) error {
		return say.New("verify.read", "ファイルを読めません: "+path, "The file can't be read: "+path).Because(err)
	}
	h, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer h.Close()
	if st, err := h.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, unreadable(errors.Join(err, errors.New("not a regular file")))
	}
	b, err := io.ReadAll(io.LimitReader(h, limit+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if int64(len(b)) > limit {
		return nil, say.New("verify.large", "ファイルが大きすぎます: "+path, "The file is too large: "+path).
			Because(fmt.Errorf("limit is %d bytes", limit))
	}
	return b, nil
}
