#!/bin/bash
# make down: stops the server and everything it started (tools/install/killall.sh says what). The data in /var/lib/k3x stays
# (make clean-data removes it). K3X_DATA_DIR and K3X_STATE_DIR point it at another server's folders.
[ "$(id -u)" = 0 ] || { echo "make down: must be run as root" >&2; exit 1; }
sh "$(dirname "$0")/killall.sh" || exit
echo "k3x is down; data stays in ${K3X_DATA_DIR:-/var/lib/k3x}"
