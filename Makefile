# make run: the server on a laptop.  make test: all tests.  make check: lint, types, tests.
# make test-long, test-iam (sign-in with a real provider), test-min (oldest requirements), requirements (pins),
# audit (known vulnerabilities), readme (tables),
# sbom (bill of materials), attack (hostile inputs against a real server),
# screenshots (every page of the console), image (the container's), soak (half an hour of load), weight (how large it is),
# release (archive, bill of materials and image of this version).
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
# Two for each of two cores: many tests wait for the disk or for a process.
JOBS ?= 4
IMAGE ?= perch
VERSION = $(shell sed -n 's/^VERSION = "\(.*\)"$$/\1/p' scim/settings.py)
# What builds images here: docker with its daemon running, podman or buildah; BUILDER= is none.
BUILDER = $(shell if docker info >/dev/null 2>&1; then echo docker; \
	elif command -v podman >/dev/null; then echo podman; elif command -v buildah >/dev/null; then echo buildah; fi)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := -m pip install --quiet --disable-pip-version-check
PIP := $(BIN)/python $(INSTALL) --require-hashes

TOOLS := $(VENV)-tools
MINIMUM := $(VENV)-min
IAM := $(VENV)-iam
S3 := $(VENV)-s3
COMPILE := $(TOOLS)/bin/pip-compile --quiet --generate-hashes --strip-extras --annotation-style=line --no-header --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

# Before flask init, which prints its secrets only once. gunicorn has better words for any other problem of an address.
define PORT_IS_FREE
import errno, socket, sys
try:
    socket.create_server((sys.argv[1], int(sys.argv[2]))).close()
except (OSError, ValueError, OverflowError) as error:
    if getattr(error, "errno", 0) == errno.EADDRINUSE:
        sys.exit(f"Port {sys.argv[2]} is in use; stop the program that uses it, or choose another: make run PORT={int(sys.argv[2]) + 1}")
endef
export PORT_IS_FREE

.PHONY: run test test-long test-iam test-openapi test-min bench attack soak check lint types format readme openapi screenshots requirements audit sbom image \
	weight release clean
.NOTPARALLEL:

# Settings for a laptop; the environment overrides them. The delivery worker ends with its parent, which becomes
# gunicorn.
run: $(VENV)/run.stamp
	@$(BIN)/python -c "$$PORT_IS_FREE" "$(HOST)" "$(PORT)"
	@export PERCH_TRAFFIC="$${PERCH_TRAFFIC-all}" PERCH_FUSE="$${PERCH_FUSE-off}" PERCH_FAULTS="$${PERCH_FAULTS-on}"; \
	export PERCH_WEBHOOKS_ALLOW_PRIVATE="$${PERCH_WEBHOOKS_ALLOW_PRIVATE-on}" PORT="$(PORT)"; \
	$(BIN)/flask init && { $(BIN)/flask deliver --with-parent & exec $(BIN)/gunicorn --bind "$(HOST):$(PORT)" app:app; }

check: lint types test

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

# The last line of output is pytest's summary.
test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

# Only the tests that take minutes: many rounds of kill -9, long load.
test-long: $(VENV)/dev.stamp $(IAM)/stamp $(S3)/stamp
	@$(BIN)/python -m pytest -m long

# Sign-in to the console in Chromium with a real OpenID provider; test-long has it, too.
test-iam: $(VENV)/dev.stamp $(IAM)/stamp
	@$(BIN)/python -m pytest -m long tests/browser/test_openid_sign_in.py

# Whether a real server does what scim/web/openapi.json says, for inputs made from it; test-long has it, too.
test-openapi: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest -m "long or not long" tests/web/test_openapi.py

# With the oldest versions that requirements.in allows; TESTS=tests/protocol/test_patch.py runs some of the tests.
test-min: $(MINIMUM)/stamp
	@$(MINIMUM)/bin/python -m pytest -n $(JOBS) --dist worksteal $(TESTS)

# Perch, the bare minimum of its stack, and peers in one run; BENCH=--full measures up to a million people.
# docs/benchmark.md says more. A quick look: BENCH="--sizes 1000,5000 --seconds 0.3 --rounds 1 --to /tmp/results".
bench: $(VENV)/dev.stamp
	$(BIN)/python -m tests.bench.run $(BENCH)

