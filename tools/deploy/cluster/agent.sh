# What tidecluster runs on a node's machine, given to `sh -c` whole; nothing is installed there.
#
#   sh -c "$(cat agent.sh)" agent COMMAND ARGUMENT...
#
# DIR is a node's directory. Its file `process` has one line, "PID START BOOT PACKAGE ROLE SETTINGS".
# START is the process's start time (field 22 of /proc/PID/stat) and BOOT the machine's boot id. Only
# a process with all three is the node; another that was given the number later is nobody of ours
# and never signalled. A lock held for the moment of starting and stopping keeps two operators from
# doing either twice.
#
# Exit status: 0, or 1 with one line on stderr.
set -eu
umask 077

die() { printf '%s\n' "$*" >&2; exit 1; }

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# Prints the start time of process $1; fails if it has ended, even if nobody has waited for it yet.
start_time() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name may hold anything, so count from its closing bracket: behind it comes the state.
  # shellcheck disable=SC2086  # Words are wanted.
  set -- ${stat##*) }
  case $1 in Z | X) return 1 ;; esac
  printf '%s\n' "${20}"
}

# Reads DIR/process into pid, start, boot, package, role, settings; fails if there is none.
read_process() {
  [ -s "$1/process" ] || return 1
  read -r pid start boot package role settings <"$1/process"
}

runs() { [ "$boot" = "$(boot_id)" ] && [ "$(start_time "$pid")" = "$start" ]; }

lock() {
  mkdir -p "$1"
  exec 9>"$1/lock"
  flock -w 10 9 || die "another command is starting or stopping $1"
}

# state DIR: "running PID SECONDS RSS_KB PACKAGE ROLE SETTINGS", "died", or "stopped".
agent_state() {
  read_process "$1" || { echo stopped; return; }
  runs || { echo died; return; }
  read -r uptime _ </proc/uptime
  seconds=$((${uptime%.*} - start / $(getconf CLK_TCK)))
  rss_kb=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$pid/status")
  echo "running $pid $seconds ${rss_kb:-0} $package $role $settings"
}

# start DIR PACKAGES PACKAGE ROLE SETTINGS LOG_BYTES LOG_FILES: the node.toml comes on stdin, and
# SETTINGS is its hash. "started", or "running" if it did already: then nothing is changed.
agent_start() {
  dir=$1 programs=$2/$3 new_package=$3 new_role=$4 new_settings=$5
  lock "$dir"
  if read_process "$dir" && runs; then echo running; return; fi
  cat >"$dir/node.toml.new"
  mv "$dir/node.toml.new" "$dir/node.toml"
  : >"$dir/ready"
  cd "$dir"
  setsid "$programs/tidelog" --log="$dir/log" --bytes="$6" --files="$7" -- \
    "$programs/$new_role" --config="$dir/node.toml" \
    </dev/null >"$dir/ready" 2>"$dir/start_error" 9>&- &
  pid=$!
  # It may have ended already. Nothing began at 0, so it does not run, and whoever waits for it
  # hears why.
  start=$(start_time "$pid") || start=0
  echo "$pid $start $(boot_id) $new_package $new_role $new_settings" >"$dir/process.new"
  mv "$dir/process.new" "$dir/process"
  echo started
}

# ready DIR SECONDS: waits so long at most. "ready LINE", "waiting", or "ended LINE", its last.
agent_ready() {
  dir=$1 tenths=$(($2 * 10))
  while :; do
    if line=$(grep -m 1 '^tidemark ready ' "$dir/ready"); then echo "ready $line"; return; fi
    if ! read_process "$dir" || ! runs; then
      # The log's writer may be a moment behind the node that ended.
      sleep 0.2
      echo "ended $(cat "$dir/start_error" "$dir/log" 2>/dev/null | tail -n 1)"
      return
    fi
    [ "$tenths" -gt 0 ] || { echo waiting; return; }
    tenths=$((tenths - 1))
    sleep 0.1
  done
}

# stop DIR SIGNAL SECONDS: signals the node, unless SIGNAL is 0, and waits so long at most.
# "stopped" or "running".
agent_stop() {
  dir=$1 tenths=$(($3 * 10))
  lock "$dir"
  if read_process "$dir"; then
    if [ "$2" != 0 ] && runs; then kill -s "$2" "$pid" 2>/dev/null || true; fi
    while runs; do
      [ "$tenths" -gt 0 ] || { echo running; return; }
      tenths=$((tenths - 1))
      sleep 0.1
    done
    rm -f "$dir/process"
  fi
  echo stopped
}

# tail DIR LINES [follow]: the end of the log.
agent_tail() {
  if [ "${3:-}" = follow ]; then exec tail -n "$2" -F "$1/log" 2>/dev/null; fi
  { cat "$1/log.1" "$1/log" 2>/dev/null || true; } | tail -n "$2"
}

# get FILE: its content, or nothing if there is none.
agent_get() { if [ -e "$1" ]; then cat "$1"; fi; }

# put FILE MODE: writes stdin to it, whole or not at all.
agent_put() {
  mkdir -p "$(dirname "$1")"
  new=$(mktemp "$1.XXXXXX")
  cat >"$new"
  chmod "$2" "$new"
  mv "$new" "$1"
}

# missing PACKAGE_DIR PROGRAM...: those that are not there.
agent_missing() {
  dir=$1
  shift
  for program; do [ -x "$dir/$program" ] || echo "$program"; done
}

# prune PACKAGES NODES KEEP: deletes packages but KEEP and those that nodes were started from.
agent_prune() {
  [ -d "$1" ] || return 0
  for package_dir in "$1"/*/; do
    [ -d "$package_dir" ] || continue
    name=$(basename "$package_dir")
    [ "$name" != "$3" ] || continue
    used=
    for node in "$2"/*/; do
      if read_process "$node" && [ "$package" = "$name" ]; then used=1; fi
    done
    [ -n "$used" ] || rm -rf "$package_dir"
  done
}

command=$1
shift
"agent_$command" "$@"
