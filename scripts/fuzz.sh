#!/usr/bin/env bash
# Runs every fuzz target for the given time (default 30s), one after the other.
set -eu
each=${1:-30s}
git grep -lE '^func Fuzz' -- '*_test.go' | while read -r file; do
	grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/^func //' | while read -r target; do
		echo "== $(dirname "$file") $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$each" "./$(dirname "$file")"
	done
done
