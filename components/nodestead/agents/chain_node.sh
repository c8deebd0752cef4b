#!/bin/sh
# Runs a chain's node, the argv given, once chain_health.py lets it. In the chain's image, which may have a bare shell:
# needs sleep and, with a gate, mv and cp.
#
#   GATE         folder of the gate, shared by the containers of the pod; without it the node starts at once
#   VERSION      this container's version: the name of its files there
#   CHAIN_HOME   home of the chain, which gets the config files of this version
#   FILES        where they are (/run/nodestead/files): $FILES/$VERSION/*.toml
#   START_DELAY  seconds to wait before the node starts
#
# The gate. $VERSION.waiting holds a token that was never used before: no process of this container's earlier runs lives
# any more. Once $VERSION.grant holds it, this run, and no other, may start. The token then moves to $VERSION.running.
set -eu
# As process 1 of a container a shell without a trap ignores the signal. `wait` ends at once, `sleep` would not.
trap 'exit 143' TERM
trap 'exit 130' INT

fail() {
  echo "nodestead: $*" >&2
  exit 1
}
pause() {
  sleep "$1" &
  wait $!
}
first_line() { # first_line FILE : into $line; empty where there is none
  line=
  [ ! -r "$1" ] || { IFS= read -r line <"$1"; } 2>/dev/null || :
}
put() { # put FILE TEXT : seen by others whole or not at all
  { echo "$2" >"$1.new"; } 2>/dev/null && mv -f "$1.new" "$1" || fail "cannot write $1; the volume of the gate must be writable"
}

[ $# -gt 0 ] || fail "no program to run; restore the pod as nodestead made it"
command -v "$1" >/dev/null 2>&1 || {
  echo "nodestead: the image has no program '$1'; set image to one that holds this chain, or binary to its name" >&2
  exit 127
}

if [ -n "${GATE:-}" ]; then
  [ -n "${VERSION:-}" ] && [ -n "${CHAIN_HOME:-}" ] || fail "VERSION or CHAIN_HOME is not set; restore the pod as nodestead made it"
  until [ -d "$GATE" ]; do pause 1; done
  first_line /proc/sys/kernel/random/uuid
  token=$line
  if [ -z "$token" ]; then # a sandbox without it: count the runs, which follow each other
    first_line "$GATE/$VERSION.runs"
    token=$((${line:-0} + 1))
    put "$GATE/$VERSION.runs" "$token"
  fi
  put "$GATE/$VERSION.waiting" "$token"
  echo "nodestead: version $VERSION waits until it is its turn"
  while :; do
    first_line "$GATE/$VERSION.grant"
    [ "$line" != "$token" ] || break
    pause 1
  done
  mv -f "$GATE/$VERSION.waiting" "$GATE/$VERSION.running" || fail "cannot write in $GATE; the volume of the gate must be writable"
  for file in "${FILES:-/run/nodestead/files}/$VERSION"/*.toml; do
    [ -f "$file" ] || continue
    name=${file##*/}
    { cp -f "$file" "$CHAIN_HOME/config/$name.new" && mv -f "$CHAIN_HOME/config/$name.new" "$CHAIN_HOME/config/$name"; } ||
      fail "cannot write $CHAIN_HOME/config/$name; see whether the volume is full or read-only"
  done
  echo "nodestead: version $VERSION starts"
fi
[ -z "${START_DELAY:-}" ] || pause "$START_DELAY"
exec "$@"
