# `make demo` and `make test` set everything up by themselves: a fresh machine needs Python 3.11+ and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Extra arguments for pytest, e.g. make test TESTS="-m real_data -k mnist"
TESTS ?=
# A process a core, four at most: each holds torch and Lightning (up to 2 GB). WORKERS=0 runs all in one.
WORKERS ?= auto

.PHONY: demo test check setup lock clean

demo: $(VENV)/.ready
	$(BIN)/cadence fit -c digits_clr
	$(BIN)/cadence fit -c digits_cyclical_batch_size

test: $(VENV)/.ready
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist worksteal $(TESTS)

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Cadence needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up $(VENV): about two minutes, the first time"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache
