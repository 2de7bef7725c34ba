package audit

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/review/pki"
)

// Folder fills a Source from the directory that the CA and the log publish
// (DIR/out): witness.policy, issuer.pem (one or more certificates), certs/ and
// crl/. The log itself and the checkpoint are the caller's to add. A file that
// is missing leaves its checks not made; one that can't be read is an error.
func Folder(dir string) (Source, error) {
	var s Source
	text, err := os.ReadFile(filepath.Join(dir, "witness.policy"))
	if err != nil {
		return s, say.New("audit.folder", "信頼方針ファイル witness.policy を読めません。", "The trust policy witness.policy can't be read.").
			Hint("公開フォルダー(DIR/out)を指定しているか確かめてください。", "See whether this is the published folder (DIR/out).").Because(err)
	}
	if s.Policy, err = proof.ParsePolicy(text); err != nil {
		return s, err
	}
	if s.Issuers, err = issuerFiles(filepath.Join(dir, "issuer.pem")); err != nil {
		return s, err
	}
	if s.Certificates, err = filesIn(dir, "certs", "CERTIFICATE", pki.MaxCertificate); err != nil {
		return s, err
	}
	if s.CRLs, err = filesIn(dir, "crl", "X509 CRL", pki.MaxCRL); err != nil {
		return s, err
	}
	return s, nil
}

func issuerFiles(path string) ([]File, error) {
	b, err := readFile(path, 64*pki.MaxCertificate)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []File
	for n := 1; ; n++ {
		block, rest := pem.Decode(b)
		if block == nil {
			return out, nil
		}
		if block.Type == "CERTIFICATE" {
			out = append(out, File{Name: fmt.Sprintf("%s#%d", filepath.Base(path), n), Bytes: block.Bytes})
		}
		b = rest
	}
}

// filesIn lists a subdirectory now and reads its files when they are asked
// for, so that a million certificates are never in memory together. PEM is
// unwrapped; anything else is taken as it is.
func filesIn(dir, sub, pemType string, limit int64) (Files, error) {
	list, err := os.ReadDir(filepath.Join(dir, sub))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't list %s: %w", sub, err)
	}
	return func(fn func(File) error) error {
		for _, e := range list {
			if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			b, err := readFile(filepath.Join(dir, sub, e.Name()), 2*limit)
			if err != nil {
				return err
			}
			if block, _ := pem.Decode(b); block != nil && block.Type == pemType {
				b = block.Bytes
			}
			if err := fn(File{Name: sub + "/" + e.Name(), Bytes: b}); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func readFile(path string, limit int64) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't read %s: %w", filepath.Base(path), err)
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", filepath.Base(path), limit)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't read %s: %w", filepath.Base(path), err)
	}
	return b, nil
}
