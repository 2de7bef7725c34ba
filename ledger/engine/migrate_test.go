package engine

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/logtest"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

var ctx = context.Background()

func embedded(t testing.TB) Place { return Place{Dir: t.TempDir(), HeadDir: t.TempDir()} }

func cluster(t testing.TB) Place {
	tr := servers.TrillianOnPostgres(t, servers.Postgres(t), servers.Preordered)
	return Place{Address: tr.Address, MaxMessage: servers.MaxMessage, CacheDir: t.TempDir(), HeadDir: t.TempDir()}
}

func open(t testing.TB, p Place) Log {
	t.Helper()
	signer, vkey := logtest.Key(t, logtest.Origin)
	l, err := Open(ctx, Config{Place: p, Origin: logtest.Origin, Signer: signer, VKey: vkey, Now: logtest.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// grow appends n entries from seq on in calls of 500.
func grow(t testing.TB, l Log, seq, n uint64) {
	t.Helper()
	for end := seq + n; seq < end; {
		var batch [][]byte
		for len(batch) < 500 && seq < end {
			batch = append(batch, logtest.Event(t, entry.ByCA, seq))
			seq++
		}
		if _, err := l.Append(ctx, batch...); err != nil {
			t.Fatal(err)
		}
	}
}

func closed(t testing.TB, l Log) []byte {
	t.Helper()
	note, err := l.Publish(ctx)
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return note
}

func keys(t testing.TB) []proof.LogKey {
	_, vkey := logtest.Key(t, logtest.Origin)
	return []proof.LogKey{{VKey: vkey}}
}

// TestMigrateThereAndBack moves a log to a cluster, goes on there, and moves it
// back: the same bytes each time, and it goes on where it ended.
func TestMigrateThereAndBack(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts a database and Trillian's servers")
	}
	a, b, c := embedded(t), cluster(t), embedded(t)
	l := open(t, a)
	grow(t, l, 0, 1300)
	note := closed(t, l)
	moved(t, a, b, note)
	l = open(t, b)
	grow(t, l, 1300, 700)
	if err := publish.ExportLog(ctx, l, filepath.Join(t.TempDir(), "out")); err != nil {
		t.Error(err)
	}
	note = closed(t, l)
	moved(t, b, c, note)
	l = open(t, c)
	grow(t, l, 2000, 100)
}

func moved(t *testing.T, from, to Place, note []byte) {
	t.Helper()
	if _, err := Migrate(ctx, keys(t), from, to, nil); err != nil {
		t.Fatal(err)
	}
	l := open(t, to)
	if got, err := l.Checkpoint(ctx); err != nil || !bytes.Equal(got, note) {
		t.Errorf("published checkpoint after the move: %s, %v", got, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMigrationGoesOn interrupts migrations in both directions many times. A
// place that is not whole is no log.
func TestMigrationGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts a database and Trillian's servers")
	}
	a, b, c := embedded(t), cluster(t), embedded(t)
	l := open(t, a)
	grow(t, l, 0, 20000)
	note := closed(t, l)
	for _, way := range []struct{ from, to Place }{{a, b}, {b, c}} {
		for _, stop := range []uint64{1, 4096, 8192, 12288, 16384} {
			interrupted, cancel := context.WithCancel(ctx)
			_, err := Migrate(interrupted, keys(t), way.from, way.to, func(n uint64) {
				if n >= stop {
					cancel()
				}
			})
			cancel()
			if err == nil {
				t.Fatal("the migration was not interrupted")
			}
		}
		signer, vkey := logtest.Key(t, logtest.Origin)
		if _, err := Open(ctx, Config{Place: way.to, Origin: logtest.Origin, Signer: signer, VKey: vkey, Now: logtest.Now}); err == nil {
			t.Error("half a log was opened")
		}
		moved(t, way.from, way.to, note)
	}
}

func TestMigrateRefuses(t *testing.T) {
	a := embedded(t)
	l := open(t, a)
	grow(t, l, 0, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Migrate(ctx, keys(t), a, embedded(t), nil); !errors.Is(err, ErrUnpublished) {
		t.Errorf("unpublished: %v", err)
	}
	closed(t, open(t, a))
	if _, err := Migrate(ctx, keys(t), a, a, nil); err == nil {
		t.Error("moved onto itself")
	}
	other := embedded(t)
	l = open(t, other)
	if _, err := l.Append(ctx, logtest.Event(t, entry.ByOperator, 0)); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	if _, err := Migrate(ctx, keys(t), a, other, nil); say.Code(err) != "ledger.import.full" {
		t.Errorf("another log in the way: %v", err)
	}
	if _, err := Migrate(ctx, keys(t), a, Place{HeadDir: "x"}, nil); err == nil {
		t.Error("moved to nowhere")
	}
	if testing.Short() {
		return
	}
	on := cluster(t)
	l = open(t, on)
	if _, err := l.Append(ctx, logtest.Event(t, entry.ByOperator, 0)); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	start := time.Now()
	if _, err := Migrate(ctx, keys(t), a, on, nil); say.Code(err) != "ledger.import" {
		t.Errorf("another log on the cluster: %v after %v", err, time.Since(start))
	}
}
