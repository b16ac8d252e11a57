# The verbs of this project. Each does all of its own set-up; `make` alone says what there is.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test soak check fmt bench lock clean

help:
	@echo 'make setup   the virtual environment in .venv, from requirements.lock'
	@echo 'make demo    a simulated Launchpad and MDM, the real daemon, in under three minutes'
	@echo 'make test    all tests but the long ones; every branch of mamd/core is taken'
	@echo 'make soak    the long tests, with a new seed each time (it is printed; MAMD_SEED repeats it)'
	@echo 'make check   style, types and the arrows between the packages'
	@echo 'make fmt     lay the code out'
	@echo 'make bench   the figures of docs, measured on this machine'
	@echo 'make lock    choose the newest versions allowed and write requirements.lock'
	@echo 'make clean   take away what setup and the tools made'

setup: $(READY)

$(READY): requirements.lock pyproject.toml scripts/setup
	@scripts/setup $(VENV)
	@touch $@

demo: $(READY)
	$(BIN)/mamd demo

test: $(READY)
	$(BIN)/pytest -rs -n 2 --dist loadfile --cov --cov-report=term

soak: $(READY)
	MAMD_HYPOTHESIS_PROFILE=soak $(BIN)/pytest -rs -m soak --timeout=7200

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fmt: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	@if [ -f bench/run.py ]; then $(BIN)/python bench/run.py; else echo 'bench/run.py is not here: there is nothing to measure yet.'; fi

lock:
	@scripts/lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage
