# Everything a developer runs. `make demo` and `make test` set up what they need by themselves.
PYTHON ?= .venv/bin/python
BIN := .venv/bin

.PHONY: check format lint types contracts deps unit
check: lint types contracts deps unit  ## everything but the tests on real parts

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports --no-cache

deps:
	$(BIN)/deptry .

unit:
	$(BIN)/pytest tests/unit tests/fuzz
