# The one build of torch that the quickstart and CI use; set TORCH= to bring your own (a CUDA build, say).
PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin

.PHONY: quickstart test coverage check docs lowest clean

quickstart: .venv/installed
	$(BIN)/medloom run quickstart

test: .venv/installed-dev
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal --durations 40

coverage: .venv/installed-dev
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal --cov --cov-report=term

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/reference.py --check

docs: .venv/installed-dev
	$(BIN)/python tools/reference.py
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	$(BIN)/mkdocs build --strict

# The lowest versions that pyproject.toml claims, in an environment of their own, under the same tests.
lowest:
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) tools/lowest.py > .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet $(TORCH)
	.venv-lowest/bin/python -m pip install --quiet -e '.[test]' -c .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pytest -q

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "medloom needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(TORCH)

.venv/installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-lowest .mypy_cache .ruff_cache .pytest_cache site
