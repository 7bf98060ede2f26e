# Everything a person does with the checkout. `make` alone lists the targets.
# Each target does its own set-up: Python 3.11 or newer and make are all it takes, and what a target
# names in brackets.

PYTHON ?=
BIN := .venv/bin
SETUP := @PYTHON="$(PYTHON)" sh tools/setup.sh

# What `make test-all` and `make check` run. Add the name of a new target here.
TESTS := test test-browser test-hapi test-postgres test-spark
CHECKS := lint types contracts

.DEFAULT_GOAL := help
# Two targets at once would both make .venv.
.NOTPARALLEL:
.PHONY: help setup demo hapi test test-hapi test-browser test-postgres test-spark test-all check lint types contracts format lock clean mutate review golden bench sbom audit

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv with the locked packages (the other targets do it themselves)
	$(SETUP)

demo: ## the service, a FHIR endpoint with invented patients, and a page that fires the hook
	$(SETUP)
	@$(BIN)/trial-cds demo

# On every core; the tests of a file stay together, with the server that they share.
test: ## units, cases, properties, HTTP against the real server process, SQLite, the wheel
	$(SETUP)
	$(BIN)/pytest -n logical --dist loadfile

test-browser: ## the demo in a real Chromium: cards, changes, keyboard, side bar, accessibility
	$(SETUP)
	@sh tools/chromium.sh
	$(BIN)/pytest tests/browser

screenshots: ## take the README's pictures anew from the demo
	$(SETUP)
	@sh tools/chromium.sh
	$(BIN)/python tools/screenshots.py

hapi: ## a HAPI FHIR server on loopback with the invented patients, until Ctrl-C (Java 17, Maven)
	$(SETUP)
	@$(BIN)/python tools/hapi/start.py --port 8090 --load

# Of another server only TRIAL_CDS_TEST_FHIR_BASE is allowed: then the network is open.
test-hapi: ## the same answers through a real HAPI FHIR server, which it starts (Java 17, Maven)
	$(SETUP)
	$(BIN)/pytest tests/hapi $(if $(TRIAL_CDS_TEST_FHIR_BASE),--force-enable-socket)

# The server runs as an unprivileged user, on a socket in a folder that goes away.
test-postgres: ## the tests of the store on a real PostgreSQL, which it starts (Debian's postgresql)
	$(SETUP)
	@sh tools/postgresql.sh
	TRIAL_CDS_TEST_DATABASE=postgresql $(BIN)/pytest tests/store

test-spark: ## the same rows from a Spark cluster of two executors on this machine (Java 17)
	$(SETUP) spark
	$(BIN)/pytest tests/spark

# ROWS="request units": only these. Against whom else: tests/benchmarks/others.py.
bench: ## what a call costs, each figure against a floor in the same run (ten minutes; wrk)
	$(SETUP)
	@sh tools/wrk.sh
	$(BIN)/python -m tests.benchmarks $(ROWS)

test-all: $(TESTS) ## every test target

check: $(CHECKS) ## lint, types and contracts

lint: ## ruff: every check, and the format
	$(SETUP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: ## mypy, strict, on the package, the tests and the tools
	$(SETUP)
	$(BIN)/mypy

contracts: ## import-linter: the layers are one-way
	$(SETUP)
	$(BIN)/lint-imports

format: ## rewrite the code in the house's format
	$(SETUP)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

mutate: ## change each criterion a little and see that a case notices
	$(SETUP)
	$(BIN)/python tools/mutate.py

review: ## write the review page of each trial anew
	$(SETUP)
	$(BIN)/trial-cds review --write

golden: ## write the golden cards and the shadow report of the invented patients anew
	$(SETUP)
	$(BIN)/python tools/golden.py
	$(BIN)/python tools/shadow_example.py

lock: ## write the lock files from pyproject.toml (needs a package index)
	$(SETUP)
	$(BIN)/python tools/lock.py

sbom: ## the bill of materials of a release (CycloneDX) into dist/
	$(SETUP)
	$(BIN)/python tools/sbom.py

# --strict: a package that the index says nothing of is a failure, not a pass.
audit: ## known vulnerabilities of what is locked (needs a package index that answers about them)
	$(SETUP)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

clean: ## remove .venv, caches and build output
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find cds tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
