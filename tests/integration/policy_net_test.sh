#!/bin/bash
# NetworkPolicies on real packets: nine pods in three namespaces on two nodes, and for each of more than forty sets of policies
# who reaches whom by TCP and UDP, compared with a model (policy_net_test.py). Then what no matrix shows: the first packet of a
# pod, connections that stand, services, the node's own traffic, tables that somebody flushed, an agent that was killed, and
# what is left at the end.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
[ "$(id -u)" = 0 ] || { skip "network policies" "needs root"; finish; exit; }
needs curl kubectl nft containerd busybox python3
hosts s1 a1 a2
for n in a1 a2; do ip -n "$prefix$n" route add default via $net.254; done
for n in a1 a2; do
	mkdir -p "$T/$n/agent/images"
	busybox_image busybox:local "$T/$n/agent/images/busybox.tar" sh sleep nc
done

field() { k s1 get "$@" 2>/dev/null; }
node_is() { [ "$(field node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = "$2" ]; }
all_run() { [ "$(field pods -A --no-headers | grep -c ' 1/1 *Running ')" = "$1" ]; }
tables() { at "$1" nft list tables; }

# Beside the others' tables; this one is nobody's of k3x.
at a1 nft add table inet stranger
server_start s1
check "the server is ready" wait_for 20 server_is_ready s1
# shellcheck disable=SC2046
for n in a1 a2; do agent_start $n $(join_flags s1); done
for n in a1 a2; do check "node $n is Ready" wait_for 60 node_is $n True; done

pods() {
	local ns p node
	for ns in x y z; do
		for p in a b c; do
			node=a1
			[ $p != b ] || node=a2
			cat <<-YAML
			apiVersion: v1
			kind: Pod
			metadata: {name: "$p", namespace: "$ns", labels: {pod: "$p"}}
			spec:
			  nodeName: $node
			  terminationGracePeriodSeconds: 0
			  containers:
			  - name: c
			    image: busybox:local
			    command: [sleep, "100000"]
			    ports:
			    - {name: serve-80-tcp, containerPort: 80, protocol: TCP}
			    - {name: serve-81-tcp, containerPort: 81, protocol: TCP}
			    - {name: serve-80-udp, containerPort: 80, protocol: UDP}
			---
			YAML
		done
	done
}
for ns in x y z; do
	k s1 create namespace $ns >/dev/null
	k s1 label namespace $ns ns=$ns >/dev/null
done
for ns in x y z; do wait_for 10 field serviceaccount default -n $ns; done
pods | k s1 create -f - >/dev/null
check "the pods run" wait_for 60 all_run 9

k s1 config view --raw -o json >"$T/kubeconfig.json"
count_cases() {
	cat "$T/cases.$1"
	passed=$((passed + $(grep -c '^ok ' "$T/cases.$1")))
	failed=$((failed + $(grep -c '^FAIL ' "$T/cases.$1")))
	[ "$2" -le 1 ] && ! grep -q '^Traceback' "$T/cases.$1" || bad "the cases of $1 end" "$(tail -n 5 "$T/cases.$1")"
}
cases() { # phase, argument
	at s1 python3 -B "$root/tests/integration/policy_net_test.py" "$T/kubeconfig.json" "$prefix" "$@" >"$T/cases.$1" 2>&1
	count_cases "$1" $?
}
phase=${1:-} part=${2:-}
[ -n "$phase" ] && [ "$phase" != matrix ] || cases matrix "$part"
[ -n "$phase" ] && [ "$phase" != more ] || cases more "$part"

metrics() {
	k s1 get --raw "/api/v1/nodes/$1/proxy/metrics" 2>/dev/null
}
metrics a1 >"$T/metrics"
check "changes are counted" grep -q '^k3x_network_policy_applied_seconds_count [1-9]' "$T/metrics"
check "pods of all nodes are" grep -q '^k3x_network_policy_pods [1-9]' "$T/metrics"

if [ -z "$phase" ] || [ "$phase" = restart ]; then
	at s1 python3 -B "$root/tests/integration/policy_net_test.py" "$T/kubeconfig.json" "$prefix" restart "$T" >"$T/cases.restart" 2>&1 &
	probing=$!
	check "probes go on" wait_for 20 test -e "$T/probing"
	server_stop a1 KILL
	check_has "without its agent a node keeps the table" "inet k3x-policy" "$(tables a1)"
	at a1 nft add chain inet k3x-policy before
	# shellcheck disable=SC2046
	agent_start a1 $(join_flags s1)
	is_adopted() { ! at a1 nft list table inet k3x-policy | grep -q 'chain before'; }
	check "it comes back and writes the table anew" wait_for 30 is_adopted
	touch "$T/stop"
	wait $probing
	count_cases restart $?
fi

if [ -z "$phase" ] || [ "$phase" = end ]; then
	server_stop a2 TERM
	server_stop s1 TERM
	server_start s1 --disable-network-policy
	check "a server without policies is ready" wait_for 20 server_is_ready s1
	# An agent takes the cluster's settings when it joins: this one joins anew, and finds what was there before.
	at a2 env K3X_DATA_DIR="$T/a2" K3X_STATE_DIR="$T/a2/agent/run" bash "$root/tools/install/down.sh" >/dev/null 2>&1
	k s1 delete node a2 >/dev/null
	mv "$T/a2/agent/images" "$T/images"
	rm -rf "${T:?}/a2"
	mkdir -p "$T/a2/agent"
	mv "$T/images" "$T/a2/agent/images"
	at a2 nft add table inet k3x-policy
	# shellcheck disable=SC2046
	agent_start a2 $(join_flags s1)
	no_table() { ! tables a2 | grep -q k3x-policy && tables a2 | grep -q k3x-proxy; }
	check "where policies are off the table goes" wait_for 30 no_table
	server_stop a1 TERM
	check_has "an agent that ends keeps its table" "inet k3x-policy" "$(tables a1)"
	at a1 nft add table inet stranger
	at a1 env K3X_DATA_DIR="$T/a1" K3X_STATE_DIR="$T/a1/agent/run" bash "$root/tools/install/down.sh" >/dev/null 2>&1
	check_is "down leaves others' tables alone, and none of ours" "table inet stranger" "$(tables a1)"
fi
[ -z "${KEEP:-}" ] || cp "$T"/*.log "$KEEP"
finish
