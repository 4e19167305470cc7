# Two commands do everything on a fresh machine with Python 3.10 or newer:
#   make demo    install into .venv and run 64 water molecules with the shipped model
#   make test    install into .venv and run the tests
#   make test WORKERS=8    the same on eight cores

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2
# A file of tests stays in one process, which makes its fixtures once.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.PHONY: demo test quicktest coverage types lint docs clean

.venv/installed: setup.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@

demo: .venv/installed
	$(BIN)/python workflows/01_liquid_water.py --output demo --overwrite

test: .venv/installed
	$(PYTEST)

quicktest: .venv/installed
	$(PYTEST) -m "not slow"

coverage: .venv/installed
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

types: .venv/installed
	$(BIN)/mypy

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/documented: .venv/installed
	$(BIN)/pip install --quiet --editable ".[docs]"
	touch $@

docs: .venv/documented
	$(BIN)/python -m sphinx -b html -n -W --keep-going -q docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf .venv demo build *.egg-info docs/_build docs/generated
