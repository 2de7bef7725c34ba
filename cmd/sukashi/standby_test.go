package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/servers"
)

// TestStandby runs docs/SERVE.md's walk of two CA processes on a real
// PostgreSQL: SIGKILL, a lease that is lost, a process that hangs.
func TestStandby(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: starts a database, seven servers and makes keys")
	}
	for _, tool := range []string{"softhsm2-util", "openssl", "curl", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("skipped: " + tool + " is not installed")
		}
	}
	pg := servers.OwnPostgres(t, servers.PGOptions{TCP: true})
	s := newSetup(t)
	s.env = append(s.env, pg.Administrator()...)
	for i, v := range s.env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			s.env[i] = "PATH=" + pg.Bin() + ":" + path
		}
	}
	s.ports["127.0.0.1:17432"] = pg.Address()
	s.mayFail = map[string]bool{"lgwan/server.yaml": true}
	steps := map[string][]string{}
	for _, st := range append(walk(t, fromNothing), walk(t, "Records in PostgreSQL and a standby")...) {
		steps[st.name] = st.blocks
	}
	for _, name := range strings.Fields("1 2 3 4 A 5 6 7 B C D E F") {
		if len(steps[name]) == 0 {
			t.Fatalf("step %s has no commands", name)
		}
		s.mayFail["lgwan/standby.yaml"] = name == "E" // replaced: it ends with status 1
		for _, block := range steps[name] {
			s.run(block)
		}
	}
	delete(s.running, "lgwan/server.yaml") // killed in F
	for _, config := range []string{"lgwan/server", "lgwan/standby"} {
		b, err := os.ReadFile(s.base(config) + ".log")
		if err != nil || strings.Contains(string(b), "postgres://") {
			t.Errorf("%s shows the connection string, or nothing: %v", config, err)
		}
	}
	s.personal()
}
