# What a host is given to do, one call at a time. The text is the same for every call to a site; all that
# varies comes as data, one value per line of standard input, and is never made part of a command.
# Needs a POSIX sh, tar and /proc.
#
# The part of the site's scheduler follows this one. It is called in the folder of a job and defines:
#   job_state          sets `state` of a job that has not written its exit code: alive, away (the scheduler
#                      knows), starting, lost, or ended if it has written one meanwhile; it may set `key`
#                      (the scheduler's number) and `beat` (the last heartbeat)
#   job_signal SIGNAL  passes TERM or KILL on to a job that is in `state`
#   job_found          true if an attempt that the board lost sight of is still at work
#   job_end            ends whatever an earlier run of this name left at work
#   job_prepare        makes what a new attempt needs besides the files of `prepare`
#   host_facts         prints more lines of `look`
#   op_submit          starts jobs; it calls `prepare` for each
# and any further `op_NAME` that its Rust side calls. `host_tools` names the tools that it needs, and
# `job_script` prints job.sh, which `prepare` writes into the job's folder.
LC_ALL=C
PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin
export LC_ALL PATH
take() { IFS= read -r "$1" || exit 90; }
line() { printf '%s\n' "$*"; }
take nonce
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

# alive: is the process of the job in this folder still at work? A pid alone proves nothing.
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
op_poll() {
  take count
  take most
  while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    take name; take run; take ticket; take from; take log_from; take signal
    state=unknown code=- key=- beat=-
    if cd "$jobs/$name" 2>/dev/null && [ -d "t-$ticket" ]; then
      rc=t-$ticket/rc
      if [ -f "$rc" ]; then state=ended; else job_state; fi
      case $signal in TERM | KILL) job_signal "$signal" 2>/dev/null ;; esac
      [ "$state" != ended ] || read -r code <"$rc"
      restarts=0
      [ ! -f "t-$ticket/restarts" ] || read -r restarts <"t-$ticket/restarts"
      case $beat in *[!0-9.]* | '') beat=- ;; esac
      log=$PWD/out.log
      cd "root/runs/$run" 2>/dev/null || cd /
      size events.jsonl; events=$bytes
      size "$log"; logged=$bytes
      new "$events" "$from" "$most"; send=$bytes
      new "$logged" "$log_from" "$most"; log_send=$bytes
      line "run $name $state ${code:--} $events $logged $send $log_send $restarts ${key:--} $beat"
      part events.jsonl "$from" "$send"
      part "$log" "$log_from" "$log_send"
    else
      line "run $name $state - 0 0 0 0 0 - -"
    fi
  done
  line end
}

# find_trainer: `trainer` as the config names it, or else this host's own; empty if there is none.
find_trainer() {
  case $trainer in
  '') if [ -x "$folder/bin/tuneboard-train" ]; then trainer=$folder/bin/tuneboard-train
      else trainer=$(command -v tuneboard-train) || trainer=; fi ;;
  '~/'*) trainer=$HOME/${trainer#'~/'} ;;
  esac
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
  find_trainer
  verdict=ready
  if [ -d "t-$ticket" ]; then verdict=known
  elif [ -n "$missing" ]; then verdict="missing$missing"
  elif [ -z "$trainer" ] || [ ! -x "$trainer" ]; then verdict="trainer ${trainer:-tuneboard-train}"
  elif [ "$fresh" = 0 ] && job_found; then
    # The attempt that is at work is the one that is meant.
    { read -r old && read -r old; } <args && ln -s "t-$old" "t-$ticket"
    verdict=known
  elif ! mkdir "t-$ticket" 2>/dev/null; then verdict=known
  fi
  [ "$verdict" = ready ] || return 0
  if [ "$fresh" = 1 ]; then
    job_end
    rm -rf root out.log
    mkdir -p "root/runs/$run"
  fi
  rm -f pid
  while IFS= read -r path && IFS= read -r hash; do
    case $path in */*) mkdir -p "root/${path%/*}" ;; esac
    rm -f "root/$path"
    ln -s "$store/$hash/x" "root/$path"
  done <links.part
  mv -f spec.part "root/runs/$run/spec.toml"
  job_script >job.sh
  job_prepare
  printf '%s\n' "$run" "$ticket" "$attempt" "$device" "$threads" "$trainer" "$folder/libtorch/lib" >args
}

# need: which of these contents are not here?
op_need() {
  take count
  while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    take hash
    [ -e "$store/$hash/x" ] || line "need $hash"
  done
  line end
}

# put: one content, as a tar archive with the single entry `x`; whole or not at all.
op_put() {
  take hash
  part=$store/.$hash.$$
  mkdir -p "$part" && tar -x -o -f - -C "$part" && [ -e "$part/x" ] || { rm -rf "$part"; exit 93; }
  mv "$part" "$store/$hash" 2>/dev/null || rm -rf "$part"
  [ -e "$store/$hash/x" ] || exit 93
  line end
}

# install: the trainer and its libraries, whole or not at all.
op_install() {
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
op_fetch() {
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

# look: what the host is and has; a scheduler that may not answer is asked only for a `whole` look.
op_look() {
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
  host_facts
  # shellcheck disable=SC2154 # The scheduler's part names its tools.
  for tool in tar nvidia-smi $host_tools; do
    ! command -v "$tool" >/dev/null || line "tool $tool"
  done
  find_trainer
  [ -z "$trainer" ] || [ ! -x "$trainer" ] || line "trainer $trainer"
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --format=csv,noheader,nounits \
      --query-gpu=name,memory.used,memory.total,utilization.gpu,temperature.gpu 2>/dev/null |
      sed 's/^/gpu /'
  fi
  line end
}

# probe: what the trainer itself finds.
op_probe() {
  take trainer
  [ ! -d "$folder/libtorch/lib" ] || export LD_LIBRARY_PATH="$folder/libtorch/lib"
  line "probe $("$trainer" probe 2>&1 </dev/null | head -c 4000 | tr '\n' ' ')"
  line end
}

# operate: does what the call is for, once all parts are read.
operate() {
  command -v "op_$op" >/dev/null || exit 95
  "op_$op"
}
