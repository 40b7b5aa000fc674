# Everything a contributor types. `make help` lists it.
# The two that matter: `make demo` shows the product, `make test` decides whether a change may land.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := target/stamps
WHEELS := target/wheels

FUZZ_SECONDS ?= 60

RUST_SOURCES   := $(shell find crates -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
WEB_SOURCES    := $(shell find web -path web/node_modules -prune -o -type f -print)
PYTHON_SOURCES := $(shell find python -name '*.py' -o -name '*.pyi' -o -name '*.yml') pyproject.toml

# Tests that say nothing of when something happens: they may run beside each other, the files that take longest first. (One of
# test_worker.py logs what xdist cannot send.)
SIDE_BY_SIDE := $(patsubst %,tests/test_%.py,hostile_code other_versions library outside_trouble dashboard pytest_load open_source_suites \
  compare_page) tests/chaos $(patsubst %,tests/test_%.py,data crash_safe hostile_input targets output measures metrics agreement report_page \
  access classic errors library_workers limits live_view plan prints rehearsal startup threads trace) \
  $(filter-out tests/unit/test_worker.py,$(wildcard tests/unit/test_*.py))

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-rust test-binaries soak fuzz test-python test-pythons lint bench bench-peers wheel pictures screenshots clean tools
.DELETE_ON_ERROR:

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

demo: $(STAMPS)/installed ## build and install into .venv, then run the demo: under a minute of load
	$(BIN)/pysurge demo

test: lint ## everything that decides whether a change may land
	# Both take long, and neither keeps two cores busy all the time.
	$(MAKE) --no-print-directory -j2 test-binaries $(STAMPS)/wheel
	$(MAKE) --no-print-directory test-rust
	$(MAKE) --no-print-directory test-python

lint: tools $(STAMPS)/dev $(STAMPS)/web ## formatting, clippy, ruff, the types of the page
	cargo fmt --all --check
	PYO3_PYTHON=$(CURDIR)/$(BIN)/python cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff format --check --quiet python tests benches examples docs/images
	$(BIN)/ruff check --quiet python tests benches examples docs/images
	cd web && npm run --silent check

test-binaries: tools
	cargo test --locked --workspace --exclude pysurge-py --quiet --no-run

test-rust: tools ## the tests of the crates
	cargo test --locked --workspace --exclude pysurge-py --quiet

soak: ## a million simulated runs of the supervisor; PYSURGE_SEEDS=N for another number
	PYSURGE_SEEDS=$${PYSURGE_SEEDS:-1000000} cargo test --locked --quiet -p pysurge-manager --lib simulation::

fuzz: ## every fuzz target for FUZZ_SECONDS (60) each; needs a nightly compiler and cargo-fuzz
	@cargo fuzz --version >/dev/null 2>&1 || { echo "make: cargo-fuzz is missing; cargo install cargo-fuzz --locked" >&2; exit 1; }
	@for target in $(notdir $(basename $(wildcard fuzz/fuzz_targets/*.rs))); do \
	  echo "fuzz: $$target"; mkdir -p fuzz/found/$$target; \
	  cargo +nightly fuzz run --fuzz-dir fuzz $$target fuzz/found/$$target fuzz/corpus/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 || exit 1; \
	done

test-python: $(STAMPS)/installed ## types, and pytest over the installed wheel
	$(BIN)/mypy --strict python/pysurge
	cd $(STAMPS) && $(CURDIR)/$(BIN)/python -m mypy.stubtest pysurge --mypy-config-file $(CURDIR)/pyproject.toml \
	  --allowlist $(CURDIR)/tests/stubtest-allowlist.txt
	$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(SIDE_BY_SIDE)
	$(BIN)/pytest -q tests $(SIDE_BY_SIDE:%=--ignore=%)

test-slow: $(STAMPS)/installed $(STAMPS)/dev ## what takes too long for every change: 300 runs of chaos, leaks over ten minutes
	PYSURGE_CHAOS_RUNS=$${PYSURGE_CHAOS_RUNS:-300} $(BIN)/pytest -q tests/chaos
	PYSURGE_LEAK_S=$${PYSURGE_LEAK_S:-600} $(BIN)/pytest -q tests/test_leaks.py

test-pythons: tools ## pytest over a wheel for every CPython 3.10 to 3.13 found on this machine
	bash tests/every_python.sh

bench: $(STAMPS)/installed $(STAMPS)/bench $(STAMPS)/dev ## speed and size, as ratios within one run
	$(BIN)/python benches/run.py

bench-peers: $(STAMPS)/installed $(STAMPS)/bench ## the same rows with pysurge 1.0.1, k9-load and locust beside ours
	$(BIN)/python benches/run.py --peers

pictures: $(STAMPS)/installed ## draw the pictures of the documentation anew
	cd examples/loads && for load in *.yml; do \
	  $(CURDIR)/$(BIN)/pysurge plan $$load --workers 2 --svg $(CURDIR)/docs/images/$${load%.yml}.svg; done

screenshots: $(STAMPS)/installed $(STAMPS)/dev ## take the pictures of pages anew; needs Chromium
	$(BIN)/python docs/images/screenshots.py

wheel: $(STAMPS)/wheel ## build the wheel into target/wheels

clean: ## remove what was built
	rm -rf target $(VENV)

# What is missing is said once and clearly, before anything else fails on it.
tools:
	@command -v cargo >/dev/null || { echo "make: cargo is missing; install Rust 1.88 or newer (https://rustup.rs)" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "make: a C linker (cc) is missing; install gcc or clang" >&2; exit 1; }
	@command -v npm >/dev/null || { echo "make: npm is missing; install Node.js 20 or newer with npm (https://nodejs.org)" >&2; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing; install CPython 3.10 or newer, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "make: $(PYTHON) is older than 3.10; say make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "make: $(PYTHON) has no venv; install it (Debian: apt install python3-venv)" >&2; exit 1; }

$(STAMPS)/venv: | tools
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/maturin: requirements/build.txt $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/build.txt
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

$(STAMPS)/bench: requirements/bench.txt $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/bench.txt
	@touch $@

$(STAMPS)/web: web/package.json web/package-lock.json | tools
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/wheel: $(RUST_SOURCES) $(WEB_SOURCES) $(PYTHON_SOURCES) $(STAMPS)/maturin
	rm -rf $(WHEELS)
	$(BIN)/maturin build --release --locked --quiet --interpreter $(BIN)/python --out $(WHEELS)
	@touch $@

$(STAMPS)/installed: $(STAMPS)/wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(WHEELS)/*.whl
	@touch $@

test-python: $(STAMPS)/dev
