#!/usr/bin/env bash
# The CA's benchmarks in one run, as a markdown table: SoftHSM alone, issuance by
# the whole path with its key in SoftHSM, OCSP beside a bare handler, a list of a
# million entries beside Go's own. Some two minutes on two quiet cores.
set -eu -o pipefail
run() { go test -run '^$' -timeout 10m "$@"; }
{
	run -bench 'TokenSign/(rsa2048|p256)$' -benchtime 2s ./internal/token
	run -bench 'Issue/.*/1$' -benchtime 500x ./ca
	run -bench 'Issue/.*/(64|128|256|512)$' -benchtime 8000x ./ca
	run -bench 'OCSP$/(bare|cached|nonce)/http$' -benchtime 2s ./ca/revocation
	run -bench 'OCSPToken' -benchtime 2s ./ca/revocation
	run -bench 'CRL$' -benchtime 2x ./ca/revocation
} | awk '
	# "BenchmarkIssue/p256/64-2  8000  500 ns/op  1 cpu-µs/certificate  2 certificates/s ..."
	/^Benchmark/ {
		name = $1; sub(/^Benchmark/, "", name); sub(/-[0-9]+$/, "", name)
		delete m
		for (i = 3; i < NF; i += 2) m[$(i + 1)] = $i
		if (name ~ /^TokenSign/) { alg = name; sub(/.*\//, "", alg); token[alg] = m["sign/s"]; cpu[alg] = m["cpu-µs/sign"]; row(name, m["sign/s"] "/s", m["cpu-µs/sign"] " µs of CPU") }
		else if (name ~ /^Issue/) {
			split(name, part, "/"); r = ""
			if (token[part[2]] > 0) r = sprintf("%.0f %% of the token alone; ", 100 * m["certificates/s"] / token[part[2]])
			row(name, m["certificates/s"] "/s", r "p50 " m["p50-ms"] " ms, p99 " m["p99-ms"] " ms, " m["cpu-µs/certificate"] " µs of CPU" share(cpu[part[2]], m["cpu-µs/certificate"]))
		}
		else if (name ~ /^OCSP/) {
			set = name; sub(/\/.*/, "", set); r = ""
			if (name ~ /\/bare\//) bare[set] = m["responses/s"]
			else r = sprintf("%.0f %% of the bare handler", 100 * m["responses/s"] / bare[set])
			row(name, m["responses/s"] "/s", r)
		}
		else if (name ~ /^CRL/) row(name, sprintf("%.2f s", m["ns/op"] / 1e9), m["MB"] " MB")
		next
	}
	/FAIL|panic|skipped/ { print > "/dev/stderr"; bad = 1 }
	function share(own, all) { return own > 0 ? sprintf(", %.0f %% of it the token", 100 * own / all) : "" }
	function row(n, v, x) { if (!head++) print "| benchmark | seen | |\n|---|---|---|"; printf "| %s | %s | %s |\n", n, v, x }
	END { exit bad }'
