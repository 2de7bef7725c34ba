package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/ledger/clusterlog/schema"
)

// trillianTags leave out the storage and election systems that the tests don't
// use; with all of them the build takes several times as long.
const trillianTags = "postgresql,mysql,etcd"

// buildTime bounds the build of Trillian's programs with an empty cache.
const buildTime = 20 * time.Minute

// postgresPlans keep PostgreSQL from plans that read whole tables. Trillian
// looks up rows by key and nothing else. But a batch comes in a temporary table
// of which the planner knows nothing, so that it prefers to hash all of LeafData
// for it, and a statement that was prepared while the tables were empty keeps a
// plan that compares every new leaf with every other. pgx takes all of it from
// the URL.
const postgresPlans = "&default_query_exec_mode=cache_describe&enable_hashjoin=off&enable_mergejoin=off&enable_bitmapscan=off&jit=off&temp_buffers=64MB"

// signerPlans are for the signer on a Preordered database: what it sees has no
// join to go wrong with, so that it may keep its plans; ten milliseconds are
// short for making them anew. Subtrees are hashes, which nothing compresses.
const signerPlans = "&search_path=signer%2Cpublic&enable_seqscan=off&default_toast_compression=lz4&jit=off"

// TrillianSettings of a PostgreSQL server for Trillian: what docs/SCALING.md
// tells an operator.
var TrillianSettings = []string{"shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=15min"}

// MaxMessage is what the log server takes in one call, in bytes.
const MaxMessage = 64 << 20

// Trillian is a log server and a signer over one database.
type Trillian struct {
	// Address of the log server, host:port.
	Address string
	server  process
	signer  process
	prepare func(testing.TB) // makes a Stock database a Preordered one
}

// Schema says which tables Trillian's programs work on.
type Schema int

const (
	// Stock is Trillian's own schema, which every tree works on.
	Stock Schema = iota
	// Preordered is Trillian's with what ledger/clusterlog/schema adds to it.
	Preordered
	// Queueing is Stock with connections as suits one QueueLeaf for each entry.
	Queueing
)

// queueingPool lets the log server's calls share a disk's flush, where pgx's own
// limit is four connections on a small machine. Plans are kept: there are no
// batches.
const queueingPool = "&pool_max_conns=32"

// TrillianOnPostgres starts log server and signer over a fresh database. With
// Preordered each program connects with the role that is made for it.
func TrillianOnPostgres(t testing.TB, pg *PG, s Schema) *Trillian {
	t.Helper()
	b := trillianPrograms(t)
	url := pg.URL(t, "trillian")
	pg.Load(t, url, filepath.Join(b.module, "storage", "postgresql", "schema", "storage.sql"))
	tr := newTrillian(t, b, "--storage_system=postgresql")
	const flag = "--postgresql_uri="
	more := postgresPlans
	if s == Queueing {
		more = queueingPool
	}
	tr.connect(flag+url+more, flag+url+more)
	tr.prepare = func(t testing.TB) {
		pg.Load(t, url, asFile(t, schema.PostgreSQL+"ALTER ROLE trillian_server LOGIN; ALTER ROLE trillian_signer LOGIN;"))
		as := func(role string) string { return flag + strings.Replace(url, "user="+pgUser, "user="+role, 1) }
		tr.connect(as("trillian_server")+postgresPlans, as("trillian_signer")+signerPlans)
	}
	tr.run(t, s)
	return tr
}

// TrillianOnMariaDB starts log server and signer over a fresh database.
func TrillianOnMariaDB(t testing.TB, m *Maria, s Schema) *Trillian {
	t.Helper()
	b := trillianPrograms(t)
	name := m.create(t, "trillian")
	load := func(t testing.TB, file string) {
		t.Helper()
		if err := m.sql(name, file, ""); err != nil {
			t.Fatalf("couldn't load Trillian's schema: %v", err)
		}
	}
	load(t, filepath.Join(b.module, "storage", "mysql", "schema", "storage.sql"))
	tr := newTrillian(t, b, "--storage_system=mysql")
	// No cap on connections: a transaction prepares statements on a second one,
	// so that a full pool waits for itself.
	uri := "--mysql_uri=root@unix(" + m.socket() + ")/" + name + mariaText
	tr.connect(uri, uri)
	tr.prepare = func(t testing.TB) { load(t, asFile(t, schema.MariaDB)) }
	tr.run(t, s)
	return tr
}

// mariaText sends a statement with its values in one message, where Trillian's
// driver would prepare, run and close it for each leaf.
const mariaText = "?interpolateParams=true"

