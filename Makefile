# make demo: search a small corpus in the browser.   make test: run the fast tests.   make check: lint, types, prose.

VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

# The first supported Python on the path. PYTHON=/path/to/python selects another one.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	"$$name" -c '$(SUPPORTED)' 2>/dev/null && { command -v "$$name"; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test test-all attack audit check format venv clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.converted ## index a small bilingual corpus, serve it and print the URL (Ctrl-C stops)
	$(BIN)/rerank-cli demo

test: $(VENV)/.developer ## run the fast tests, in under five minutes (PYTEST_ARGS="..." adds options)
	$(BIN)/python -m pytest -m "not slow and not clients and not attack" $(PYTEST_ARGS)

test-all: $(VENV)/.developer ## run all tests, including slow ones and those of third-party clients
	$(BIN)/python -m pytest $(PYTEST_ARGS)

attack: $(VENV)/.developer ## attack a service on this machine: slow sockets, floods, kills (PYTEST_ARGS="..." adds options)
	$(BIN)/python -m pytest -m attack $(PYTEST_ARGS)

# pip-audit has an environment of its own: its dependencies are not those of the project.
audit: ## report known vulnerabilities of the pinned versions, and write sbom.json
	@test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && .venv-audit/bin/python -m pip install --quiet "pip-audit>=2.10"; }
	.venv-audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict --format cyclonedx-json --output sbom.json

check: $(VENV)/.developer ## check format, lint, types, import rules, prose, telemetry and workflows
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m pytest -q tests/test_prose.py tests/test_telemetry.py
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml

format: $(VENV)/.developer ## reformat the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

venv: $(VENV)/.developer ## create the environment with all development dependencies

clean: ## remove the environments, caches and the demo index
	rm -rf $(VENV) .venv-clients .venv-audit sbom.json build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp file is created last, so make repeats an interrupted installation.
$(VENV)/.product: $(BIN)/python setup.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

# Converts the built-in models for this processor. The command skips models that are already converted.
$(VENV)/.converted: $(VENV)/.product
	$(BIN)/rerank-cli models convert
	@touch $@

$(VENV)/.developer: $(BIN)/python setup.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.product

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is required and was not found. Install one, or pass PYTHON=/path/to/python." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
