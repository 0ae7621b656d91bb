# Everything a developer runs. `make demo` and `make test` set up what they need by themselves.
BIN := .venv/bin
ARGS ?=
PIN := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
       --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help demo test check static format lint types contracts deps unit image bench lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo:  ## show the main job on real containers (ARGS=--once: run through, clean up, end)
	deploy/setup demo
	$(BIN)/python -m deploy.tools.demo $(ARGS)

test:  ## set up, check, then every test on real parts, with coverage
	deploy/setup test
	$(MAKE) static
	deploy/test $(ARGS)

check: static unit  ## everything but the tests on real parts
static: lint types contracts deps

format:  ## format and fix what can be fixed
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
	$(BIN)/pytest tests/unit $(wildcard tests/fuzz) $(ARGS)

image:  ## build the image (BASE=debian:stable-slim TAG=pinnace:latest TARGET=registrator)
	deploy/setup test
	$(BIN)/python -m deploy.tools.image $(if $(BASE),--base $(BASE)) $(if $(TAG),--tag $(TAG)) $(if $(TARGET),--target $(TARGET))

bench:  ## measure the figures on real parts
	deploy/setup test
	@for script in $(filter-out bench/figures.py bench/registrator.py,$(wildcard bench/*.py)); do \
	    echo "== $$script"; $(BIN)/python -m "bench.$$(basename $$script .py)" $(ARGS) || exit; \
	done

lock:  ## pin the requirement files again (UPGRADE=-U takes newer versions)
	$(PIN) $(UPGRADE) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	$(PIN) -c requirements/dev.txt pyproject.toml --all-extras -o requirements/runtime.txt
	$(PIN) -c requirements/dev.txt --group build -o requirements/build.txt

clean:  ## remove what the targets above made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* \
	    htmlcov dist build deploy/wheels/*.whl
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
