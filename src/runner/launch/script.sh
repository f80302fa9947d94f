# What tuneboard has a host do, one call at a time. This text is the same for every call; all that
# varies comes as data, one value per line of standard input, and is never made part of a command.
# Needs a POSIX sh, tar, setsid and /proc.
LC_ALL=C
PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin
export LC_ALL PATH
take() { IFS= read -r "$1" || exit 90; }
line() { printf '%s\n' "$*"; }
line_break='
'
take nonce
take kind
take folder
take op
case $folder in
'~') folder=$HOME ;;
'~/'*) folder=$HOME/${folder#'~/'} ;;
/*) ;;
*) folder=$HOME/$folder ;;
esac
jobs=$folder/jobs store=$folder/store
boot=none
{ IFS= read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
# What a login shell's start-up files may have printed ends here.
printf '\n%s\n' "$nonce"

# born PID: sets `born` to its start time; false if it is dead. A zombie is dead.
born() {
  { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  # shellcheck disable=SC2086 # The fields are meant to be split.
  set -- ${stat##*) }
  case $1 in Z | X | x) return 1 ;; esac
  born=${20}
}

# alive: is the job whose folder this is still at work? A pid alone says nothing.
alive() {
  { read -r pid start booted <pid; } 2>/dev/null || return 1
  [ "$booted" = "$boot" ] && born "$pid" && [ "$born" = "$start" ]
}

size() {
  bytes=0
  [ ! -s "$1" ] || bytes=$(wc -c <"$1")
  bytes=$((bytes))
}

# part FILE FROM BYTES: exactly so many bytes, as files here only grow.
part() { [ "$3" -le 0 ] || tail -c "+$(($2 + 1))" <"$1" | head -c "$3"; }

# new SIZE FROM MOST: sets `bytes` to how many are to be sent.
new() {
  bytes=$(($1 - $2))
  [ "$bytes" -ge 0 ] || bytes=0
  [ "$bytes" -le "$3" ] || bytes=$3
}

# poll: for each job its state and what is new in its events and its log. Signals go first.
poll() {
  take count
  take most
  while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    take name; take run; take ticket; take from; take log_from; take signal
    state=unknown code=-
    if cd "$jobs/$name" 2>/dev/null && [ -d "t-$ticket" ]; then
      rc=t-$ticket/rc
      if [ -f "$rc" ]; then state=ended
      elif [ "$kind" = slurm ]; then state=away
      elif alive; then state=alive
      elif [ -f "$rc" ]; then state=ended
      elif [ -f pid ]; then state=lost
      else state=starting
      fi
      case $state$signal in
      aliveTERM) [ -e "t-$ticket/asked" ] || { : >"t-$ticket/asked"; kill -s TERM -- "-$pid"; } ;;
      aliveKILL) kill -s KILL -- "-$pid" ;;
      awayTERM) [ -e "t-$ticket/asked" ] || { cancel TERM && : >"t-$ticket/asked"; } ;;
      awayKILL) cancel KILL ;;
      esac 2>/dev/null
      [ "$state" != ended ] || read -r code <"$rc"
      restarts=0 key=- beat=
      [ ! -f "t-$ticket/restarts" ] || read -r restarts <"t-$ticket/restarts"
      # Opened at each look: then NFS, too, shows what was last written.
      [ "$state" != away ] || { read -r beat <"t-$ticket/beat"; } 2>/dev/null
      case $beat in *[!0-9.]* | '') beat=- ;; esac
      [ ! -f slurm ] || read -r key <slurm
      log=$PWD/out.log
      cd "root/runs/$run" 2>/dev/null || cd /
      size events.jsonl; events=$bytes
      size "$log"; logged=$bytes
      new "$events" "$from" "$most"; send=$bytes
      new "$logged" "$log_from" "$most"; log_send=$bytes
      line "run $name $state ${code:--} $events $logged $send $log_send $restarts $key $beat"
      part events.jsonl "$from" "$send"
      part "$log" "$log_from" "$log_send"
    else
      line "run $name $state - 0 0 0 0 0 - -"
    fi
  done
  line end
}

# cancel SIGNAL: a job of Slurm. One that waits is taken out of the queue; the trainer and the script
# around it get TERM; whoever does not heed it is killed. False if Slurm was not there to be told.
cancel() {
  read -r number <slurm || return
  # `scancel --state=PENDING 22_1` would be the simple way, and ends the whole array 22.
  mine=$(squeue -h -r -u "$(id -un)" -o '%i %T') || return
  case $1$line_break$mine$line_break in
  KILL* | *"$line_break$number PENDING$line_break"*) scancel "$number" ;;
  *) scancel --full --signal=TERM "$number" || : ;;
  esac
}

# job_script: runs one attempt. Its trap keeps this shell alive when the group is asked to end, so that
# the trainer's exit code is written whatever happens; a shell runs traps only in `wait`.
job_script() {
  cat <<'END'
cd -- "$1" || exit 1
{ IFS= read -r run; IFS= read -r ticket; IFS= read -r attempt; IFS= read -r device
  IFS= read -r threads; IFS= read -r trainer; IFS= read -r libtorch; } <args || exit 1
# Nobody starts the same attempt twice, whatever a lost answer made somebody believe.
restart=${SLURM_RESTART_COUNT:-0}
mkdir "t-$ticket/run-$restart" || exit 0
# A node that was cut off may have brought to its end what Slurm starts again.
[ ! -e "t-$ticket/rc" ] || exit 0
again=
trap : TERM INT HUP
trap 'again=1; [ -z "$child" ] || kill -TERM "$child"' USR1
child=
IFS= read -r stat <"/proc/$$/stat"
IFS= read -r boot </proc/sys/kernel/random/boot_id
fields() { born=${20}; }
fields ${stat##*) }
if [ "$restart" != 0 ]; then
  attempt=$((attempt + restart))
  echo "$restart" >"t-$ticket/restarts.part" && mv -f "t-$ticket/restarts.part" "t-$ticket/restarts"
fi
echo "$$ $born $boot" >pid.part && mv -f pid.part pid
TUNEBOARD_DEVICE=$device TUNEBOARD_THREADS=$threads TUNEBOARD_QUIET=1 OMP_NUM_THREADS=$threads
export TUNEBOARD_DEVICE TUNEBOARD_THREADS TUNEBOARD_QUIET OMP_NUM_THREADS
if [ "$device" = cpu ]; then CUDA_VISIBLE_DEVICES=; export CUDA_VISIBLE_DEVICES
elif [ -z "${CUDA_DEVICE_ORDER:-}" ]; then CUDA_DEVICE_ORDER=PCI_BUS_ID; export CUDA_DEVICE_ORDER
fi
if [ -d "$libtorch" ]; then
  LD_LIBRARY_PATH=$libtorch${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; export LD_LIBRARY_PATH
fi
# superseded: has another attempt been started in this one's place? A node that was cut off from its
# cluster is not told, and two trainers in one folder would spoil each other's work.
superseded() {
  latest=0 other=
  { read -r latest <"t-$ticket/restarts"; } 2>/dev/null
  { read -r other && read -r other; } 2>/dev/null <args
  case $latest in '' | *[!0-9]*) latest=0 ;; esac
  [ "$latest" -gt "$restart" ] || [ "${other:-$ticket}" != "$ticket" ]
}
# beats: says on the shared disk, while the trainer lives, that it does: Slurm itself finds out minutes
# later that a node is gone. Written over, not anew, so that it can be read at any moment and on a full
# disk. It goes on while the trainer saves, whatever signal asked for that, and ends with SIGUSR2.
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
# The attempt before may be at work still, cut off: it finds out within 10 s, at its next sign of life.
[ "$restart" = 0 ] || [ -e "t-$ticket/run-$((restart - 1))/over" ] || sleep 15
[ "$attempt" = 1 ] || echo "--- attempt $attempt ---" >>out.log
( cd root && exec "$trainer" "runs/$run" ) </dev/null >>out.log 2>&1 &
child=$!
beats=
if [ -n "${SLURM_JOB_ID:-}" ]; then
  beats </dev/null >/dev/null 2>&1 &
  beats=$!
fi
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || break
done
[ -z "$beats" ] || kill -USR2 "$beats" 2>/dev/null
! superseded || exit 0
# The time limit was near and the trainer has saved: the cluster is asked for another turn.
if [ -n "$again" ] && [ ! -e "t-$ticket/asked" ] &&
  tail -n 1 "root/runs/$run/events.jsonl" | grep -q '"ending": *"stopped"'; then
  : >"t-$ticket/run-$restart/over"
  scontrol requeue "$SLURM_JOB_ID" && sleep 600
fi
echo "$code" >"t-$ticket/rc.part" && mv -f "t-$ticket/rc.part" "t-$ticket/rc"
END
}

# prepare: takes one job's lines and makes its folder ready. Sets `verdict` to ready, known, or a
# complaint.
prepare() {
  take name; take run; take ticket; take fresh; take attempt; take device; take threads; take trainer
  take links
  job=$jobs/$name
  mkdir -p "$job/root/runs/$run" && cd "$job" || exit 91
  : >links.part
  missing=
  while [ "$links" -gt 0 ]; do
    links=$((links - 1))
    take path; take hash
    [ -e "$store/$hash/x" ] || missing="$missing $hash"
    printf '%s\n%s\n' "$path" "$hash" >>links.part
  done
  take length
  dd ibs=1 obs=65536 count="$length" of=spec.part 2>/dev/null
  take seal
  [ "$seal" = "end $name" ] || exit 92
  case $trainer in
  '') if [ -x "$folder/bin/tuneboard-train" ]; then trainer=$folder/bin/tuneboard-train
      else trainer=$(command -v tuneboard-train) || trainer=; fi ;;
  '~/'*) trainer=$HOME/${trainer#'~/'} ;;
  esac
  verdict=ready
  if [ -d "t-$ticket" ]; then verdict=known
  elif [ -n "$missing" ]; then verdict="missing$missing"
  elif [ -z "$trainer" ] || [ ! -x "$trainer" ]; then verdict="trainer ${trainer:-tuneboard-train}"
  elif [ "$kind" != slurm ] && alive && [ "$fresh" = 0 ]; then
    # An attempt that this board had lost sight of: it is the one that is meant.
    { read -r old && read -r old; } <args && ln -s "t-$old" "t-$ticket"
    verdict=known
  elif ! mkdir "t-$ticket" 2>/dev/null; then verdict=known
  fi
  [ "$verdict" = ready ] || return 0
  if [ "$fresh" = 1 ]; then
    if [ "$kind" = slurm ]; then [ ! -f slurm ] || cancel KILL
    elif alive; then kill -s KILL -- "-$pid"
    fi
    rm -rf root out.log
    mkdir -p "root/runs/$run"
  fi
  rm -f pid slurm
  while IFS= read -r path && IFS= read -r hash; do
    case $path in */*) mkdir -p "root/${path%/*}" ;; esac
    rm -f "root/$path"
    ln -s "$store/$hash/x" "root/$path"
  done <links.part
  mv -f spec.part "root/runs/$run/spec.toml"
  job_script >job.sh
  # Made here, where they are read: a disk over the network remembers for a while that a file was missing.
  [ "$kind" != slurm ] || { echo 0 >"t-$ticket/restarts" && echo 0.0 >"t-$ticket/beat"; }
  printf '%s\n' "$run" "$ticket" "$attempt" "$device" "$threads" "$trainer" "$folder/libtorch/lib" >args
}

