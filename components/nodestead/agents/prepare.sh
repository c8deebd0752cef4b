#!/bin/sh
# Runs before a storage node, in the node's image and as its user: sets up what the node insists on and what only
# the pod can know. It does what the environment asks for and nothing else; each step may be interrupted and repeated.
#
#   ARGS_FILE        arguments for start.sh, one on each line; made anew by every run
#   DATA_DIR         folder for the node's data, made to be exactly 0700
#   DATA_MOUNT       where the volume is mounted; the folder that DATA_DIR is in
#   KEY_FILE         the node's Ethereum key as mounted, copied to KEY_TARGET as exactly 0600
#   ADDRESS_FROM     pod | host | node | lookup | fixed | none (default): where the announced address comes from
#     pod: POD_IP; host: HOST_IP; node: the ExternalIP of node NODE_NAME, asked of the API server; lookup: what
#     ADDRESS_URL answers; fixed: ADDRESS, or the file POD_NAME in the folder ADDRESS_MAP
#   ADDRESS_WAIT     seconds to go on asking for it (120)
#   NAT_ARG          argument that announces it, with {address} in it; a line of ARGS_FILE
#   ADDRESS_FILE     gets the bare address
#   BOOTSTRAP_URLS   URLs of .../spr, separated by spaces; at least one must give its peer record, or a list of them
#   BOOTSTRAP_WAIT   seconds to wait for it (300)
#   BOOTSTRAP_ARG    argument that names a peer record, with {spr} in it (--bootstrap-node={spr}); a line of ARGS_FILE each
#   BOOTSTRAP_CACHE  file on the volume that holds the records of the last run, for when nobody answers
set -euf
umask 077
# As process 1 of a container a shell without a trap ignores the signal, and a deleted pod lingers.
trap 'exit 143' TERM INT

say() { printf 'nodestead: %s\n' "$*"; }
fail() {
  printf 'nodestead: %s\n' "$*" >&2
  exit 1
}
need() { # need VARIABLE... : the environment names each
  for name; do
    eval "[ -n \"\${$name:-}\" ]" || fail "$name is not set, and this step needs it; restore the pod as nodestead made it"
  done
}
line_of() { tr '\n\r\t' '   ' <"$1" | head -c 200; } # a file as part of a message
make_scratch() {
  [ -z "${scratch:-}" ] || return 0
  scratch=$(mktemp -d) || fail "cannot write in ${TMPDIR:-/tmp}; mount an emptyDir there"
  trap 'rm -rf "$scratch"' EXIT
}
argument() { # argument TEMPLATE PLACEHOLDER VALUE : one more line for start.sh
  need ARGS_FILE
  case $1 in *"$2"*) ;; *) fail "the argument '$1' has no $2 in it; restore the pod as nodestead made it" ;; esac
  printf '%s\n' "${1%%"$2"*}$3${1#*"$2"}" >>"$ARGS_FILE"
}

# --- the data folder ---

