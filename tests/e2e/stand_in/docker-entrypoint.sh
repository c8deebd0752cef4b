#!/bin/bash
# What the real images' entrypoint does on the way that matters here: with a prover among the arguments it makes
# the circuit folder (and downloads into it, which this does not), and it ends as the node itself.
if [[ $* == *prover* ]]; then
  data=${1^^}_DATA_DIR circuits=${1^^}_CIRCUIT_DIR
  for argument; do
    case $argument in
    --data-dir=*) export "$data=${argument#*=}" ;;
    --circuit-dir=*) export "$circuits=${argument#*=}" ;;
    esac
  done
  [[ -n ${!circuits} ]] || export "$circuits=${!data}/circuits"
  if ! mkdir -p "${!circuits}" || ! chmod 700 "${!circuits}"; then
    echo "Failed to download circuit files"
    exit 1
  fi
fi
exec "$@"
