# The front door. Everything real is in meson.build and tools/.
SHELL := /bin/bash
MESON ?= meson
JOBS ?= $(shell nproc)

.PHONY: run test deps build lint bench fuzz clean test-long format
.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo "make run    start the service with a demonstration receiver and play a call through it"
	@echo "make test   build and run every test (under 20 minutes on two cores)"
	@echo "make build  the release binary, build/callhook"
	@echo "make deps | lint | format | bench | fuzz | test-long | clean"

run: build
	@tools/run.sh

test:
	@tools/deps.sh build test
	@/usr/bin/python3 tools/test.py

test-long:
	@tools/deps.sh build test
	@/usr/bin/python3 tools/test.py --long

deps:
	@tools/deps.sh build test lint bench

build:
	@tools/deps.sh build
	@tools/setup.sh build release
	@ninja -C build -j $(JOBS) callhook

lint:
	@tools/deps.sh build lint
	@tools/lint.sh

format:
	@tools/deps.sh lint
	@git ls-files '*.c' '*.h' | xargs clang-format -i

bench: build
	@tools/deps.sh bench peer
	@/usr/bin/python3 bench/bench.py

fuzz:
	@tools/deps.sh build test
	@tools/fuzz.sh

clean:
	rm -rf build build-asan build-tsan build-fuzz build-bench build-lint
