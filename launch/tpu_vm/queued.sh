#!/usr/bin/env bash
# A study on a queued TPU slice: asks for it, runs the same command on each of
# its hosts, and gives the slice back, whatever happened.
#
#   IMAGE=REGISTRY/heterojax launch/tpu_vm/queued.sh NAME ZONE TYPE \
#     --config=folder --config.data.dir=gs://BUCKET/images --workdir=/shared/run
#
# IMAGE is of launch/Dockerfile, with EXTRAS=tpu,cloud. TYPE is as v5litepod-16.
# DISK (/shared) is a folder that all hosts have in common, as Filestore.
# RUNTIME names the system of the hosts, SPOT=1 asks for spot machines, and
# DRY_RUN=1 prints the commands.
set -euo pipefail

name=${1:?name of the slice} zone=${2:?zone} type=${3:?type, as v5litepod-16}
image=${IMAGE:?the image of launch/Dockerfile} disk=${DISK:-/shared}
shift 3

tpu() {
  local command=(gcloud compute tpus "$@" "--zone=$zone")
  if [[ -n ${DRY_RUN:-} ]]; then
    printf '%q ' "${command[@]}"
    printf '\n'
  else
    "${command[@]}"
  fi
}

tpu queued-resources create "$name" --node-id="$name" \
  --accelerator-type="$type" \
  --runtime-version="${RUNTIME:-v2-alpha-tpuv5-lite}" ${SPOT:+--spot}
trap 'tpu queued-resources delete "$name" --force --quiet' EXIT
until [[ -n ${DRY_RUN:-} ]]; do
  state=$(tpu queued-resources describe "$name" --format='value(state.state)')
  case $state in
    ACTIVE) break ;;
    FAILED | SUSPENDED) exit 1 ;;
  esac
  sleep "${SECONDS_BETWEEN:-30}"
done
printf -v words ' %q' --volume="$disk:$disk" "$image" run "$@" --distributed=auto
tpu tpu-vm ssh "$name" --worker=all \
  --command="sudo docker run --rm --privileged --net=host$words"
