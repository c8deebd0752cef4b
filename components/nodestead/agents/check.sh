#!/bin/sh
# Asks every node of a set whether it serves, all at once, and prints a line for each: name, ok or fail, detail,
# separated by tabs. Exits with 1 when one failed.
#
#   NODES    lines of `name url`; the URL is that of the node's debug/info
#   TIMEOUT  seconds for each answer (10)
set -eu
TIMEOUT=${TIMEOUT:-10}
if [ -z "${NODES:-}" ]; then
  echo 'nodestead: NODES is empty, there is nothing to check; restore the pod as nodestead made it' >&2
  exit 1
fi
scratch=$(mktemp -d) || {
  echo "nodestead: cannot write in ${TMPDIR:-/tmp}; mount an emptyDir there" >&2
  exit 1
}
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' TERM INT

line_of() { tr '\n\r\t' '   ' <"$1" | head -c 200; }
ask() { # ask NUMBER NAME URL
  code=$(curl -sS -m "$TIMEOUT" -H 'Accept: application/json' -o "$scratch/body.$1" -w '%{http_code}' "$3" 2>"$scratch/why.$1") || :
  case $code in
  200)
    # The version is that of the software, under its name; some builds list all tags there, newest last.
    if detail=$(jq -ce '
      select(.id | type == "string") | {
        id,
        version: ([.[] | objects | .version | strings] | first // "" | split("\n") | last // ""),
        addrs: (.announceAddresses // .addrs // [])
      }' "$scratch/body.$1" 2>/dev/null); then
      printf '%s\tok\t%s\n' "$2" "$detail"
      return
    fi
    reason='the answer is not that of a storage node' ;;
  000) reason=$(line_of "$scratch/why.$1") ;;
  *) reason="HTTP $code" ;;
  esac
  printf '%s\tfail\t%s\n' "$2" "$reason"
  : >"$scratch/failed"
}

asked=0
while read -r name url; do
  [ -n "$name" ] || continue
  asked=$((asked + 1))
  ask "$asked" "$name" "$url" >"$scratch/line.$asked" &
  # Never more than so many at once: a process costs memory, and the pod has a limit.
  [ $((asked % 64)) != 0 ] || wait
done <<NODES
$NODES
NODES
wait
number=0
while [ "$number" -lt "$asked" ]; do
  number=$((number + 1))
  cat "$scratch/line.$number"
done
[ ! -e "$scratch/failed" ]
