#!/usr/bin/env bash
# Proves the GPU path on a machine with an NVIDIA GPU, in six minutes: right numbers, speed beside PyTorch, several
# runs at once, too little memory, kill -9. Needs Python 3 with torch, or LIBTORCH; no network, and no compiler where
# a trainer is built or given.
#   scripts/gpu_check.sh [--trainer FILE] [--minutes 6] [--out gpu_check.json] [--dry]
set -euo pipefail
cd "$(dirname "$0")/.."
exec "${PYTHON:-python3}" scripts/gpu_check.py "$@"
