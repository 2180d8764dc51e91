#!/bin/bash
# The pod network between nodes: two agents on "hosts" of their own, pods on each, over VXLAN and over routes (those with two
# families, IPv6 first): small and large packets, source addresses, services across nodes, what leaves the cluster, a node that
# goes and one that comes, and what an earlier run left.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
. "$(dirname "$0")/_fabric.sh"
[ "$(id -u)" = 0 ] || { skip "fabric" "needs root"; finish; exit; }
needs curl kubectl nft containerd busybox python3
fabric_hosts
fabric_hosts_v6

check_has "an odd backend is told" "vxlan, host-gw, wireguard-native or none" "$(at s1 "$K3X" server --data-dir "$T/s1" --flannel-backend odd 2>&1)"

# Over VXLAN the nodes know each other by addresses that their link knows nothing of: the way there is by its router.
external() { echo "198.51.100.${1#a}"; }
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.$bridge.send_redirects=0
for n in a1 a2; do
	ip -n "$prefix$n" addr add "$(external $n)/32" dev lo
	ip route add "$(external $n)/32" via "$(address $n)"
done

# and their ends of the overlay are as a file says it.
echo '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan", "VNI": 7, "Port": 8473, "MTU": 1400, "DirectRouting": true}}' >"$T/net-conf.json"

