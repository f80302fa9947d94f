#!/usr/bin/env bash
# Real OpenSSH servers on 127.0.0.1, each a host of its own: mount, UTS and PID namespaces, own home, own host key.
#
#   sshd.sh start DIR [N]      start hosts host1 .. hostN (2) that are not up; DIR/config is for `ssh -F`
#   sshd.sh stop DIR [HOST]    a power cut of one host, or of all: every process dies, the disk stays
#
# An executable DIR/HOST/force takes the place of whatever a client wants to run on that host.
#
# Needs root and the Debian packages openssh-server, openssh-client and util-linux.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
verb=$1 dir=$(realpath -m "$2")

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local port
  for _ in {1..200}; do
    port=$((20000 + RANDOM % 10000))
    listens "$port" || { echo "$port"; return; }
  done
  exit 1
}

pid_of() { # the namespace's first process, if it is still ours
  local pid
  pid=$(cat "$dir/$1/pid" 2>/dev/null) || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$dir/$1 " && echo "$pid"
}

up() {
  local host=$1 here=$dir/$1
  ! pid_of "$host" >/dev/null || return 0
  mkdir -p "$here/home" /run/sshd
  [[ -s $here/key ]] || ssh-keygen -q -t ed25519 -N '' -f "$here/key"
  [[ -s $here/port ]] || free_port >"$here/port"
  cat >"$here/sshd_config" <<END
ListenAddress 127.0.0.1
Port $(cat "$here/port")
HostKey $here/key
PidFile none
AuthorizedKeysFile $dir/user.pub
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
LogLevel VERBOSE
END
  # A host that answers whatever it likes.
  [[ ! -x $here/force ]] || echo "ForceCommand $here/force" >>"$here/sshd_config"
  # A passwd file of its own gives the host another home and hides nothing else.
  awk -F: -v OFS=: -v home="$here/home" '$1 == "root" { $6 = home } 1' /etc/passwd >"$here/passwd"
  setsid unshare --mount --uts --pid --fork --kill-child --mount-proc sh -c \
    'mount --bind "$1/passwd" /etc/passwd && hostname "$2" && exec "$3" -D -f "$1/sshd_config" -E "$1/log"' \
    - "$here" "$host" "$(command -v sshd)" </dev/null >"$here/out" 2>&1 &
  echo $! >"$here/pid"
  for _ in {1..100}; do
    ! listens "$(cat "$here/port")" || return 0
    sleep 0.1
  done
  cat "$here/out" "$here/log" >&2
  exit 1
}

down() {
  local pid port
  pid=$(pid_of "$1") || return 0
  port=$(cat "$dir/$1/port")
  # The namespace's init dies with its parent, and everything in it with its init.
  kill -9 "$pid"
  for _ in {1..100}; do
    listens "$port" || { rm -f "$dir/$1/pid"; return 0; }
    sleep 0.1
  done
  exit 1
}

case $verb in
start)
  mkdir -p "$dir"
  [[ -s $dir/user ]] || ssh-keygen -q -t ed25519 -N '' -f "$dir/user"
  : >"$dir/known_hosts"
  : >"$dir/config"
  for ((i = 1; i <= ${3:-2}; i++)); do
    up "host$i"
    echo "host$i $(cut -d' ' -f1,2 "$dir/host$i/key.pub")" >>"$dir/known_hosts"
    printf 'Host host%s\n  Port %s\n  HostKeyAlias host%s\n' "$i" "$(cat "$dir/host$i/port")" "$i" >>"$dir/config"
  done
  cat >>"$dir/config" <<END
Host *
  HostName 127.0.0.1
  User root
  IdentityFile $dir/user
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile $dir/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
END
  ;;
stop)
  if [[ -n ${3:-} ]]; then down "$3"; else
    for here in "$dir"/host*; do [[ ! -d $here ]] || down "${here##*/}"; done
  fi
  ;;
*)
  sed -n '2,8p' "$0" >&2
  exit 2
  ;;
esac