# Half an hour of mixed load: nothing may grow, no answer may be wrong. A quick look: SOAK="--seconds 60".
soak: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.bench.soak $(SOAK)

# Hostile inputs for ATTACK="--seconds 60"; a finding is written to .attack/, and --replay FILE sends it again.
attack: $(VENV)/dev.stamp
	$(BIN)/python -m tests.attack.run $(ATTACK)

# Keeps the pinned versions, unless UPGRADE=--upgrade.
requirements: $(TOOLS)/stamp
	$(COMPILE) $(UPGRADE) --output-file requirements.txt requirements.in
	$(COMPILE) $(UPGRADE) --output-file requirements-dev.txt requirements-dev.in
	$(COMPILE) $(UPGRADE) --output-file requirements-tools.txt requirements-tools.in
	$(COMPILE) $(UPGRADE) --output-file requirements-iam.txt requirements-iam.in
	$(COMPILE) $(UPGRADE) --output-file requirements-s3.txt requirements-s3.in

# Asks a service for known vulnerabilities of the pinned versions; a package that it does not know is a failure, too.
audit: $(TOOLS)/stamp
	$(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.txt

# What a deployment installs, with versions, hashes and dependencies, as CycloneDX JSON; needs no network.
sbom: $(VENV)/run.stamp
	$(BIN)/python -m tests.support.sbom > perch.cdx.json

# IMAGE_OPTIONS go to the builder's command. Without "docker" as the format, podman and buildah would drop HEALTHCHECK.
image:
	@set -- $(BUILDER); \
	test $$# = 1 || { echo "make image needs podman, buildah, or docker with its daemon running; install one of them." >&2; exit 1; }; \
	test "$$1" = docker && set -- docker build || set -- "$$1" build --format docker; \
	set -- "$$@" --label org.opencontainers.image.version="$(VERSION)" --tag "$(IMAGE)" $(IMAGE_OPTIONS) .; \
	echo "$$*"; exec "$$@"

# Checks that this commit is a release, and writes its files to dist/; BUILDER= leaves out the image.
release: $(VENV)/dev.stamp
	$(BIN)/python -m tests.support.release --builder "$(BUILDER)"

# How large and how fast to start Perch is, for the table of docs/benchmark.md; the image's size after `make image`.
weight: $(VENV)/dev.stamp
	$(BIN)/python -m tests.bench.weight --builder "$(BUILDER)" --image "$(IMAGE)"

# Every page of the console with 500 people, in three looks, to be looked at one by one; needs Chromium.
screenshots: $(VENV)/dev.stamp
	$(BIN)/python docs/screenshots.py --all screenshots

readme: $(VENV)/dev.stamp
	$(BIN)/python -m tests.support.readme
	$(BIN)/python -m tests.bench.report

# The description of the API, from schemas and blueprints.
openapi: $(VENV)/dev.stamp
	$(BIN)/python -m tests.support.openapi

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(TOOLS) $(MINIMUM) $(IAM) $(S3) .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis .attack dist
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

# requirements.txt first: it brings a pip that can check the hashes of the other one.
$(MINIMUM)/stamp: requirements-min.txt requirements-dev.txt requirements.txt
	$(PYTHON) -m venv $(MINIMUM)
	$(MINIMUM)/bin/python $(INSTALL) --require-hashes --requirement requirements.txt
	$(MINIMUM)/bin/python $(INSTALL) --require-hashes --requirement requirements-dev.txt
	$(MINIMUM)/bin/python $(INSTALL) --requirement requirements-min.txt
	@touch $@

$(TOOLS)/stamp: requirements-tools.txt requirements.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python $(INSTALL) --require-hashes --requirement requirements-tools.txt
	@touch $@

# pytest-iam loads its provider into every pytest of its environment, so this one has nothing of Perch.
$(IAM)/stamp: requirements-iam.txt
	$(PYTHON) -m venv $(IAM)
	$(IAM)/bin/python $(INSTALL) --require-hashes --requirement requirements-iam.txt
	@touch $@

# moto, an S3-compatible server; it brings packages that Perch must not need.
$(S3)/stamp: requirements-s3.txt
	$(PYTHON) -m venv $(S3)
	$(S3)/bin/python $(INSTALL) --require-hashes --requirement requirements-s3.txt
	@touch $@
