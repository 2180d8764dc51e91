#!/bin/bash
# Services as packets meet them: clients outside, on the node and among the pods, each in a network namespace; endpoints at
# addresses of their own, written down by hand. Traffic policies, affinity, UDP flows that outlive their endpoint, endpoints that
# end, zones, health check node ports. The node's proxy is the server's own.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "services on the wire" "needs root"; finish; exit; }
needs kubectl curl python3 nft
in_namespace
pids=
trap 'for p in $pids; do kill "$p" 2>/dev/null; wait "$p" 2>/dev/null; done; for n in $peers; do ip netns del "$n" 2>/dev/null; done; cleanup' EXIT
peers=
peer() { # NAME ADDRESS: a host on the uplink
	local n=$netns-$1
	ip netns add "$n"
	peers="$peers $n"
	ip -n "$n" link set lo up
	ip link add name "v$1" netns "$netns" type veth peer name eth0 netns "$n"
	ip -n "$netns" link set "v$1" master uplink up
	ip -n "$n" addr add "$2/16" dev eth0
	ip -n "$n" link set eth0 up
	ip -n "$n" route add default via "${2%.*.*}.0.1"
}
at() { local n=$netns-$1; shift; nsenter --net=/run/netns/"$n" "$@"; }
# pods are at 10.42/16, which is the cluster's, and the outside at 198.18/16; the node is .0.1 of each
ip -n $netns addr add 10.42.0.1/16 dev uplink
ip -n $netns addr add 198.18.0.1/16 dev uplink
inside sysctl -qw net.ipv4.ip_forward=1
peer one 10.42.7.1
peer two 10.42.7.2
peer pod 10.42.7.9
peer out 198.18.0.9
for n in one two; do
	(exec nsenter --net=/run/netns/"$netns-$n" python3 "$root/tests/integration/service_backend.py" $n) >>"$T/out.log" 2>&1 & pids="$pids $!"
done
start_server 17901 --node-name node1 --kubelet-port 17902 --disable-network-policy --flannel-backend=none \
	--kube-proxy-arg iptables-localhost-nodeports=true || { finish; exit 1; }
check "the node registers" wait_for 40 kubectl get node node1
kubectl label node node1 topology.kubernetes.io/zone=a >/dev/null

put() { kubectl apply -f - >/dev/null; }
service() { # NAME SPEC
	put <<<$'---\n'"{apiVersion: v1, kind: Service, metadata: {name: $1}, spec: $2}"
}
# slice SERVICE PROTOCOL ENDPOINT...: "ADDRESS NODE CONDITION [ZONE]", of which the condition is ready, leaving or gone
slice() {
	local name=$1 protocol=$2 list='' e
	shift 2
	for e in "$@"; do
		set -- $e
		case $3 in
		ready) e="ready: true, serving: true, terminating: false" ;;
		leaving) e="ready: false, serving: true, terminating: true" ;;
		gone) e="ready: false, serving: false, terminating: true" ;;
		esac
		list="$list{addresses: ['$1'], nodeName: $2, conditions: {$e}"
		[ -z "${4:-}" ] || list="$list, hints: {forZones: [{name: $4}]}"
		list="$list},"
	done
	put <<<$'---\n'"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: $name-1, labels: {kubernetes.io/service-name: $name}}, addressType: IPv4, ports: [{name: p, port: 8080, protocol: $protocol}], endpoints: [$list]}"
}
# who WHERE HOST [PORT]: "ENDPOINT CLIENT'S-ADDRESS"; "none": nobody answers, "refused": it is said so
who() {
	local text
	text=$(at "$1" curl -s --connect-timeout 2 --max-time 3 "http://$2:${3:-80}/"); local rc=$?
	case $rc in 0) echo "$text" ;; 7) echo refused ;; *) echo none ;; esac
}
who_is() { [ "$(who "${@:2}")" = "$1" ]; }
whom() { for _ in $(seq "${4:-12}"); do who "$1" "$2" "${3:-80}" | cut -d' ' -f1; done | sort -u | paste -sd' '; }
whom_is() { [ "$(whom "${@:2}")" = "$1" ]; }

