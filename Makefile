# make demo: one recorded call, answered. make test: everything that must hold. make help: the rest.

VENV = .venv
BIN = $(VENV)/bin
RECORDING = telephony/simulator/demo/caller.wav
CODE = telephony tests bench tools

.DEFAULT_GOAL = help
.PHONY: help demo test lint fix serve bench install-local install-dev

help:
	@echo "make demo    one recorded call through the real server, with the local speech engine; no key needed"
	@echo "make test    lint, types and all tests"
	@echo "make lint    ruff and mypy only"
	@echo "make fix     format, and repair what ruff can repair"
	@echo "make serve   the server on PORT (8080)"
	@echo "make bench   the benchmarks, briefly; each also runs alone: $(BIN)/python bench/NAME.py"

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
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: install-dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
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
