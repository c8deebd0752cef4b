#!/bin/sh
# Keeps a storage node's offer on the marketplace as it is wanted. The node forgets its offers on a restart, so this
# looks again and again; nothing that goes wrong ends it.
#
#   API_URL       base of the node's API (http://127.0.0.1:8080/api/codex/v1)
#   AVAILABILITY  the wanted fields as a JSON object, as the API takes them
#   INTERVAL      seconds between two looks (60)
#   ONCE          1: look once; exit 0 when the offer is as wanted, 1 when not
set -eu

pid=
# `wait` is what a signal can interrupt; a command in the foreground would delay it.
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; exit 0' TERM INT
pause() {
  sleep "$1" &
  pid=$!
  wait "$pid" || :
  pid=
}

said=
say() { # say TEXT : unless it is what was said last
  [ "$said" = "$1" ] || printf 'nodestead: %s\n' "$1"
  said=$1
}
complain() {
  [ "$said" = "$1" ] || printf 'nodestead: %s\n' "$1" >&2
  said=$1
  return 1
}
line_of() { tr '\n\r\t' '   ' <"$1" | head -c 200; } # a file as part of a message

API_URL=${API_URL:-http://127.0.0.1:8080/api/codex/v1}
if ! printf '%s' "${AVAILABILITY:-}" | jq -es 'length == 1 and (.[0] | type == "object")' >/dev/null 2>&1; then
  complain 'AVAILABILITY is not one JSON object; restore the pod as nodestead made it'
fi
scratch=$(mktemp -d) || complain "cannot write in ${TMPDIR:-/tmp}; mount an emptyDir there"
trap 'rm -rf "$scratch"' EXIT

request() { # request METHOD PATH [BODY] : sets code (000: no answer); the answer is in body, the reason in why
  : >"$scratch/body"
  curl -sS -m 20 --noproxy '*' -X "$1" -H 'Content-Type: application/json' -H 'Accept: application/json' \
    ${3+--data-binary "$3"} -o "$scratch/body" -w '%{http_code}' "$API_URL$2" >"$scratch/code" 2>"$scratch/why" &
  pid=$!
  wait "$pid" || :
  pid=
  code=$(cat "$scratch/code")
}

# What there is to do: `keep|set|add|patch COUNT [ID [CHANGES]]`. Nodes give numbers as numbers or as strings.
# A change sends only the fields that differ: the node counts a given totalSize against its quota once more.
plan() {
  jq -r --argjson wanted "$AVAILABILITY" '
    def changes: . as $have | $wanted | with_entries(select((.value | tostring) != ($have[.key] | tostring)));
    if type == "object" then (if changes == {} then "keep 1" else "set 1" end)
    elif length == 0 then "add 0"
    else
      length as $count
      | (map(select(changes == {})) | first) as $right
      | if $right then "keep \($count) \($right.id)" else "patch \($count) \(.[0].id) \(.[0] | changes | tojson)" end
    end' "$scratch/body" 2>/dev/null
}
accepted() { # accepted WHAT : judges the answer to a POST or PATCH
  case $code in
  2??) say "$1" ;;
  *) complain "the node refuses the availability ($code $(line_of "$scratch/body")$(line_of "$scratch/why")); change the availability, or the quota" ;;
  esac
}
look() {
  request GET /sales/availability
  case $code in
  200) ;;
  404) # newer Archivist nodes answer so until the first offer
    request POST /sales/availability "$AVAILABILITY"
    accepted 'availability offered'
    return ;;
  503) complain "the node takes no part in the marketplace (503 $(line_of "$scratch/body")); it has to run with persistence" || return 1 ;;
  000) complain "waiting for the node's API at $API_URL" || return 1 ;;
  *) complain "the node does not tell its availability ($code $(line_of "$scratch/body"))" || return 1 ;;
  esac
  todo=$(plan) || todo=
  # shellcheck disable=SC2086
  read -r action count id changes <<TODO
$todo
TODO
  others=
  [ "${count:-0}" -le 1 ] || others="; the node has $count, this is $id, the others are left alone"
  case $action in
  keep) say "availability as wanted$others" ;;
  add | set)
    request POST /sales/availability "$AVAILABILITY"
    accepted 'availability offered' ;;
  patch)
    request PATCH "/sales/availability/$id" "$changes"
    accepted "availability changed: $changes$others" ;;
  *) complain "the node's list of availabilities is not understood: $(line_of "$scratch/body")" ;;
  esac
}

while :; do
  result=0
  look || result=1
  [ "${ONCE:-}" != 1 ] || exit "$result"
  if [ "$code" = 000 ] && [ "${INTERVAL:-60}" -gt 5 ]; then pause 5; else pause "${INTERVAL:-60}"; fi
done
