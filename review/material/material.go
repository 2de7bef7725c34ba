// Package material reads what a council was handed, a directory of files, into
// what an audit needs. It asks no network and no program of the CA: the log as
// C2SP tiles, certificates, revocation lists, the signing journal, the policy
// bundle and the council's own keys.
//
//	DIR/witness.policy    whom to believe: compare it with the one you got another way
//	DIR/log/checkpoint    newest published checkpoint
//	DIR/log/tile/entries  entry bundles, C2SP tlog-tiles
//	DIR/checkpoints/*     checkpoints published earlier
//	DIR/report.json       the last council report
//	DIR/issuer.pem        issuer certificates
//	DIR/certs/*.pem       certificates
//	DIR/crl/*.crl         revocation lists
//	DIR/ocsp/*.der        OCSP answers
//	DIR/signing.journal   "index digest" lines
//	DIR/policy/*.bundle   the bundles that decided, side by side
//	DIR/policy/*.proof    their proof certificates
//	DIR/council.keys      base64 Ed25519 keys, one a line
//	DIR/link.keys         PEM, RSA public keys of the link's two ends
//
// The files are believed in nothing; package audit checks them all against the
// log, and the log against its signatures.
package material

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/policy/rules"
	"github.com/sukashi-project/sukashi/review/audit"
	"github.com/sukashi-project/sukashi/review/replay"
)

// maxFile bounds each file that is read whole.
const maxFile = 256 << 20

// Read gathers the material in dir. What is missing only narrows the audit,
// except for the log and the trust policy, without which nothing can be said.
func Read(ctx context.Context, dir string) (audit.Source, error) {
	if _, err := need(dir, "witness.policy"); err != nil {
		return audit.Source{}, err
	}
	src, err := audit.Folder(dir)
	if err != nil {
		return src, err
	}
	src.Log = bundles(filepath.Join(dir, "log", "tile", "entries"))
	if src.Checkpoint, err = need(dir, "log/checkpoint"); err != nil {
		return src, err
	}
	src.OCSP = files(dir, "ocsp", "*.der")
	if err := earlier(dir, &src); err != nil {
		return src, err
	}
	if b, err := may(dir, "signing.journal"); err != nil {
		return src, err
	} else if b != nil {
		if src.Journal, err = audit.ParseJournal(bytes.NewReader(b)); err != nil {
			return src, err
		}
	}
	if src.Council, err = council(dir); err != nil {
		return src, err
	}
	src.Threshold = len(src.Council)
	if b, err := may(dir, "link.keys"); err != nil {
		return src, err
	} else if b != nil {
		if src.Links, err = audit.ParseLinkKeys(b); err != nil {
			return src, err
		}
	}
	return src, decisions(ctx, dir, &src)
}

// earlier adds what was published before: checkpoints and the last report.
func earlier(dir string, src *audit.Source) error {
	names, err := filepath.Glob(filepath.Join(dir, "checkpoints", "*"))
	if err != nil {
		return err
	}
	for _, n := range names {
		b, err := may(dir, "checkpoints/"+filepath.Base(n))
		if err != nil {
			return err
		}
		src.Earlier = append(src.Earlier, b)
	}
	b, err := may(dir, "report.json")
	if err == nil && b != nil {
		src.Reports = []audit.File{{Name: "report.json", Bytes: b}}
	}
	return err
}

// decisions lets every decision be decided again, with the bundles at hand:
// the one in force and those in force before.
func decisions(ctx context.Context, dir string, src *audit.Source) error {
	var bundles []rules.Bundle
	err := each(files(dir, "policy", "*.bundle"), func(f audit.File) error {
		b, err := rules.ParseBundle(f.Bytes)
		if err != nil {
			return say.New("material.bundle", f.Name+" を読み取れません。", f.Name+" can't be read.").Because(err)
		}
		bundles = append(bundles, b)
		return nil
	})
	if err != nil {
		return err
	}
	err = each(files(dir, "policy", "*.proof"), func(f audit.File) error {
		src.Proofs = append(src.Proofs, f)
		return nil
	})
	if err != nil || len(bundles) == 0 {
		return err
	}
	r, err := replay.New(ctx, bundles...)
	if err != nil {
		return err
	}
	src.Replay = r.Replay
	return nil
}

func council(dir string) ([]ed25519.PublicKey, error) {
	b, err := may(dir, "council.keys")
	if err != nil {
		return nil, err
	}
	var keys []ed25519.PublicKey
	for _, line := range strings.Fields(string(b)) {
		k, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(k) != ed25519.PublicKeySize {
			return nil, say.New("material.keys", "council.keys に、鍵ではない行があります。", "council.keys has a line that is not a key.")
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func need(dir, name string) ([]byte, error) {
	b, err := may(dir, name)
	if err == nil && b == nil {
		err = say.New("material.missing", name+" がありません: "+dir, "There is no "+name+" in "+dir).
			Hint("外部に渡された out フォルダーを指定してください。", "Name the out folder that was handed over.")
	}
	return b, err
}

// may returns nil for a file that is not there.
func may(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, filepath.FromSlash(name))
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && fi.Size() > maxFile {
		return nil, say.New("material.large", name+" が大きすぎます。", name+" is too large.")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't read %s: %w", name, err)
	}
	return b, nil
}

// each calls fn for every file, none when there are none.
func each(fs audit.Files, fn func(audit.File) error) error {
	if fs == nil {
		return nil
	}
	return fs(fn)
}

func files(dir, sub, pattern string) audit.Files {
	names, err := filepath.Glob(filepath.Join(dir, sub, pattern))
	if err != nil || len(names) == 0 {
		return nil
	}
	return func(fn func(audit.File) error) error {
		for _, n := range names {
			b, err := may(dir, sub+"/"+filepath.Base(n))
			if err != nil {
				return err
			}
			if err := fn(audit.File{Name: sub + "/" + filepath.Base(n), Bytes: b}); err != nil {
				return err
			}
		}
		return nil
	}
}
