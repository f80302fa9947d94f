# What tuneboard has a host do, one call at a time. This text is the same for every call; all that
# varies comes as data, one value per line of standard input, and is never made part of a command.
# Needs a POSIX sh, tar, setsid and /proc.
LC_ALL=C
PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin
export LC_ALL PATH
take() { IFS= read -r "$1" || exit 90; }
line() { printf '%s\n' "$*"; }
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
      if [ -f rc ]; then state=ended
      elif [ "$kind" = slurm ]; then state=away
      elif alive; then state=alive
      elif [ -f rc ]; then state=ended
      elif [ -f pid ]; then state=lost
      else state=starting
      fi
      case $state$signal in
      aliveTERM) [ -e "t-$ticket/asked" ] || { : >"t-$ticket/asked"; kill -s TERM -- "-$pid"; } ;;
      aliveKILL) kill -s KILL -- "-$pid" ;;
      awayTERM) [ -e "t-$ticket/asked" ] || { : >"t-$ticket/asked"; cancel TERM; } ;;
      awayKILL) cancel KILL ;;
      esac 2>/dev/null
      [ "$state" != ended ] || read -r code <rc
      log=$PWD/out.log
      cd "root/runs/$run" 2>/dev/null || cd /
      size events.jsonl; events=$bytes
      size "$log"; logged=$bytes
      new "$events" "$from" "$most"; send=$bytes
      new "$logged" "$log_from" "$most"; log_send=$bytes
      line "run $name $state ${code:--} $events $logged $send $log_send"
      part events.jsonl "$from" "$send"
      part "$log" "$log_from" "$log_send"
    else
      line "run $name $state - 0 0 0 0"
    fi
  done
  line end
}

# cancel SIGNAL: a job of Slurm. One that waits is taken out of the queue; the trainer and the script
# around it get TERM; whoever does not heed it is killed.
cancel() {
  read -r job <slurm || return
  if [ "$1" = KILL ]; then
    scancel "$job"
  else
    scancel --state=PENDING "$job"
    scancel --full --signal=TERM "$job"
  fi
}

# job_script: runs one attempt. Its trap keeps this shell alive when the group is asked to end, so that
# the trainer's exit code is written whatever happens; a shell runs traps only in `wait`.
job_script() {
  cat <<'END'
cd -- "$1" || exit 1
run=$2 ticket=$3 attempt=$4 device=$5 threads=$6 trainer=$7 libtorch=$8
again=
trap : TERM INT HUP
trap 'again=1; [ -z "$child" ] || kill -TERM "$child"' USR1
child=
IFS= read -r stat </proc/self/stat
IFS= read -r stat <"/proc/$$/stat"
IFS= read -r boot </proc/sys/kernel/random/boot_id
fields() { born=${20}; }
fields ${stat##*) }
restart=${SLURM_RESTART_COUNT:-0}
if [ "$restart" != 0 ]; then attempt=$((attempt + restart)); echo "$restart" >"t-$ticket/restarts"; fi
echo "$$ $born $boot" >pid.part && mv -f pid.part pid
rm -f rc
TUNEBOARD_DEVICE=$device TUNEBOARD_THREADS=$threads TUNEBOARD_QUIET=1 OMP_NUM_THREADS=$threads
export TUNEBOARD_DEVICE TUNEBOARD_THREADS TUNEBOARD_QUIET OMP_NUM_THREADS
if [ "$device" = cpu ]; then CUDA_VISIBLE_DEVICES=; export CUDA_VISIBLE_DEVICES
elif [ -z "${CUDA_DEVICE_ORDER:-}" ]; then CUDA_DEVICE_ORDER=PCI_BUS_ID; export CUDA_DEVICE_ORDER
fi
if [ -d "$libtorch" ]; then
  LD_LIBRARY_PATH=$libtorch${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; export LD_LIBRARY_PATH
fi
[ "$attempt" = 1 ] || echo "--- attempt $attempt ---" >>out.log
( cd root && exec "$trainer" "runs/$run" ) </dev/null >>out.log 2>&1 &
child=$!
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || break
done
if [ -n "$again" ] && tail -n 1 "root/runs/$run/events.jsonl" | grep -q '"ending":"stopped"'; then
  scontrol requeue "$SLURM_JOB_ID" && sleep 60
fi
echo "$code" >rc.part && mv -f rc.part rc
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
    mkdir "t-$ticket"
    verdict=known
  elif ! mkdir "t-$ticket" 2>/dev/null; then verdict=known
  fi
  [ "$verdict" = ready ] || return 0
  if [ "$fresh" = 1 ]; then
    if alive; then kill -s KILL -- "-$pid"; fi
    rm -rf root out.log
    mkdir -p "root/runs/$run"
  fi
  rm -f rc pid slurm
  while IFS= read -r path && IFS= read -r hash; do
    case $path in */*) mkdir -p "root/${path%/*}" ;; esac
    rm -f "root/$path"
    ln -s "$store/$hash/x" "root/$path"
  done <links.part
  mv -f spec.part "root/runs/$run/spec.toml"
  job_script >job.sh
}

# submit: starts jobs as sessions of their own, which outlive this call.
submit() {
  take count
  started=
  while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    prepare
    if [ "$verdict" = ready ]; then
      setsid sh ./job.sh "$job" "$run" "$ticket" "$attempt" "$device" "$threads" "$trainer" \
        "$folder/libtorch/lib" </dev/null >>out.log 2>&1 &
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

# look: what the host is and has.
look() {
  take trainer
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
poll | submit | need | put | fetch | look | probe) "$op" ;;
*) exit 95 ;;
esac