# ---- from everywhere ----
service plain "{clusterIP: 10.43.7.1, type: NodePort, externalIPs: [203.0.113.1], ports: [{name: p, port: 80, targetPort: 8080, nodePort: 31080}]}"
slice plain TCP "10.42.7.1 node1 ready" "10.42.7.2 node2 ready"
check "pods reach the cluster's address" wait_for 20 whom_is "one two" pod 10.43.7.1
check_is "the node port, by each address of the node" "one two|one two" "$(whom out 198.18.0.1 31080)|$(whom pod 10.42.0.1 31080)"
check_is "a port that it does not have is refused, to pods and to the node" "refused 7" \
	"$(who pod 10.43.7.1 81) $(inside curl -s --max-time 3 http://10.43.7.1:81/; echo $?)"
check "on 127.0.0.1 for who asks for it" wait_for 10 sh -c "nsenter --net=/run/netns/$netns curl -s -m 2 http://127.0.0.1:31080/ | grep -q '^one\|^two'"
at out ip route add 203.0.113.0/24 via 198.18.0.1
check_is "an external address" "one two" "$(whom out 203.0.113.1)"
check_is "a pod's own address is seen, an outsider's is the node's" "10.42.7.9 10.42.0.1" \
	"$(who pod 10.43.7.1 | cut -d' ' -f2) $(who out 203.0.113.1 | cut -d' ' -f2)"
at out ip route add 10.43.0.0/16 via 198.18.0.1
check_is "nor at the cluster's address, or the answer could take another way" "10.42.0.1" "$(who out 10.43.7.1 | cut -d' ' -f2)"
check_is "by the outside's ways pods are seen as the node too, for the answer must come back by it" "10.42.0.1 10.42.0.1" \
	"$(who pod 203.0.113.1 | cut -d' ' -f2) $(who pod 198.18.0.1 31080 | cut -d' ' -f2)"
slice plain TCP
check "without endpoints it is refused" wait_for 10 who_is refused pod 10.43.7.1
check_is "at the node port too" refused "$(who out 198.18.0.1 31080)"
check_is "although somebody else listens there" refused "$(
	inside python3 -m http.server 31080 >/dev/null 2>&1 & server=$!
	until inside ss -ltn | grep -q :31080; do sleep 0.1; done
	who out 198.18.0.1 31080
	kill $server)"

