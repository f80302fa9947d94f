#!/usr/bin/env bash
# A real Slurm cluster on 127.0.0.1: one munged, one slurmctld and a slurmd per node, with own key and ports.
#
#   slurm.sh start DIR [N [SECONDS]]  start whatever is not up of a cluster of N nodes (2), each missed after so many
#                                     seconds of silence (10); SLURM_CONF=DIR/slurm.conf
#   slurm.sh cut DIR NODE             cut one node off: its daemons are gone, its jobs work on
#   slurm.sh stop DIR [DAEMON]        end one daemon (slurmctld = an outage), crash one node (node1 ..), or end all
#
# Needs root, the Debian packages slurm-wlm and munge, and a DIR that every user may enter.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
verb=$1 dir=$(realpath -m "$2")
export SLURM_CONF=$dir/slurm.conf

free_base() { # the first of a run of free ports
  local port p
  for _ in {1..200}; do
    port=$((20000 + RANDOM % 9000))
    for ((p = port; p <= port + $1; p++)); do
      ! (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || continue 2
    done
    echo "$port"
    return
  done
  exit 1
}

alive() { # the daemon's pid, if it lives and is ours
  local pid
  pid=$(cat "$dir/run/$1.pid" 2>/dev/null) || return 1
  { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "$dir/" && echo "$pid"
}

launch() { # launch NAME COMMAND...
  local name=$1
  shift
  ! alive "$name" >/dev/null || return 0
  rm -f "$dir/run/$name.pid"
  "$@" </dev/null >>"$dir/log/$name.out" 2>&1
  for _ in {1..100}; do
    ! alive "$name" >/dev/null || return 0
    sleep 0.1
  done
  tail -n 20 "$dir/log/$name".* >&2
  exit 1
}

configure() {
  local base freezer=/sys/fs/cgroup/freezer track=linuxproc i
  base=$(free_base "$1")
  mkdir -p "$dir"/{state,spool,run,log,munge}
  (umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")
  if mkdir "$freezer/tb$base" 2>/dev/null; then rmdir "$freezer/tb$base"; track=cgroup; fi
  printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=%s\n' "${freezer%/*}" >"$dir/cgroup.conf"
  for ((i = 1; i <= $1; i++)); do echo "n${base}x$i"; done >"$dir/nodes"
  cat >"$SLURM_CONF" <<END
ClusterName=tuneboard
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$base
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthInfo=socket=$dir/munge/s
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/%n.log
ProctrackType=proctrack/$track
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
SlurmdTimeout=$2
SlurmctldTimeout=10
MaxArraySize=101
NodeName=n${base}x[1-$1] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[$((base + 1))-$((base + $1))] CPUs=4
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
}

node() { sed -n "${1#node}p" "$dir/nodes"; }

crash() { # everything of one node at once; its jobs as well, unless it is only cut off
  local name=$1 jobs=${2:-and jobs} pid pids=()
  for pid in $(find /proc/[0-9]*/fd -lname "$dir/log/$name.log" 2>/dev/null | cut -d/ -f3 | sort -u); do
    [[ $(cat "/proc/$pid/comm" 2>/dev/null) != slurm* ]] || pids+=("$pid")
  done
  if [[ $jobs != 'not jobs' ]]; then
    for pid in $(grep -lzxF "SLURMD_NODENAME=$name" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do
      pids+=("$pid")
    done
  fi
  ((${#pids[@]} == 0)) || kill -9 "${pids[@]}" 2>/dev/null || true
}

quit() { # quit NAME
  local pid i
  pid=$(alive "$1") || return 0
  for i in {1..100}; do
    case $i in 1) kill "$pid" 2>/dev/null || true ;; 60) kill -9 "$pid" 2>/dev/null || true ;; esac
    alive "$1" >/dev/null || return 0
    sleep 0.1
  done
}

case $verb in
start)
  [[ -s $SLURM_CONF ]] || configure "${3:-2}" "${4:-10}"
  launch munged munged --key-file="$dir/munge/key" --socket="$dir/munge/s" --pid-file="$dir/run/munged.pid" \
    --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed"
  launch slurmctld slurmctld -f "$SLURM_CONF"
  while read -r name; do launch "$name" slurmd -f "$SLURM_CONF" -N "$name"; done <"$dir/nodes"
  for _ in {1..150}; do
    sinfo -h -N -o %T 2>&1 | grep -qvE '^(idle|mixed|allocated|completing)' || exit 0
    sleep 0.2
  done
  sinfo >&2
  exit 1
  ;;
cut) crash "$(node "$3")" 'not jobs' ;;
stop)
  case ${3:-} in
  node*) crash "$(node "$3")" ;;
  ?*) quit "$3" ;;
  *)
    [[ -s $dir/nodes ]] || exit 0
    while read -r name; do quit "$name"; done <"$dir/nodes"
    quit slurmctld
    while read -r name; do crash "$name"; done <"$dir/nodes"
    quit munged
    ;;
  esac
  ;;
*)
  sed -n '2,10p' "$0" >&2
  exit 2
  ;;
esac
