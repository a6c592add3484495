SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PYTHON ?= python3

RUN := .venv/bin/python
SERVERS := LANGO_DEVELOPMENT=1 $(RUN) -m config.embedded run --fresh
WORKERS ?= 2
ROUNDS ?= 20

# What a production machine would set; `check --deploy` is asked about exactly these.
PRODUCTION := LANGO_DEVELOPMENT=0 SECRET_KEY="$$(head -c 48 /dev/urandom | base64 -w 0)" \
	MASTER_KEYS="check:$$(head -c 32 /dev/urandom | base64 -w 0)" \
	ALLOWED_HOSTS=api.example.com PUBLIC_URL=https://api.example.com BEHIND_TLS_PROXY=1

.PHONY: help demo test test-slow check checks bench crash simulators reset clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: .venv/.installed ## set up, take payments, tell the story, stay up (ONCE=1: stop afterwards)
	@exec $(RUN) -m config.demo $(if $(filter-out 0,$(ONCE)),--once)

test: .venv/.installed-dev ## the tests (WORKERS=n, ARGS="-k name")
	@$(SERVERS) --name test -- $(RUN) -m pytest -n $(WORKERS) -m "not slow" $(ARGS) tests

test-slow: .venv/.installed-dev ## the slow tests, after installing what they need where that is allowed
	@.ci/system-packages
	@$(SERVERS) --name test-slow -- $(RUN) -m pytest -rs -m slow $(ARGS) tests

check: .venv/.installed-dev ## lint, format, types, floors, migrations, production settings
	@$(SERVERS) --name check -- $(MAKE) checks

checks:
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) .venv/bin/lint-imports --no-logo
	$(RUN) manage.py makemigrations --check --dry-run
	$(RUN) manage.py write_docs --check
	$(PRODUCTION) $(RUN) manage.py check --deploy --fail-level WARNING

bench: .venv/.installed-dev ## the numbers (BENCH=name for one, BASE=revision to compare)
	@exec $(RUN) -m benchmarks $(if $(BENCH),--only $(BENCH)) $(if $(BASE),--base $(BASE))

crash: .venv/.installed-dev ## kill processes while payments run, then compare ledgers (ROUNDS=n)
	@exec $(RUN) -m tests.crash --rounds $(ROUNDS)

simulators: .venv/.installed ## the providers' simulators alone
	@exec $(RUN) -m simulators

reset: ## forget the demo's data
	@$(PYTHON) -m config.embedded remove --name demo
	@rm -rf var/demo
	@echo "The demo's data are gone; make demo starts afresh."

clean: ## forget everything that was installed and made here
	@$(PYTHON) -m config.embedded remove
	@rm -rf .venv .venv.lock var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: requirements.txt
	@.ci/virtualenv requirements.txt $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@.ci/virtualenv requirements-dev.txt $@
