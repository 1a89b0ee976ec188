# Two commands a newcomer needs: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test coverage lint check benchmarks clean

# What is imported is compiled then; compiling all takes a minute.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --no-compile -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/affectbench demo --out demo

# Files in their order: by the number of their tests, the wheel, of three in minutes, would come among the last.
test: $(VENV)/installed lint
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder --durations=15

coverage: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder --cov --cov-report=term

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmarks: $(VENV)/installed
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) demo dist build .coverage .pytest_cache .mypy_cache .ruff_cache
