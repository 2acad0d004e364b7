# Everything a contributor runs; `make` lists it. All tools live in .venv, made by the first target that needs it.

PYTHON ?= python3
WORKERS ?= auto
BIN := .venv/bin
STAMP := .venv/.installed
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)
PEERS := .benchmarks/peers
ZONES := America/New_York Asia/Kolkata Pacific/Apia
TIMES := $(addprefix tests/,engine/test_lifetimes.py engine/test_clock_set_back.py unit/test_ledger_time.py \
  cli/test_moments.py legacy/test_facade_records.py)  # beside properties/test_time_travel.py, which goes from zone to zone
SOURCES := otpcore tests $(if $(wildcard examples/*.py),examples)
PLUGINS := $(wildcard plugins/*) examples/otpcore-example

export PYTHONDONTWRITEBYTECODE :=# the tests start some thousand interpreters: none compiles what another has compiled

.DEFAULT_GOAL := help
.PHONY: help venv demo test nightly bench cassettes lint format types docs clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-18s%s\n' "$$name" "$$text"; done

venv: $(STAMP)  ## make .venv with the pinned versions (again only when they change)

$(STAMP): pyproject.toml $(wildcard plugins/*/pyproject.toml) .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed and '$(PYTHON)' is not; say which one is: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "'$(PYTHON)' has no venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "[1/3] making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
	@echo "[2/3] installing pip"
	@$(BIN)/python -m pip install --quiet --upgrade -c .ci/constraints.txt pip
	@echo "[3/3] installing otpcore, its plugins and the tools (a few minutes the first time)"
	@$(BIN)/python -m pip install --progress-bar on -c .ci/constraints.txt --build-constraint .ci/constraints.txt \
	  -e '.[cli,conformance,http,legacy,legacy-import]' $(foreach name,aws http redis smpp smtp vonage,-e plugins/otpcore-$(name)) \
	  -e 'plugins/otpcore-sql[postgresql,mysql]' -e 'plugins/otpcore-twilio[emulator]' --group dev
	@touch $@

demo: $(STAMP)  ## see a verification happen on this machine; nothing is sent
	@$(BIN)/otpcore demo

test: $(STAMP)  ## run the tests
	$(PYTEST)
	set -e; for zone in $(ZONES); do TZ=$$zone $(BIN)/python -m pytest -q $(TIMES); done  # time zones change nothing

nightly: $(STAMP)  ## run every test at full size (hours)
	$(PYTEST) -m "" --hypothesis-profile=nightly -o faulthandler_timeout=7200  # some take many minutes
	set -e; for zone in $(ZONES); do TZ=$$zone $(PYTEST); done  # all of them, in every zone

bench: $(STAMP) $(PEERS)/.installed  ## measure the ratios to reach
	$(BIN)/python -m tests.benchmarks.run

$(PEERS)/.installed: pyproject.toml .ci/constraints.txt | $(STAMP)
	@echo "installing what is measured beside otpcore into $(PEERS)"
	@$(PYTHON) -m venv --clear --without-pip $(PEERS)
	@if $(BIN)/python -m pip --python $(PEERS)/bin/python install --quiet -c .ci/constraints.txt --group bench; \
	  then touch $@; else echo "that failed: row 7 is left out" >&2; rm -rf $(PEERS); fi

cassettes: $(STAMP)  ## record cassettes/ again, from the emulator (or Twilio itself: cassettes/README.md)
	$(BIN)/python -m tests.cassettes.record

lint: $(STAMP)  ## style, formatting, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(STAMP)  ## rewrite the files to the agreed format
	$(BIN)/ruff format .

types: $(STAMP)  ## both type checkers, strict
	$(BIN)/mypy $(SOURCES)
	set -e; for plugin in $(PLUGINS); do $(BIN)/mypy $$plugin; done  # apart: each has a tests/ of its own
	$(BIN)/basedpyright

docs: $(STAMP)  ## write docs/reference/api from the docstrings, and the state machines
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/generate_state_machine.py

clean:  ## remove .venv and every cache
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
