# Everything a person does with this checkout. `make help` lists it.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PYTEST_JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo up test verify lint types layers sql bench lock generate clean chaos chaos-short

help: ## list what you can do here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: $(VENV)/.run ## five tenants, real HTTP traffic, the KPI table; then it ends
	@$(BIN)/sitevault demo --once

up: $(VENV)/.run ## collector and worker on an embedded PostgreSQL, until Ctrl-C
	@$(BIN)/sitevault up

test: $(VENV)/.dev ## the whole suite, in parallel, on an embedded PostgreSQL
	$(BIN)/python -m pytest -n $(PYTEST_JOBS) --dist worksteal

verify: lint types layers sql generated ## every check that is not a test

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

sql: $(VENV)/.dev
	$(BIN)/squawk src/sitevault/sql/migrations/*.sql

.PHONY: generated
generated: generate ## what is generated is up to date
	git diff --exit-code -- src/sitevault/sql/schema.sql src/sitevault/sql/catalog.json docs/reference

generate: $(VENV)/.dev ## rebuild schema.sql and the generated reference pages
	$(BIN)/python -m docs.generate

bench: $(VENV)/.dev ## measure against peers and limits; prints ratios
	$(BIN)/python -m bench

chaos: $(VENV)/.dev ## a hundred kill -9 under load, then find every event; 25 minutes
	$(BIN)/python -m chaos

chaos-short: $(VENV)/.dev ## the same with ten, every kind of fault once; 4 minutes
	$(BIN)/python -m chaos --kills 10 --minutes 2

lock: $(VENV)/.dev ## refresh the requirement locks from requirements/*.in
	cd requirements && for name in run dev; do ../$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade $$name.in -o $$name.lock; done

clean: ## remove the virtual environment (data in .sitevault stays)
	rm -rf $(VENV)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Sitevault needs Python 3.11 or newer, and none was found on PATH. Install it, or run: make PYTHON=/path/to/python3 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }

$(VENV)/.run: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing Sitevault into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	@echo "Installing the checkers into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@
