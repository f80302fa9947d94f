# Runs one attempt of a run in the job's folder, which is its argument. The traps keep this shell alive
# when its group is asked to end, so that the trainer's exit code is written whatever happens; a shell runs
# traps only in `wait`. The scheduler's part of this script comes first and may define
#   on_start    how often the scheduler has started this attempt again: sets `restart`
#   on_begin    before the trainer is started
#   on_trainer  once `child` runs
#   on_end      after it has ended with `code`
hook() { ! command -v "$1" >/dev/null || "$1"; }

# superseded: has another attempt been started in this one's place? A node that was cut off from its
# cluster is not told, and two trainers in one folder would spoil each other's work.
superseded() {
  latest=0 other=
  { read -r latest <"t-$ticket/restarts"; } 2>/dev/null
  { read -r other && read -r other; } 2>/dev/null <args
  case $latest in '' | *[!0-9]*) latest=0 ;; esac
  [ "$latest" -gt "$restart" ] || [ "${other:-$ticket}" != "$ticket" ]
}

cd -- "$1" || exit 1
{ IFS= read -r run; IFS= read -r ticket; IFS= read -r attempt; IFS= read -r device
  IFS= read -r threads; IFS= read -r trainer; IFS= read -r libtorch; } <args || exit 1
restart=0 child=
trap : TERM INT HUP
hook on_start
# Nobody starts the same attempt twice, whatever a lost answer made somebody believe.
mkdir "t-$ticket/run-$restart" || exit 0
# A node that was cut off may have brought to its end what the scheduler starts again.
[ ! -e "t-$ticket/rc" ] || exit 0
IFS= read -r stat <"/proc/$$/stat"
IFS= read -r boot </proc/sys/kernel/random/boot_id
fields() { born=${20}; }
# shellcheck disable=SC2086 # The fields are meant to be split.
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
hook on_begin
[ "$attempt" = 1 ] || echo "--- attempt $attempt ---" >>out.log
( cd root && exec "$trainer" "runs/$run" ) </dev/null >>out.log 2>&1 &
child=$!
hook on_trainer
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || break
done
hook on_end
! superseded || exit 0
echo "$code" >"t-$ticket/rc.part" && mv -f "t-$ticket/rc.part" "t-$ticket/rc"
