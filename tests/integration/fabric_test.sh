#!/bin/bash
# The pod network between nodes: two agents on "hosts" of their own, pods on each, over VXLAN and over routes: small and large
# packets, source addresses, services across nodes, what leaves the cluster, a node that goes and one that comes, and what an
# earlier run left.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
[ "$(id -u)" = 0 ] || { skip "fabric" "needs root"; finish; exit; }
needs curl kubectl nft containerd busybox python3
hosts s1 a1 a2
for n in a1 a2; do ip -n "$prefix$n" route add default via $net.254; done
for n in a1 a2; do
	mkdir -p "$T/$n/agent/images"
	busybox_image busybox:local "$T/$n/agent/images/busybox.tar" sh
done

node_is() { [ "$(k s1 get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = "$2" ]; }
field() { k s1 get "$1" -o "jsonpath=$2" 2>/dev/null; }
pod_runs() { [ "$(field "pod/$1" '{.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
in_pod() { local p=$1; shift; k s1 exec "$p" -- "$@"; }
ip_of() { field "pod/$1" '{.status.podIP}'; }
pings() { in_pod "$1" ping -c 1 -W 2 ${3:+-s $3} "$2" >/dev/null 2>&1; }
pod() { # name node
	k s1 create -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: Pod
	metadata: {name: $1, labels: {app: $1}}
	spec:
	  nodeName: $2
	  terminationGracePeriodSeconds: 0
	  containers:
	  - name: c
	    image: busybox:local
	    command: [sh, -c, "echo hello >/www/index.html; exec httpd -f -p 80 -h /www"]
	    readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
	YAML
}
# As whom pod "other" sees the pod that connects to an address.
seen() { in_pod other netstat -tn | awk '/ESTABLISHED/ && $4 ~ /:80$/ { sub(/:[0-9]*$/, "", $5); sub(/^::ffff:/, "", $5); print $5 }' | grep -v "^$(field pod/other '{.status.hostIP}')$" | sort -u; }
who() {
	in_pod "$1" sh -c "sleep 4 | nc $2 80" >/dev/null 2>&1 &
	local end=$((SECONDS + 4)) is=
	until is=$(seen) && [ -n "$is" ] || [ $SECONDS -ge $end ]; do sleep 0.1; done
	wait $!
	echo "$is"
}
gets() { in_pod "$1" sh -c "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 $2 80" 2>/dev/null | grep -q hello; }
routes() { ip -n "$prefix$1" route show proto 171; }

check_has "an odd backend is told" "vxlan, host-gw or none" "$(at s1 "$K3X" server --data-dir "$T/s1" --flannel-backend odd 2>&1)"
check_has "one that is not built, too" "not built yet" "$(at s1 "$K3X" server --data-dir "$T/s1" --flannel-backend wireguard-native 2>&1)"

start_over() { # agents keep the settings of the cluster that they joined
	for n in a1 a2; do at $n env K3X_DATA_DIR="$T/$n" K3X_STATE_DIR="$T/$n/agent/run" bash "$root/tools/install/down.sh" >/dev/null 2>&1; done
	for n in a1 a2; do mv "$T/$n/agent/images" "$T/images.$n"; rm -rf "${T:?}/$n"; mkdir -p "$T/$n/agent"; mv "$T/images.$n" "$T/$n/agent/images"; done
	rm -rf "${T:?}/s1"
}

for backend in vxlan host-gw; do
	server_start s1 --flannel-backend $backend
	check "$backend: the server is ready" wait_for 20 server_is_ready s1
	for n in a1 a2; do
		# shellcheck disable=SC2046
		agent_start $n $(join_flags s1)
	done
	check "$backend: the first node is Ready" wait_for 60 node_is a1 True
	check "$backend: the second" wait_for 60 node_is a2 True
	pod one a1; pod other a2; pod beside a1
	for p in one other beside; do check "$backend: pod $p runs" wait_for 60 pod_runs $p; done
	check "$backend: a pod reaches one on another node" wait_for 10 pings one "$(ip_of other)"
	check "$backend: and the other way round" pings other "$(ip_of one)"
	check "$backend: and one beside it" pings one "$(ip_of beside)"
	check "$backend: with packets of every size" pings one "$(ip_of other)" 4000
	check_is "$backend: and is seen as who it is" "$(ip_of one)" "$(who one "$(ip_of other)")"
	k s1 expose pod other --port=80 >/dev/null
	service=$(field service/other '{.spec.clusterIP}')
	check "$backend: a service leads there" wait_for 10 gets one "$service"
	check_is "$backend: still seen as who it is" "$(ip_of one)" "$(who one "$service")"
	check_is "$backend: from a node too" hello "$(at a1 curl -s -m 3 "http://$(ip_of other)/")"
	mtu=$(in_pod one cat /sys/class/net/eth0/mtu)
	check_is "$backend: the pods' packets fit" "$([ $backend = vxlan ] && echo 1450 || echo 1500)" "$mtu"

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
	check "$backend: a way that somebody took away comes back" wait_for 30 comes_back
	if [ $backend = vxlan ]; then
		check_has "vxlan: what others must know is on the node" '"VtepMAC":"' "$(field node/a2 '{.metadata.annotations.flannel\.alpha\.coreos\.com/backend-data}')"
		link=$(ip -n "${prefix}a1" -o link show type vxlan | sed 's/^[0-9]*: \([^:@]*\).*/\1/')
		mac_of() { ip -n "${prefix}a1" -o link show dev "$link" | sed -n 's/.*link\/ether \([0-9a-f:]*\).*/\1/p'; }
		mac=$(mac_of)
		check_is "vxlan: the link has an address" 17 "${#mac}"
		ip -n "${prefix}a1" route add 10.42.77.0/24 via $net.254 proto 171
		ip -n "${prefix}a1" neigh add 10.42.77.0 lladdr 02:00:00:00:00:77 dev "$link" nud permanent
		server_stop a1 KILL
		check "vxlan: without the agent pods go on" pings other "$(ip_of one)"
		# shellcheck disable=SC2046
		agent_start a1 $(join_flags s1)
		check "vxlan: what an earlier run left goes" wait_for 20 bash -c "! ip -n ${prefix}a1 route show | grep -q 10.42.77"
		check "vxlan: and its neighbour" wait_for 5 bash -c "! ip -n ${prefix}a1 neigh show dev $link | grep -q 10.42.77"
		check_is "vxlan: the link stays what it was" "$mac" "$(mac_of)"
		check "vxlan: the way is there" pings one "$(ip_of other)"
		ip -n "${prefix}a2" link delete "$(ip -n "${prefix}a2" -o link show type vxlan | sed 's/^[0-9]*: \([^:@]*\).*/\1/')"
	fi
	server_stop a2 TERM
	k s1 delete node a2 >/dev/null
	no_way() { [ -z "$(routes a1)" ]; }
	check "$backend: a node that is gone has no way to it" wait_for 10 no_way
	# shellcheck disable=SC2046
	agent_start a2 $(join_flags s1)
	check "$backend: it comes back" wait_for 60 node_is a2 True
	one_way() { [ "$(routes a1 | wc -l)" = 1 ]; }
	check "$backend: and the way to it" wait_for 10 one_way
	k s1 delete service other --wait=false >/dev/null
	k s1 delete pod --all --force --grace-period=0 >/dev/null 2>&1
	gone() { [ -z "$(k s1 get pods --no-headers 2>/dev/null)" ]; }
	wait_for 20 gone
	# An old pod's namespace on the bridge would answer for a new one with its address.
	no_namespaces() { ! ip netns list | grep -q '^cni-'; }
	check "$backend: no pod leaves its network namespace" wait_for 30 no_namespaces
	for n in a1 a2 s1; do server_stop $n TERM; done
	start_over
done
[ -z "${KEEP:-}" ] || cp "$T"/*.log "$KEEP"
finish
