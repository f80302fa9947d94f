#!/bin/bash
# The pruned search against full random runs, in device seconds and in what is found (docs/benchmarks.md, Search).
#
#   scripts/compare_search.sh OUT TUNEBOARD MODEL DATA...
#
# OUT is a folder for the board and the table, TUNEBOARD an executable with its trainer beside it (or TUNEBOARD_TRAINER),
# MODEL a checkpoint folder, DATA files that `tuneboard data` reads. TRIALS (40), SEEDS ("0 1 2"), LIMIT (rows; 0 = all),
# EPOCHS (3) and KEYS (more pairs) change its size; METHODS ("random pruned") may name etaN, too: pruned with eta=N.
# Cut off, it goes on where it was: sweeps that are complete are kept.
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2,9p' "$0"; exit 2; }
out=$(realpath -m "$1"); tuneboard=$(realpath "$2"); model=$(realpath "$3"); shift 3
data=(); for file in "$@"; do data+=("$(realpath "$file")"); done
trials=${TRIALS:-40}; seeds=${SEEDS:-0 1 2}; limit=${LIMIT:-0}; epochs=${EPOCHS:-3}; methods=${METHODS:-random pruned}
mkdir -p "$out/runs"
trainer=${TUNEBOARD_TRAINER:-$(dirname "$tuneboard")/tuneboard-train}
[ -f "$out/config.toml" ] || printf '[sites.local]\nslots = 1\ntrainer = "%s"\n' "$(realpath "$trainer")" > "$out/config.toml"
export TUNEBOARD_BOARD=$out

for seed in $seeds; do
  for file in "${data[@]}"; do
    for method in $methods; do
      name="$(basename "${file%%.*}")-$method-$seed"
      # A sweep of that name is there: let it go on, else queue it.
      id=$(cat "$out/$name.id" 2>/dev/null || true)
      if [ -z "$id" ]; then
        case $method in
          random) more=() ;;
          pruned) more=(search=tpe prune=asha) ;;
          eta*) more=(search=tpe prune=asha eta="${method#eta}") ;;
          *) echo "METHODS: $method is none of random, pruned, etaN." >&2; exit 2 ;;
        esac
        id=$("$tuneboard" sweep --json --name "$name" model="$model" data="$file" limit="$limit" epochs="$epochs" \
          'lr=log(1e-6,1e-3)' batch_size=8,16,32 'warmup=uniform(0,0.3)' 'dropout=uniform(0,0.2)' \
          'weight_decay=uniform(0,0.3)' trials="$trials" sweep_seed="$seed" seed="$seed" eval_rows=all keep=none \
          ${KEYS:-} ${more[@]+"${more[@]}"} | python3 -c 'import json,sys; print(json.load(sys.stdin)["sweep"])')
        echo "$id" > "$out/$name.id"
      fi
      # The runner goes on by itself; this waits for it.
      while :; do
        "$tuneboard" show "$id" --json > "$out/$name.runs.json"
        python3 - "$out/$name.runs.json" "$trials" <<'PY' && break
import json, sys
runs = json.load(open(sys.argv[1]))
sys.exit(0 if len(runs) >= int(sys.argv[2]) and all(r["outcome"] for r in runs) else 1)
PY
        # Leaves at once where a runner serves the board.
        setsid "$tuneboard" runner --board "$out" > /dev/null 2>&1 < /dev/null &
        sleep 10
      done
    done
  done
done

python3 - "$out" <<'PY' | tee "$out/table.md"
import glob, json, os, statistics as st, sys
found, methods = {}, set()
for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.runs.json"))):
    data, method, seed = os.path.basename(path)[: -len(".runs.json")].rsplit("-", 2)
    runs = sorted(json.load(open(path)), key=lambda r: int(r["id"][1:]))
    done = [r for r in runs if r["outcome"] == "done"]
    if not done:
        continue
    best = max(done, key=lambda r: r["best"].get("val/acc", 0))
    # Best of the runs that had ended when so many device seconds were spent.
    spent, so_far = 0, []
    for r in runs:
        spent += r["device_seconds"] or 0
        so_far.append((spent, r["best"].get("val/acc", 0) if r["outcome"] == "done" else 0))
    methods.add(method)
    found[data, seed, method] = dict(
        best=best["best"]["val/acc"], test=best["last"].get("test/acc"), runs=len(runs), so_far=so_far,
        pruned=sum(r["outcome"] == "pruned" for r in runs), seconds=spent, epochs=sum(r["epoch"] for r in runs),
    )
print("| data | seed | method | best val acc: random | its own | at 40 % of random's seconds | its test acc: random | its own | pruned "
      "| epochs trained | device seconds |")
print("|---|---|---|---|---|---|---|---|---|---|---|")
for method in sorted(methods - {"random"}):
    shares, gaps = [], []
    for data, seed in sorted({k[:2] for k in found}):
        a, b = found.get((data, seed, "random")), found.get((data, seed, method))
        if not a or not b:
            continue
        share = b["seconds"] / a["seconds"]
        early = max((v for s, v in b["so_far"] if s <= 0.4 * a["seconds"]), default=0)
        shares.append(share); gaps.append(b["best"] - a["best"])
        print(f"| {data} | {seed} | {method} | {a['best']:.4f} | {b['best']:.4f} | {early:.4f} | {a['test']:.4f} | {b['test']:.4f} "
              f"| {b['pruned']} of {b['runs']} | {b['epochs']:.1f} of {a['epochs']:.1f} "
              f"| {b['seconds']:.0f} of {a['seconds']:.0f} ({100 * share:.0f} %) |")
    if shares:
        sd = f" ± {st.stdev(gaps):.4f}" if len(gaps) > 1 else ""
        print(f"\n{method}: mean share of the device seconds {100 * st.mean(shares):.0f} %; best val acc minus random's {st.mean(gaps):+.4f}{sd}.\n")
PY
