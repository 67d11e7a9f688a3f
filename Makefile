# `make quickstart` and `make test` each work alone on a machine with Python 3.11, make and a C compiler: they make the
# virtual environment .venv, install into it under constraints.txt (again only when that or pyproject.toml changes), run.

can_run = $(shell $(1) -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)
PYTHON ?= $(firstword $(foreach name,python3.11 python3,$(if $(filter True,$(call can_run,$(name))),$(name))))
BIN := .venv/bin
TEST_ARGS ?= -n 2 --dist worksteal
LAB_ARGS ?=

.PHONY: help quickstart test lab sync
.NOTPARALLEL:

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

quickstart: .venv/installed ## Make data, train, evaluate and draw, in about a quarter of an hour on two cores
	$(BIN)/workbench quickstart

test: .venv/installed-dev ## Lint, check formatting and types, run the tests (TEST_ARGS goes to pytest)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pytest $(TEST_ARGS)

lab: .venv/installed ## Open JupyterLab on the notebooks, for this machine only (LAB_ARGS=--allow-root as root)
	WORKBENCH_RUNS="$${WORKBENCH_RUNS:-$$PWD/runs}" $(BIN)/jupyter lab --ip=127.0.0.1 --ServerApp.root_dir="$$PWD/notebooks" $(LAB_ARGS)

sync: .venv/installed-dev ## Write environment.yml and constraints.txt anew from pyproject.toml
	$(BIN)/python .ci/sync_dependencies.py

.venv/made:
	@$(if $(filter True,$(call can_run,$(PYTHON))),:,echo "Python 3.11 or newer is needed, and \
	$(if $(PYTHON),$(PYTHON) is not,neither python3.11 nor python3 is) one that runs: install it, or say where one is \
	with make PYTHON=/path/to/python3.11." >&2; exit 1)
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/installed: .venv/made pyproject.toml constraints.txt
	@echo "installing into .venv: a minute or two"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/installed-dev: .venv/made pyproject.toml constraints.txt
	@echo "installing into .venv: a minute or two"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch .venv/installed $@
