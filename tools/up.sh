#!/bin/sh
# Brings a stack up with the Pulumi CLI, or renders its manifests where there is no CLI. `make up` calls it.
set -eu
stack=$1

if ! command -v pulumi >/dev/null; then
  echo "The Pulumi CLI is not on PATH: nothing is deployed, the manifests of $stack are rendered instead."
  echo "To deploy, install it (https://www.pulumi.com/docs/install/) and run make up again."
  nodestead render --stack "$stack" --out "rendered/$stack"
  exit
fi

fail() { echo "make up STACK=$stack: $*" >&2; exit 2; }
file=stacks/Pulumi.$stack.yaml
in_file() { grep -v '^ *#' "$file" 2>/dev/null | grep -qE "$1"; }

# What an empty passphrase encrypts, everybody reads.
encrypted() {
  [ "$stack" != dev ] || return 1
  if in_file '^encryptedkey:|^secretsprovider: *.?(awskms|gcpkms|azurekeyvault|hashivault)://'; then return 0; fi
  if in_file '^encryptionsalt:'; then
    [ -n "${PULUMI_CONFIG_PASSPHRASE:-}" ] || [ -s "${PULUMI_CONFIG_PASSPHRASE_FILE:-}" ]
    return
  fi
  # Without either, Pulumi Cloud encrypts for the stack.
  case ${PULUMI_BACKEND_URL:-} in https://*) return 0 ;; *) return 1 ;; esac
}

if in_file "(^|[[:space:]{,])[\"']?secure[\"']?[[:space:]]*:" && ! encrypted; then
  fail "$file holds secure: values, and nothing but an empty passphrase encrypts them; give the stack a secrets provider (pulumi stack change-secrets-provider), or name Secrets of the cluster instead"
fi

if [ "$stack" = dev ]; then
  # State in the project folder, ignored by git; dev holds no secret, so an empty passphrase will do.
  mkdir -p .state
  # metadata=skip: an update that is killed would else leave an empty file of attributes, and "failed to load checkpoint: EOF".
  export PULUMI_BACKEND_URL="file://$PWD/.state?metadata=skip" PULUMI_CONFIG_PASSPHRASE=""
  pulumi stack select --create --stack dev
  exec pulumi up --yes --stack dev
fi

[ -n "${PULUMI_BACKEND_URL:-}" ] ||
  fail "where is the state to be kept? Set PULUMI_BACKEND_URL (s3://..., gs://..., azblob://..., https://api.pulumi.com); a lost state is lost keys"
if ! in_file '^(secretsprovider|encryptionsalt|encryptedkey):'; then
  case $PULUMI_BACKEND_URL in
  https://*) ;;
  *) [ -n "${SECRETS_PROVIDER:-}" ] ||
    fail "what encrypts the keys in the state? Set SECRETS_PROVIDER (awskms://..., gcpkms://..., azurekeyvault://..., hashivault://..., passphrase)" ;;
  esac
fi
pulumi stack select --stack "$stack" 2>/dev/null ||
  pulumi stack init --stack "$stack" ${SECRETS_PROVIDER:+--secrets-provider "$SECRETS_PROVIDER"}
exec pulumi up --stack "$stack"
