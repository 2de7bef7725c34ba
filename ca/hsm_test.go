//go:build cgo

package ca

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sukashi-project/sukashi/ca/keystore"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// newToken is a SoftHSM of a test's own with one fresh token.
func newToken(t testing.TB) keystore.Token {
	t.Helper()
	util, err := exec.LookPath("softhsm2-util")
	if _, missing := os.Stat(softHSM); err != nil || missing != nil {
		t.Skip("skipped: softhsm2 is not installed")
	}
	dir := t.TempDir()
	store, conf := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
	must(t, os.Mkdir(store, 0o700))
	must(t, os.WriteFile(conf, []byte("directories.tokendir = "+store+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", conf)
	if out, err := exec.Command(util, "--init-token", "--free", "--label", "ca", "--pin", "1234", "--so-pin", "5678").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mod, err := keystore.OpenModule(softHSM, "")
	must(t, err)
	t.Cleanup(func() { must(t, mod.Close()) })
	return keystore.Token{Module: mod, Label: "ca", PIN: "1234"}
}
