# Everything that one does in a checkout. `make` alone explains itself.

SHELL := /bin/bash
.DEFAULT_GOAL := help

bin := .venv/bin
export PATH := $(CURDIR)/$(bin):$(PATH)
# The checkout under its installed name first; the collections of the `ansible` package are found beside it.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache/collections

# For `make integration` and `make test`: which hosts to run on, and the Python on the local one.
HOSTS ?= local ssh
export FLATRUN_TEST_PYTHON ?= /usr/bin/python3

.PHONY: help venv engine images test unit integration sanity lint format bench build clean

help: ## This text.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## .venv with ansible and every tool used here.
	@tests/setup/venv

engine: ## A Docker engine: the one that answers, or one from the distribution.
	@tests/setup/engine

images: venv engine ## Every service's image, from distribution packages.
	@tests/setup/images

test: ## All of it: set-up, sanity, lint, units, integration on this machine and over SSH.
	@tests/setup/all

unit: venv ## Unit tests and laws: seconds, no engine.
	@pytest

integration: images ## Targets on the real engine: HOSTS="local ssh", T=part of a target's name.
	@tests/setup/integration "$(HOSTS)" $(if $(T),-k "$(T)")

sanity: venv ## ansible-test sanity, with no ignore file.
	@tests/setup/sanity

lint: venv ## ruff, mypy, yamllint, ansible-lint, changelog fragments, shellcheck.
	@tests/setup/lint

format: venv ## Python in the project's format.
	@ruff check -q --fix-only . && ruff format -q .

bench: images ## Every figure about time, as a ratio within one run: PARTS="start site calls".
	@python tests/benchmarks/run.py $(PARTS)

build: venv ## The artifact that Galaxy distributes, in .cache/build.
	@ansible-galaxy collection build --force --output-path .cache/build

clean: ## Remove what commands of this checkout made in it, and end the second host.
	@tests/setup/host down second
	@rm -rf .cache .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .ansible tests/output
