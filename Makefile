# Everything a developer types. Each target sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: help setup demo test check bench torture torture-long lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("PlexSync needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# The demo runs the product from this folder with what a user has: the core and the two demo packages.
$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/demo.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

# What `make bench` compares with; nothing of the product needs it.
$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@

setup: $(VENV)/.dev ## the development environment in .venv

demo: $(VENV)/.demo ## watch 1,000 scenes come in step, past an outage (KEEP=1 stays up)
	$(BIN)/python -m cli demo $(if $(KEEP),--keep)

test: setup ## all tests
	$(BIN)/python -m pytest -q -n 2

check: setup ## linters, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

bench: setup $(VENV)/.bench ## requests per scene, the hook, and the queue against others
	$(BIN)/python -m bench

torture: setup ## every fault of disk, process and crowd in full figures, as a table (under an hour)
	$(BIN)/python -m tests.torture

torture-long: setup ## as torture, as long as it takes
	$(BIN)/python -m tests.torture --long

lock: ## renew the hashed requirement files (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements/core.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra demo -c requirements/core.txt pyproject.toml -o requirements/demo.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra notify -c requirements/demo.txt pyproject.toml -o requirements/notify.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra art -c requirements/core.txt pyproject.toml -o requirements/art.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra demo --extra notify --extra art --extra dev -c requirements/demo.txt -c requirements/notify.txt -c requirements/art.txt pyproject.toml -o requirements/dev.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra bench -c requirements/dev.txt pyproject.toml -o requirements/bench.txt

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
