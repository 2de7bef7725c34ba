package ledger_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// saboteur is one line of the shipped code made worse, and the test that must
// notice.
type saboteur struct {
	what     string
	file     string // relative to this directory
	old, new string
	pkg, run string
}

var saboteurs = []saboteur{
	{"a commit is not brought to disk", "../internal/kv/batch.go",
		"return b.start(true)", "return b.start(false)", "./trillianlog", "^TestCrashSweep$"},
	{"a store behind its head is taken", "internal/sequence/open.go",
		"if cp.Size > root.Size {", "if cp.Size > root.Size && root.Size == 0 {", "./trillianlog", "RestoredBackups"},
	{"the witnesses are not asked before the first signature", "internal/sequence/open.go",
		"if l.cfg.CheckHead != nil {", "if l.cfg.CheckHead != nil && root.Size == 0 {", "./trillianlog", "WitnessesAreAsked"},
	{"a head is not brought to disk", "head/head.go",
		"s.file.SyncData()", "error(nil)", "./head", "."},
	{"a store that differs from its head is taken", "internal/sequence/open.go",
		"if at != cp.Root {", "if at != cp.Root && root.Size == 0 {", "./trillianlog", "BitFlips|RestoredBackups|Conformance"},
	{"a witness cosigns a fork", "witness/witness.go",
		"if !l.continues(cp, hashes) {", "if !l.continues(cp, hashes) && l.size == 0 {", "./witness", "AddCheckpoint|Racing"},
	{"a witness answers before its state is on disk", "witness/store.go",
		"if err := f.Sync(); err != nil {", "if err := error(nil); err != nil {", "./witness", "^TestCrashAtEveryWrite$"},
	{"a witness's record is renamed and the name not brought to disk", "witness/store.go",
		"return kv.SyncDir(s.fs, s.dir)", "return nil", "./witness", "^TestCrashAtEveryWrite$"},
	{"a directory that an error left half made is taken for made", "../internal/kv/file.go",
		"len(names) > 0 {", "len(names) >= 0 {", "../internal/kv", "MadeDirectories"},
	{"an exported file is renamed before it is on disk", "publish/export.go",
		"err = f.Sync()", "err = nil", "./publish", "^TestExportCrashSweep$"},
	{"a checkpoint is exported before the names of its tiles are on disk", "publish/static.go",
		"for d := range x.names {", "for d := range map[string]bool{} {", "./publish", "^TestExportCrashSweep$"},
	{"the engine signs what it didn't check", "trillianlog/store.go",
		"return selfCheck(b.Growth, w)", "return nil", "./internal/sequence", "^TestSelfCheckStopsAWrongTree$"},
	{"the engine looks at the root and not at the tiles before it signs", "trillianlog/store.go",
		"checkTile(g, id, data); err != nil {", "checkTile(g, id, data); err != nil && g == nil {", "./trillianlog", "^TestSelfCheckSeesEveryNewHash$"},
	{"a retired key goes on signing", "internal/sequence/rotate.go",
		"if this == old && next != l.cfg.rotatingTo {", "if this == old && next == old {", "./trillianlog", "^TestRotationCrashSweep$"},
	{"a checkpoint beyond a key's last size is believed", "proof/keys.go",
		"size <= k.until)", "size <= k.until+1000)", "./proof", "Ranges"},
	{"a half import opens", "trillianlog/open.go",
		"err = importing(k)", "err = nil", "./trillianlog", "^TestImportRefuses$"},
	{"a name of a file reaches the disk when it likes", "../internal/kv/kv.go",
		"ordered{o.FS}", "o.FS", "../internal/kv", "Reopening"},
}

// always is how many of them a usual run tries: the switched-off fsync, head
// check and witness check. SUKASHI_SABOTEURS=all tries every one.
const always = 3

// The test of the tests: with one check or one fsync of the shipped code
// switched off, at least one test turns red. The code is compiled with the
// changed file laid over the real one; no switch for it is shipped.
func TestTestsCanFail(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: compiles the ledger once for each saboteur")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("skipped: there is no go command")
	}
	killed, tried := 0, saboteurs
	if os.Getenv("SUKASHI_SABOTEURS") != "all" {
		tried = saboteurs[:always]
	}
	for _, s := range tried {
		t.Run(strings.ReplaceAll(s.what, " ", "-"), func(t *testing.T) {
			name, err := filepath.Abs(s.file)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), s.old); n != 1 {
				t.Fatalf("%s has %q %d times: the saboteur has lost its place", s.file, s.old, n)
			}
			dir := t.TempDir()
			worse, overlay := filepath.Join(dir, "worse.go"), filepath.Join(dir, "overlay.json")
			list, err := json.Marshal(map[string]map[string]string{"Replace": {name: worse}})
			if err != nil {
				t.Fatal(err)
			}
			for f, content := range map[string]string{worse: strings.Replace(string(b), s.old, s.new, 1), overlay: string(list)} {
				if err := os.WriteFile(f, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.CommandContext(t.Context(), goTool, "test", "-vet=off", "-short", "-count=1", "-failfast", "-overlay", overlay, "-run", s.run, s.pkg).CombinedOutput()
			switch text := string(out); {
			case err == nil:
				t.Errorf("no test notices:\n%s", text)
			case !strings.Contains(text, "--- FAIL") && !strings.Contains(text, "panic:"):
				t.Errorf("it didn't come to a test: %v\n%s", err, text)
			default:
				killed++
			}
		})
	}
	t.Logf("%d of %d saboteurs noticed", killed, len(tried))
}
