#!/bin/sh
# Runs a command with a network and mounts of its own, so that tests can run side by side: same ports, same names of network
# namespaces, and whatever it leaves mounted goes with it. Needs root; without, the command runs as it is.
[ "$(id -u)" = 0 ] || exec "$@"
exec unshare --net --mount sh -c 'ip link set lo up && mkdir -p /run/netns && mount -t tmpfs netns /run/netns && exec "$@"' _ "$@"