describe() { # describe FOLDER : who owns it
  # shellcheck disable=SC2012 # stat has no portable format
  ls -ldLn "$1" | {
    read -r mode _ user group _
    printf '%s belongs to %s:%s with mode %s' "$1" "$user" "$group" "$mode"
  }
}
own() { # own FOLDER : exactly 0700, or the node refuses to start
  # A mount root with fsGroup passes its setgid bit on, and chmod 0700 alone leaves that bit on folders.
  { chmod 0700 "$1" && chmod g-s "$1"; } 2>/dev/null || :
  # shellcheck disable=SC2012
  case $(ls -ldLn "$1") in
  drwx------*) [ -w "$1" ] && [ -x "$1" ] && return 0 ;;
  esac
  fail "$(describe "$1") and user $(id -u) cannot make it writable for itself alone (0700), as the node demands;" \
    "let the pod run as the owner (runAsUser), or give the folder away once: chown -R $(id -u) $1"
}
refuse_earlier_data() { # an earlier chart had its data at the mount root; a fresh folder beside it would be another node
  mount=${DATA_MOUNT:-$(dirname "$DATA_DIR")}
  [ ! -e "$DATA_DIR" ] && { [ -e "$mount/key" ] || [ -e "$mount/repo" ]; } || return 0
  set +f
  entries=
  for entry in "$mount"/*; do
    case ${entry##*/} in lost+found | bootstrap-sprs | circuits-work) ;; *) entries="$entries $entry" ;; esac
  done
  set -f
  fail "the data of an earlier chart lies at the root of the volume ($mount), and the node would start anew beside it, with another" \
    "peer id and none of the blocks; adopt it, in a pod that mounts the volume: mkdir -p $DATA_DIR && mv$entries $DATA_DIR/"
}
prepare_data() {
  refuse_earlier_data
  if ! mkdir -p "$DATA_DIR" 2>/dev/null; then
    there=$DATA_DIR
    while [ ! -d "$there" ]; do there=$(dirname "$there"); done
    fail "cannot make $DATA_DIR as user $(id -u) with groups $(id -G): $(describe "$there");" \
      "let fsGroup name a group that may write there, and check that the volume is not read-only"
  fi
  own "$DATA_DIR"
  [ ! -d "$DATA_DIR/repo" ] || own "$DATA_DIR/repo"
  # fsGroup with fsGroupChangePolicy Always opens the node's own key to the group, and the node never starts again.
  if [ -f "$DATA_DIR/key" ] && ! chmod 0600 "$DATA_DIR/key" 2>/dev/null; then
    fail "$DATA_DIR/key belongs to another user than $(id -u), and the node demands it as 0600;" \
      "let the pod run as the owner (runAsUser), or give the folder away once: chown -R $(id -u) $DATA_DIR"
  fi
}

# --- the Ethereum key ---

prepare_key() {
  need KEY_TARGET
  [ -r "$KEY_FILE" ] || fail "the Secret has no usable key for this node: $KEY_FILE is missing or unreadable;" \
    "add the entry to the Secret"
  if [ "$(LC_ALL=C grep -c . "$KEY_FILE")" != 1 ] ||
    ! LC_ALL=C grep -Eq '^[[:space:]]*(0x)?[0-9a-fA-F]{64}[[:space:]]*$' "$KEY_FILE"; then
    fail "the Secret has no usable key for this node: $KEY_FILE does not hold 64 hexadecimal digits;" \
      "put the private key there as plain text, with or without 0x"
  fi
  mkdir -p "$(dirname "$KEY_TARGET")"
  rm -f "$KEY_TARGET.new"
  cat "$KEY_FILE" >"$KEY_TARGET.new"
  mv -f "$KEY_TARGET.new" "$KEY_TARGET"
}

# --- the announced address ---

