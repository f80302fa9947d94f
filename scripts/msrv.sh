#!/usr/bin/env bash
# Whether the oldest Rust that Cargo.toml promises compiles everything. Where it is the one at hand, whoever has built
# knows already; otherwise rustup fetches it. A machine without a network is no reason to fail.
set -euo pipefail
cd "$(dirname "$0")/.."
oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
case $(rustc --version) in "rustc $oldest."*)
  echo "msrv: $(rustc --version) is the oldest that is promised"
  exit 0
  ;;
esac
if ! rustup toolchain install "$oldest" --profile minimal >/dev/null 2>&1; then
  echo "msrv: not checked, Rust $oldest cannot be had here"
  exit 0
fi
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/msrv cargo "+$oldest" check --locked --all-features
echo "msrv: Rust $oldest compiles everything"
