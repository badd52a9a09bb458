# shellcheck shell=bash
# What the benchmarks share. A *side* is a server program under test: "tidemark", or "redis" for Debian's
# redis-server. The server has core 0 to itself; clients, and replicas where there are any, have core 1.

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

server_core=${SERVER_CORE:-0}
client_core=1
value_bytes=64

work=$(mktemp -d)
started=()
finish() {
  trap - EXIT
  local pid
  for pid in "${started[@]}"; do stop_process "$pid"; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ "$processors" -ge 2 ] || die "needs two cores: one for the server, one for its clients"
for tool in redis-cli redis-benchmark taskset; do
  command -v "$tool" >/dev/null || die "needs $tool: run tools/install"
done

# Sets tidemark_bin: where the servers are, optimised. TIDEMARK_BIN names another build.
build_tidemark() {
  tidemark_bin=${TIDEMARK_BIN:-}
  [ -z "$tidemark_bin" ] || return 0
  bazel build --config=opt --jobs="$processors" --noshow_progress //:primary //:replica \
    >"$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" >&2; die "the build failed"; }
  tidemark_bin=$(bazel_bin --config=opt)
}

# Checks that each argument is a side that can run here, and prepares it.
prepare_sides() {
  local side
  for side in "$@"; do
    case $side in
      tidemark) build_tidemark ;;
      redis) command -v redis-server >/dev/null || die "needs redis-server: run tools/install" ;;
      *) die_usage "no side '$side': tidemark or redis" ;;
    esac
  done
}

cli() { redis-cli -p "$port" "$@"; }

wait_until_answers() {
  local i
  for ((i = 0; i < 600; ++i)); do
    [ "$(redis-cli -p "$port" PING 2>/dev/null)" != PONG ] || return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  die "the server on port $port does not answer: $(tail -n 1 "$work/$port.log")"
}

next_port=17000
# Sets port to one that nothing listens on.
take_port() {
  while port_is_taken "$next_port"; do next_port=$((next_port + 1)); done
  port=$next_port
  next_port=$((next_port + 1))
}

# More flags for start_primary, of each side.
tidemark_flags=()
redis_flags=()

# start_primary SIDE [COMMAND...]: starts a server on the server's core, below COMMAND if there is one (a
# profiler). Sets pid, port and replication_port.
start_primary() {
  local side=$1
  shift
  take_port
  replication_port=$port
  if [ "$side" = tidemark ]; then
    local client_port=$port
    take_port
    replication_port=$port
    port=$client_port
    taskset -c $server_core "$@" "$tidemark_bin/server/primary" --port="$port" --shards=1 \
      --replication_port="$replication_port" "${tidemark_flags[@]}" >"$work/$port.log" 2>&1 &
  else
    # Its pause before a full sync, and its snapshots of the data, would be measured otherwise. A directory
    # of its own: it loads a dump.rdb that it finds.
    mkdir "$work/$port"
    taskset -c $server_core "$@" redis-server --port "$port" --bind 127.0.0.1 --save '' \
      --dir "$work/$port" \
      --appendonly no --repl-diskless-sync yes --repl-diskless-sync-delay 0 \
      --daemonize no "${redis_flags[@]}" >"$work/$port.log" 2>&1 &
  fi
  pid=$!
  started+=("$pid")
  wait_until_answers
}

# start_replica SIDE REPLICATION_PORT [COMMAND...]: starts a replica on the clients' core, below COMMAND if
# there is one. Sets replica_pid and replica_port; does not wait for it.
start_replica() {
  local side=$1 primary_port=$2 keep_port=$port
  shift 2
  take_port
  replica_port=$port
  port=$keep_port
  if [ "$side" = tidemark ]; then
    taskset -c $client_core "$@" "$tidemark_bin/server/replica" --port="$replica_port" --shards=1 \
      --primary="127.0.0.1:$primary_port" >"$work/$replica_port.log" 2>&1 &
  else
    mkdir "$work/$replica_port"
    taskset -c $client_core "$@" redis-server --port "$replica_port" --bind 127.0.0.1 --save '' \
      --dir "$work/$replica_port" --appendonly no --replicaof 127.0.0.1 "$primary_port" --daemonize no \
      >"$work/$replica_port.log" 2>&1 &
  fi
  replica_pid=$!
  started+=("$replica_pid")
}

# wait_for_replica KEYS PAUSE: waits until the replica answers with so many keys.
wait_for_replica() {
  local deadline=$((SECONDS + 120))
  while [ "$(redis-cli -p "$replica_port" DBSIZE 2>/dev/null)" != "$1" ]; do
    kill -0 "$replica_pid" 2>/dev/null ||
      die "the replica stopped: $(tail -n 1 "$work/$replica_port.log")"
    [ $SECONDS -lt $deadline ] || die "the replica has not caught up after 120 s"
    sleep "$2"
  done
}

# stop_started PID: stops one server before the end.
stop_started() {
  local kept=() each
  stop_process "$1"
  for each in "${started[@]}"; do [ "$each" = "$1" ] || kept+=("$each"); done
  started=("${kept[@]}")
}

# fill COUNT: sets keys 0 to COUNT - 1, named as redis-benchmark names them, in 16 bytes each.
fill() {
  LC_ALL=C awk -v count="$1" -v bytes=$value_bytes 'BEGIN {
    value = sprintf("%" bytes "s", ""); gsub(/ /, "x", value)
    for (i = 0; i < count; ++i) {
      printf "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n", i, bytes, value
    }
  }' | taskset -c $client_core redis-cli -p "$port" --pipe >"$work/pipe.log" 2>&1 || true
  grep -q 'errors: 0' "$work/pipe.log" || die "filling failed: $(tail -n 1 "$work/pipe.log")"
}

# The numeric field $1 of INFO.
info() { cli INFO everything | tr -d '\r' | sed -n "s/^$1://p"; }

# Processor time of process $1 and its threads, in clock ticks.
cpu_ticks() {
  local stat
  stat=$(<"/proc/$1/stat")
  set -- ${stat##*) }
  echo $((${12} + ${13}))
}

rss_kb() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }

# Reads numbers, prints their median.
median() {
  sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# What was measured with what, for the top of a report.
describe_machine() {
  printf '%s, %s cores, Linux %s, %s\n' \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$processors" "$(uname -r)" \
    "$(redis-server --version 2>/dev/null | awk '{ print "redis-server " $3 }')"
}
