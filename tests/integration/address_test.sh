#!/bin/bash
# The address of a node moves, as DHCP moves it, where --node-ip does not fix it: an agent and a server follow within seconds, and
# with them the node's object, the overlay, the other nodes' ways, and certificates; pods, the runtime and the process stay.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
. "$(dirname "$0")/_fabric.sh"
[ "$(id -u)" = 0 ] || { skip "address" "needs root"; finish; exit; }
needs curl kubectl nft containerd busybox openssl
fabric_hosts
ip -n "${prefix}s1" route add default via $net.254

start() { # NAME COMMAND...: without --node-ip
	local n=$1
	setsid nsenter --net="/run/netns/$prefix$n" "${@:2}" --data-dir "$T/$n" --node-name "$n" </dev/null >>"$T/$n.log" 2>&1 &
	echo $! >"$T/$n.pid"
}
move() { # NAME ADDRESS: the old one goes, and its routes with it; the new one comes, and the way out last
	ip -n "$prefix$1" addr flush dev eth0 scope global
	ip -n "$prefix$1" addr add "$2/24" dev eth0
	ip -n "$prefix$1" route add default via $net.254
}
internal() { field "node/$1" '{.status.addresses[?(@.type=="InternalIP")].address}'; }
internal_is() { [ "$(internal "$1")" = "$2" ]; }
annotation() { field node/a1 "{.metadata.annotations.$1}"; }
public_is() { [ "$(annotation 'flannel\.alpha\.coreos\.com/public-ip')" = "$1" ]; }
names_of() { at "$1" openssl s_client -connect "127.0.0.1:$2" </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName 2>/dev/null; }
has_name() { names_of "$1" "$2" | grep -q "IP Address:$3\b"; }

start s1 "${no_addons[@]}" "$K3X" server --disable-agent --write-kubeconfig "$T/s1.kubeconfig"
check "the server is ready" wait_for 20 server_is_ready s1
# shellcheck disable=SC2046
start a1 "$K3X" agent $(join_flags s1)
# shellcheck disable=SC2046
agent_start a2 $(join_flags s1)
check "the first node is Ready" wait_for 60 node_is a1 True
check "the second" wait_for 60 node_is a2 True
check_is "its address is the machine's" "$(address a1)" "$(internal a1)"
pod one a1; pod other a2
for p in one other; do check "pod $p runs" wait_for 60 pod_runs $p; done
check "a pod reaches one on another node" wait_for 10 pings one "$(ip_of other)"
containerd=$(cat "$T/a1/agent/run/containerd/containerd.pid")
link=$(ip -n "${prefix}a1" -o link show type vxlan | sed 's/^[0-9]*: \([^:@]*\).*/\1/')
mac=$(ip -n "${prefix}a1" -o link show dev "$link" | sed -n "s/.*link.ether \([0-9a-f:]*\).*/\1/p")

# ---- what is no move ----
ip -n "${prefix}a1" addr add $net.77/24 dev eth0
ip -n "${prefix}a1" link add busy type bridge && ip -n "${prefix}a1" addr add 172.17.0.1/16 dev busy && ip -n "${prefix}a1" link set busy up
ip -n "${prefix}a1" addr del $net.77/24 dev eth0

# ---- an agent ----
move a1 $net.33
check "the node's address follows" wait_for 20 internal_is a1 $net.33
check "what others send to, too" wait_for 10 public_is $net.33
check_is "the annotation of the address" $net.33 "$(annotation 'k3x\.io/internal-ip')"
check "a pod reaches one on another node again" wait_for 10 pings one "$(ip_of other)"
check "and the other way round" wait_for 10 pings other "$(ip_of one)"
check_has "the overlay goes out by it" "local $net.33" "$(ip -n "${prefix}a1" -d link show dev "$link")"
check_has "as who it was" "$mac" "$(ip -n "${prefix}a1" link show dev "$link")"
check "the kubelet's certificate names it" wait_for 20 has_name a1 10250 $net.33
check_is "logs are there" "" "$(k s1 logs one 2>&1)"
check_is "once, for what is no move moved nothing" 1 "$(grep -c "the node's address has moved" "$T/a1.log")"
check "the process is the same" runs "$(cat "$T/a1.pid")"
check_is "so is containerd" "$containerd" "$(cat "$T/a1/agent/run/containerd/containerd.pid")"
check_is "and the pod was not started again" 0 "$(field pod/one '{.status.containerStatuses[0].restartCount}')"
kill -9 "$containerd"
is_new() { local now; now=$(cat "$T/a1/agent/run/containerd/containerd.pid") && [ "$now" != "$containerd" ]; }
check "a containerd that dies is seen by who began anew" wait_for 20 is_new

# ---- a server ----
move s1 $net.11
endpoint_is() { [ "$(field endpoints/kubernetes '{.subsets[*].addresses[*].ip}')" = "$1" ]; }
check "the server's certificate names its new address" wait_for 20 has_name s1 6443 $net.11
check "the API is there by it" wait_for 10 at a2 curl -sk -m 3 -o /dev/null "https://$net.11:6443/readyz"
check "and is said to be" wait_for 20 endpoint_is $net.11
check "the process is the same" runs "$(cat "$T/s1.pid")"
for n in a1 a2 s1; do server_stop $n TERM; done
[ -z "${KEEP:-}" ] || cp "$T"/*.log "$KEEP"
finish
