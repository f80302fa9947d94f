# Jobs of a Slurm cluster, whose commands run on this host. The file `slurm` in a job's folder holds the
# job's number.
host_tools='sbatch squeue scancel'
line_break='
'

job_state() {
  state=away
  # Opened at each look: then NFS, too, shows what was last written.
  { read -r beat <"t-$ticket/beat"; } 2>/dev/null
  [ ! -f slurm ] || read -r key <slurm
}

job_signal() {
  case $state$1 in
  awayTERM) [ -e "t-$ticket/asked" ] || { cancel TERM && : >"t-$ticket/asked"; } ;;
  awayKILL) cancel KILL ;;
  esac
}

# The queue knows what is at work, and a ticket is never submitted twice.
job_found() { false; }

job_end() { [ ! -f slurm ] || cancel KILL; }

job_prepare() {
  rm -f slurm
  # Made here, where they are read: a disk over the network remembers for a while that a file was missing.
  echo 0 >"t-$ticket/restarts" && echo 0.0 >"t-$ticket/beat"
}

host_facts() {
  array=
  [ "$extent" != whole ] || ! command -v scontrol >/dev/null ||
    array=$(scontrol show config 2>/dev/null | sed -n 's/^MaxArraySize *= *//p')
  line "array $array"
}

# cancel SIGNAL: takes a job that waits out of the queue; sends TERM to the trainer and the script around
# it; kills whoever does not heed it. False if Slurm was not there to be told.
cancel() {
  read -r number <slurm || return
  # `scancel --state=PENDING 22_1` would be the simple way, and ends the whole array 22.
  mine=$(squeue -h -r -u "$(id -un)" -o '%i %T') || return
  case $1$line_break$mine$line_break in
  KILL* | *"$line_break$number PENDING$line_break"*) scancel "$number" ;;
  *) scancel --full --signal=TERM "$number" || : ;;
  esac
}

# submit: one job, or an array with a task for each.
op_submit() {
  take label
  take count
  options=$count
  set --
  while [ "$options" -gt 0 ]; do
    options=$((options - 1))
    take option
    set -- "$@" "$option"
  done
  take count
  mkdir -p "$folder/batches" || exit 91
  map=$folder/batches/$label
  : >"$map"
  ready=
  n=0
  while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    prepare
    if [ "$verdict" = ready ]; then
      printf '%s\n' "$job" >>"$map"
      ready="$ready $name $ticket"
      n=$((n + 1))
    else
      line "job $name $verdict"
    fi
  done
  [ "$n" = 0 ] || submit_array "$@"
  line end
}

# submit_array OPTIONS: hands the `n` jobs of `ready`, whose folders are the lines of `map`, to sbatch.
submit_array() {
  cat >"$map.sh" <<'END'
#!/bin/sh
task=${SLURM_ARRAY_TASK_ID:-0}
job=$(sed -n "$((task + 1))p" "$1")
echo "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}" >"$job/slurm.part" &&
  mv -f "$job/slurm.part" "$job/slurm"
exec sh "$job/job.sh" "$job"
END
  array=
  [ "$n" = 1 ] || array=--array=0-$((n - 1))
  cd "$folder/batches" || exit 91
  # Of the environment here only this travels; a `%` in a path would be a pattern, so paths are relative.
  # shellcheck disable=SC2086 # Empty means: no option.
  said=$(env -i HOME="$HOME" PATH="$PATH" USER="${USER:-}" LOGNAME="${LOGNAME:-}" LC_ALL=C \
    ${SLURM_CONF:+SLURM_CONF="$SLURM_CONF"} \
    sbatch --parsable --job-name="tb-$label" --requeue --open-mode=append --signal=B:USR1@120 \
    --chdir="$folder/batches" --output="$label.%a.out" $array "$@" "$map.sh" "$map" 2>&1 </dev/null)
  code=$?
  id=${said%%;*}
  case $code$id in
  0*[!0-9]* | 0) code=1 ;;
  esac
  task=0
  # shellcheck disable=SC2086 # Names and tickets are words.
  set -- $ready
  while [ $# -gt 0 ]; do
    if [ "$code" = 0 ]; then
      key=$id
      [ "$n" = 1 ] || key=${id}_$task
      [ -f "$jobs/$1/slurm" ] || echo "$key" >"$jobs/$1/slurm"
      line "job $1 ready"
    else
      # If it was started all the same, its folder is not empty and the ticket stays known.
      rm -f -- "$jobs/$1/t-$2/beat" "$jobs/$1/t-$2/restarts"
      rmdir -- "$jobs/$1/t-$2"
      line "job $1 later $(printf '%s' "$said" | tail -n 1 | cut -c 1-300)"
    fi
    task=$((task + 1))
    shift 2
  done
}

# queue: this user's jobs, as Slurm has them.
op_queue() {
  squeue -h -r -t all -u "$(id -un)" \
    -O 'ArrayJobID:|,ArrayTaskID:|,JobID:|,State:|,RestartCnt:|,StartTime:|,Reason:|' || exit 96
  line end
}
