# Two commands for everybody: `make demo` and `make test`. Both set up whatever is missing first;
# they need make, a shell and Python 3.11, 3.12 or 3.13.

VENV ?= .venv
PYTHON ?=
ARGS ?=
# Each worker has local chains of its own. A third of the time of the tests is waiting for blocks that
# come every second, so there is one worker more than the two cores that a tester has at the least.
# Files go out in the order of their folders: by their number of tests, as xdist would have it, those
# with one long test come last, and one worker ends minutes after the others.
WORKERS ?= 3
PY = $(VENV)/bin/python
export PYTHON

.NOTPARALLEL:
.PHONY: help demo test check lint house setup setup-dev lock wheel clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile

demo: setup ## set up, then show everything on private local chains (ARGS="--json")
	@$(VENV)/bin/rebalancer demo $(ARGS)

test: setup-dev lint ## set up, check, then run every test with branch coverage
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=json:coverage.json
	@$(PY) scripts/coverage_gate.py coverage.json

check: setup-dev lint house ## style, types, import contracts and house rules

lint:
	@echo "check: ruff" && $(PY) -m ruff check --quiet && $(PY) -m ruff format --check --quiet
	@echo "check: mypy" && $(PY) -m mypy --no-error-summary
	@echo "check: import contracts" && $(VENV)/bin/lint-imports --no-logo

house:
	@echo "check: house rules" && $(PY) -m pytest tests/house

setup:
	@sh scripts/setup.sh lab "$(VENV)"

setup-dev:
	@sh scripts/setup.sh dev "$(VENV)"

lock: ## write requirements/*.txt anew (needs uv; ARGS=--upgrade takes newer releases)
	@PATH="$(PATH):$(abspath $(VENV))/bin" sh scripts/lock.sh $(ARGS)

wheel: setup-dev ## build the wheel into dist/
	@$(PY) -m hatchling build --target wheel

clean: ## remove the virtual environment and everything that tests and tools left
	rm -rf "$(VENV)" dist .coverage .coverage.* coverage.json .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
