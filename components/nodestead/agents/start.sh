#!/bin/sh
# Starts the node: its own argv, given as arguments, and behind it what prepare.sh found out.
#
#   ENTRYPOINT  the image's entrypoint (/docker-entrypoint.sh); empty or absent: the arguments are the program
#   ARGS_FILE   arguments to append, one on each line. They go last, behind the subcommands, and so outrank the environment.
#   PROVER      true, with PREFIX: the node proves storage, and its circuit files are fetched first, where they are missing
#   PREFIX      prefix of the node's own environment, which names the circuit files' source: CODEX for CODEX_DATA_DIR,
#               CODEX_CIRCUIT_DIR, CODEX_ETH_PROVIDER and CODEX_MARKETPLACE_ADDRESS
set -eu

fail() {
  printf 'nodestead: %s\n' "$*" >&2
  exit 1
}
setting() { # setting NAME : the value that the node reads
  eval "printf '%s' \"\${${PREFIX}_$1:-}\""
}

# --- the circuit files of a prover ---

has_circuits() { # has_circuits FOLDER : all that a prover opens; newer nodes have a graph (.bin) in place of .wasm
  [ -s "$1/proof_main.r1cs" ] && [ -s "$1/proof_main.zkey" ] && { [ -s "$1/proof_main.wasm" ] || [ -s "$1/proof_main.bin" ]; }
}
fetch_circuits() { # fetch_circuits FOLDER ADDRESS : the files of the marketplace contract, all of them or none
  # cirdl writes into its working directory, which is the image's and not ours to write in; the volume has the room.
  work=$(dirname "$(setting DATA_DIR)")/circuits-work
  rm -rf "$work"
  mkdir -p "$work/circuits" || fail "cannot make $work to fetch the circuit files; check that the volume is not read-only"
  trap 'rm -rf "$work"' EXIT
  child=
  trap '[ -z "$child" ] || kill "$child" 2>/dev/null || :; exit 143' TERM INT
  printf 'nodestead: fetching the circuit files of the marketplace contract %s\n' "${2:-of the chain}"
  # What cirdl says has the provider's URL in it, and with it often a token: it goes to a file that nobody is shown.
  (cd "$work" && exec cirdl "$work/circuits" "$(setting ETH_PROVIDER)" ${2:+"$2"}) >"$work/said" 2>&1 &
  child=$!
  # cirdl ends with 0 when it failed as well: the files tell.
  wait "$child" || :
  child=
  if ! has_circuits "$work/circuits"; then
    why=$(LC_ALL=C grep -Eo 'Failed to [a-z]+( circuit)? (hash|files?)|No known marketplace address' "$work/said" | tail -n 1) || :
    fail "cirdl left no circuit files (${why:-no reason known}), and a prover cannot start without; see whether the Ethereum provider" \
      "answers, whether marketplace.address is of its chain, and whether NetworkPolicies and the volume's free space allow the download"
  fi
  rm -f "$1"/proof_main.* "$1/$marker"
  mv "$work"/circuits/* "$1"
  printf '%s\n' "$2" >"$1/$marker"
  rm -rf "$work"
  trap - EXIT TERM INT
}
prepare_circuits() {
  # The node demands 0700 without the setgid bit that a mount root with fsGroup passes on.
  if ! { mkdir -p -m 0700 "$1" && chmod 0700 "$1" && chmod g-s "$1"; } 2>/dev/null; then
    fail "cannot make $1 a folder for user $(id -u) alone (0700), as the node demands; give it away once: chown -R $(id -u) $1"
  fi
  marker=.marketplace-address
  if has_circuits "$1"; then
    # Files without the mark were there before: those of an earlier chart.
    [ -f "$1/$marker" ] || printf '%s\n' "$2" >"$1/$marker"
    [ "$(cat "$1/$marker")" != "$2" ] || return 0
  fi
  fetch_circuits "$1" "$2"
}

if [ "${PROVER:-}" = true ] && [ -n "${PREFIX:-}" ]; then
  command -v cirdl >/dev/null ||
    fail "the image has no program cirdl to fetch a prover's circuit files; set image to one that has, or marketplace.prover to false"
  given_mask=$(umask)
  umask 077
  prepare_circuits "$(setting CIRCUIT_DIR)" "$(setting MARKETPLACE_ADDRESS)"
  umask "$given_mask"
  unset PROVER PREFIX
fi

# --- the node ---

if [ -n "${ARGS_FILE:-}" ] && [ -f "$ARGS_FILE" ]; then
  while IFS= read -r line || [ -n "$line" ]; do
    [ -z "$line" ] || set -- "$@" "$line"
  done <"$ARGS_FILE"
fi

entrypoint=${ENTRYPOINT-/docker-entrypoint.sh}
if [ -n "$entrypoint" ] && [ -x "$entrypoint" ]; then
  exec "$entrypoint" "$@"
fi
if [ $# = 0 ] || ! command -v "$1" >/dev/null; then
  printf 'nodestead: the image has no program %s; set image to one that holds this software\n' "'${1:-}'" >&2
  exit 127
fi
exec "$@"
