#!/bin/bash
# The pod network over WireGuard, by wireguard-go where the kernel has none: two agents on "hosts" of their own, both families.
# Pods reach each other and nothing of it is in the clear on the wire; k3x is killed with traffic going on, the program too; a
# node gets another key; from WireGuard to VXLAN and back nothing stays behind, and neither does it after killall.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
. "$(dirname "$0")/_fabric.sh"
[ "$(id -u)" = 0 ] || { skip "wireguard" "needs root"; finish; exit; }
needs curl kubectl nft containerd busybox python3 wireguard-go wg
fabric_hosts
fabric_hosts_v6
kernel_can() { unshare -n ip link add wg0 type wireguard 2>/dev/null; }
families=(--cluster-cidr 10.42.0.0/16,fd00:42::/56 --service-cidr 10.43.0.0/16,fd00:43::/112)

# The device of a node as the log names it; of IPv6 the second one.
device() { grep -o 'WireGuard link=[^ ]*' "$T/$1.log" | sed -n "s/.*link=//; ${2:-1}p"; }
peers() { at "$1" wg show "$(device "$1")" peers; }
key_of() { field "node/$1" '{.metadata.annotations.flannel\.alpha\.coreos\.com/backend-data}' | sed 's/.*"PublicKey":"\(.*\)".*/\1/'; }
program_of() { cat "$T/$1/agent/run/wireguard-$(device "$1" "${2:-1}").pid" 2>/dev/null; }
index_of() { ip -n "$prefix$1" -o link show dev "$(device "$1")" | cut -d: -f1; }
logged() { grep -q -- "$2" "$T/$1.log"; }

# What is on the wire to a1 until the sniffer is ended: packets of WireGuard, and those of pods in the clear.
sniff() {
	rm -f "$T/wire" "$T/sniffs"
	python3 - "v$$a1" "$T/wire" "$T/sniffs" <<-'PY' &
	import signal, socket, sys
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind((sys.argv[1], 0)); s.settimeout(0.2)
	pods4, pods6 = bytes([10, 42]), bytes([0xfd, 0, 0, 0x42])
	n = {"wireguard": 0, "clear": 0}
	ended = []
	signal.signal(signal.SIGTERM, lambda *a: ended.append(1))
	open(sys.argv[3], "w")
	while not ended:
	    try: p = s.recv(65536)
	    except socket.timeout: continue
	    kind, ip = p[12:14], p[14:]
	    if kind == b"\x08\x00":
	        head = (ip[0] & 15) * 4
	        if ip[9] == 17 and int.from_bytes(ip[head + 2:head + 4], "big") in (51820, 51821): n["wireguard"] += 1
	        if pods4 in (ip[12:14], ip[16:18]): n["clear"] += 1
	    if kind == b"\x86\xdd":
	        if ip[6] == 17 and int.from_bytes(ip[42:44], "big") in (51820, 51821): n["wireguard"] += 1
	        if pods6 in (ip[8:12], ip[24:28]): n["clear"] += 1
	open(sys.argv[2], "w").write("%d %d\n" % (n["wireguard"], n["clear"]))
	PY
	sniffer=$!
	wait_for 5 test -e "$T/sniffs"
}
sniffed() { kill $sniffer; wait $sniffer; read -r wireguard clear <"$T/wire"; }

start_agents() {
	local n
	# shellcheck disable=SC2046
	for n in "$@"; do agent_start "$n" --node-ip "$(address6 "$n")" $(join_flags s1); done
}
# with BACKEND: the server says so, and both agents follow.
with() {
	local n
	for n in a1 a2 s1; do server_stop $n TERM; done
	server_start s1 --node-ip "$(address6 s1)" "${families[@]}" --flannel-backend "$1"
	wait_for 20 server_is_ready s1
	start_agents a1 a2
}
is_said() { [ "$(field node/a1 "{$1}") $(field node/a2 "{$1}")" = "$2 $2" ]; }
type=.metadata.annotations.flannel\\.alpha\\.coreos\\.com/backend-type
both_ways() { # WHAT
	local ip
	for ip in $(ips_of other); do check "$1: a pod reaches one on another node by $ip" wait_for 20 pings one "$ip"; done
	for ip in $(ips_of one); do check "$1: and the other way round by $ip" wait_for 20 pings other "$ip"; done
}

server_start s1 --node-ip "$(address6 s1)" "${families[@]}" --flannel-backend wireguard-native
check "the server is ready" wait_for 20 server_is_ready s1
if kernel_can; then
	skip "a machine that can't" "this kernel has WireGuard"
else
	# shellcheck disable=SC2046
	said=$(at a1 timeout 20 env PATH=/nowhere "$K3X" agent --data-dir "$T/a1" --node-name a1 --node-ip "$(address a1),$(address6 a1)" $(join_flags s1) 2>&1)
	check_has "a machine that can't says so" "this kernel has no WireGuard" "$said"
	check_has "and what would make it so" "install a kernel with WireGuard, or the package wireguard-go" "$said"
fi
start_agents a1 a2
for n in a1 a2; do check "node $n is Ready" wait_for 60 node_is $n True; done
pod one a1; pod other a2
for p in one other; do check "pod $p runs" wait_for 60 pod_runs $p; done

