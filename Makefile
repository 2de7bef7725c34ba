# sukashi: build, story, tests. `make help` lists what there is.
SHELL := /bin/bash
GO ?= go
BIN := bin
# Two cores and a cold cache: bound each test binary, not the whole run.
TESTFLAGS ?= -timeout 25m

export CGO_ENABLED ?= 1
# One build cache for the programs, vet and the tests: Trillian, Pebble and OPA
# are compiled once.
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

.PHONY: help build demo test test-short deps vet cover fuzz fuzz-policy bench bench-policy bench-ca bench-ledger bench-ledger-quick bench-cluster clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: ## build bin/sukashi and bin/sukashi-verify
	@mkdir -p $(BIN)
	$(GO) build -o $(BIN)/sukashi ./cmd/sukashi
	CGO_ENABLED=0 $(GO) build -o $(BIN)/sukashi-verify ./cmd/sukashi-verify

demo: build ## build and tell the whole story once (a temporary directory)
	$(BIN)/sukashi demo

deps: ## install what the tests need (Debian packages), or say what to install
	@scripts/deps.sh

vet: ## gofmt, go vet, staticcheck
	@scripts/vet.sh

test: deps build vet ## everything: vet, all tests, coverage floors
	@scripts/test.sh $(TESTFLAGS)

# Most of a quick run is linking a hundred test programs: without debug tables a
# quarter less.
test-short: build ## the quick tests only (less than three minutes)
	$(GO) test -short -timeout 5m -ldflags=-w ./...

fuzz: ## 30 seconds for every fuzz target
	@scripts/fuzz.sh 30s

fuzz-policy: ## ten million generated cases through four engines (half an hour of two cores)
	SUKASHI_POLICY_CASES=10000000 $(GO) test -count=1 -timeout 3h -run Differential -v ./policy/rules

bench: ## all benchmarks once
	$(GO) test -run '^$$' -bench . -benchtime 2s ./...

bench-policy: ## a decision, and facts + decision + entry, per second of one core with p50 and p99
	$(GO) test -run '^$$' -bench 'Decide|FactsDecisionEntry' -cpu 1 -benchtime 2s ./policy

bench-ca: deps ## the CA's figures beside the bare limits, in one run, as a table
	@scripts/bench-ca.sh

bench-ledger: ## the ledger beside a bare store, Tessera and Trillian, in one run (ten minutes)
	SUKASHI_BENCH_LEDGER=full $(GO) test -v -count=1 -timeout 30m -run TestLedgerBench ./ledger/internal/bench

bench-ledger-quick: ## the same in two minutes
	SUKASHI_BENCH_LEDGER=quick $(GO) test -v -count=1 -timeout 15m -run TestLedgerBench ./ledger/internal/bench

bench-cluster: ## the ledger on Trillian's servers beside them alone, PostgreSQL and MariaDB, in one run (ten minutes)
	SUKASHI_BENCH_LEDGER=cluster $(GO) test -v -count=1 -timeout 30m -run TestClusterBench ./ledger/internal/bench

clean: ## remove what the build made
	rm -rf $(BIN) coverage.out
