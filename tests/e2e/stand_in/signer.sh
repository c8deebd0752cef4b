#!/bin/sh
# signer OPTIONS...: priv_val_server for as long as the container lives. By itself it gives up after ten refused connections,
# which takes it a second, and spins on one that its node closed; so without a connection it is started again.
connected() { awk '$4 == "01" { found = 1 } END { exit !found }' /proc/net/tcp /proc/net/tcp6; }
while :; do
  priv_val_server "$@" &
  while sleep 2 && connected; do :; done
  kill $!
  wait $!
done
