# Everything a developer types. Each target sets up what it needs. V=1 shows the commands.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q

# What a database can get wrong. The rest of the engine's tests is about servers and time.
ON_ENGINE   := any_flow next_batch engine_batch engine_crashes engine_evidence engine_loop engine_outages engine_reads engine_truth \
	dead_letter_cures gates housekeeping metrics_sampler reconnect round_trips settle statements two_clocks
ON_POSTGRES := tests/store $(ON_ENGINE:%=tests/engine/test_%.py)

# What is the same on every Python: files of the repository, texts, decisions, what a flow does between a store and two
# servers (all three have tests of their own), what a page says and its script does. That a page opens at all is tested by
# the crawl and the guard, on each. What is looked at in a browser is marked by tests/conftest.py. And the plans of the
# databases, and the tests' own servers.
ANY_PYTHON := contract deploy docs flows mutants release reports rules simulation test_layers.py test_measure.py \
	engine/test_rows_visited.py security/test_dependencies.py security/test_static_rules.py test_postgres_proxy.py \
	test_postgres_server.py torture/test_torture_table.py worker/test_breaker_mutations.py \
	$(patsubst tests/%,%,$(wildcard tests/web/test_*_pages.py)) \
	$(patsubst %,stash_plugin/test_page%.py,_actions _calls _dashboard _servers _setup _words) \
	$(patsubst %,web/test_%.py,accessibility browser demo_browser fix_deck links_to_servers one_status pages plex_switch \
	scene_browser setting_preview sorted_lists)
PYTEST     := $(BIN)/python -m pytest -q -n 5 --dist worksteal
FIFTH      ?= $(shell $(BIN)/python -m tests.lengths)
unexport PYTHONDONTWRITEBYTECODE

ifndef V
.SILENT:
endif

# What is fetched is announced: it may take minutes, and the installer is quiet.
FETCH = echo "Fetching the packages of $(1) into $(VENV) ..."

.PHONY: help install setup docs pictures outlines settings-page shapes-page demo test test-all test-fifth test-postgres test-postgres-all test-interpreter compiled measure check dist wheels changelog bench torture torture-long mutants lock clean