func asFile(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.sql")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func newTrillian(t testing.TB, b programs, system string) *Trillian {
	t.Helper()
	dir, err := tempDir(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	tr := &Trillian{}
	common := []string{"--quota_system=noop", "--http_endpoint=", "--logtostderr", system}
	var signer string
	tr.Address, signer = freeAddress(t), freeAddress(t)
	tr.server = process{dir: dir, name: b.server, ready: listens(tr.Address),
		args: append([]string{"", "--rpc_endpoint=" + tr.Address, fmt.Sprintf("--max_msg_size_bytes=%d", MaxMessage), "--tree_gc=false"}, common...)}
	tr.signer = process{dir: dir, name: b.signer, ready: listens(signer),
		args: append([]string{"", "--rpc_endpoint=" + signer, "--force_master", "--sequencer_interval=10ms", "--batch_size=20000", "--num_sequencers=1"}, common...)}
	tr.server.env, tr.signer.env = []string{lessGC}, []string{lessGC}
	t.Cleanup(tr.server.kill)
	t.Cleanup(tr.signer.kill)
	return tr
}

// connect says how each program finds the database, by its first argument.
func (tr *Trillian) connect(server, signer string) {
	tr.server.args[0], tr.signer.args[0] = server, signer
}

func (tr *Trillian) run(t testing.TB, s Schema) {
	t.Helper()
	if s == Preordered {
		tr.prepare(t)
	}
	tr.StartServer(t)
	tr.StartSigner(t)
}

// Prepare goes over from Stock to Preordered with what is in the database.
func (tr *Trillian) Prepare(t testing.TB) {
	t.Helper()
	tr.KillServer()
	tr.KillSigner()
	tr.run(t, Preordered)
}

// StartServer starts the log server after KillServer.
func (tr *Trillian) StartServer(t testing.TB) { t.Helper(); tr.server.must(t) }

// StartSigner starts the signer after KillSigner.
func (tr *Trillian) StartSigner(t testing.TB) { t.Helper(); tr.signer.must(t) }

// KillServer ends the log server with SIGKILL.
func (tr *Trillian) KillServer() { tr.server.kill() }

// KillSigner ends the signer with SIGKILL.
func (tr *Trillian) KillSigner() { tr.signer.kill() }

func listens(address string) func() error {
	return func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// freeAddress returns a loopback address that nobody listens on now.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// lessGC trades memory for processor time: both programs make much garbage and
// keep little.
const lessGC = "GOGC=400"

// programs are Trillian's, and the module's directory with its schemas.
type programs struct{ server, signer, module string }

var builtTrillian struct {
	once sync.Once
	programs
	err error
}

// trillianPrograms builds the log server and the signer of the version that
// go.mod names, once for all, into the user's cache directory.
func trillianPrograms(t testing.TB) programs {
	t.Helper()
	b := &builtTrillian
	b.once.Do(func() { b.programs, b.err = buildTrillian() })
	if b.err != nil {
		t.Skipf("skipped: Trillian's log server and signer can't be built here: %v", b.err)
	}
	return b.programs
}

func buildTrillian() (programs, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	const module = "github.com/google/trillian"
	out, err := goTool(ctx, nil, "list", "-m", "-f", "{{.Version}} {{.Dir}}", module)
	if err != nil {
		return programs{}, err
	}
	version, dir, ok := strings.Cut(strings.TrimSpace(out), " ")
	if !ok || dir == "" {
		return programs{}, errors.New("the module's source is not in the module cache")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return programs{}, err
	}
	bin := filepath.Join(cache, "sukashi", "trillian-"+version)
	p := programs{filepath.Join(bin, "trillian_log_server"), filepath.Join(bin, "trillian_log_signer"), dir}
	if isFile(p.server) && isFile(p.signer) {
		return p, nil
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return programs{}, err
	}
	// Built aside and renamed: other test binaries may be building too.
	aside, err := os.MkdirTemp(bin, "build-")
	if err != nil {
		return programs{}, err
	}
	defer os.RemoveAll(aside)
	_, err = goTool(ctx, []string{"GOBIN=" + aside, "GOFLAGS=", "CGO_ENABLED=0"}, "install", "-trimpath", "-tags", trillianTags,
		module+"/cmd/trillian_log_server@"+version, module+"/cmd/trillian_log_signer@"+version)
	if err != nil {
		return programs{}, err
	}
	return p, errors.Join(os.Rename(filepath.Join(aside, "trillian_log_server"), p.server),
		os.Rename(filepath.Join(aside, "trillian_log_signer"), p.signer))
}

func isFile(path string) bool {
	i, err := os.Stat(path)
	return err == nil && i.Mode().IsRegular()
}

func goTool(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, e.Stderr[max(0, len(e.Stderr)-500):])
	}
	return string(out), err
}
