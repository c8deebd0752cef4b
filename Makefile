STACK ?= dev
PYTHON ?= python3
BIN := .venv/bin

.PHONY: up test lint unit daemons e2e bench schema docs clean

up: .venv/.runtime ## set up .venv and bring a stack up, or render it without the Pulumi CLI
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tools/up.sh "$(STACK)"

test: .venv/.dev lint unit ## everything that needs neither a cluster nor the Pulumi CLI

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/nodestead schema --check --out stacks/nodestead.schema.json
	$(BIN)/python tools/field_tables.py --check
	$(BIN)/python tools/risk_table.py --check

unit: .venv/.dev
	$(BIN)/pytest -n 2 --dist worksteal tests/unit tests/components

daemons: .venv/.dev ## the chains' programs that e2e runs, built with Go; where the cluster has no way out, beforehand
	$(BIN)/python tests/e2e/chain_images.py

e2e: .venv/.dev ## real pods on the cluster of $KUBECONFIG; the Pulumi CLI too where it is on PATH
	$(BIN)/pytest tests/e2e

bench: .venv/.dev
	$(BIN)/python benchmarks/render.py
	$(BIN)/python benchmarks/component.py
	$(BIN)/python benchmarks/diff.py

docs: .venv/.dev ## the JSON schema of stack files, the field tables, and the table of risks
	$(BIN)/nodestead schema --out stacks/nodestead.schema.json
	$(BIN)/python tools/field_tables.py
	$(BIN)/python tools/risk_table.py

clean:
	rm -rf .venv rendered dist build

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nodestead needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.runtime: .venv/.python requirements.txt components/pyproject.toml
	@echo "Installing what requirements.txt names into .venv ..."
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.txt
	@echo "Installing what requirements-dev.txt names into .venv ..."
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
