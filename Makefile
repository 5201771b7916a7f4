# Counterfoil. `make` prints what there is to make.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Nothing shipped uses cgo; only the race detector needs it.
export CGO_ENABLED := 0
export PATH := $(PATH):/usr/local/go/bin

# Without a readable git repository the version cannot be stamped; build anyway.
BUILD_FLAGS := -trimpath $(shell git rev-parse HEAD >/dev/null 2>&1 || echo -buildvcs=false)

LINT     := go tool -modfile=tools/lint.mod golangci-lint
GOFUMPT  := go tool -modfile=tools/dev.mod gofumpt
# Prints go test's line for each package, failures in full, then the counts.
GOTEST   := go tool -modfile=tools/dev.mod gotestsum --format standard-quiet --
LARGE    ?= 2000000
DEMO     ?= bin/counterfoil demo
# How often the real binary is killed with -9 and checked.
KILL_ROUNDS ?= 40
# How many seeds of the simulation make soak plays.
SEEDS ?= 2000
# The month at every provider: how many payments make soak plays, and which
# seeds of it; make test plays 10,000 of seed 1.
MONTH_PAYMENTS ?= 200000
MONTH_SEEDS    ?= 1
# All fuzz targets together, in seconds; each gets its share.
FUZZ_SECONDS ?= 20
# What reads the bytes of strangers gets at least so long, each target.
FUZZ_FOREIGN ?= 10
# The packages whose tests run again under the race detector. The pure-Go SQLite
# is seven times slower under it, so those that open one run only here below,
# with -short and CF_RACE=1, without the tests that only move bulk.
RACE_PACKAGES := archive/... domain eventstore eventstore/memory httpapi internal/config internal/strictjson ledger projections providers/... reconcile sandbox/... tamperlog
RACE_SQLITE   := eventstore/sqlite operations/sqlite
RACE_SKIP     := ^TestSlots$$

# What make test goes through, in this order.
STAGES ?= tools lint build test-go test-witness test-race fuzz demo prove kill

##@ Use

build: ## build the four commands into bin/
	go build $(BUILD_FLAGS) -o bin/ ./cmd/...

demo: build ## the main job: pay, lose, heal, kill -9, count; ends with a verdict
	$(DEMO)

run: build ## the same system, and it stays up
	$(DEMO) --stay

##@ Check

# One stage after the other, with the time each took; the first failure ends it.
test: ## everything: lint, build, tests, race, fuzz, demo, kill rounds (<= 15 min on 2 cores)
	@mkdir -p bin; : >bin/stages
	@begin=$$SECONDS; \
	for stage in $(STAGES); do \
		printf '\n== %s\n' $$stage; at=$$SECONDS; \
		$(MAKE) $$stage || { printf '\n== %s FAILED after %d s\n' $$stage $$((SECONDS - at)); exit 1; }; \
		printf '   %-10s %4d s\n' $$stage $$((SECONDS - at)) >>bin/stages; \
	done; \
	printf '\n== all stages passed\n'; cat bin/stages; printf '   %-10s %4d s\n' total $$((SECONDS - begin))

lint: ## golangci-lint with gofumpt, then go vet
	$(LINT) run ./...
	go vet ./...

test-go: ## the tests of every package
	$(GOTEST) -timeout 10m ./...

# A module of its own, so that the product does not carry the libraries.
test-witness: ## the providers' own libraries against our adapters and sandbox
	cd providers/witness && go vet ./... && go test -timeout 5m ./...

test-race: ## the race detector, where it is affordable
	CGO_ENABLED=1 $(GOTEST) -race -timeout 5m $(addprefix ./,$(RACE_PACKAGES))
	CGO_ENABLED=1 CF_RACE=1 $(GOTEST) -race -short -skip '$(RACE_SKIP)' -timeout 5m $(addprefix ./,$(RACE_SQLITE))

# The suite of all stores on a server that is really there.
# Each test takes a namespace of its own and leaves its streams behind.
test-esdb: ## the store suite against COUNTERFOIL_TEST_ESDB=esdb://host:2113?tls=false
	@test -n "$${COUNTERFOIL_TEST_ESDB:-}" || { echo 'say where the server is: make test-esdb COUNTERFOIL_TEST_ESDB=esdb://host:2113?tls=false'; exit 2; }
	$(GOTEST) -count=1 -timeout 15m -run '^TestStore$$' ./eventstore/eventstoredb