is_ipv4() {
  case $1 in *[!0-9.]* | '' | *..* | .* | *.) return 1 ;; esac
  printf '%s\n' "$1" | grep -Eq '^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.|$)){4}$'
}
is_ipv6() {
  case $1 in *[!0-9a-fA-F:]* | *:::* | *::*::*) return 1 ;; esac
  printf '%s\n' "$1" | grep -Eq '^([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}$|^(([0-9a-fA-F]{1,4}:){1,6}|:)(:[0-9a-fA-F]{1,4}){1,6}$|^([0-9a-fA-F]{1,4}:){1,7}:$'
}
is_address() { # something that peers can dial: the node listens on IPv4 only
  case $1 in 0.0.0.0 | 127.*) return 1 ;; esac
  is_ipv4 "$1"
}
why_no_address() { # why_no_address TEXT OTHERWISE : why it is not to be announced
  if is_ipv6 "$1"; then
    echo 'an IPv6 address, and the node listens on IPv4 only'
  else
    echo "$2"
  fi
}
only_word() { # only_word TEXT : the text without the space around it, if it is one word
  # shellcheck disable=SC2086
  set -- $1
  [ $# = 1 ] && printf '%s' "$1"
}
deadline_in() { echo $(($(date +%s) + $1)); }
is_over() { [ "$(date +%s)" -ge "$1" ]; }

node_address() {
  need NODE_NAME
  make_scratch
  account=${SERVICE_ACCOUNT_DIR:-/var/run/secrets/kubernetes.io/serviceaccount}
  [ -r "$account/token" ] || fail "no service account token in $account, and the address of node $NODE_NAME has to be" \
    "asked of the API server; set automountServiceAccountToken, or choose another externalAddress"
  deadline=$(deadline_in "${ADDRESS_WAIT:-120}")
  while :; do
    # The token goes through standard input: arguments can be read by every process of the pod.
    code=$(printf 'header = "Authorization: Bearer %s"\n' "$(cat "$account/token")" |
      curl -sS -m 5 -K - --cacert "$account/ca.crt" -o "$scratch/node" -w '%{http_code}' \
        "${KUBERNETES_API:-https://kubernetes.default.svc}/api/v1/nodes/$NODE_NAME" 2>"$scratch/why") || code=000
    case $code in
    200) break ;;
    401 | 403) fail "the API server answers $code for node $NODE_NAME; the pod's service account needs a ClusterRole" \
      "with the verb get on nodes" ;;
    404) fail "the API server knows no node $NODE_NAME; NODE_NAME must come from spec.nodeName" ;;
    esac
    ! is_over "$deadline" || fail "the API server does not tell the address of node $NODE_NAME ($code $(line_of "$scratch/why"));" \
      "let NetworkPolicies allow it from this pod, or choose another externalAddress"
    sleep 1
  done
  external=$(jq -r '.status.addresses[]? | select(.type == "ExternalIP") | .address' "$scratch/node")
  address=
  for candidate in $external; do
    if is_ipv4 "$candidate"; then
      address=$candidate
      break
    fi
    [ -n "$address" ] || address=$candidate
  done
  [ -n "$address" ] || fail "node $NODE_NAME has no ExternalIP to announce (see kubectl get node $NODE_NAME -o wide);" \
    "choose another externalAddress: hostIP, lookup or fixed"
}
lookup_address() {
  need ADDRESS_URL
  make_scratch
  deadline=$(deadline_in "${ADDRESS_WAIT:-120}")
  while :; do
    answer=$(curl -fsS -m 5 "$ADDRESS_URL" 2>"$scratch/why" | tr -d '\000' | head -c 200) || answer=
    address=$(only_word "$answer") || address=
    ! is_address "$address" || return 0
    if is_over "$deadline"; then
      [ -s "$scratch/why" ] || why_no_address "$address" 'the answer is not one IP address' >"$scratch/why"
      fail "$ADDRESS_URL gave no address to announce within ${ADDRESS_WAIT:-120} s ($(line_of "$scratch/why"));" \
        "check the URL from a pod, or choose another externalAddress"
    fi
    sleep 1
  done
}
fixed_address() {
  if [ -n "${ADDRESS_MAP:-}" ]; then
    need POD_NAME
    [ -r "$ADDRESS_MAP/$POD_NAME" ] || fail "there is no address for $POD_NAME in $ADDRESS_MAP; add it to the addresses of externalAddress"
    ADDRESS=$(cat "$ADDRESS_MAP/$POD_NAME")
  fi
  address=$(only_word "${ADDRESS:-}") || fail "the address to announce is '${ADDRESS:-}'; give exactly one IP address"
}
prepare_address() {
  case $ADDRESS_FROM in
  none) return 0 ;;
  pod) address=${POD_IP:-} ;;
  host) address=${HOST_IP:-} ;;
  node) node_address ;;
  lookup) lookup_address ;;
  fixed) fixed_address ;;
  *) fail "ADDRESS_FROM is '$ADDRESS_FROM'; it must be pod, host, node, lookup, fixed or none" ;;
  esac
  # `extip:` without an address ends every node, with a message that names no cause.
  is_address "$address" || fail "the address to announce (from: $ADDRESS_FROM) is '$address', which is $(why_no_address "$address" 'not an IP address that peers can dial');" \
    "choose another externalAddress"
  say "announcing $address (from: $ADDRESS_FROM)"
  [ -z "${NAT_ARG:-}" ] || argument "$NAT_ARG" '{address}' "$address"
  if [ -n "${ADDRESS_FILE:-}" ]; then
    printf '%s\n' "$address" >"$ADDRESS_FILE.new"
    mv -f "$ADDRESS_FILE.new" "$ADDRESS_FILE"
  fi
}

# --- the bootstrap nodes ---

