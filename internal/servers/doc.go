// Package servers starts the real database servers that tests run against:
// PostgreSQL and MariaDB from Debian packages, and Trillian's log server and
// signer.
//
// Each listens on a Unix socket or a loopback port of its own, runs in a
// temporary directory and as an unprivileged user when the tests run as root.
// A missing program skips the test and says which package it is in. Every
// start is bounded in time, and a small shell that watches the test process
// ends what a crashed or interrupted test would leave behind, by process id.
//
//	pg := servers.Postgres(t)         // one server for the whole test binary
//	url := pg.URL(t, "registry")      // a fresh database, dropped when t ends
//
// The package is for tests only; nothing else imports it.
package servers