help: ## this list
	grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("PlexSync needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	echo "Creating the environment $(VENV) ..."
	$(PYTHON) -m venv $(VENV)

# The demo runs the product from this folder with what a default installation has.
$(VENV)/.demo: requirements/base.txt deploy/link.py | $(BIN)/python
	$(call FETCH,requirements/base.txt)
	$(PIP) install --require-hashes -r requirements/base.txt
	$(BIN)/python deploy/link.py
	touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(call FETCH,requirements/dev.txt)
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.demo

# What `make bench` compares with; nothing of the product needs it.
$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	$(call FETCH,requirements/bench.txt)
	$(PIP) install --require-hashes -r requirements/bench.txt
	touch $@

# What a user needs and nothing more: the packages of every extra, and the program, which runs from this folder.
$(VENV)/.all: requirements/all.txt deploy/link.py | $(BIN)/python
	$(call FETCH,requirements/all.txt)
	$(PIP) install --require-hashes -r requirements/all.txt
	$(BIN)/python deploy/link.py
	touch $@

install: $(VENV)/.all ## what it takes to use PlexSync, in .venv
	echo "PlexSync is installed. Next: $(BIN)/plexsync init"

setup: $(VENV)/.dev ## the development environment in .venv

demo: $(VENV)/.demo ## watch 1,000 scenes come in sync, past an outage (KEEP=1 stays up)
	$(if $(STORE),$(error STORE was removed in 0.3.0: the demo runs on SQLite))$(BIN)/python -m plexsync demo $(if $(KEEP),--keep)

test: compiled ## everything that a change can break
	$(PYTEST) $(PYTEST_OPTIONS)

test-all: test test-postgres-all ## that, and what takes long by nature: torture samples, the image, long lives, PostgreSQL
	$(PYTEST) --long=only $(PYTEST_OPTIONS)

# What test-all has more than test, in five parts. `.ci/run` takes the part that the tree of the change draws.
test-fifth: compiled ## a fifth of what test-all has more than test (FIFTH=1 to 5; otherwise the commit draws one)
	echo "Fifth $(FIFTH) of the long tests: make test-fifth FIFTH=$(FIFTH)"
	$(PYTEST) --long=only --fifth=$(FIFTH) $(PYTEST_OPTIONS)

# The store and what rests on it most. Where PostgreSQL is missing, one line says so.
test-postgres: compiled ## the tests of the store and the engine once more, on PostgreSQL
	$(PYTEST) --store=postgres $(ON_POSTGRES) $(PYTEST_OPTIONS)

test-postgres-all: compiled
	$(PYTEST) --store=postgres --long=too $(ON_POSTGRES) $(PYTEST_OPTIONS)

# Those whose result can depend on the interpreter. `.ci/run` takes the fifth that the tree of the change draws.
test-interpreter: compiled ## the tests to run on another Python (PYTHON=python3.13 VENV=.venv/3.13; PART=1 to 5: a fifth)
	$(PYTEST) -m 'not any_python' $(ANY_PYTHON:%=--ignore=tests/%) $(PART:%=--fifth=%) $(PYTEST_OPTIONS)

# Byte code is written once, not by each of the processes that tests start, whatever the environment says.
compiled: setup
	$(BIN)/python -m compileall -q plexsync validation worker release
	$(BIN)/python -m tests.compiled

measure: setup ## how large and how clear the code is: the figures that tests/test_measure.py keeps from growing
	$(BIN)/python -m tests.measure

check: setup ## linters, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 & $(BIN)/mypy && wait $$!
	$(BIN)/python -m pytest -q tests/test_layers.py

dist: setup ## the plugins with their index, the wheel and the sdist, in dist/; built, then installed elsewhere and tried
	$(BIN)/python -m release

wheels: setup ## does every pin have a wheel for each machine? (asks the package index)
	$(BIN)/python -m release.wheels

changelog: setup ## move the fragments of changelog.d/ into CHANGELOG.md, under the version of pyproject.toml
	$(BIN)/towncrier build --yes --name PlexSync --version "$$($(BIN)/python -c 'from release import build; print(build.number())')"
	$(BIN)/python -m release.changes

bench: setup $(VENV)/.bench ## what a first sync costs (SINCE=COMMIT: and then), requests, the hook, the queue against others
	$(BIN)/python -m bench $(if $(SINCE),--since $(SINCE))

torture: setup ## every fault of disk, process and crowd in full figures, as a table (under an hour on two cores)
	$(BIN)/python -m tests.torture

torture-long: setup ## as torture, as long as it takes
	$(BIN)/python -m tests.torture --long

# NUMBER draws other faults, COUNT more of them, ONLY those of a room or a file.
mutants: setup ## put 60 small faults into the product, one at a time: how many does a test find? (NUMBER=7 COUNT=60 ONLY=rules)
	$(BIN)/python -m tests.mutants $(if $(NUMBER),--number $(NUMBER)) $(if $(COUNT),--count $(COUNT)) $(if $(ONLY),--only $(ONLY))

lock: ## renew the hashed requirement files (needs uv)
	# The plugin names its folder of packages after the bytes of core.txt, so these change only with a pin.
	$(LOCK) requirements/core.in -o requirements/core.txt
	sed -i.old 's|-r requirements/core.in|plexsync (pyproject.toml)|' requirements/core.txt && rm requirements/core.txt.old
	$(LOCK) -c requirements/core.txt pyproject.toml -o requirements/base.txt
	$(LOCK) --extra notify -c requirements/base.txt pyproject.toml -o requirements/notify.txt
	$(LOCK) --extra art -c requirements/base.txt pyproject.toml -o requirements/art.txt
	$(LOCK) --extra postgres -c requirements/base.txt pyproject.toml -o requirements/postgres.txt
	$(LOCK) --extra all -c requirements/base.txt -c requirements/notify.txt -c requirements/art.txt -c requirements/postgres.txt pyproject.toml -o requirements/all.txt
	$(LOCK) --extra docs -c requirements/all.txt pyproject.toml -o requirements/docs.txt
	$(LOCK) --extra all --extra docs --extra dev -c requirements/all.txt -c requirements/docs.txt pyproject.toml -o requirements/dev.txt
	$(LOCK) --extra bench -c requirements/dev.txt pyproject.toml -o requirements/bench.txt

docs: setup ## the documentation as a site, with still pages of the demo's dashboard, in build/docs
	$(BIN)/python -m sphinx -q -W --keep-going -n -b html -d build/doctrees docs build/docs
	$(BIN)/python -m release.dashboard_pages build/docs/demo
	echo "open build/docs/index.html"

pictures: setup ## the pictures of the documentation, from the real thing (needs chromium for the dashboard)
	$(BIN)/python -m tests.docs.pictures

outlines: setup ## renew what --help and the completion of shells show, after a command has changed
	$(BIN)/python -m release.outlines

settings-page: setup ## renew the tables of docs/settings.md after a setting has changed
	$(BIN)/python -m tests.docs.settings_page

shapes-page: setup ## renew the tables of docs/api-shapes.md after a shape of a report has changed
	$(BIN)/python -m tests.docs.shapes_page

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
