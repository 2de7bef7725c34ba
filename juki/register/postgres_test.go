package register_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sukashi-project/sukashi/internal/kv"
	"github.com/sukashi-project/sukashi/internal/servers"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/juki/register/pgstore"
)

// TestOnPostgres runs the register's tests on the other back end.
func TestOnPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a PostgreSQL server takes some seconds to start")
	}
	pg := servers.Postgres(t)
	was := backend
	defer func() { backend = was }()
	backend = func(t testing.TB) (*register.Register, error) {
		s, err := pgstore.Open(context.Background(), pg.URL(t, "identity"))
		if err != nil {
			return nil, err
		}
		return register.OpenStore(s, register.Config{Now: clock})
	}
	for name, f := range map[string]func(*testing.T){"ApplyKinds": TestApplyKinds, "History": TestHistory, "Reversal": TestReversal,
		"BatchIsAllOrNone": TestBatchIsAllOrNone, "ImportRefusesTwice": TestImportRefusesTwice, "Export": TestExport} {
		t.Run(name, f)
	}
	t.Run("Reopen", func(t *testing.T) { reopenPostgres(t, pg.URL(t, "identity")) })
	t.Run("Killed", func(t *testing.T) { killedPostgres(t) })
}

// reopenPostgres: what was written is there for the next process, and the one
// before can't write any more.
func reopenPostgres(t *testing.T, url string) {
	ctx := context.Background()
	first, err := pgstore.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	old, err := register.OpenStore(first, register.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	person := register.Resident{Code: code(t, 1), Municipality: nagano, Attr: base}
	if _, err := old.Import([]register.Resident{person}); err != nil {
		t.Fatal(err)
	}
	second, err := pgstore.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	r, err := register.OpenStore(second, register.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	death := register.Event{Kind: register.Death, Code: person.Code, Municipality: nagano}
	if _, err := old.Apply(death); !errors.Is(err, pgstore.ErrFenced) {
		t.Errorf("a process that was taken over writes: %v", err)
	}
	if cs, err := r.Apply(death); err != nil || cs[0].Pos != 0 {
		t.Errorf("%v", err)
	}
	if rec, err := r.Record(person.Code); err != nil || len(rec.Versions) != 2 {
		t.Errorf("%v", err)
	}
}

// killedPostgres: the server is killed after a change was taken in, and has it
// after it started again.
func killedPostgres(t *testing.T) {
	pg := servers.OwnPostgres(t, servers.PGOptions{Durable: true})
	s, err := pgstore.Open(context.Background(), pg.URL(t, "identity"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := register.OpenStore(s, register.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Import([]register.Resident{{Code: code(t, 1), Municipality: nagano, Attr: base}}); err != nil {
		t.Fatal(err)
	}
	pg.Kill(t)
	pg.Start(t)
	if rec, err := r.Record(code(t, 1)); err != nil || rec.Current().Deleted {
		t.Errorf("after the restart: %v", err)
	}
	if err := s.Scan(nil, nil, func(_, _ []byte) error { return kv.ErrStop }); err != nil {
		t.Error(err)
	}
}
