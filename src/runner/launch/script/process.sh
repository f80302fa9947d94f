# Jobs as processes of the host: each leads a session of its own, which outlives the call that started it.
# Needs setsid.
host_tools=setsid

job_state() {
  if alive; then state=alive
  elif [ -f "$rc" ]; then state=ended
  elif [ -f pid ]; then state=lost
  else state=starting
  fi
}

job_signal() {
  case $state$1 in
  aliveTERM) [ -e "t-$ticket/asked" ] || { : >"t-$ticket/asked"; kill -s TERM -- "-$pid"; } ;;
  aliveKILL) kill -s KILL -- "-$pid" ;;
  esac
}

job_found() { alive; }

job_end() { ! alive || kill -s KILL -- "-$pid"; }

job_prepare() { :; }

host_facts() { :; }

op_submit() {
  take count
  started=
  while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    prepare
    if [ "$verdict" = ready ]; then
      setsid sh ./job.sh "$job" </dev/null >>out.log 2>&1 &
      started="$started $name"
    fi
    line "job $name $verdict"
  done
  # Until a job has written its pid, a look at it could not tell it from a dead one.
  for name in $started; do
    tries=50
    until [ -f "$jobs/$name/pid" ] || [ "$tries" = 0 ]; do
      tries=$((tries - 1))
      sleep 0.1
    done
  done
  line end
}
