# make demo: set everything up and run the main job on a sample pool.
# make test: set everything up and pass the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := $(shell find csrc cmake python CMakeLists.txt pyproject.toml -type f -not -name '*.pyc')

.PHONY: demo test test-cpp test-python lint format tidy sanitize bench clean

demo: $(VENV)/.demo
	$(BIN)/qdit demo --out demo-out

test: test-cpp test-python

test-cpp: $(VENV)/.dev
	PATH="$(abspath $(BIN)):$$PATH" cmake --preset release
	PATH="$(abspath $(BIN)):$$PATH" cmake --build --preset release
	PATH="$(abspath $(BIN)):$$PATH" ctest --preset release

# Slow tests included; `pytest -m "not slow"` is the quick round.
test-python: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(shell find csrc tests/cpp -name '*.h' -o -name '*.cpp')

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(shell find csrc tests/cpp -name '*.h' -o -name '*.cpp')

tidy: $(VENV)/.dev
	PATH="$(abspath $(BIN)):$$PATH" cmake --preset tidy
	find csrc -name '*.cpp' -not -name '*_neon.cpp' -not -path 'csrc/bindings/*' -print0 | \
	  xargs -0 -P 2 -n 3 $(BIN)/clang-tidy --quiet -p build/tidy --extra-arg=-Wno-unknown-warning-option

# Memory and undefined behaviour, then data races, on the C++ tests.
sanitize: $(VENV)/.dev
	for preset in asan tsan; do \
	  PATH="$(abspath $(BIN)):$$PATH" cmake --preset $$preset && \
	  PATH="$(abspath $(BIN)):$$PATH" cmake --build --preset $$preset && \
	  PATH="$(abspath $(BIN)):$$PATH" ctest --preset $$preset || exit 1; \
	done

bench: $(VENV)/.dev
	$(BIN)/python -m pytest bench --benchmark-only

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("qdit needs Python 3.11 or newer, got " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python $(SOURCES)
	$(BIN)/python -m pip install --quiet '.[plots]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python $(SOURCES)
	$(BIN)/python -m pip install --quiet '.[dev]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf build demo-out $(VENV) .pytest_cache .mypy_cache .ruff_cache
