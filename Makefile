# Two commands on a fresh machine: `make run` and `make test`. Needs git, make, a C++20 compiler and Python >= 3.11 with
# venv; everything else, cmake and ninja too, comes from requirements.lock into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR := .tutela
NATIVE := $(wildcard native/*.cpp native/*.hpp native/CMakeLists.txt) CMakeLists.txt pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help setup run stop test lint format bench messages docs wheel lock clean

help: ## Show this
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.built ## Make the environment and build the native core

$(VENV)/.locked: requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

$(VENV)/.built: $(VENV)/.locked $(NATIVE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

run: setup ## Demonstrate: bank, service, altered copies screened; leaves the service running
	$(BIN)/tutela --home $(HOME_DIR) demo

stop: ## Stop the service that `make run` left running
	@$(BIN)/tutela --home $(HOME_DIR) demo --stop

test: setup ## Run every test
	@.ci/browser
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: setup ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## Bring the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Benchmarks beside the peers; prints ratios (a few minutes)
	$(BIN)/python -m benchmarks

messages: setup ## Collect the console's texts for translators
	$(BIN)/pybabel --quiet extract -F pyproject.toml --omit-header --no-location --sort-output \
	  -o tutela/console/locale/console.pot tutela

docs: setup ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

wheel: setup ## Build a wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .

lock: setup ## Resolve the dependencies anew
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile pyproject.toml --quiet --all-extras --group build --group test --group lint --group bench \
	  --group docs --generate-hashes --universal --no-emit-index-url --no-emit-find-links --no-header \
	  --output-file requirements.lock $(LOCK_OPTIONS)

clean: ## Remove everything that was made here
	rm -rf $(VENV) build dist site $(HOME_DIR) .pytest_cache .mypy_cache .ruff_cache .hypothesis