# ---- the policy Local ----
service local "{clusterIP: 10.43.7.2, type: LoadBalancer, externalTrafficPolicy: Local, externalIPs: [203.0.113.2], ports: [{name: p, port: 80, targetPort: 8080, nodePort: 31081}]}"
slice local TCP "10.42.7.1 node1 ready" "10.42.7.2 node2 ready"
check "who comes from outside stays on the node, under its own address" wait_for 20 whom_is one out 203.0.113.2
check_is "which is seen" "one 198.18.0.9" "$(who out 198.18.0.1 31081)"
check_is "pods go anywhere" "one two" "$(whom pod 203.0.113.2)"
check_is "the node itself too" "one two" "$(for _ in $(seq 12); do inside curl -s --max-time 3 http://203.0.113.2/ | cut -d' ' -f1; done | sort -u | paste -sd' ')"
port=$(kubectl get service local -o 'jsonpath={.spec.healthCheckNodePort}')
health() { at out curl -s -o "$T/health" -w '%{http_code}' --max-time 3 "http://198.18.0.1:$port/"; }
health_is() { [ "$(health)" = "$1" ]; }
check "balancers are told that there is one here" wait_for 10 health_is 200
check_is "and of what service" "local 1 True" "$(python3 -c 'import json,sys; h = json.load(open(sys.argv[1])); print(h["service"]["name"], h["localEndpoints"], h["serviceProxyHealthy"])' "$T/health")"
slice local TCP "10.42.7.1 node1 gone" "10.42.7.2 node2 ready"
check "with none here outsiders get no answer" wait_for 10 who_is none out 203.0.113.2
check_is "nor at the node port" none "$(who out 198.18.0.1 31081)"
check_is "but pods do" two "$(whom pod 203.0.113.2)"
check "balancers are told" wait_for 10 health_is 503
slice local TCP "10.42.7.1 node1 leaving" "10.42.7.2 node2 ready"
check "one that ends serves outsiders still" wait_for 10 whom_is one out 203.0.113.2
check_is "balancers send nobody new" 503 "$(health)"
kubectl patch service local --type=merge -p '{"spec":{"externalTrafficPolicy":"Cluster"}}' >/dev/null
check "with the policy Cluster the port is closed" wait_for 10 health_is 000
check_is "and everybody goes where it is ready" two "$(whom out 203.0.113.2)"
metrics() { inside curl -s --max-time 3 http://127.0.0.1:10249/metrics; }
check_has "its metrics have kube-proxy's names" "kubeproxy_sync_proxy_rules_last_timestamp_seconds" "$(metrics)"
check "changes are timed until the kernel has them" sh -c 'test "$(echo "$1" | sed -n "s/^kubeproxy_sync_proxy_rules_duration_seconds_count //p")" -ge 3' _ "$(metrics)"
check_is "its mode is told" nftables "$(inside curl -s --max-time 3 http://127.0.0.1:10249/proxyMode)"
check_is "the proxy is healthy" 200 "$(inside curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:10256/healthz)"

# ---- affinity ----
service same "{clusterIP: 10.43.7.3, sessionAffinity: ClientIP, ports: [{name: p, port: 80, targetPort: 8080}]}"
slice same TCP "10.42.7.1 node1 ready" "10.42.7.2 node2 ready"
wait_for 20 who_is "$(who pod 10.43.7.3)" pod 10.43.7.3
first=$(who pod 10.43.7.3 | cut -d' ' -f1)
check_is "a client goes where it went" "$first" "$(whom pod 10.43.7.3)"
slice same TCP "10.42.7.1 node1 ready" "10.42.7.2 node2 ready" "10.42.7.66 node2 ready"
programmed() { inside nft list table ip k3x-proxy | grep -q "$1"; }
check "also when another endpoint comes" wait_for 10 programmed 10.42.7.66
check_is "and is the same still" "$first" "$(whom pod 10.43.7.3 80 20)"
[ "$first" = one ] && other=two || other=one
[ "$first" = one ] && left=10.42.7.2 || left=10.42.7.1
slice same TCP "$left node1 ready"
check "until it goes" wait_for 10 whom_is $other pod 10.43.7.3

# ---- UDP ----
service names "{clusterIP: 10.43.7.4, ports: [{name: p, port: 53, targetPort: 8080, protocol: UDP}]}"
slice names UDP "10.42.7.1 node1 ready"
# asks again and again from one port; its last answer stands in a file
(exec nsenter --net=/run/netns/"$netns-pod" python3 "$root/tests/integration/service_backend.py" --ask 10.43.7.4 53 "$T/answer") >>"$T/out.log" 2>&1 & pids="$pids $!"
answered() { [ "$(cat "$T/answer" 2>/dev/null)" = "$1" ]; }
check "UDP is answered" wait_for 20 answered one
slice names UDP "10.42.7.2 node1 ready"
check "a flow follows when its endpoint goes" wait_for 10 answered two
slice names UDP
check "with none there is silence" wait_for 10 answered none
slice names UDP "10.42.7.1 node1 ready"
check "and an end to it" wait_for 10 answered one

# ---- zones ----
service near "{clusterIP: 10.43.7.5, trafficDistribution: PreferClose, ports: [{name: p, port: 80, targetPort: 8080}]}"
slice near TCP "10.42.7.1 node1 ready b" "10.42.7.2 node2 ready a"
check "hints keep traffic in the zone" wait_for 20 whom_is two pod 10.43.7.5
kubectl label node node1 --overwrite topology.kubernetes.io/zone=b >/dev/null
check "which is followed" wait_for 10 whom_is one pod 10.43.7.5

# ---- without a proxy ----
stop_server TERM
tables() { inside nft list tables | grep -c k3x-proxy; }
check_is "a server that ends keeps the rules" 1 "$(tables)"
start_server 17901 --node-name node1 --kubelet-port 17902 --disable-network-policy --flannel-backend=none --disable-kube-proxy || { finish; exit 1; }
are_gone() { [ "$(tables)" = 0 ]; }
check "one that is to have no proxy takes them away" wait_for 20 are_gone
finish
