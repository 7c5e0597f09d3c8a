# The commands of hallspice; `make help` lists them. Each one sets up first what it needs (tools/setup.sh), once.
#
# Variables: PYTHON=python3.12 picks the interpreter, TORCH_INDEX=URL an additional index for PyTorch (see README.md).

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
DEMO := results/demo

.DEFAULT_GOAL := help
.PHONY: help setup demo browser test test-slow fuzz mutants check fix docs validation test-docs-long bench lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## install what is needed: system packages, .venv, pinned versions

$(READY): pyproject.toml requirements/constraints.txt tools/setup.sh
	@PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" tools/setup.sh $(VENV)
	@touch $@

demo: $(READY) ## MNIST on active-parallel Hall tiles: accuracy, energy, report (results/demo)
	$(BIN)/hallspice run examples/mnist_active_parallel.yaml --out $(DEMO)
	@echo "Report: $(DEMO)/report.html"

browser: ## install chromium for the tests of the reports, where that can be done with apt-get
	@tools/setup.sh --browser

test: check docs browser ## what every change must pass: check, docs, then all tests that are not marked slow
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" --numprocesses auto --maxprocesses 4 --dist loadfile

test-slow: $(READY) ## the tests marked slow: thirty round trips of the fit, kills of commands, large arrays in ngspice
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow

fuzz: $(READY) ## read 500,000 broken files, kill commands 200 times; other ones each time
	HALLSPICE_FUZZ=50 $(BIN)/pytest -x tests/property/test_fuzz.py tests/property/test_kills.py tests/system/test_inputs_as_outputs.py tests/unit/test_files.py

mutants: $(READY) ## change 200 places of the code, one at a time, and list what no test notices (MUTANTS=options)
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.mutants $(MUTANTS)

check: $(READY) ## formatting, lint and types, without changing a file
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

fix: $(READY) ## format the code and repair what lint can repair
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(READY) ## build the documentation into site/, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

validation: $(READY) ## measure the cross-checks of the validation page (docs/validation.json)
	$(BIN)/python tools/docs/checks.py

test-docs-long: $(READY) ## run every block of the documentation, the long ones too (ten minutes)
	HALLSPICE_DOCS=long $(BIN)/pytest tests/docs/test_pages.py

bench: $(READY) ## time the solvers and the training
	@for script in benchmarks/*.py; do [ ! -e "$$script" ] || $(BIN)/python "$$script"; done

lock: ## renew requirements/constraints.txt with the newest versions that fit
	@PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" CONSTRAINTS=/dev/null tools/setup.sh build/lock
	@head -n 1 requirements/constraints.txt >build/constraints.txt
	@build/lock/bin/python -m pip freeze --exclude-editable | grep -v '^#' | sed 's/+cpu$$//' >>build/constraints.txt
	@mv build/constraints.txt requirements/constraints.txt

clean: ## remove .venv, caches and results
	rm -rf $(VENV) results site build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