# submit: starts jobs as sessions of their own, which outlive this call.
submit() {
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

# batch: the same through Slurm: one job, or an array with a task for each.
batch() {
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
  if [ "$n" -gt 0 ]; then
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
  fi
  line end
}

# queue: this user's jobs, as Slurm has them.
queue() {
  squeue -h -r -t all -u "$(id -un)" \
    -O 'ArrayJobID:|,ArrayTaskID:|,JobID:|,State:|,RestartCnt:|,StartTime:|,Reason:|' || exit 96
  line end
}

# need: which of these contents are not here?
need() {
  take count
  while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    take hash
    [ -e "$store/$hash/x" ] || line "need $hash"
  done
  line end
}

# put: one content, as a tar archive with the single entry `x`; whole or not at all.
put() {
  take hash
  part=$store/.$hash.$$
  mkdir -p "$part" && tar -x -o -f - -C "$part" && [ -e "$part/x" ] || { rm -rf "$part"; exit 93; }
  mv "$part" "$store/$hash" 2>/dev/null || rm -rf "$part"
  [ -e "$store/$hash/x" ] || exit 93
  line end
}

# install: the trainer and its libraries, whole or not at all.
install() {
  part=$folder/.install.$$
  mkdir -p "$part" && tar -x -o -f - -C "$part" && [ -e "$part/bin/tuneboard-train" ] ||
    { rm -rf "$part"; exit 93; }
  mkdir -p "$folder/bin"
  mv -f "$part/bin/tuneboard-train" "$folder/bin/tuneboard-train"
  if [ -d "$part/libtorch" ]; then
    rm -rf "$folder/libtorch"
    mv "$part/libtorch" "$folder/libtorch"
  fi
  rm -rf "$part"
  line end
}

# fetch: the named folders of a run, as a tar archive.
fetch() {
  take name; take run; take count
  cd "$jobs/$name/root/runs/$run" || exit 94
  have=
  while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    take entry
    [ ! -d "$entry" ] || have="$have $entry"
  done
  # shellcheck disable=SC2086 # Fixed words without blanks.
  if [ -n "$have" ]; then tar -c -f - $have; fi
}

# look: what the host is and has; the controller, which may be down, is asked only on demand.
look() {
  take trainer; take extent
  line "host $(uname -n)"
  line "arch $(uname -m)"
  line "libc $(getconf GNU_LIBC_VERSION 2>/dev/null)"
  line "cores $(nproc 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
  line "model $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1)"
  line "time $(date +%s)"
  line "home $HOME"
  line "folder $folder"
  at=$folder
  while [ ! -d "$at" ] && [ -n "$at" ]; do at=${at%/*}; done
  line "disk $(df -Pk "${at:-/}" 2>/dev/null | awk 'NR == 2 { print $4 }')"
  if [ -w "${at:-/}" ]; then line "writable yes"; else line "writable no"; fi
  array=
  [ "$kind$extent" != slurmwhole ] || ! command -v scontrol >/dev/null ||
    array=$(scontrol show config 2>/dev/null | sed -n 's/^MaxArraySize *= *//p')
  line "array $array"
  for tool in tar setsid nvidia-smi sbatch squeue scancel; do
    ! command -v "$tool" >/dev/null || line "tool $tool"
  done
  case $trainer in
  '') if [ -x "$folder/bin/tuneboard-train" ]; then trainer=$folder/bin/tuneboard-train
      else trainer=$(command -v tuneboard-train) || trainer=; fi ;;
  '~/'*) trainer=$HOME/${trainer#'~/'} ;;
  esac
  [ -z "$trainer" ] || [ ! -x "$trainer" ] || line "trainer $trainer"
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --format=csv,noheader,nounits \
      --query-gpu=name,memory.used,memory.total,utilization.gpu,temperature.gpu 2>/dev/null |
      sed 's/^/gpu /'
  fi
  line end
}

# probe: what the trainer itself finds.
probe() {
  take trainer
  [ ! -d "$folder/libtorch/lib" ] || export LD_LIBRARY_PATH="$folder/libtorch/lib"
  line "probe $("$trainer" probe 2>&1 </dev/null | head -c 4000 | tr '\n' ' ')"
  line end
}

case $op in
poll | submit | batch | queue | need | put | install | fetch | look | probe) "$op" ;;
*) exit 95 ;;
esac
