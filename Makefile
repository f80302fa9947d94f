# `make demo` and `make test` need nothing but git, a C++ compiler, Python 3 with pip, and cargo.
PYTHON ?= python3
DEMO ?=
TARGET := $(or $(CARGO_TARGET_DIR),target)
export PATH := $(abspath $(TARGET)/release):$(PATH)

.PHONY: help setup build demo test test-sites sanitize chaos fuzz bench bench-train bench-peers install record wheel dist

help:            ## This list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:           ## Find or fetch libtorch, fetch MiniLM; nothing that is there already.
	@$(PYTHON) scripts/setup.py

build: setup     ## Release build of both executables.
	cargo build --release --locked --features train

demo: build      ## Queue a sweep of MiniLM on the SMS data and watch it.
	@tuneboard demo --dir . $(DEMO)

test: setup      ## Everything CI checks: format, lints, tests, licences.
	cargo fmt --check
	cargo clippy --locked --all-targets --all-features -- -D warnings
	cargo test --locked --all-features
	@scripts/deny.sh

test-sites: setup ## Runs over SSH and Slurm, on real daemons on loopback; needs root and their Debian packages.
	@for c in sshd ssh unshare sbatch slurmctld slurmd munged; do PATH=$$PATH:/usr/sbin command -v $$c >/dev/null || \
	 { echo "missing $$c: apt-get install openssh-server slurm-wlm munge (as root)"; exit 1; }; done
	cargo test --locked --all-features --test it -- --ignored --test-threads 1 sites:: machine::

sanitize:        ## The CPU kernels under AddressSanitizer and UndefinedBehaviorSanitizer; ARGS = rounds.
	scripts/sanitize.sh $(ARGS)

chaos: setup     ## N kills (1000) of trainers, runners and clients at random: what is lost, doubled or left behind.
	CHAOS_KILLS=$(or $(N),1000) cargo test --locked --all-features --test it -- --ignored --nocapture chaos::as_long

fuzz: setup      ## Every parser of what comes from outside, S seconds (60) each; what it finds is kept as a test.
	FUZZ_SECONDS=$(or $(S),60) cargo test --locked --all-features --lib --bin tuneboard-train --test it -- fuzz --nocapture --test-threads 2

bench: build     ## Budgets of the store (docs/benchmarks.md).
	cargo bench --locked --features train

bench-train: build ## Where the time of an optimiser step goes, on one thread.
	TUNEBOARD_THREADS=1 tuneboard-train bench minilm

bench-peers: build ## Race the trainer against the same fine-tuning in PyTorch (fetched once); ARGS="--rounds 5" for more.
	$(PYTHON) benches/peers.py --trainer $(TARGET)/release/tuneboard-train $(ARGS)

install: setup   ## Into ~/.cargo/bin.
	cargo install --locked --profile dist --features train --path .

record: build    ## docs/img/demo.svg, README's moving picture, from a demo of its own.
	@scripts/record.sh

wheel: setup     ## A wheel of both executables in dist/, for any Linux with glibc 2.28.
	@$(PYTHON) scripts/wheel.py $(ARGS)

dist:            ## A tarball of the dashboard in dist/, one static executable without libtorch.
	@scripts/dist.sh