flags_of() {
	if [ $backend = host-gw ]; then
		echo "--node-ip $(address6 "$1")"
	elif [ "$1" != s1 ]; then
		echo "--node-external-ip $(external "$1") --flannel-conf $T/net-conf.json"
	fi
}
way_of() { routes a1 | grep "^${1%.*}.0/24 "; }
goes_by() { [ "$(way_of "$(ip_of other)" | grep -c "$1")" = 1 ]; }
public_of() { field "node/$1" '{.metadata.annotations.flannel\.alpha\.coreos\.com/public-ip}'; }
public_is() { [ "$(public_of "$1")" = "$2" ]; }
for backend in vxlan host-gw; do
	families=--flannel-external-ip
	[ $backend = vxlan ] || families="--cluster-cidr fd00:42::/56,10.42.0.0/16 --service-cidr fd00:43::/112,10.43.0.0/16"
	# Word splitting of the flags is wanted.
	# shellcheck disable=SC2046,SC2086
	server_start s1 --flannel-backend $backend $families $(flags_of s1)
	check "$backend: the server is ready" wait_for 20 server_is_ready s1
	for n in a1 a2; do
		# shellcheck disable=SC2046
		agent_start $n $(flags_of $n) $(join_flags s1)
	done
	check "$backend: the first node is Ready" wait_for 60 node_is a1 True
	check "$backend: the second" wait_for 60 node_is a2 True
	pod one a1; pod other a2 "kubernetes.io/ingress-bandwidth: 900M, kubernetes.io/egress-bandwidth: 800M"; pod beside a1
	for p in one other beside; do check "$backend: pod $p runs" wait_for 60 pod_runs $p; done
	for ip in $(ips_of other); do
		check "$backend: a pod reaches one on another node" wait_for 10 pings one "$ip"
		check "$backend: with packets of every size" pings one "$ip" 4000
		check_is "$backend: from a node too" hello "$(at a1 curl -s -m 3 "http://$(host_of "$ip")/")"
	done
	for ip in $(ips_of one); do check "$backend: and the other way round" pings other "$ip"; done
	for ip in $(ips_of beside); do check "$backend: and one beside it" pings one "$ip"; done
	check_is "$backend: and is seen as who it is" "$(ip_of one)" "$(who one "$(ip_of other)")"
	k s1 expose pod other --port=80 >/dev/null
	service=$(field service/other '{.spec.clusterIP}')
	check "$backend: a service leads there" wait_for 10 gets one "$service"
	check_is "$backend: still seen as who it is" "$(ip_of one)" "$(who one "$service")"
	mtu=$(in_pod one cat /sys/class/net/eth0/mtu)
	check_is "$backend: the pods' packets fit" "$([ $backend = vxlan ] && echo 1350 || echo 1500)" "$mtu"

	# What leaves the cluster comes from the node.
	python3 - $net.254 "$T/seen" <<-'PY' &
	import socket, sys
	s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind((sys.argv[1], 7777)); s.listen()
	c, peer = s.accept()
	open(sys.argv[2], "w").write(peer[0])
	PY
	outside=$!
	wait_for 5 bash -c "in_pod() { :; }; ss -ltn | grep -q :7777"
	in_pod one sh -c "echo x | nc -w 2 $net.254 7777" >/dev/null 2>&1
	wait $outside
	check_is "$backend: what leaves the cluster comes from the node" "$(address a1)" "$(cat "$T/seen")"

	check_is "$backend: a node knows one way" 1 "$(routes a1 | wc -l)"
	check_has "$backend: what a pod gets is limited" "rate 900Mbit" "$(ip netns exec "${prefix}a2" tc qdisc show)"
	check_has "$backend: and what it sends" "rate 800Mbit" "$(ip netns exec "${prefix}a2" tc qdisc show)"
	if [ $backend = vxlan ]; then
		check_is "vxlan: a node says by which address it is reached" "$(external a2)" "$(public_of a2)"
		check_has "vxlan: there the others reach it" "dst $(external a2)" "$(ip netns exec "${prefix}a1" bridge fdb show)"
		k s1 annotate node a2 flannel.alpha.coreos.com/public-ip-overwrite="$(address a2)" >/dev/null
		check "vxlan: unless an administrator says another" wait_for 10 public_is a2 "$(address a2)"
		check "vxlan: nodes on one link go around the overlay when they may" wait_for 10 goes_by "via $(address a2) dev eth0"
		check "vxlan: and the way goes on" pings one "$(ip_of other)"
		k s1 annotate node a2 flannel.alpha.coreos.com/public-ip-overwrite- >/dev/null
		check "vxlan: which it may take back" wait_for 10 public_is a2 "$(external a2)"
		check "vxlan: then it is the overlay again" wait_for 10 goes_by "dev k3xv.* onlink"
		check_has "vxlan: of the file's number and port" "7 8473" "$(ip -n "${prefix}a1" -d link show type vxlan | sed -n 's/.*vxlan id \([0-9]*\) .* dstport \([0-9]*\) .*/\1 \2/p')"
	fi
	if [ $backend = host-gw ]; then
		check_is "$backend: a pod's first address is of the first family" "IPv6 IPv4" "$(ips_of one | tr ' ' '\n' | sed 's/.*:.*/IPv6/; s/.*\..*/IPv4/' | paste -sd' ')"
		check_is "$backend: a service is of it" IPv6 "$(field service/other '{.spec.ipFamilies[*]}')"
		check_is "$backend: the API too" "fd00:43::1 $(address6 s1)" "$(field service/kubernetes '{.spec.clusterIP}') $(field endpointslice/kubernetes '{.endpoints[*].addresses[*]}')"
		check_is "$backend: of the other family a node knows one way" 1 "$(routes a1 -6 | wc -l)"
	fi

	# What a node says of itself is not believed where it would be others' loss.
	k s1 create -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: Node
	metadata: {name: thief, annotations: {flannel.alpha.coreos.com/public-ip: $(address a2), flannel.alpha.coreos.com/backend-type: vxlan, flannel.alpha.coreos.com/backend-data: '{"VNI":1,"VtepMAC":"02:00:00:00:00:66"}'}}
	spec: {podCIDR: 0.0.0.0/1, podCIDRs: [0.0.0.0/1]}
	YAML
	check "$backend: a network outside of the cluster's is refused" wait_for 10 grep -q "node thief: its spec.podCIDR is not in the cluster's 10.42.0.0/16" "$T/a1.log"
	check_is "$backend: and no way leads there" 1 "$(routes a1 | wc -l)"
	k s1 delete node thief >/dev/null
	own=$T/a1/agent
	check_has "$backend: a kubelet may not choose its pods' network" "not allowed to modify its pod CIDR" \
		"$(at a1 curl -s -m 5 --cacert "$own/server-ca.crt" --cert "$own/client-kubelet.crt" --key "$own/client-kubelet.key" -X PATCH -H 'Content-Type: application/merge-patch+json' \
			-d '{"spec":{"podCIDR":"10.42.0.0/17","podCIDRs":["10.42.0.0/17"]}}' "https://$(address s1):6443/api/v1/nodes/a1")"
	ip -n "${prefix}a1" route flush proto 171
	comes_back() { [ "$(routes a1 | wc -l)" = 1 ]; }
	check "$backend: a way that somebody took away comes back, and soon" wait_for 5 comes_back
	if [ $backend = vxlan ]; then
		check_has "vxlan: what others must know is on the node" '"VtepMAC":"' "$(field node/a2 '{.metadata.annotations.flannel\.alpha\.coreos\.com/backend-data}')"
		link=$(ip -n "${prefix}a1" -o link show type vxlan | sed 's/^[0-9]*: \([^:@]*\).*/\1/')
		mac_of() { ip -n "${prefix}a1" -o link show dev "$link" | sed -n 's/.*link\/ether \([0-9a-f:]*\).*/\1/p'; }
		mac=$(mac_of)
		check_is "vxlan: the link has an address" 17 "${#mac}"
		has_mac() { [ "$(mac_of)" = "$1" ]; }
		ip -n "${prefix}a1" link delete "$link"
		check "vxlan: a link that somebody deleted comes back as who it was" wait_for 5 has_mac "$mac"
		check "vxlan: and the way there" wait_for 5 pings other "$(ip_of one)"
		ip -n "${prefix}a1" link set dev "$link" address 02:00:00:00:00:55
		check "vxlan: one that is somebody else is so for the others too" wait_for 5 pings other "$(ip_of one)"
		mac=$(mac_of)
		check_is "vxlan: and stays it" 02:00:00:00:00:55 "$mac"
		ip -n "${prefix}a1" route add 10.42.77.0/24 via $net.254 proto 171
		ip -n "${prefix}a1" neigh add 10.42.77.0 lladdr 02:00:00:00:00:77 dev "$link" nud permanent
		server_stop a1 KILL
		sed 's/"mtu": 1350/"mtu": 1300/' "$T/a1/agent/etc/cni/net.d/10-k3x.conflist" >"$T/cni.json"
		check "vxlan: without the agent pods go on" pings other "$(ip_of one)"
		# shellcheck disable=SC2046
		agent_start a1 $(flags_of a1) --flannel-cni-conf "$T/cni.json" $(join_flags s1)
		check "vxlan: what an earlier run left goes" wait_for 20 bash -c "! ip -n ${prefix}a1 route show | grep -q 10.42.77"
		check "vxlan: and its neighbour" wait_for 5 bash -c "! ip -n ${prefix}a1 neigh show dev $link | grep -q 10.42.77"
		check_is "vxlan: the link stays what it was" "$mac" "$(mac_of)"
		check "vxlan: the way is there" pings one "$(ip_of other)"
		check "vxlan: the pods' network is as the file of somebody says" wait_for 10 cmp "$T/cni.json" "$T/a1/agent/etc/cni/net.d/10-k3x.conflist"
		check_has "vxlan: flannel's plugin would find what it needs" "/24 FLANNEL_MTU=1350 FLANNEL_IPMASQ=false" "$(paste -sd' ' "$T/a1/agent/run/flannel/subnet.env")"
		pod after a1
		check "vxlan: a pod starts with it" wait_for 60 pod_runs after
		check_is "vxlan: and has what it says" 1300 "$(in_pod after cat /sys/class/net/eth0/mtu)"
		ip -n "${prefix}a2" link delete "$(ip -n "${prefix}a2" -o link show type vxlan | sed 's/^[0-9]*: \([^:@]*\).*/\1/')"
	fi
	server_stop a2 TERM
	k s1 delete node a2 >/dev/null
	no_way() { [ -z "$(routes a1)$(routes a1 -6)" ]; }
	check "$backend: a node that is gone has no way to it" wait_for 10 no_way
	# shellcheck disable=SC2046
	agent_start a2 $(flags_of a2) $(join_flags s1)
	check "$backend: it comes back" wait_for 60 node_is a2 True
	one_way() { [ "$(routes a1 | wc -l)" = 1 ]; }
	check "$backend: and the way to it" wait_for 10 one_way
	k s1 delete service other --wait=false >/dev/null
	pods_go
	for n in a1 a2 s1; do server_stop $n TERM; done
	start_over
done
[ -z "${KEEP:-}" ] || cp "$T"/*.log "$KEEP"
finish
