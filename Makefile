# Everything a person types. Each target prints what it does in a line and does nothing when it is already done;
# everything it fetches or makes stays inside this checkout, in .venv, .cache and host/web.

PORT ?= 8080
ENGINE ?=
PYTEST_FLAGS ?= -n 3 --dist worksteal
ARGS ?=

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PLAYWRIGHT_BROWSERS_PATH ?= $(CURDIR)/.cache/browsers

RUN := .venv/.run
DEV := .venv/.dev
PAGE := host/web/dist/index.html
PAGE_SOURCES := $(shell find host/web \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)
SHARED_TESTS := tests/test_both_pythons.py tests/protocol tests/firmware tests/device tests/test_architecture.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-tools check lint types vectors docs bench mutants web wheel micropython run-setup clean distclean

help: ## show this
	@echo "Wattpact: neighbours buy and sell electricity from each other. Commands:"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: PORT=$(PORT) (demo), ENGINE=cometbft (demo: four hosts order the ledger, and what befalls them),"
	@echo "ARGS= (more arguments for demo, bench, mutants or pytest), PYTHON= (3.11 or newer),"
	@echo "WATTPACT_DATA= (recorded meter data for tests), WATTPACT_MICROPYTHON= (a 32-bit unix MicroPython to use),"
	@echo "DEBIAN_MIRROR= (where to fetch MicroPython from, if not from the mirror in this machine's apt sources)."

demo: run-setup micropython web ## a community of three virtual meters and a node, with a live page on http://localhost:PORT
ifeq ($(ENGINE),cometbft)
	@program=$$(tools/fetch_cometbft.sh) && exec .venv/bin/wattpact demo --port $(PORT) --engine cometbft --cometbft "$$program" $(ARGS)
else
	@exec .venv/bin/wattpact demo --port $(PORT) $(if $(ENGINE),--engine $(ENGINE)) $(ARGS)
endif

test: setup micropython web test-tools ## everything that is tested, under CPython and 32-bit MicroPython
	@WATTPACT_THOROUGH=1 .venv/bin/pytest $(PYTEST_FLAGS) $(ARGS)

check: lint types vectors docs micropython ## style, types, vectors, links, and the tests of protocol and firmware
	@.venv/bin/pytest $(PYTEST_FLAGS) -q $(SHARED_TESTS)

bench: setup micropython test-tools ## measure, each figure beside its reference
	@.venv/bin/python -m tools.bench $(ARGS)

mutants: setup ## change the code in small ways, and name the changes that no test notices (ARGS="guard --count 40")
	@.venv/bin/python -W ignore -m tools.mutants $(ARGS)

setup: $(DEV) ## make .venv with all that work on Wattpact needs
	@:

web: run-setup $(PAGE) ## build the page into host/web/dist
	@:

wheel: run-setup web ## build the installable package into dist/
	@echo "building the wheel into dist/"
	@rm -rf build && .venv/bin/pip wheel --quiet --no-deps --wheel-dir dist . && rm -rf build

micropython: ## fetch the 32-bit MicroPython that runs meters and tests, into .cache
	@tools/fetch_micropython.sh

test-tools: ## what executes and counts machine code in tests, from Debian where this is root; CometBFT; and another's witness
	@tools/fetch_test_tools.sh
	@tools/fetch_cometbft.sh >/dev/null || echo "the tests with it cannot run"
	@tools/fetch_omniwitness.sh >/dev/null || echo "the tests with it cannot run"

lint: setup ## style: ruff
	@.venv/bin/ruff check --quiet . && .venv/bin/ruff format --quiet --check . && echo "ruff: clean"

types: setup ## types: mypy, strict
	@.venv/bin/mypy

vectors: setup ## the vectors in protocol/vectors are what tools/vectors.py writes; generated code likewise
	@.venv/bin/python tools/vectors.py --check
	@.venv/bin/python tools/field25519.py --check
	@.venv/bin/python tools/protobufs.py --check

docs: setup ## links between documents, the command reference, the table of bodies
	@.venv/bin/python tools/check_docs.py
	@.venv/bin/python tools/spec_tables.py --check

clean: ## remove what was built, keep what was fetched
	@rm -rf build dist host/web/dist .hypothesis .mypy_cache .pytest_cache .ruff_cache host/*.egg-info *.egg-info
	@find . \( -name .venv -o -name node_modules \) -prune -o -name __pycache__ -type d -print | xargs -r rm -rf
	@echo "removed what was built; \`make distclean\` also removes .venv, .cache and host/web/node_modules"

distclean: clean ## remove what was fetched too
	@rm -rf .venv .cache host/web/node_modules

run-setup: $(RUN)

$(RUN): pyproject.toml requirements.lock setup.py
	@tools/venv.sh run
	@touch $@

$(DEV): pyproject.toml requirements.lock setup.py
	@tools/venv.sh dev
	@touch $(RUN) $@

$(PAGE): $(PAGE_SOURCES)
	@tools/build_web.sh
