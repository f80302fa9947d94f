#!/bin/sh
# Queues the demo's sweep once, then opens the dashboard. Without a terminal it waits for the sweep and prints the
# table and the confusion matrix of the best run. Called again, it shows what is there and lets stopped runs go on.
set -eu
first() { python3 -c "import json, sys; print(next((r['$1'] for r in json.load(sys.stdin)), ''))"; }
terminal() { [ -t 0 ] && [ -t 1 ]; }
sweep=$(tuneboard ls demo --json | first sweep)
if [ -z "$sweep" ]; then
    if terminal; then wait=; else wait=--wait; fi
    tuneboard sweep --name demo --tag demo $wait "$@"
    sweep=$(tuneboard ls demo --json | first sweep)
elif terminal; then
    tuneboard resume "$sweep" >/dev/null 2>&1 || true
else
    tuneboard resume "$sweep" --wait 2>/dev/null || true
fi
if terminal; then
    exec tuneboard
fi
echo
tuneboard ls --sweep "$sweep" --sort val/acc --desc
best=$(tuneboard ls --sweep "$sweep" --sort val/acc --desc --limit 1 --json | first id)
echo
tuneboard confusion "$best"
