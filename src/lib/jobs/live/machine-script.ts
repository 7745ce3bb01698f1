import {FIND_STORE, script} from '../../models/store-scripts.ts'

/**
 * Tells how a machine is until its standard input ends or it is ended. `$1` where the models lie if that is known, `$2`
 * `user` where Ollama runs below the login account, `$3` seconds between two looks. Each look is a block of `key=value`
 * lines that ends with `end`; what cannot be seen has no line. See `MachineParser` for what the lines mean.
 *
 * It reads with what the shell has built in: a look starts one process, `sleep`. `df` comes once in ten looks, and
 * `nvidia-smi` as seldom as its own cost wants: it is measured, and each is followed by two hundred times as long. The loop
 * is a process of its own, so that this one can wait for the end of its input: sshd closes that with the channel, also when
 * the other side is killed.
 */
export const MACHINE = script`
exec 2>/dev/null
dir=$1 install=$2 every=$3
${FIND_STORE}cores=$(getconf _NPROCESSORS_ONLN || nproc || sysctl -n hw.ncpu)
sensors=
for d in /sys/class/hwmon/hwmon*; do
  name=; read -r name <"$d/name"
  case $name in
    coretemp|k10temp|k8temp|zenpower|cpu_thermal|soc_thermal) [ ! -r "$d/temp1_input" ] || sensors="$sensors $d/temp1_input" ;;
  esac
done
[ -n "$sensors" ] || for d in /sys/class/thermal/thermal_zone*; do
  type=; read -r type <"$d/type"
  case $type in x86_pkg_temp|*cpu*|*CPU*|*soc*) [ ! -r "$d/temp" ] || sensors="$sensors $d/temp" ;; esac
done
cards=
for d in /sys/class/drm/card*/device; do
  [ ! -r "$d/mem_info_vram_total" ] || cards="$cards $d"
done
nvidia=; ! have nvidia-smi || nvidia=1
limit=; ! have timeout || limit='timeout 10'
newline='
'
cost() { # hundredths of a second that processes started from here have used
  stat=; read -r stat </proc/self/stat || return 1
  stat=@{stat##*) }
  set -- $stat
  ticks=$((@{14} + @{15}))
}
look() {
  out="n=$cores"
  line=; read -r line </proc/stat && out="$out@{newline}c=@{line#cpu }"
  total= available=
  while read -r key value rest; do
    case $key in
      MemTotal:) total=$value ;;
      MemAvailable:) available=$value; break ;;
    esac
  done </proc/meminfo
  [ -z "$available" ] || out="$out@{newline}m=$total $available"
  hot=
  for f in $sensors; do
    line=; read -r line <"$f"
    case $line in ''|*[!0-9]*) ;; *) [ "$line" -le "@{hot:-0}" ] || hot=$line ;; esac
  done
  [ -z "$hot" ] || out="$out@{newline}h=$hot"
  for d in $cards; do
    name=AMD total= used= busy= heat=
    [ ! -r "$d/product_name" ] || read -r name <"$d/product_name"
    read -r total <"$d/mem_info_vram_total"
    read -r used <"$d/mem_info_vram_used"
    [ ! -r "$d/gpu_busy_percent" ] || read -r busy <"$d/gpu_busy_percent"
    for f in "$d"/hwmon/hwmon*/temp1_input; do [ ! -r "$f" ] || read -r heat <"$f"; done
    out="$out@{newline}a=$total,$used,$busy,$heat,$name"
  done
  if [ $((turn % 10)) = 0 ]; then
    line=$(df -Pk "$at")
    [ -z "$line" ] || out="$out@{newline}d=@{line##*"$newline"}"
  fi
  if [ -n "$nvidia" ] && [ $turn -ge $next ]; then
    cost; before=$ticks
    line=$($limit nvidia-smi --query-gpu=name,memory.total,memory.used,utilization.gpu,temperature.gpu --format=csv,noheader,nounits)
    cost
    next=$((turn + 2 + (ticks - before) * 2 / every))
    # One that says nothing twice, after all the time that it has, is asked no more.
    if [ -n "$line" ]; then
      dumb=0
      set -f; IFS=$newline
      for one in $line; do out="$out@{newline}g=$one"; done
      set +f; unset IFS
    else
      dumb=$((dumb + 1)); [ $dumb -lt 2 ] || nvidia=
      out="$out@{newline}g="
    fi
  fi
  printf '%s\n' "$out@{newline}end" || exit 0
}
loop() {
  turn=0 next=0 dumb=0
  unset IFS
  while :; do
    look
    turn=$((turn + 1))
    sleep "$every" || exit 0
  done
}
loop </dev/null & loop=$!
trap 'kill $loop' EXIT
while read -r line; do :; done
`
