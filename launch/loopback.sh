#!/usr/bin/env bash
# COUNT processes on this machine, as a cluster would start them:
#
#   launch/loopback.sh 2 heterojax run DATA --workdir=RUN --distributed=auto
#
# Ends with the exit code of the first that fails, or 0. PORT is that of process
# 0; the default is 12355.
set -euo pipefail

count=${1:?how many processes}
# Arithmetic would run what else it holds.
if [[ ! $count =~ ^[0-9]+$ ]]; then
  echo "COUNT is $count, but must be a number." >&2
  exit 2
fi
shift
export JAX_COORDINATOR_ADDRESS=127.0.0.1:${PORT:-12355} JAX_NUM_PROCESSES=$count

pids=()
trap 'kill -TERM "${pids[@]}" 2>/dev/null || true' EXIT INT TERM
for ((i = 0; i < count; i++)); do
  JAX_PROCESS_ID=$i "$@" &
  pids+=($!)
done
status=0
for pid in "${pids[@]}"; do
  code=0
  wait "$pid" || code=$?
  ((status)) || status=$code
done
exit "$status"
