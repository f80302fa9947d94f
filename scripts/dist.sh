#!/usr/bin/env bash
# The dashboard as one static executable for any x86-64 Linux, with manual page and completions: dist/*.tar.gz.
# The trainer is not in it, since libtorch cannot be linked statically.
set -euo pipefail
cd "$(dirname "$0")/.."
triple=x86_64-unknown-linux-musl
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
tools=$target/wheel-tools
rustup target add "$triple" >/dev/null 2>&1 || { echo "dist: rustup cannot add the target $triple" >&2; exit 1; }
[ -x "$tools/bin/cargo-zigbuild" ] || python3 -c 'import sys; sys.path.insert(0, "scripts"); import wheel; wheel.tools()'
PATH=$tools/bin:$PATH cargo zigbuild --locked --profile "${PROFILE:-dist}" --target "$triple" --bin tuneboard
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=tuneboard-$version-$triple
folder=$target/$name
rm -rf "$folder" && mkdir -p "$folder/share/man/man1" "$folder/completions" dist
built=$target/$triple/${PROFILE:-dist}
cp "${built/%\/dev//debug}/tuneboard" README.md CHANGELOG.md LICENSE* "$folder/"
"$folder/tuneboard" man >"$folder/share/man/man1/tuneboard.1"
for shell in bash zsh fish; do "$folder/tuneboard" completions "$shell" >"$folder/completions/tuneboard.$shell"; done
tar -C "$target" -czf "dist/$name.tar.gz" "$name"
echo "dist: dist/$name.tar.gz, $(stat -c %s "dist/$name.tar.gz") bytes"
