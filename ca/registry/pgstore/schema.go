package pgstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sukashi-project/sukashi/internal/say"
)

//go:embed migrations/*.sql
var migrations embed.FS

const migrationTable = `CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())`

// migrate brings the schema up, one file after the other, each once. Whoever
// calls it has the lease. A role that doesn't own the database finds the schema
// that an administrator made from Schema.
func migrate(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT to_regclass('migration') IS NOT NULL`).Scan(&there); err != nil {
		return explain("look for the schema", err)
	}
	if !there {
		if _, err := tx.Exec(ctx, migrationTable); err != nil {
			return explain("prepare the schema", err)
		}
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var have int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM migration`).Scan(&have); err != nil {
		return explain("look at the schema", err)
	}
	if have > len(files) {
		return say.New("registry.format", "発行記録の保存形式がこの版と違います。", "The registry is of another version's format.").
			Hint("この保存先を作った版の sukashi を使ってください。", "Use the version of sukashi that made this database.")
	}
	for _, f := range files[have:] {
		b, err := migrations.ReadFile(f)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, string(b)); err != nil {
			return explain("bring the schema up", err)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO migration (name) VALUES ($1)`, f); err != nil {
			return explain("bring the schema up", err)
		}
	}
	return nil
}

// Schema is the SQL by which the database's administrator brings the schema up
// and lets role use it: read and write rows, and nothing else. Such a role can't
// take away the triggers that refuse what must never happen. Running it again
// does no harm.
func Schema(role string) (string, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "BEGIN;\n%s;\n", migrationTable)
	for _, f := range files {
		text, err := migrations.ReadFile(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, `DO $migrate$ BEGIN IF NOT EXISTS (SELECT FROM migration WHERE name = '%s') THEN EXECUTE $file$
%s
$file$; INSERT INTO migration (name) VALUES ('%s'); END IF; END $migrate$;
`, f, text, f)
	}
	name := pgx.Identifier{role}.Sanitize()
	fmt.Fprintf(&b, "GRANT SELECT ON migration TO %[1]s;\nGRANT SELECT, UPDATE ON lease TO %[1]s;\nGRANT SELECT, INSERT, UPDATE, DELETE ON issuance, note TO %[1]s;\nCOMMIT;\n", name)
	return b.String(), nil
}
