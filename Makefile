# promptd. `make` lists the targets. Nothing is installed by hand: Go fetches the pinned tools, and Python is needed for the local model alone.

SHELL   := /bin/sh
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
MODULE  := github.com/promptd/promptd

# A test binary per core at most; the longest package has minutes in hand on two busy cores.
TEST_FLAGS ?= -timeout 20m
FUZZTIME   ?= 10s
# Of make schemathesis and make bench.
SECONDS     ?= 300
BENCH_FLAGS ?=
# Of make chaos.
CHAOS_JOBS  ?= 10000
CHAOS_KILLS ?= 20

BIN   := bin
TOOLS := $(BIN)/tools

# Modules beside the product's own; each has a go.mod so that what it needs stays out of promptd.
SIDE_MODULES := tools tools/languagetable test/sdk

# Packages whose tests compare generated files with what they are generated from, and rewrite them with -update.
GENERATED := ./internal/config ./internal/observe ./internal/dropin ./internal/fault ./internal/provider ./internal/api ./internal/doctest ./internal/schema/lowering
GENERATED_TESTS := UpToDate$$|^TestReferencePageIsCurrent$$|^TestCheckedInDocumentIsTheServedOne$$

.DEFAULT_GOAL := help
.PHONY: help build run test race check lint generate verify fuzz bench bench-jobs bench-router e2e sim faulty streams schemathesis local-e2e bench-openai clients chaos clean fmt vet staticcheck arch tidy

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/promptd, a static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X $(MODULE)/internal/cli.linkedVersion=$(VERSION)" -o $(BIN)/promptd ./cmd/promptd

run: build ## the first minute: the local model turns a text into JSON through the HTTP API
	@$(GO) build -o $(BIN)/firstminute ./examples/firstminute
	@$(BIN)/firstminute

test: $(BIN)/testtotals ## the whole suite, with totals
	@set -e; for m in $(SIDE_MODULES); do $(GO) -C $$m vet ./...; done
	@$(BIN)/testtotals -module . -module tools -module test/sdk -- $(TEST_FLAGS) ./...

race: $(BIN)/testtotals ## the whole suite under the race detector (needs a C compiler)
	@CGO_ENABLED=1 $(BIN)/testtotals -module . -- -race -timeout 40m ./...

check: fmt vet staticcheck arch verify tidy ## what every change must pass: format, vet, staticcheck, import directions, generated files, go.mod

fmt: $(TOOLS)/.check
	@bad=$$($(TOOLS)/gofumpt -l .); if [ -n "$$bad" ]; then echo "not formatted, run $(TOOLS)/gofumpt -w on:"; echo "$$bad"; exit 1; fi

vet:
	@$(GO) vet ./...
	@set -e; for m in $(SIDE_MODULES); do $(GO) -C $$m vet ./...; done

staticcheck: $(TOOLS)/.check
	@$(TOOLS)/staticcheck ./...
	@set -e; for m in $(SIDE_MODULES); do (cd $$m && $(CURDIR)/$(TOOLS)/staticcheck ./...); done

arch:
	@$(GO) test -count=1 ./internal/archtest

verify: ## fail where a generated file is stale
	@$(GO) test -count=1 -run '$(GENERATED_TESTS)' $(GENERATED) || { echo "run: make generate"; exit 1; }

generate: ## rewrite the generated files
	$(GO) test -count=1 -run '$(GENERATED_TESTS)' $(GENERATED) -update

tidy:
	@$(GO) mod tidy -diff
	@set -e; for m in $(SIDE_MODULES); do $(GO) -C $$m mod tidy -diff; done

lint: $(TOOLS)/.lint ## golangci-lint and govulncheck, which take minutes to build the first time
	$(TOOLS)/golangci-lint run
	@if $(TOOLS)/govulncheck ./...; then :; else \
		code=$$?; if [ $$code -eq 3 ]; then echo "govulncheck found vulnerabilities"; exit 3; fi; \
		echo "SKIPPED: govulncheck could not run here (its database may be out of reach)"; fi

