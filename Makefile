# Needs GNU make, a POSIX shell and a Python of at least 3.12. Everything else goes into .venv.
#   make serve            PORT=9000 make serve; every GATEPOST_... setting is honoured
#   make test             ARGS="-k refresh" make test
.POSIX:
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help serve test check format lock audit bench soak docs pictures clean

BIN := .venv/bin
PY  := $(BIN)/python

help:
	@echo "make serve   install what is missing, then start Gatepost (PORT, GATEPOST_... honoured)"
	@echo "make test    the whole test suite with branch coverage; brings its own PostgreSQL and Redis"
	@echo "make check   format, lint, types, import contracts, dependencies, migrations"
	@echo "make format  let ruff format the code and mend what it can"
	@echo "make docs    build the documentation into site/"
	@echo "make pictures make the pictures of mails and pages anew, in Chromium; needs npm for the accessibility checker"
	@echo "make bench   measure against the ceilings and peers; writes docs/benchmarks.md"
	@echo "make soak    the long runs, minutes instead of seconds"
	@echo "make lock    renew the pins in requirements/"
	@echo "make audit   look the pins up in the vulnerability database (needs the network)"
	@echo "make clean   remove what was built; your data stays"

serve: $(BIN)/.run
	@exec $(BIN)/gatepost serve $(ARGS)

test: $(BIN)/.dev
	@$(PY) -m pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered $(ARGS)

check: $(BIN)/.dev
	@sh scripts/check.sh

format: $(BIN)/.dev
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

pictures: $(BIN)/.dev
	@$(PY) -m scripts.pictures
	@$(PY) -m scripts.page_pictures

docs: $(BIN)/.docs
	@sh scripts/docs.sh

bench: $(BIN)/.dev
	@$(PY) -m bench $(ARGS)

soak: $(BIN)/.dev
	@$(PY) -m pytest -m soak --timeout 3600 $(ARGS)

lock:
	@sh scripts/lock.sh

audit:
	@sh scripts/audit.sh

clean:
	@rm -rf .venv .cache build dist site .coverage .coverage.* htmlcov .pytest_cache .ruff_cache .hypothesis .schemathesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of pins. A stamp newer than its pins costs nothing on the next start.
$(BIN)/.run: requirements/run.txt pyproject.toml
	@sh scripts/install.sh run

$(BIN)/.dev: requirements/dev.txt pyproject.toml
	@sh scripts/install.sh dev

$(BIN)/.docs: requirements/docs.txt $(BIN)/.dev
	@sh scripts/install.sh docs
