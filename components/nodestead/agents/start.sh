#!/bin/sh
# Starts the node: its own argv, given as arguments, and behind it what prepare.sh found out.
#
#   ENTRYPOINT  the image's entrypoint (/docker-entrypoint.sh); empty or absent: the arguments are the program
#   ARGS_FILE   arguments to append, one on each line. They go last, behind the subcommands, and so outrank the environment.
set -eu

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