# go test fuzzes one target of one package at a time, so two run side by side.
# It can report its own deadline as a failure (golang/go#75804); a true one
# leaves a failing input.
fuzz: ## every fuzz target for its share of FUZZ_SECONDS
	@mkdir -p bin/fuzz; targets=$$(grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sed -E 's#/[^/]*_test.go:func # #'); \
	share=$$(($(FUZZ_SECONDS) / $$(wc -l <<<"$$targets"))); \
	while read -r pkg target; do \
		case $$pkg in ./providers/*|./tamperlog) least=$(FUZZ_FOREIGN);; *) least=1;; esac; \
		printf '%s %s %d\n' $$pkg $$target $$((share > least ? share : least)); \
	done <<<"$$targets" | xargs -P 2 -L 1 tools/fuzz

# Every kind of message that the sandbox sends stands in this log: seed 11 has
# each way in which providers sign.
prove: build ## what a demo leaves behind is verified by us, and without our code
	@rm -rf bin/proven
	$(DEMO) --dir bin/proven --keep --payments 400 --seed 11
	bin/counterfoil verify --dir bin/proven --from-scratch
	@month=$$(bin/counterfoil events --dir bin/proven --type payment.credited.v1 --limit 1 | sed -E 's/.*"period":"([0-9-]+)".*/\1/'); \
	bin/counterfoil audit bundle --dir bin/proven --period $$month -o bin/proven/month.zip --why 'make prove'
	bin/counterfoil verify bin/proven/month.zip
	python3 -B docs/verifier/verify_bundle.py bin/proven/month.zip

kill: ## kill -9 the real binaries at random times: nothing lost, nothing twice
	COUNTERFOIL_KILL_ROUNDS=$(KILL_ROUNDS) $(GOTEST) -count=1 -timeout 60m -run 'Kill|Power' ./internal/crash

##@ The long versions

bench: build ## every benchmark; the page of the hot paths goes to docs/benchmarks.md
	bin/counterfoil bench --large $(LARGE) >bin/benchmarks.md
	mv bin/benchmarks.md docs/benchmarks.md
	go test -run '^$$' -bench . -benchmem -timeout 120m ./... | grep -v '\[no test files\]'
	COMPARE_ROWS=10000000 go test -run '^$$' -bench 'CompareSorted|PlainMerge|CompareUnsorted' -benchtime 1x -timeout 60m ./reconcile

soak: build ## 200 kill rounds, an hour of fuzzing, 100 times the random checks
	$(MAKE) kill KILL_ROUNDS=200
	RAPID_CHECKS=10000 $(GOTEST) -count=1 -timeout 120m ./...
	COUNTERFOIL_TEST_SEEDS=$(SEEDS) $(GOTEST) -count=1 -timeout 120m ./internal/simulation
	COUNTERFOIL_MONTH_PAYMENTS=$(MONTH_PAYMENTS) COUNTERFOIL_MONTH_SEEDS=$(MONTH_SEEDS) $(GOTEST) -count=1 -timeout 240m ./internal/simulation/month
	COUNTERFOIL_MONTH_SEEDS=2,3,4 $(GOTEST) -count=1 -timeout 60m ./internal/simulation/month
	COUNTERFOIL_TEST_TAMPERINGS=10000 $(GOTEST) -count=1 -timeout 60m -run NoTampering ./audit
	$(MAKE) fuzz FUZZ_SECONDS=3600

##@ Work

fmt: ## format the source
	$(GOFUMPT) -l -w .

tools: ## fetch modules, build the linters, find a C compiler for the race detector, hledger and beancount
	@command -v go >/dev/null || { echo 'Go is not installed: https://go.dev/doc/install (1.21 or newer fetches the version in go.mod itself)'; exit 1; }
	@go version
	go mod download
	go mod download -modfile=tools/lint.mod
	go mod download -modfile=tools/dev.mod
	$(LINT) version
	@command -v gcc >/dev/null || command -v clang >/dev/null || \
		{ echo 'installing gcc for the race detector'; apt-get update -qq && apt-get install -qq -y gcc libc6-dev; }
	@command -v openssl >/dev/null || { echo 'installing openssl, which stamps times in the tests'; apt-get update -qq && apt-get install -qq -y openssl; }
	@command -v hledger >/dev/null && command -v bean-check >/dev/null || \
		{ echo 'installing hledger and beancount to check exported journals'; apt-get update -qq && apt-get install -qq -y hledger beancount; } || \
		echo 'not to be had: the tests of exported journals are skipped'

clean: ## remove what was built
	rm -rf bin dist

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build demo run test lint test-go test-witness test-race test-esdb fuzz kill bench soak fmt tools clean help
