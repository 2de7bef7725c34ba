// Package tokentest makes software tokens (Debian's softhsm2) for tests.
package tokentest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Library is where Debian puts SoftHSM.
const Library = "/usr/lib/softhsm/libsofthsm2.so"

// PIN is the user PIN of every token made here.
const PIN = "1234"

// SoftHSM makes tokens with these labels in a directory of the test's own, which
// it returns (the configuration is softhsm2.conf in it), and sets SOFTHSM2_CONF
// for the test and the programs it starts. So such a test can't be parallel: a
// process has one SoftHSM. Where SoftHSM is missing, the test is skipped.
func SoftHSM(t testing.TB, labels ...string) string {
	t.Helper()
	if _, err := os.Stat(Library); err != nil {
		t.Skip("skipped: softhsm2 is not installed")
	}
	util, err := exec.LookPath("softhsm2-util")
	if err != nil {
		t.Skip("skipped: softhsm2-util is not installed")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	store := filepath.Join(dir, "tokens")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	text := "directories.tokendir = " + store + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	for _, label := range labels {
		out, err := exec.Command(util, "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "5678").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return dir
}
