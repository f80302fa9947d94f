# Slurm's part of job.sh: restarts, heartbeats and the time limit.
on_start() {
  restart=${SLURM_RESTART_COUNT:-0} again=
  # Two minutes before the time limit the trainer is asked to save.
  trap 'again=1; [ -z "$child" ] || kill -TERM "$child"' USR1
}

# beats: writes to the shared disk, while the trainer lives, that it does: Slurm itself finds out minutes
# later that a node is gone. The file is written over, not anew, so that it can be read at any moment and
# on a full disk. Heartbeats go on while the trainer saves, whatever signal asked for that, and end with
# SIGUSR2.
beats() {
  trap '' TERM INT HUP USR1
  trap 'kill -KILL "$nap"; exit' USR2
  nap=
  count=0
  while kill -0 "$child"; do
    if superseded; then kill -KILL "$child"; exit; fi
    count=$((count + 1))
    echo "$restart.$count" 1<>"t-$ticket/beat"
    sleep 10 &
    nap=$!
    wait "$nap"
  done
}

on_begin() {
  # The attempt before may be at work still, cut off: it finds out within 10 s, at its next heartbeat.
  [ "$restart" = 0 ] || [ -e "t-$ticket/run-$((restart - 1))/over" ] || sleep 15
}

on_trainer() {
  beats </dev/null >/dev/null 2>&1 &
  beats=$!
}

on_end() {
  kill -USR2 "$beats" 2>/dev/null
  ! superseded || exit 0
  # The time limit was near and the trainer has saved: the cluster is asked for another turn.
  if [ -n "$again" ] && [ ! -e "t-$ticket/asked" ] &&
    tail -n 1 "root/runs/$run/events.jsonl" | grep -q '"ending": *"stopped"'; then
    : >"t-$ticket/run-$restart/over"
    scontrol requeue "$SLURM_JOB_ID" && sleep 600
  fi
}
