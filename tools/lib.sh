# shellcheck shell=bash
# What the scripts beside this file share. Source it first:  . "$(dirname "$0")/lib.sh"
#
# Afterwards the current directory is the root of the tree and HOME is set.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Bazel and npm keep their caches below HOME; services and chroots may run us without one.
if [ -z "${HOME:-}" ]; then
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
  export HOME=${HOME:-/tmp}
fi

program=$(basename "$0")

say() { printf '%s: %s\n' "$program" "$*"; }

die() {
  printf '%s: %s\n' "$program" "$*" >&2
  exit 1
}

# Exit status 64, as the servers give for bad flags.
die_usage() {
  printf '%s: %s\n' "$program" "$*" >&2
  exit 64
}

# shellcheck disable=SC2034  # For who sources this.
processors=$(nproc)

# Where Bazel puts what it builds with these options.
bazel_bin() { bazel info "$@" bazel-bin 2>/dev/null; }

# Succeeds if something listens on 127.0.0.1:$1.
port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints $1 if nothing listens there, else 0: the kernel chooses.
free_port() { if port_is_taken "$1"; then echo 0; else echo "$1"; fi; }

# Prints the value of `$2=` in the ready line of the file $1.
ready_value() { sed -n "s/^tidemark ready .*\\b$2=\\([0-9]*\\).*/\\1/p" "$1"; }

# Waits until the node of process $1, whose output is in $2.out, is ready; fails after $3 seconds or when
# the process ends.
wait_until_ready() {
  local pid=$1 log=$2 seconds=$3 i
  for ((i = 0; i < seconds * 20; ++i)); do
    if grep -q '^tidemark ready ' "$log.out"; then return 0; fi
    if ! kill -0 "$pid" 2>/dev/null; then return 1; fi
    sleep 0.05
  done
  return 1
}

# Stops process $1, a child of this shell: asks, waits up to 10 s, then insists.
stop_process() {
  local pid=$1 i
  kill -TERM "$pid" 2>/dev/null || return 0
  for ((i = 0; i < 200; ++i)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}
