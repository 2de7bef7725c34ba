#!/usr/bin/env bash
# Runs all tests with coverage and holds the floors: at least 75 % of the
# statements of each of the five trees that carry a promise. Packages whose name
# ends in "test" are suites that other packages' tests run, no part of the
# programs: they are not counted. Arguments go to go test.
set -eu
floor=75
go test -count=1 -covermode=atomic -coverprofile=coverage.out "$@" ./...
awk -v floor="$floor" '
	NR > 1 {
		path = $1; sub(/^github.com\/sukashi-project\/sukashi\//, "", path)
		split(path, part, "/"); tree = part[1]; key = $1
		if (path ~ /test\/[^\/]*$/) next
		n[key] = $2; t[key] = tree; if ($3 > 0) hit[key] = 1
	}
	END {
		for (k in n) { all[t[k]] += n[k]; if (k in hit) got[t[k]] += n[k] }
		bad = 0
		split("ledger ca policy juki review", trees, " ")
		for (i = 1; i <= 5; i++) {
			tree = trees[i]
			if (all[tree] == 0) { printf "coverage %-7s no statements found\n", tree; bad = 1; continue }
			p = 100 * got[tree] / all[tree]
			printf "coverage %-7s %.1f %%\n", tree, p
			if (p < floor) bad = 1
		}
		if (bad) { printf "coverage is below %d %%\n", floor; exit 1 }
	}' coverage.out
