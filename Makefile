# `make` alone lists what there is. Each target sets up what it needs; a second run finds it done and starts at once.

MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.PHONY: help run test check proof nightly bench lock wheel clean tools

BIN    := .venv/bin
DONE   := .venv/.done
VENDOR := src/zena/web/static/vendor/manifest.json
JOBS   ?= 2
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# A worker that dies ends the run: xdist would wait for ever for the rest of its file.
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart=0
UV     := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --system-certs \
          --exclude-newer "7 days" --custom-compile-command "make lock" $(UPGRADE)

help: ## list these targets
	@awk -F ' ## ' '/^[a-z]+:.* ## / { sub(/:.*/, "", $$1); printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(DONE)/core $(VENDOR) ## set up what is missing, start everything with a demo firm, print the address
	@exec $(BIN)/zena serve --demo

test: $(DONE)/dev $(VENDOR) tools ## every test of behaviour, in a few minutes
	$(PYTEST) -m "not proof and not nightly"

check: $(DONE)/dev $(VENDOR) ## format, lint, types, imports, sizes, migrations, templates, translations, committed hosts
	@$(BIN)/python -m scripts.check

proof: $(DONE)/dev $(VENDOR) tools ## the long checks at their per-commit sizes
	$(PYTEST) -m proof

nightly: $(DONE)/dev $(VENDOR) tools ## the long checks at their full sizes
	ZENA_FULL_SIZE=1 $(PYTEST) -m "proof or nightly"

bench: $(DONE)/dev $(VENDOR) ## measure against the floor on this machine
	$(BIN)/python -m bench

wheel: $(DONE)/dev $(VENDOR) ## build dist/*.whl, which needs neither Node nor a checkout
	$(BIN)/python -m build --wheel --no-isolation

lock: $(DONE)/dev ## compile requirements/*.lock anew (UPGRADE=--upgrade takes newer versions)
	$(UV) pyproject.toml --all-extras --group dev -o requirements/dev.lock
	$(UV) pyproject.toml -c requirements/dev.lock -o requirements/core.lock
	$(UV) pyproject.toml --all-extras -c requirements/dev.lock -o requirements/extras.lock
	$(UV) --group build -c requirements/dev.lock -o requirements/build.lock
	$(UV) requirements/virtualenv.in -o requirements/virtualenv.lock
	$(UV) requirements/node.in -o requirements/node.lock
	scripts/npm.sh install --package-lock-only

clean: ## remove the environment, packages, build output and caches; data in var/ stays
	rm -rf .venv node_modules dist src/zena/web/static/vendor .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	rm -rf .hypothesis .coverage .coverage.* && find src scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

tools: $(DONE)/dev
	@scripts/test_tools.sh

$(DONE)/venv:
	scripts/environment.sh .venv
	@mkdir -p $(DONE) && touch $@

$(DONE)/core: requirements/core.lock requirements/build.lock pyproject.toml | $(DONE)/venv
	$(PIP) --require-hashes -r requirements/core.lock -r requirements/build.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DONE)/dev: requirements/dev.lock $(DONE)/core
	$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

$(VENDOR): package-lock.json package.json scripts/vendor.py | $(DONE)/venv
	scripts/npm.sh ci --loglevel=error
	$(BIN)/python scripts/vendor.py
