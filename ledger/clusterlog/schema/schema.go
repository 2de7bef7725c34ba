// Package schema holds what a log adds to the database of Trillian's programs:
// statements to load after Trillian's own schema. The programs stay as they are
// and serve a pre-ordered log at half the cost. A log works on
// Trillian's schema alone, too.
package schema

import _ "embed"

// PostgreSQL is for psql. Its roles are trillian_server and trillian_signer;
// the signer's connection names "signer,public" as its search path.
//
//go:embed postgresql.sql
var PostgreSQL string

// MariaDB is for the mariadb client, in Trillian's database.
//
//go:embed mariadb.sql
var MariaDB string
