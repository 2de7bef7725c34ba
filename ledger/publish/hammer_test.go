package publish

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
)

// hammerModule is Tessera's own load test, a reader of tlog-tiles that is not
// ours.
const hammerModule = "github.com/transparency-dev/tessera/internal/hammer@v1.0.4"

// Tessera's hammer reads a log of ours while it grows: it follows the checkpoint
// with consistency proofs from tiles, and reads bundles at random and from the
// start. Its writers don't fit: they post random bytes to /add, a convenience of
// Tessera's example programs that no specification has, and expect an index;
// here a writer shows a certificate and posts entries of a closed schema.
func TestTesseraHammerReads(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: builds Tessera's hammer")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "go", "install", hammerModule)
	install.Env = append(os.Environ(), "GOBIN="+dir)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("skipped: go install: %v: %s", err, out)
	}
	e, _ := engine(t)
	var batch [][]byte
	for i := range uint64(600) {
		batch = append(batch, event(t, entry.ByCA, i))
	}
	if _, err := e.Append(ctx, batch...); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(Handler(Config{Source: e}))
	defer srv.Close()
	grown := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(grown)
		for seq := uint64(600); ; seq++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if _, err := e.Append(ctx, event(t, entry.ByCA, seq)); err != nil {
				t.Error(err)
				return
			}
			if seq%20 == 0 {
				if _, err := e.Publish(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "hammer"), "--log_url="+srv.URL+"/ledger/", "--log_public_key="+e.VKey(),
		"--num_writers=0", "--max_read_ops=400", "--show_ui=false", "--leaf_write_goal=600", "--max_runtime=90s")
	out, err := cmd.CombinedOutput()
	close(stop)
	<-grown
	text := string(out)
	if err != nil || strings.Contains(text, "level=ERROR") || strings.Contains(text, "level=WARN") {
		t.Errorf("hammer: %v\n%s", err, text)
	}
	if !strings.Contains(text, "Reached tree size goal") {
		t.Errorf("hammer didn't follow the log:\n%s", text)
	}
}
