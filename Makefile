# widomill: `make help` lists the targets. Each works on a bare machine with Python 3.11.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install demo ui test lint audit bench clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
PYTEST_ARGS ?=
UI_PORT ?= 4200

# One BLAS and OpenMP thread per process: the parallel work is processes.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export NUMBA_NUM_THREADS ?= 1
# Prefect, offline and silent.
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS ?= 120

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

install: $(STAMP) ## create .venv with everything; leaves a working .venv/bin/widomill

# dac-sim carries the MACE-DAC-1 model file. Its metadata pins an old mace-torch and asks for
# jupyterlab, neither of which the model needs, so it goes in without its dependencies.
# Bytecode is compiled once here: some machines forbid Python to write it later, and importing
# torch, Prefect and pymatgen from source costs seconds in every process. A few packages carry
# files for other Python versions that do not compile; that is no reason to stop.
$(STAMP): requirements.lock pyproject.toml
	@python=; for p in $(PYTHON) python3.11 python3 python; do \
	  if $$p -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; \
	  then python=$$p; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "widomill needs Python 3.11 with venv; none of python3.11, python3, python is one." \
	       "Install it, or name it: make install PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	set -e; \
	test -x $(BIN)/python || $$python -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps dac-sim==0.0.3
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -q -j 2 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

demo: install ## the main job: CO2 in CALF-20 at a DFT-fitted reference, within 10 minutes
	$(BIN)/widomill henry CALF-20 --guest CO2 --temperature-k 298.15 --insertions 1000000 \
	  --reference mace-dac --target-error 0.05 --max-labels 300 --out runs/demo

ui: install ## the Prefect UI with a worker and a sample campaign, until Ctrl-C
	$(BIN)/widomill ui --sample --port $(UI_PORT)

test: install ## run the tests in WORKERS processes (2); more options in PYTEST_ARGS
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --durations 15 $(PYTEST_ARGS)

lint: install ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: install ## look up every pinned package in the database of known vulnerabilities
	@$(BIN)/python .ci/audit.py requirements.lock $(VENV)/audit

bench: install ## run every benchmark (hours); each says what it needs
	@shopt -s nullglob; for file in benchmarks/*.py; do \
	  echo "== $$file"; $(BIN)/python "$$file" || echo "$$file did not finish" >&2; done

clean: ## remove caches and build leftovers; .venv and runs/ stay
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find data chem ml tasks flows tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