# ---- pods ----
sniff
both_ways first
for ip in $(ips_of other); do check "with packets of every size by $ip" pings one "$ip" 4000; done
check_is "who comes is seen as who it is" "$(ip_of one)" "$(who one "$(ip_of other)")"
k s1 expose pod other --port=80 >/dev/null
check "a service leads there" wait_for 10 gets one "$(field service/other '{.spec.clusterIP}')"
check_is "a node gets there" hello "$(at a1 curl -s -m 3 "http://$(ip_of other)/")"
check_is "by IPv6 too" hello "$(at a1 curl -s -m 3 "http://[$(ips_of other | tr ' ' '\n' | grep :)]/")"
sniffed
check "the wire has packets of WireGuard" test "$wireguard" -gt 20
check_is "and none of pods in the clear" 0 "$clear"
check_is "the pods' packets fit" 1420 "$(in_pod one cat /sys/class/net/eth0/mtu)"
check "what others must know is on the nodes" is_said "$type" wireguard
check_is "a node's public key is its device's" "$(at a1 wg show "$(device a1)" public-key)" "$(key_of a1)"
check_is "it is nobody's to read" "600 45" "$(stat -c '%a %s' "$T/a1/agent/wireguard.key")"

# ---- k3x is killed and comes back ----
in_pod other ping -c 40 -i 0.2 -W 1 "$(ip_of one)" >"$T/pings" 2>&1 &
pinger=$!
before="$(key_of a1) $(index_of a1) $(program_of a1)"
wait_for 5 grep -q 'seq=3' "$T/pings"
server_stop a1 KILL
at a1 wg set "$(device a1)" peer "$(wg genkey | wg pubkey)" allowed-ips 10.42.77.0/24
ip -n "${prefix}a1" route add 10.42.77.0/24 dev "$(device a1)" proto 171
start_agents a1
wait $pinger
check_is "killed with traffic going on: no packet is lost" "0% packet loss" "$(grep -o '[0-9]*% packet loss' "$T/pings")"
kernel_can || check "its program is adopted" wait_for 20 logged a1 "wireguard-go adopted"
check_is "with its key, link and program" "$before" "$(key_of a1) $(index_of a1) $(program_of a1)"
check "a way that nobody has goes" wait_for 20 bash -c "! ip -n ${prefix}a1 route show | grep -q 10.42.77"
is_the_peer() { [ "$(peers a1)" = "$(key_of a2)" ]; }
check "so does its peer, and the other stays" wait_for 20 is_the_peer

# ---- the program is killed ----
another_runs() { [ -n "$(program_of a1)" ] && [ "$(program_of a1)" != "$old" ] && kill -0 "$(program_of a1)"; }
if kernel_can; then
	skip "the program is killed" "this kernel has WireGuard"
else
	sniff
	old=$(program_of a1)
	kill -KILL "$old"
	in_pod other ping -c 5 -i 0.2 -W 1 "$(ip_of one)" >/dev/null 2>&1
	check "wireguard-go is started again" wait_for 20 another_runs
	both_ways mended
	sniffed
	check_is "meanwhile nothing went in the clear" 0 "$clear"
fi

# ---- another key, a node that goes ----
server_stop a2 TERM
old=$(key_of a2)
rm "$T/a2/agent/wireguard.key"
start_agents a2
has_another() { [ -n "$(key_of a2)" ] && [ "$(key_of a2)" != "$old" ]; }
check "a node without its key gets another" wait_for 20 has_another
check "and is followed" wait_for 20 is_the_peer
both_ways "another key"
server_stop a2 TERM
k s1 delete node a2 >/dev/null
no_peer() { [ -z "$(peers a1)" ]; }
check "a node that is gone is nobody's peer" wait_for 10 no_peer
check_is "and has no way to it" "" "$(routes a1 | grep -v unreachable)"
start_agents a2
check "it comes back" wait_for 40 node_is a2 True
check "as a peer" wait_for 20 is_the_peer
pods_go

# ---- to VXLAN and back ----
is_over() { local p; for p; do ! kill -0 "$p" 2>/dev/null || return 1; done; }
wg4=$(device a1) wg6=$(device a1 2) program=$(program_of a1)
links() { ip -n "$prefix$1" -o link show type "$2" | sed 's/^[0-9]*: \([^:@]*\).*/\1/'; }
with vxlan
check "the nodes follow to VXLAN" wait_for 30 is_said "$type" vxlan
nothing_of_wireguard() { [ -z "$(links "$1" tun)$(links "$1" wireguard)" ] && ! routes "$1" | grep -q -e unreachable -e "$wg4"; }
for n in a1 a2; do check "no link or route of WireGuard stays on $n" wait_for 20 nothing_of_wireguard $n; done
check "no program" wait_for 5 is_over $program
check "no socket" bash -c "[ ! -e /var/run/wireguard/$wg4.sock ] && [ ! -e /var/run/wireguard/$wg6.sock ]"
pod one a1; pod other a2
for p in one other; do check "pod $p runs" wait_for 60 pod_runs $p; done
both_ways vxlan
with wireguard-native
check "and back" wait_for 30 is_said "$type" wireguard
no_vxlan() { [ -z "$(links "$1" vxlan)" ]; }
for n in a1 a2; do check "no link of VXLAN stays on $n" wait_for 20 no_vxlan $n; done
both_ways back

# ---- the end ----
program=$(program_of a1) program6=$(program_of a1 2)
kernel_can || check "both families have a program" test -n "$program" -a -n "$program6"
server_stop a1 KILL
check "killall" down a1
check_is "leaves no link" "" "$(links a1 tun)$(links a1 wireguard)$(links a1 vxlan)"
check_is "no route" "" "$(routes a1)$(ip -n "${prefix}a1" -6 route show proto 171)"
check "no program" is_over $program $program6
check "no socket of it" bash -c "[ ! -e /var/run/wireguard/$wg4.sock ] && [ ! -e /var/run/wireguard/$wg6.sock ]"
[ -z "${KEEP:-}" ] || cp "$T"/*.log "$KEEP"
finish
