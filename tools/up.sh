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

if [ "$stack" = dev ]; then
  # State in the project folder, ignored by git; dev holds no secret, so an empty passphrase will do.
  mkdir -p .state
  export PULUMI_BACKEND_URL="file://$PWD/.state" PULUMI_CONFIG_PASSPHRASE=""
  pulumi stack select --create --stack dev
  exec pulumi up --yes --stack dev
fi

fail() { echo "make up STACK=$stack: $*" >&2; exit 2; }
[ -n "${PULUMI_BACKEND_URL:-}" ] ||
  fail "where is the state to be kept? Set PULUMI_BACKEND_URL (s3://..., gs://..., azblob://..., https://api.pulumi.com); a lost state is lost keys"
if grep -q '^ *secure:' "stacks/Pulumi.$stack.yaml"; then
  fail "stacks/Pulumi.$stack.yaml holds secure: values; keep secrets out of the repository and name Secrets of the cluster instead"
fi
if ! grep -qE '^(secretsprovider|encryptionsalt|encryptedkey):' "stacks/Pulumi.$stack.yaml"; then
  case $PULUMI_BACKEND_URL in
  https://*) ;;
  *) [ -n "${SECRETS_PROVIDER:-}" ] ||
    fail "what encrypts the keys in the state? Set SECRETS_PROVIDER (awskms://..., gcpkms://..., azurekeyvault://..., hashivault://..., passphrase)" ;;
  esac
fi
pulumi stack select --stack "$stack" 2>/dev/null ||
  pulumi stack init --stack "$stack" ${SECRETS_PROVIDER:+--secrets-provider "$SECRETS_PROVIDER"}
exec pulumi up --stack "$stack"
