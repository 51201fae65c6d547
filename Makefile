# make demo: search a small corpus in the browser.   make test: run the tests.   make check: what must hold before a commit.

VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

# The first Python on the path that the product runs on; PYTHON=/path/to/python chooses another.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	"$$name" -c '$(FITS)' 2>/dev/null && { command -v "$$name"; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test check format venv clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.converted ## index a small bilingual corpus, serve it and print the address (ctrl-C stops)
	$(BIN)/rerank-cli demo

test: $(VENV)/.developer ## run the tests (PYTEST_ARGS="..." adds options)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.developer ## format, lint, types and import rules
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.developer ## rewrite the code in the project's format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

venv: $(VENV)/.developer ## create the environment with everything that tests and checks need

clean: ## remove the environment, caches and the demo's index
	rm -rf $(VENV) .venv-clients build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last: an interrupted installation is taken up again.
$(VENV)/.product: $(BIN)/python setup.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

# The built-in models, as this processor computes them fastest; the program itself looks whether anything is missing.
$(VENV)/.converted: $(VENV)/.product
	$(BIN)/rerank-cli models convert
	@touch $@

$(VENV)/.developer: $(BIN)/python setup.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.product

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 was found: install one, or name it with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
