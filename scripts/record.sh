#!/usr/bin/env bash
# README's moving picture from the real program: a demo that is under way, looked at by keys alone. `make record`.
set -euo pipefail
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'tuneboard stop s1 --board "$place/board" >/dev/null 2>&1 || true; rm -rf "$place"' EXIT
mkdir -p "$place/board/models" && cp -r models/minilm "$place/board/models/"
tuneboard demo --dir "$place/board" limit=800 </dev/null >"$place/log" 2>&1 &
# Until a run is done and another is under way.
until grep -q '^r2 epoch' "$place/log"; do sleep 1; done
python3 scripts/record.py --out docs/img/demo.svg --rows 40 --cols 140 \
  --keys 'wait:2,down,down,down,down,wait:25,enter,wait:20,3,wait:2,1,wait:2,W,wait:14,1,wait:2,q' -- \
  tuneboard --board "$place/board"
