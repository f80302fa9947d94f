#!/usr/bin/env bash
# The CPU kernels of src/train/native under AddressSanitizer and UndefinedBehaviorSanitizer: every
# instruction set that this processor has, on random jobs. Needs a C++ compiler with sanitizers, no libtorch;
# what binds the kernels to libtorch (fused.cpp, product.cpp) is not in it.
#   scripts/sanitize.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
cxx=${CXX:-c++}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags=(-std=c++17 -O1 -g -fno-omit-frame-pointer -fno-math-errno -Wno-psabi -Isrc/train/native
  # A shift of a negative number and a load at any address are what vectors of the compiler are made of.
  -fsanitize=address,undefined -fno-sanitize=alignment,shift -fno-sanitize-recover=all)
echo 'int main() {}' >"$out/probe.cpp"
"$cxx" "${flags[@]}" "$out/probe.cpp" -o "$out/probe" 2>/dev/null ||
  { echo "sanitize: $cxx has no sanitizers here (libasan, libubsan)"; exit 1; }
sets=(portable)
define=()
if [ "$(uname -m)" = x86_64 ]; then
  sets+=(avx2 avx512)
  "$cxx" -mamx-bf16 -mavx512bf16 "$out/probe.cpp" -o "$out/probe" 2>/dev/null &&
    { sets+=(amx); define=(-DTUNEBOARD_AMX); }
fi
declare -A isa=(
  [portable]=""
  [avx2]="-mavx2 -mfma"
  [avx512]="-mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl"
  [amx]="-mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mamx-tile -mamx-bf16"
)
objects=()
for set in "${sets[@]}"; do
  for file in adam attention kernels; do
    object=$out/$set-$file.o
    # shellcheck disable=SC2086
    "$cxx" "${flags[@]}" ${isa[$set]} -DTUNEBOARD_ISA="$set" -c "src/train/native/$file.cpp" -o "$object"
    objects+=("$object")
  done
done
if [ "$(uname -m)" != x86_64 ]; then define=(); fi
"$cxx" "${flags[@]}" "${define[@]}" tests/native/sanitize.cpp "${objects[@]}" -o "$out/sanitize"
UBSAN_OPTIONS=print_stacktrace=1 "$out/sanitize" "${1:-150}"
