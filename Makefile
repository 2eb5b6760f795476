# make run: the server on a laptop.  make test: every test.  make check: lint, types, tests.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test test-long check lint types format clean
.NOTPARALLEL:

# The laptop's set of settings; whatever the environment already says wins. The deliverer ends with its parent, which
# becomes gunicorn.
run: $(VENV)/run.stamp
	@export PERCH_TRAFFIC="$${PERCH_TRAFFIC-all}" PERCH_FUSE="$${PERCH_FUSE-off}" PERCH_FAULTS="$${PERCH_FAULTS-on}"; \
	export PORT="$(PORT)"; \
	$(BIN)/flask init && { $(BIN)/flask deliver --with-parent & exec $(BIN)/gunicorn --bind "$(HOST):$(PORT)" app:app; }

check: lint types test

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

# pytest's closing line stays the last line of output.
test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

# The long variants alone: many rounds of kill -9, many seconds of writers.
test-long: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest -m long

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Perch needs Python 3.11 or newer." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt $(BIN)/python
	$(PIP) --requirement requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	$(PIP) --requirement requirements-dev.txt
	@touch $@
