# Needs python3.11 (or newer), pip and make; each target does its own set-up in .venv.
#
#   make install                                        everything for developers into .venv
#   make run ARGS="--config config/standalone.toml"     start a standalone node
#   make test                                           run the tests, a few at a time (JOBS=3)
#   make test ARGS="tests/unit -k settings" JOBS=0      run some of them, in one process
#   make check                                          lint, types, import floors

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
ARGS   ?=
JOBS   ?= 3

BIN       := $(VENV)/bin
PIP       := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALLED := $(VENV)/.installed
FOR_DEV   := $(VENV)/.installed-dev

# Most tests wait for processes: more of them at a time than there are cores is no waste. Those of
# one file stay together, for they share what is slow to start; the longest files come first.
TOGETHER = --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder --durations 25

# Hundreds of tests start a Python; none of them should compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install run test check clean

install: $(FOR_DEV)

run: $(INSTALLED)
	$(BIN)/actorchat up $(ARGS)

test: $(FOR_DEV)
	$(BIN)/python -m pytest $(TOGETHER) $(ARGS)

check: $(FOR_DEV)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -f .coverage .coverage.*
	find actorchat nodes tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian splits ensurepip off; where it is missing, the machine's own pip fills the venv.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

$(INSTALLED): pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	touch $@

$(FOR_DEV): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	touch $@ $(INSTALLED)