fuzz: ## every fuzz target for FUZZTIME (10s) each
	@set -e; $(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' ./... | while read -r pkg dir; do \
		for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$dir"/*_test.go); do \
			echo "fuzz $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -parallel 2 "$$pkg"; done; done

sim: ## a million drawn histories of jobs, deliveries and budgets (SIM_HISTORIES, SIM_FROM; SIM_SEED shows one)
	SIM_HISTORIES=$${SIM_HISTORIES:-1000000} $(GO) test -count=1 -v -timeout 24h -run TestNoPromiseIsBroken ./test/simulation

e2e: ## the built program as a whole, in the long form: faulty exchanges, kills, load, the local model
	PROMPTD_FULL=1 $(GO) test -count=1 -timeout 60m ./test/...

faulty: ## real schemas under faults of every kind, judged again by python-jsonschema, in the long form
	PROMPTD_FULL=1 $(GO) test -count=1 -v -timeout 30m ./test/faulty

streams: ## recorded streams of every dialect cut at every byte, and read in two pieces everywhere: the long form, minutes of CPU
	PROMPTD_FULL=1 $(GO) test -count=1 -v -timeout 60m -run TestDialect ./internal/dialect/...

local-e2e: ## the real local model over its schemas and texts, in the long form
	PROMPTD_FULL=1 $(GO) test -count=1 -v -timeout 60m ./test/localmodel

schemathesis: ## hold a running promptd to its OpenAPI document for SECONDS (300); Python gets the pinned schemathesis
	test/schemathesis/run.sh $(SECONDS)

bench: build ## what promptd adds to a call, beside a bare proxy in the same run; the table goes to bench/results.md
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/scripted-provider ./cmd/scripted-provider
	$(GO) build -o $(BIN)/bench ./bench
	$(BIN)/bench -out bench/results.md $(BENCH_FLAGS)

bench-openai: build ## CPU of a chat completion, relayed and validated, beside a bare proxy in the same run; the table goes to bench/results-openai.md
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/scripted-provider ./cmd/scripted-provider
	$(GO) build -o $(BIN)/bench ./bench
	$(BIN)/bench -openai -out bench/results-openai.md $(BENCH_FLAGS)

bench-jobs: build ## jobs for each second of CPU beside Celery in the same run; servers of its own from TEST_POSTGRES_URL, TEST_REDIS_URL, TEST_AMQP_URL; bench/results-jobs.md
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/scripted-provider ./cmd/scripted-provider
	$(GO) build -o $(BIN)/bench-jobs ./bench/jobs
	$(BIN)/bench-jobs -python "$$(bench/jobs/celery/venv.sh)" -out bench/results-jobs.md $(BENCH_FLAGS)

chaos: ## processes and servers are killed under load, in the long form: CHAOS_JOBS (10000) jobs, CHAOS_KILLS (20) kills of each kind, CHAOS_SEED
	CHAOS_JOBS=$(CHAOS_JOBS) CHAOS_KILLS=$(CHAOS_KILLS) $(GO) test -count=1 -v -timeout 120m ./test/chaos

clients: ## the real clients of OpenAI's API against the built program, all of them; pip and npm fetch them the first time
	PROMPTD_FULL=1 $(GO) test -count=1 -timeout 30m -v ./test/clients

bench-router: ## the strategies of the router beside each provider alone, under virtual time; the table goes to docs/reference/routing.md
	$(GO) test -count=1 -v -timeout 10m -run TestManyTogetherAreBetterThanTheBestAlone ./test/router -update

clean: ## remove what was built; data and the local model stay
	rm -rf $(BIN)

$(BIN)/testtotals: tools/go.mod $(wildcard tools/testtotals/*.go)
	@$(GO) -C tools build -o ../$@ ./testtotals

# Tools of every check; built once, and again when their versions change. The stamp stands for all of them.
$(TOOLS)/.check: tools/go.mod
	@mkdir -p $(TOOLS)
	@echo "building gofumpt and staticcheck (about a minute, once)"
	@$(GO) -C tools build -o ../$(TOOLS)/ tool
	@touch $@

$(TOOLS)/.lint: tools/lint/go.mod
	@mkdir -p $(TOOLS)
	@echo "building golangci-lint and govulncheck (up to ten minutes, once)"
	@$(GO) -C tools/lint build -o ../../$(TOOLS)/ tool
	@touch $@
