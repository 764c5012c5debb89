# `make` alone says what there is.  ARGS goes to the command: make run ARGS="--once"
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# Which Python makes .venv; without it the first of python3, python3.14 … python3.11 that will do.
PYTHON ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
# What the tests need of npm's.
NODE := .node

# Debian keeps daemons (mosquitto) out of an ordinary user's PATH.
export PATH := $(PATH):/usr/sbin:/sbin
# Where make's own environment names another venv, these are about .venv all the same.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

# What an installation depends on.  The version is in __init__.py.
INPUTS := pyproject.toml constraints.txt scripts/install pbxrules/__init__.py
NODE_INPUTS := tests/editor/package.json tests/editor/package-lock.json tests/editor/.npmrc
# COMMAND=PACKAGE: the command that is needed, and Debian's package that has it.
FOR_TEST := mosquitto=mosquitto mosquitto_sub=mosquitto-clients systemd-analyze=systemd \
	/bin/kill=procps node=nodejs npm=npm
FOR_BENCH := mosquitto=mosquitto mosquitto_pub=mosquitto-clients wrk=wrk webhook=webhook

.PHONY: help run test bench systemd schemas docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile
	@echo '  ARGS="…" is handed to the command; PYTHON=python3.12 chooses the interpreter.'

run: $(VENV)/.demo ## install into .venv, then the demo: six calls, their rules, their messages
	@$(BIN)/pbxrules demo $(ARGS)

test: ## install what the tests need and the machine lacks, then ruff, mypy and pytest
	@scripts/need-debian $(FOR_TEST)
	@$(MAKE) --silent $(VENV)/.dev $(NODE)/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -n logical $(ARGS)

bench: ## the figures beside those of others: speed, delay, memory, start
	@scripts/need-debian $(FOR_BENCH)
	@$(MAKE) --silent $(VENV)/.dev
	@$(BIN)/python -m bench $(ARGS)

systemd: ## as root: docs/install.md and docs/tutorial.md under a systemd of their own
	@scripts/need-debian mosquitto=mosquitto mosquitto_sub=mosquitto-clients systemctl=systemd
	@scripts/under-systemd

schemas: $(VENV)/.demo ## rules.schema.json and tests.schema.json anew, from schemas/parts
	@$(BIN)/python scripts/bundle_schemas.py

docs: schemas ## the pages of docs that the tables of the code make, anew
	@$(BIN)/python scripts/write_reference.py

clean: ## remove .venv and everything else that was made
	rm -rf $(VENV) $(NODE) build dist .bench .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.demo: $(INPUTS)
	@PYTHON='$(PYTHON)' scripts/install $(VENV) demo

$(VENV)/.dev: $(INPUTS)
	@PYTHON='$(PYTHON)' scripts/install $(VENV) dev

$(NODE)/.installed: $(NODE_INPUTS)
	@echo 'pbxrules: installing a language server for YAML into $(NODE)' >&2
	@mkdir -p $(NODE)
	@cp $(NODE_INPUTS) $(NODE)
	@npm ci --prefix $(NODE) --loglevel=error >/dev/null
	@touch $@