ask_for_record() { # ask_for_record NUMBER URL : its peer records into record.NUMBER, or the reason into why.NUMBER
  : >"$scratch/answer.$1"
  # Not a part of a list either: its last record could be cut, and the node quits over one.
  curl -fsS -m 5 --max-filesize 65536 -H 'Accept: text/plain' -o "$scratch/answer.$1" "$2" 2>"$scratch/why.$1" || : >"$scratch/answer.$1"
  case $(head -c 1 "$scratch/answer.$1" | tr -d '\000') in
  '{') jq -r '.spr // empty' "$scratch/answer.$1" >"$scratch/record.$1" 2>/dev/null || : ;;
  # Nodes end their text without a newline; grep adds it.
  *) tr -s ' \t\r\n' '\n\n\n\n' <"$scratch/answer.$1" | grep . >"$scratch/record.$1" || : ;;
  esac
  if ! only_records "$scratch/record.$1"; then
    [ -s "$scratch/why.$1" ] || echo 'the answer is not a peer record' >"$scratch/why.$1"
    : >"$scratch/record.$1"
  fi
}
only_records() { # only_records FILE : it holds peer records, one on each line, and nothing else
  [ -s "$1" ] && ! LC_ALL=C grep -Eqv '^spr:[A-Za-z0-9_-]{40,}=*$' "$1"
}
prepare_bootstrap() {
  make_scratch
  wait_seconds=${BOOTSTRAP_WAIT:-300}
  [ -n "${BOOTSTRAP_ARG:-}" ] || BOOTSTRAP_ARG='--bootstrap-node={spr}'
  deadline=$(deadline_in "$wait_seconds")
  said=
  while :; do
    asked=0
    for url in $BOOTSTRAP_URLS; do
      asked=$((asked + 1))
      ask_for_record "$asked" "$url" &
    done
    wait
    : >"$scratch/records"
    answered=0 reasons='' number=0
    for url in $BOOTSTRAP_URLS; do
      number=$((number + 1))
      if [ -s "$scratch/record.$number" ]; then
        answered=$((answered + 1))
        while IFS= read -r record; do
          grep -Fxqe "$record" "$scratch/records" || printf '%s\n' "$record" >>"$scratch/records"
        done <"$scratch/record.$number"
      else
        reasons="$reasons $url ($(line_of "$scratch/why.$number"));"
      fi
    done
    [ "$answered" = 0 ] || break
    if is_over "$deadline"; then
      if [ -z "${BOOTSTRAP_CACHE:-}" ] || ! only_records "$BOOTSTRAP_CACHE" 2>/dev/null; then
        fail "no bootstrap node gave its peer record within $wait_seconds s:$reasons" \
          "see whether a bootstrap node is ready and whether NetworkPolicies let this pod reach its API"
      fi
      say "no bootstrap node gave its peer record within $wait_seconds s:$reasons starting with those of an earlier run, from $BOOTSTRAP_CACHE"
      cat "$BOOTSTRAP_CACHE" >"$scratch/records"
      break
    fi
    [ -n "$said" ] || say "waiting up to $wait_seconds s for the peer record of a bootstrap node:$reasons"
    said=yes
    sleep 1
  done
  while IFS= read -r record; do
    argument "$BOOTSTRAP_ARG" '{spr}' "$record"
  done <"$scratch/records"
  [ "$answered" != 0 ] || return 0
  say "bootstrapping from $answered of $asked bootstrap nodes"
  [ -n "${BOOTSTRAP_CACHE:-}" ] || return 0
  { cat "$scratch/records" >"$BOOTSTRAP_CACHE.new" && mv -f "$BOOTSTRAP_CACHE.new" "$BOOTSTRAP_CACHE"; } 2>/dev/null ||
    say "cannot write $BOOTSTRAP_CACHE; a later start will need a bootstrap node that answers"
}

if [ -n "${ARGS_FILE:-}" ]; then
  rm -f "$ARGS_FILE"
  : >"$ARGS_FILE"
fi
[ -z "${DATA_DIR:-}" ] || prepare_data
[ -z "${KEY_FILE:-}" ] || prepare_key
[ -z "${ADDRESS_FROM:-}" ] || prepare_address
[ -z "${BOOTSTRAP_URLS:-}" ] || prepare_bootstrap
