#!/bin/bash
# make bench-net, pod to pod: TCP through one connection, and the time of a request and its answer of 64 bytes over TCP, p50 and p99, of
#   the bare link between two hosts; two namespaces on a bridge within a host, and two pods of one node;
#   VXLAN set up by hand between two hosts (ip link, ip route, bridge fdb; same MTU, no packet filter), the same with connections tracked,
#   as who masquerades or leads to services needs it (one rule of nftables), and k3x's;
#   plain routes by hand, and k3x's host-gw.
# Method: twelve hosts are network namespaces on one bridge: a server and two agents for each of the two backends, whose pods are made by the
# CNI plugins as always, and two hosts for each way by hand, with a namespace behind a bridge in place of a pod. All are up at the same time,
# and each of ROUNDS (9) rounds takes one after the other, forwards and backwards in turn (flows.py). Medians; a ratio is the median of
# the rounds' ratios, more is better. QUICK=1: 3 short rounds.
. "$(dirname "$0")/common.sh"
rounds=${ROUNDS:-9} seconds=0.5 asks=2000
[ -n "${QUICK:-}" ] && rounds=${ROUNDS:-3} seconds=0.3 asks=1000
hosts s1 s2 a1 a2 a3 a4 a5 a6 a7 a8 a9 a0

# ---- by hand ----
host() { ip -n "$prefix$1" "${@:2}"; }
# hand_made HOST MTU POD...: a bridge with a namespace for each pod, as the CNI plugin bridge makes it.
hand_made() {
	local h=$1 mtu=$2 pods=10.60.${1#a} i=1 p
	shift 2
	at "$h" sysctl -qw net.ipv4.ip_forward=1
	host "$h" link add br0 mtu "$mtu" type bridge
	host "$h" addr add "$pods.1/24" dev br0
	host "$h" link set br0 up
	for p; do
		i=$((i + 1))
		ip netns add "$prefix$p"
		host "$h" link add "$p" mtu "$mtu" type veth peer name eth0 mtu "$mtu" netns "$prefix$p"
		host "$h" link set "$p" master br0 up
		host "$p" addr add "$pods.$i/24" dev eth0
		host "$p" link set lo up
		host "$p" link set eth0 up
		host "$p" route add default via "$pods.1"
	done
}
vxlan_mac() { echo "02:00:00:00:00:0${1#a}"; }
overlay() { # HOST OTHER
	local there=10.60.${2#a}.0
	host "$1" link add vx mtu 1450 address "$(vxlan_mac "$1")" type vxlan id 1 dev eth0 local "$(address "$1")" dstport 8472 nolearning
	host "$1" addr add "10.60.${1#a}.0/32" dev vx
	host "$1" link set vx up
	host "$1" neigh add "$there" lladdr "$(vxlan_mac "$2")" dev vx nud permanent
	nsenter --net="/run/netns/$prefix$1" bridge fdb append "$(vxlan_mac "$2")" dev vx dst "$(address "$2")"
	host "$1" route add "$there/24" via "$there" dev vx onlink
}
hand_made a5 1450 p5; hand_made a6 1450 p6; overlay a5 a6; overlay a6 a5
hand_made a9 1450 q9; hand_made a0 1450 q0; overlay a9 a0; overlay a0 a9
for n in a9 a0; do
	at $n nft 'table ip nat { chain post { type nat hook postrouting priority srcnat; ip daddr != 10.0.0.0/8 masquerade; }; }'
done
hand_made a7 1500 p7 p9; hand_made a8 1500 p8
host a7 route add 10.60.8.0/24 via "$(address a8)"; host a8 route add 10.60.7.0/24 via "$(address a7)"

# ---- by k3x ----
up s1 "--flannel-backend vxlan" a1 a2
up s2 "--flannel-backend host-gw --cluster-cidr 10.52.0.0/16" a3 a4
sleeper s1 one a1; sleeper s1 beside a1; sleeper s1 other a2
sleeper s2 one a3; sleeper s2 other a4
wait_for 60 sleepers_run s1 3 || give_up "the pods of s1 do not run"
wait_for 60 sleepers_run s2 2 || give_up "the pods of s2 do not run"
ip_of() { field "$1" pod "$2" -o 'jsonpath={.status.podIP}'; }
netns_of() { # SERVER POD
	local ip n
	ip=$(ip_of "$1" "$2")
	for n in $(ip netns list | awk '/^cni-/ { print $1 }'); do
		[ -z "$(ip -n "$n" -o addr show dev eth0 to "$ip" 2>/dev/null)" ] || echo "$n"
	done
}
reaches() { nsenter --net="/run/netns/$1" busybox ping -c 1 -W 1 "$2"; }

# NAME|FROM|TO|ADDRESS|NAME OF THE PEER
way() { printf '%s|%s|%s|%s|%s\n' "$@" >>"$T/ways"; }
way "bare link" "${prefix}a5" "${prefix}a6" "$(address a6)" ""
way "one host, by hand" "${prefix}p7" "${prefix}p9" 10.60.7.3 ""
way "one host, k3x" "$(netns_of s1 one)" "$(netns_of s1 beside)" "$(ip_of s1 beside)" "one host, by hand"
way "VXLAN by hand" "${prefix}p5" "${prefix}p6" 10.60.6.2 ""
way "the same, tracked" "${prefix}q9" "${prefix}q0" 10.60.0.2 "VXLAN by hand"
way "VXLAN of k3x" "$(netns_of s1 one)" "$(netns_of s1 other)" "$(ip_of s1 other)" "VXLAN by hand"
way "routes by hand" "${prefix}p7" "${prefix}p8" 10.60.8.2 ""
way "host-gw of k3x" "$(netns_of s2 one)" "$(netns_of s2 other)" "$(ip_of s2 other)" "routes by hand"
while IFS='|' read -r name from _ ip _; do
	wait_for 20 reaches "$from" "$ip" || give_up "$name: $ip is not reached"
done <"$T/ways"
PYTHONPATH="$root/tests/integration" python3 -B "$root/tools/bench/net/flows.py" "$T/ways" "$rounds" "$seconds" "$asks" "$root/build/bench/net-fabric.json" ||
	give_up "flows.py failed"
