package keystore

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ca/keystore/keystoretest"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// crashDir tells a process that it is the one to be killed.
const crashDir = "SUKASHI_TEST_CRASH_DIR"

// TestCrashChild signs until it is killed, and says each index whose signature
// it has. It runs only as a child of TestKilledAtAnyTime.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("skipped: runs as a child of TestKilledAtAnyTime")
	}
	l := newLog(t)
	k, err := OpenSoftware(crashConfig(l, dir))
	if err != nil {
		fmt.Println("error", err)
		return
	}
	for n := range uint64(1 << 20) {
		tbs, logged := intent(t, l, k.KeyID(), n)
		if k.Used(logged.Index) {
			if _, err := k.Resume(t.Context(), tbs, logged.Bytes, logged.Receipt); err != nil {
				fmt.Println("error resume", err)
				return
			}
			continue
		}
		if _, err := k.Sign(t.Context(), tbs, logged.Bytes, logged.Receipt); err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println("signed", logged.Index)
	}
}

func crashConfig(l *keystoretest.Log, dir string) SoftwareConfig {
	return SoftwareConfig{Path: filepath.Join(dir, "issuer.key"), Passphrase: pass, Algorithm: P256,
		Gate: GateConfig{Log: l.Policy(), Journal: filepath.Join(dir, "journal"), Now: clock}}
}

// Killed at any time, again and again: whatever the process could give out is in
// the journal, and the journal opens.
func TestKilledAtAnyTime(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts and kills processes")
	}
	dir := t.TempDir()
	k, err := CreateSoftware(crashConfig(newLog(t), dir))
	if err != nil {
		t.Fatal(err)
	}
	id := k.KeyID()
	k.Close()
	signed := map[uint64]bool{}
	for range 12 {
		c := exec.Command(os.Args[0], "-test.run", "^TestCrashChild$", "-test.v")
		c.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		left := 1 + rand.IntN(40)
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			line := sc.Text()
			var index uint64
			if strings.HasPrefix(line, "error") {
				t.Errorf("child: %s", line)
			}
			if n, _ := fmt.Sscanf(line, "signed %d", &index); n == 1 {
				signed[index] = true
				if left--; left == 0 {
					time.AfterFunc(time.Duration(rand.IntN(2000))*time.Microsecond, func() { c.Process.Kill() })
				}
			}
		}
		if err := c.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		journal := map[uint64]bool{}
		err = ReadJournal(filepath.Join(dir, "journal", JournalName), id, func(r Record) error {
			if r.Use == UseSign {
				journal[r.Index] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for index := range signed {
			if !journal[index] {
				t.Fatalf("signature for entry %d is not in the journal", index)
			}
		}
	}
	t.Logf("%d signatures over 12 kills", len(signed))
}

func TestReadJournal(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir)
	burnAll(t, j, 5, 9)
	read := func(id entry.Digest) (n int, err error) {
		err = ReadJournal(file(dir), id, func(Record) error { n++; return nil })
		return n, err
	}
	if n, err := read(journalKey); n != 2 || err != nil {
		t.Errorf("while it is open: %d, %v", n, err)
	}
	j.close()
	if _, err := read(entry.Sum(nil)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another key's: %v", err)
	}
	b := content(t, dir)
	if err := os.WriteFile(file(dir), b[:len(b)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := read(journalKey); n != 1 || err != nil {
		t.Errorf("torn: %d, %v", n, err)
	}
	b[headerSize+3] ^= 1
	if err := os.WriteFile(file(dir), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(journalKey); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damaged: %v", err)
	}
	if err := ReadJournal(filepath.Join(dir, "none"), journalKey, nil); err == nil {
		t.Error("a file that is not there")
	}
}
