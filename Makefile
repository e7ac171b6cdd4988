# The project's commands. Each sets up what it needs; `make` alone lists them.
PYTHON ?= python3.11
BIN := .venv/bin
SETUP := .venv/installed
JOBS ?= 2

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 16

setup: $(SETUP)  ## install everything into .venv, pinned and by hash

$(SETUP): requirements.lock pyproject.toml $(wildcard schemas/*.p[yx][xd] streams/*/*.p[yx][xd])
	$(PYTHON) -m venv .venv || python3 -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(SETUP)

demo: $(SETUP)  ## watch decisions as they come: a local Kafka, two workers, a population (Ctrl-C ends it)
	@$(BIN)/nameplate demo

test: $(SETUP)  ## run all tests, two at a time: a real Kafka, real workers (needs Java 17, Maven and npm)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

faults: $(SETUP)  ## search further than `make test` does: the protocol's machines, simulated lives, and a real Kafka (22 minutes)
	$(BIN)/python -m tests.explorer flaws
	$(BIN)/python -m tests.explorer faults $(FAULTS)
	$(BIN)/python -m tests.simulator run --minutes 3
	$(BIN)/python -m tests.faults short --anew

faults-full: $(SETUP)  ## kill, stop, cut off and poison real workers on a real Kafka for two hours; goes on where it stopped
	$(BIN)/python -m tests.faults full $(FAULTS)

mutants: $(SETUP)  ## run the tests against every small change of the core; goes on where it stopped
	$(BIN)/python tests/mutants/run_mutants.py $(MUTANTS)

fuzz: $(SETUP)  ## feed decoders and loaders with 100,000 cases (guided where atheris is installed)
	$(BIN)/python -m tests.fuzz $(FUZZ)

audit: $(SETUP)  ## look up known vulnerabilities of all that is locked (needs PyPI's own service)
	$(BIN)/python tests/audit.py

bench: $(SETUP)  ## measure: the same counts through Nameplate and its peers, and more; writes bench/RESULTS.md (40 minutes)
	$(BIN)/python -m bench $(BENCH)

bench-lock:  ## resolve the lock of the benchmark's peers anew (needs uv)
	uv pip compile bench/peers/requirements.in --generate-hashes --no-emit-index-url --python-version 3.11 \
		--custom-compile-command "make bench-lock" --output-file bench/peers/requirements.lock

check: $(SETUP)  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

schemas: $(SETUP)  ## write schemas/published anew: what others may rely on
	$(BIN)/nameplate schema export schemas/published

lock: $(SETUP)  ## resolve requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --python-version 3.11 \
		--custom-compile-command "make lock" --output-file requirements.lock

clean:  ## remove what the commands made
	rm -rf .venv .nameplate .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find schemas streams -name '*_compiled.*.so' -delete

.PHONY: help setup demo faults faults-full test fuzz audit mutants bench bench-lock check schemas lock clean
