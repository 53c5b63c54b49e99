# make demo: one recorded call, answered. make test: everything that must hold. make help: the rest.

VENV = .venv
BIN = $(VENV)/bin
RECORDING = telephony/simulator/demo/caller.wav
CODE = telephony tests bench tools
# More than two cores have: half of what the tests do is wait for calls that take their time.
WORKERS = 3
PAGES = $(wildcard *.md) docs twiml Makefile .env.example

.DEFAULT_GOAL = help
.PHONY: help demo test lint fix serve bench lock upgrade audit sbom install-local install-dev

help:
	@echo "make demo    one recorded call through the real server, with the local speech engine; no key needed"
	@echo "make test    lint, types and all tests"
	@echo "make lint    ruff, codespell and mypy only"
	@echo "make fix     format, and repair what ruff can repair"
	@echo "make serve   the server on PORT (8080)"
	@echo "make bench   the benchmarks, briefly; each also runs alone: $(BIN)/python bench/NAME.py"
	@echo "make lock    the lock files (requirements*.txt) for what pyproject.toml asks for now; versions that fit stay"
	@echo "make upgrade the lock files with the newest versions that fit"
	@echo "make audit   whether a locked version is known to be vulnerable; asks the package index"
	@echo "make sbom    sbom.json: what a deployment consists of (CycloneDX); needs no network"

# Only the command's own words are echoed, so that what is left on the screen is the conversation.
demo: install-local
	@$(BIN)/python -m telephony.engine.models >/dev/null
	@$(BIN)/telephony --ignore-environment call $(RECORDING)

install-local:
	@sh tools/install local $(VENV)

install-dev:
	@sh tools/install local,dev $(VENV)

test: lint
	@$(BIN)/python -m telephony.engine.models >/dev/null
	@PYTHON=$(BIN)/python WORKERS=$(WORKERS) sh tools/run_tests

lint: install-dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/codespell $(CODE) $(PAGES)
	$(BIN)/mypy

fix: install-dev
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

serve: install-local
	@$(BIN)/telephony serve

bench: install-dev
	@for file in $$(grep -l -e '"--quick"' bench/*.py); do \
		echo "== $$file"; $(BIN)/python $$file --quick || exit 1; \
	done

# Not install-dev: it would install from the lock files that are to be renewed.
$(BIN)/uv:
	@sh tools/install local,dev $(VENV)

lock: $(BIN)/uv
	@$(BIN)/python tools/lock.py

upgrade: $(BIN)/uv
	@$(BIN)/python tools/lock.py --upgrade

audit: install-dev
	@$(BIN)/python tools/audit.py requirements*.txt

# The warning left out is about the order in which packages need each other, which a lock file does not say.
sbom: install-dev
	@$(BIN)/python -W ignore -m cyclonedx_py requirements requirements.txt --pyproject pyproject.toml -o sbom.json
	@echo "sbom.json: what requirements.txt installs, with hashes"
