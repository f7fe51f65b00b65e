# Everything that one does in a checkout. `make` alone explains itself.

SHELL := /bin/bash
.DEFAULT_GOAL := help

bin := .venv/bin
export PATH := $(CURDIR)/$(bin):$(PATH)
# The checkout under its installed name first; the collections of the `ansible` package are found beside it.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache/collections
# Whatever the environment says: without bytecode each of hundreds of processes compiles all of Ansible by itself.
export PYTHONDONTWRITEBYTECODE :=

# Ansible wants UTF-8, and a machine may have been told of a locale that it hasn't got. This one is in libc.
export LC_ALL := C.UTF-8

# For `make integration`: which hosts to run on.
HOSTS ?= local ssh

.PHONY: help demo demo-down test test-all unit integration molecule sanity lint format venv engine images bench build clean

help: ## This text.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Everything, and a real WordPress on it, at blog.example.com. DEMO_HTTP_PORT=80 DEMO_HTTPS_PORT=443
	@tests/setup/demo up

demo-down: ## Remove what the demo has made, with its data, and nothing else.
	@tests/setup/demo down

test: ## What must hold, each thing once, on a machine that has nothing yet: lint, units, sanity, integration, molecule.
	@tests/setup/all

test-all: ## The same with all that `make test` leaves out: more engines, images and hosts.
	@FLATRUN_TEST_ALL=1 tests/setup/all

unit: venv ## Unit tests and laws: seconds, no engine.
	@pytest

integration: images ## Targets on the real engine: HOSTS="local ssh", T=part of a target's name.
	@$(if $(T),FLATRUN_TEST_ALL=1) tests/setup/integration "$(HOSTS)" $(if $(T),-k "$(T)")

molecule: images ## `site` from nothing, again and in check mode, seen from outside.
	@tests/setup/molecule

sanity: venv ## ansible-test sanity, with no ignore file.
	@tests/setup/sanity

lint: venv ## ruff, mypy, yamllint, ansible-lint, changelog fragments, shellcheck.
	@tests/setup/lint

format: venv ## Python in the project's format.
	@ruff check -q --fix-only . && ruff format -q .

venv: ## .venv with ansible and every tool used here.
	@tests/setup/venv

engine: venv ## A Docker engine: the one that answers, or one from the distribution.
	@tests/setup/engine

images: engine ## Every service's image, from distribution packages.
	@tests/setup/images

bench: images ## Every figure about time, as ratios within one run: PARTS="start site calls", all by default.
	@tests/setup/bench $(PARTS)

build: venv ## The artifact that Galaxy distributes, in .cache/build.
	@ansible-galaxy collection build --force --output-path .cache/build

clean: ## Remove what commands of this checkout made in it, and end the second host.
	@tests/setup/host down second
	@rm -rf .cache .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .ansible tests/output
