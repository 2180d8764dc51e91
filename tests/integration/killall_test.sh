#!/bin/bash
# k3x killall and the pod network: a sandbox that was just being made has nobody in it, and is known by its link in the bridge.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "killall" "needs root"; finish; exit; }
needs ip
sandbox() { # NAME: as the bridge plugin leaves it
	ip netns add "cni-$1" && ip link add "v$1" type veth peer name eth0 netns "cni-$1" && ip link set "v$1" master cni0 up
}
killall() { K3X_DATA_DIR=$T/data "$K3X" killall; }
names() { ip netns list | cut -d' ' -f1 | sort | paste -sd' '; }

ip link add cni0 type bridge && ip link set cni0 up
sandbox begun
sandbox lived
ip netns exec cni-lived sleep 1000 &
sleeper=$!
is_lived_in() { [ -n "$(ip netns pids cni-lived)" ]; }
check "one that somebody lives in is there" wait_for 10 is_lived_in
check "it runs" killall
check_is "who was being made is gone, who is of others stays" cni-lived "$(names)"
check "so does the bridge" ip link show cni0
kill $sleeper
wait $sleeper 2>/dev/null
check "again" killall
check_is "nobody is left" "" "$(names)"
check_is "nor is the bridge" "" "$(ip -o link show cni0 2>/dev/null)"
finish
