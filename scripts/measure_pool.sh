#!/bin/sh
# Is the head that transformers has for BERT (pool=cls) as good as the mean of the token vectors, which is the default?
# Three seeds of each on every data file that is given, on a board of its own, and whether the difference is noise.
#   scripts/measure_pool.sh MODEL_FOLDER data/sms_spam.csv OTHER.csv ...
set -e
[ $# -ge 2 ] || { sed -n 2,4p "$0" >&2; exit 2; }
model=$(realpath "$1"); shift
tuneboard=${TUNEBOARD:-tuneboard}
board=$(mktemp -d)
"$tuneboard" init "$board" >/dev/null
for file in "$@"; do
    data=$(realpath "$file")
    (cd "$board" && "$tuneboard" sweep "model=$model" "data=$data" pool=mean,cls seed=0..2 epochs=2 lr=5e-5 keep=none --wait)
done
cd "$board"
for sweep in $("$tuneboard" ls --json | python3 -c 'import json, sys; print(*sorted({r["sweep"] for r in json.load(sys.stdin)}))'); do
    "$tuneboard" compare "$sweep"
done
echo "The board is $board."
