# `make demo` and `make test` set everything up by themselves: a fresh machine needs Python 3.11+ and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Extra arguments for pytest, e.g. make test TESTS="-m real_data -k mnist"
TESTS ?=
# A process a core, four at most: each holds torch and Lightning (up to 2 GB). WORKERS=0 runs all in one.
WORKERS ?= auto
# Behind a proxy with a certificate of its own uv trusts the system's certificates, as pip does; its default are Mozilla's.
export UV_SYSTEM_CERTS ?= true

.PHONY: help demo test check docs setup lock clean

help:  ## this list
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-6s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.ready  ## set up, then two range tests on real images, each with the training that its answer is for
	$(BIN)/cadence fit -c digits_clr
	$(BIN)/cadence fit -c digits_cyclical_batch_size

test: $(VENV)/.ready  ## set up, then the tests; TESTS="-k mnist" passes words on to pytest
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist worksteal $(TESTS)

check: $(VENV)/.ready  ## style, types, and which room imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: $(VENV)/.ready  ## the documentation as a site: open site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

setup: $(VENV)/.ready  ## .venv from requirements.lock, and Cadence in it

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Cadence needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up $(VENV): about two minutes, the first time"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock: $(VENV)/.ready  ## requirements.lock anew, from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev pyproject.toml -o requirements.lock

clean:  ## remove what the others made
	rm -rf $(VENV) build dist site .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
