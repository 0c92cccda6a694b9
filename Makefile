# gatewayd: make help names the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PREFIX  ?= /usr/local
DESTDIR ?=
YOUKI   ?= $(or $(GATEWAYD_TEST_YOUKI),$(HOME)/.cache/gatewayd/youki-0.7.0/bin/youki)

# Where systemd looks for units: beneath a PREFIX of the system, and for one of
# the user's own (~/.local) in XDG_DATA_HOME, where no system unit has any use.
ifeq ($(PREFIX),$(HOME)/.local)
user_units   := $(PREFIX)/share/systemd/user
system_units :=
else
user_units   := $(PREFIX)/lib/systemd/user
system_units := $(PREFIX)/lib/systemd/system
endif
doc := $(PREFIX)/share/doc/gatewayd

version  = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
go_build = CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(version)'
host     = .build/host

golangci_lint := .build/bin/golangci-lint-v2.15.0
govulncheck   := .build/bin/govulncheck-v1.9.0

##@ On a fresh machine

.PHONY: run
run: setup build ## set up, build, and keep an example gateway alive until Ctrl-C
# On a terminal in a process group of its own: Ctrl-C is for gatewayd, which ends
# well, and make reports that ("|| exit" keeps the shell there to see to it). Should
# make be killed, gatewayd is told to stop.
	@if [ -t 0 ]; then set -m; fi; setpriv --pdeathsig TERM bin/gatewayd demo || exit

.PHONY: test
test: setup-test build ## set up, build, and run every test, here and in a throw-away systemd host
	@scripts/test

.PHONY: setup setup-test
setup: ## install what is missing to run gatewayd: youki, once
	@scripts/setup run
setup-test:
	@scripts/setup test

##@ Build and install

.PHONY: build
build: ## bin/gatewayd (static), its manual pages and shell completions
	@$(go_build) -o bin/gatewayd ./cmd/gatewayd
	@mkdir -p bin/man bin/completion
	@go run -tags man -ldflags '-X main.version=$(version)' ./cmd/gatewayd bin/man
	@for shell in bash zsh fish; do bin/gatewayd completion $$shell >bin/completion/$$shell; done

# Built here only where make build has not: sudo make install needs no Go.
bin/gatewayd:
	@$(MAKE) --no-print-directory build

.PHONY: install
install: | bin/gatewayd ## install what make build has built; PREFIX=/usr/local, DESTDIR=
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' USER_UNITS='$(user_units)' SYSTEM_UNITS='$(system_units)' \
		DOC='$(doc)' YOUKI='$(YOUKI)' scripts/install

.PHONY: clean
clean: ## remove what was built; not youki, which is kept in the user's cache
	rm -rf bin .build

##@ Measure and check

.PHONY: bench
bench: setup-test build ## measure gatewayd beside plain systemd and podman, in the test host
	@scripts/bench

.PHONY: bench-staging
bench-staging: ## measure how trees are staged and removed beside cp, rsync, tar, rm, sha256sum
	@scripts/setup bench
	@scripts/bench-staging

.PHONY: bench-traffic
bench-traffic: setup-test build ## measure what clients notice of crashes, deploys and restarts, side by side
	@scripts/setup bench
	@scripts/bench-traffic

.PHONY: fuzz
fuzz: ## run every fuzz target for a while, one after the other; FUZZTIME=30s
	@scripts/fuzz

.PHONY: soak
soak: setup-test build ## 10,000 launches in the test host, and nothing is left of them; LAUNCHES=N
	@scripts/soak

.PHONY: random-kills kill-calls kill-matrix
random-kills: setup-test build ## kill at random, under load, and look for what is left; KILLS=3000 SEED=
	@scripts/kills random
kill-calls: setup-test build ## kill at each kind of system call, and look for what is left
	@scripts/kills calls
kill-matrix: setup-test build ## kill after each step, whatever is going on, and look for what is left
	@scripts/kills steps

.PHONY: lint
lint: $(golangci_lint) $(govulncheck) ## golangci-lint, go vet, and govulncheck where its database can be reached
	$(golangci_lint) run
	go vet ./...
	@scripts/vulncheck $(govulncheck)

$(golangci_lint):
	@$(call go_install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
$(govulncheck):
	@$(call go_install,golang.org/x/vuln/cmd/govulncheck)

# A tool at the version that its file name ends with, so that a new version is a
# new file. Not in go.mod: they would bring hundreds of modules along.
define go_install
	echo "building $(@F), once"
	GOBIN=$(CURDIR)/.build/bin go install $(1)@$(lastword $(subst -v, v,$(@F)))
	mv .build/bin/$(notdir $(1)) $@
endef

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile
