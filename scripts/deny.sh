#!/usr/bin/env bash
# Licences, bans, sources and advisories of what we link (deny.toml). With --install, cargo-deny is fetched if it is
# missing, pinned and kept in cargo's own bin folder. A machine without a network is no reason to fail: what was
# not checked is printed.
#   scripts/deny.sh [--install]
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
has() { cargo deny --version 2>/dev/null | grep -q "cargo-deny $version"; }
if ! has && [ "${1:-}" = --install ]; then
  # Quick to build: it runs for a second.
  env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    nice cargo install --quiet --locked cargo-deny --version "$version" ||
    echo "deny: cargo-deny $version cannot be installed here"
fi
if ! cargo deny --version >/dev/null 2>&1; then
  echo "deny: cargo-deny is not installed: licences, bans, sources and advisories were not checked"
  exit 0
fi
cargo deny --all-features check licenses bans sources
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if timeout 300 cargo deny --all-features check advisories >"$log" 2>&1; then
  tail -1 "$log"
elif grep -q "failed to fetch advisory database\|failed to open advisory database" "$log"; then
  # A copy that was fetched once is better than none.
  if timeout 300 cargo deny --offline --all-features check advisories >"$log" 2>&1; then
    echo "deny: advisories by the copy of $(date -r "$log" +%F) or before: the database cannot be reached"
  elif grep -q "advisory database\|advisory-db" "$log"; then
    echo "deny: advisories were not checked: their database (github.com/RustSec) cannot be reached"
  else
    cat "$log"
    exit 1
  fi
else
  cat "$log"
  exit 1
fi
