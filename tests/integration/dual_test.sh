#!/bin/bash
# Two families: a cluster of IPv4 and IPv6, and one of IPv6 alone, on two nodes with "hosts" of their own. Pods across nodes, every
# kind of service from a pod, a node and outside, policies by address, names, and services that get and lose a family.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
[ "$(id -u)" = 0 ] || { skip "two families" "needs root"; finish; exit; }
needs curl kubectl nft containerd busybox python3 dig
v6net=fd99:
address6() { local n=${1#s}; echo "$v6net:${n/#a/20}"; }
hosts s1 a1 a2
sysctl -qw net.ipv6.conf.$bridge.accept_dad=0
ip addr add $v6net:254/64 dev $bridge nodad
for n in s1 a1 a2; do
	ip -n "$prefix$n" addr add "$(address6 $n)/64" dev eth0 nodad
	ip -n "$prefix$n" route add default via $v6net:254
	ip -n "$prefix$n" route add default via $net.254
done
for n in a1 a2; do
	mkdir -p "$T/$n/agent/images"
	busybox_image busybox:local "$T/$n/agent/images/busybox.tar" sh
done

field() { k s1 get "$1" -o "jsonpath=$2" 2>/dev/null; }
node_is() { [ "$(field "node/$1" '{.status.conditions[?(@.type=="Ready")].status}')" = "$2" ]; }
pod_runs() { [ "$(field "pod/$1" '{.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
in_pod() { local p=$1; shift; k s1 exec "$p" -- "$@"; }
of() { grep "$1" | head -n 1; } # the address of a family, of several
ips_of() { field "pod/$1" '{range .status.podIPs[*]}{.ip}{"\n"}{end}'; }
six() { ips_of "$1" | of :; }
put() { k s1 apply -f - >/dev/null; }
pings() { in_pod "$1" ping -c 1 -W 2 ${3:+-s $3} "$2" >/dev/null 2>&1; }
host_of() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac }
# gets PLACE ADDRESS [PORT]: what is there, or "refused", or "none". PLACE: a pod, a host like a1, or "out".
gets() {
	local url text rc
	url="http://$(host_of "$2"):${3:-80}/"
	case $1 in
	out) text=$(curl -s --connect-timeout 2 -m 3 "$url") ;;
	a? | s?) text=$(at "$1" curl -s --connect-timeout 2 -m 3 "$url") ;;
	*) text=$(in_pod "$1" sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 2 $2 ${3:-80}" 2>&1 | tail -n 1) ;;
	esac
	rc=$?
	case $rc$text in 0 | 0*[Tt]imed* | 0*terminated*) echo none ;; *refused*) echo refused ;; 0*) echo "$text" ;; 7*) echo refused ;; *) echo none ;; esac
}
gets_is() { [ "$(gets "${@:2}")" = "$1" ]; }
pod() { # NAME NODE
	put <<-YAML
	apiVersion: v1
	kind: Pod
	metadata: {name: $1, labels: {app: $1, group: all}}
	spec:
	  nodeName: $2
	  terminationGracePeriodSeconds: 0
	  containers:
	  - name: c
	    image: busybox:local
	    command: [sh, -c, "echo $1 >/www/index.html; exec httpd -f -p 80 -h /www"]
	    readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
	    env:
	    - {name: PODS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}
	    - {name: HOSTS, valueFrom: {fieldRef: {fieldPath: status.hostIPs}}}
	YAML
}
service() { put <<<$'---\n'"{apiVersion: v1, kind: Service, metadata: {name: $1}, spec: $2}"; }

# ---- what two families have in common with one of IPv6 ----

common() { # WHAT FAMILIES
	local what=$1 ip cluster port names
	pod one a1; pod other a2
	service web "{selector: {app: other}, type: NodePort, ipFamilyPolicy: PreferDualStack, externalIPs: ['2001:db8:9::1'], ports: [{name: p, port: 80}]}"
	service local "{selector: {app: other}, type: LoadBalancer, ipFamilyPolicy: PreferDualStack, externalTrafficPolicy: Local, ports: [{name: p, port: 8080, targetPort: 80}]}"
	service self "{selector: {app: one}, ipFamilies: [IPv6], sessionAffinity: ClientIP, ports: [{name: p, port: 80}]}"
	service sticks "{selector: {group: all}, type: NodePort, ipFamilies: [IPv6], sessionAffinity: ClientIP, ports: [{name: p, port: 80}]}"
	service empty "{selector: {app: nobody}, ipFamilies: [IPv6], ports: [{name: p, port: 80}]}"
	service udp "{selector: {app: other}, ipFamilyPolicy: PreferDualStack, clusterIP: None, ports: [{name: p, port: 80}]}"
	for p in one other; do check "$what: pod $p runs" wait_for 30 pod_runs $p; done
	check_is "$what: a pod has an address of each family" "$2" "$(ips_of other | sed 's/.*:.*/IPv6/; s/.*\..*/IPv4/' | paste -sd' ')"
	check_is "$what: and is told them" "$(ips_of one | paste -sd,)" "$(in_pod one sh -c 'echo $PODS')"
	check_has "$what: its hosts file too" "$(six one)" "$(in_pod one cat /etc/hosts)"
	for ip in $(ips_of other); do
		check "$what: a pod reaches one on another node by $ip" wait_for 10 pings one "$ip"
		check "$what: with packets of every size" pings one "$ip" 4000
	done
	port=$(field service/web '{.spec.ports[0].nodePort}')
	for cluster in $(field service/web '{.spec.clusterIPs[*]}'); do
		check "$what: a pod reaches the service at $cluster" wait_for 10 gets_is other one "$cluster"
		check_is "$what: a node, too" other "$(gets a1 "$cluster")"
	done
	for ip in $(field node/a1 '{range .status.addresses[?(@.type=="InternalIP")]}{.address}{" "}{end}'); do
		check_is "$what: from outside by node port at $ip" other "$(gets out "$ip" "$port")"
	done
	check_is "$what: from a pod by node port" other "$(gets one "$(address6 a2)" "$port")"
	ip route add 2001:db8:9::/64 via "$(address6 a1)" 2>/dev/null
	check_is "$what: from outside by an external address" other "$(gets out 2001:db8:9::1)"
	check_is "$what: a load balancer has an address of each family of the node with endpoints" \
		"$(field node/a2 '{range .status.addresses[?(@.type=="InternalIP")]}{.address}{" "}{end}')" \
		"$(field service/local '{range .status.loadBalancer.ingress[*]}{.ip}{" "}{end}')"
	check_is "$what: it answers there" other "$(gets out "$(address6 a2)" 8080)"
	port=$(field service/local '{.spec.ports[0].nodePort}')
	check_is "$what: the policy Local stays on the node" none "$(gets out "$(address6 a1)" "$port")"
	check_is "$what: where the pod is it answers" other "$(gets out "$(address6 a2)" "$port")"
	check_is "$what: balancers are told so over IPv6" 200 \
		"$(curl -s -o /dev/null -m 3 -w '%{http_code}' "http://[$(address6 a2)]:$(field service/local '{.spec.healthCheckNodePort}')/")"
	check_is "$what: a pod reaches itself through its service" one "$(gets one "$(field service/self '{.spec.clusterIP}')")"
	# By chance alone eight in a row are the same once in 128 times.
	eight() { local _; for _ in 1 2 3 4 5 6 7 8; do gets "$@"; done | sort -u | paste -sd' '; }
	sticks_to_one() { case $(eight "$@") in one | other) ;; *) return 1 ;; esac }
	both_are_there() { [ "$(k s1 get endpointslices -l kubernetes.io/service-name=sticks -o 'jsonpath={.items[*].endpoints[*].conditions.ready}')" = "true true" ]; }
	check "$what: a service has both pods" wait_for 10 both_are_there
	check "$what: a client of IPv6 that stays with one stays with it" wait_for 10 sticks_to_one a1 "$(field service/sticks '{.spec.clusterIP}')"
	check "$what: from outside too" sticks_to_one out "$(address6 a2)" "$(field service/sticks '{.spec.ports[0].nodePort}')"
	check_is "$what: a service without endpoints refuses" refused "$(gets a1 "$(field service/empty '{.spec.clusterIP}')")"
	check_is "$what: slices are of one family each" "$(field service/web '{.spec.ipFamilies[*]}' | tr ' ' '\n' | sort | paste -sd' ')" \
		"$(k s1 get endpointslices -l kubernetes.io/service-name=web -o 'jsonpath={range .items[*]}{.addressType}{"\n"}{end}' | sort | paste -sd' ')"

	# Policies.
	put <<-YAML
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {name: other}
	spec:
	  podSelector: {matchLabels: {app: other}}
	  ingress: [{from: [{ipBlock: {cidr: "2001:db8::/32"}}]}]
	YAML
	check "$what: a policy keeps out who is in no block of it" wait_for 10 gets_is none one "$(six other)"
	k s1 patch networkpolicy other --type=merge -p "{\"spec\":{\"ingress\":[{\"from\":[{\"ipBlock\":{\"cidr\":\"$(six one)/128\"}}]}]}}" >/dev/null
	check "$what: and lets in who is" wait_for 10 gets_is other one "$(six other)"
	k s1 delete networkpolicy other >/dev/null

	# Names, from a server of our own beside the cluster.
	nsenter --net="/run/netns/${prefix}s1" "$K3X" dns --kubeconfig "$T/s1.kubeconfig" --conf "$T/Corefile" >>"$T/dns.log" 2>&1 &
	dns=$!
	ask() { at s1 dig +short +time=1 +tries=1 @::1 -p 5300 "$@" 2>/dev/null | sort | paste -sd' '; }
	ask_is() { [ "$(ask "${@:2}")" = "$1" ]; }
	names=web.default.svc.cluster.local
	check "$what: a name's AAAA" wait_for 10 ask_is "$(field service/web '{.spec.clusterIPs[*]}' | tr ' ' '\n' | of :)" $names AAAA
	check_is "$what: its A" "$(field service/web '{.spec.clusterIPs[*]}' | tr ' ' '\n' | of '\.')" "$(ask $names A)"
	check_is "$what: and back" "$names." "$(ask -x "$(field service/web '{.spec.clusterIPs[*]}' | tr ' ' '\n' | of :)")"
	check_is "$what: a headless service's" "$(six other)" "$(ask udp.default.svc.cluster.local AAAA)"
	kill $dns; wait $dns 2>/dev/null
}
seen_outside() { # the address as which pod one comes by IPv6
	python3 - "$v6net:254" "$T/seen" <<-'PY' &
	import socket, sys
	s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind((sys.argv[1], 7777)); s.listen()
	s.settimeout(60)
	c, peer = s.accept()
	open(sys.argv[2], "w").write(peer[0])
	PY
	local outside=$!
	wait_for 5 sh -c "ss -ltn | grep -q :7777"
	in_pod one sh -c "echo x | nc -w 2 $v6net:254 7777" >/dev/null 2>&1
	wait $outside
	cat "$T/seen"
}
printf '.:5300 {\n    bind ::1\n    kubernetes cluster.local in-addr.arpa ip6.arpa\n}\n' >"$T/Corefile"
start() { # WHAT SERVER-URL FLAGS...
	local what=$1 url=$2 n
	shift 2
	server_start s1 --node-ip "$(address6 s1)" "$@"
	check "$what: the server is ready" wait_for 20 server_is_ready s1
	for n in a1 a2; do agent_start $n --node-ip "$(address6 $n)" --server "$url" --token "$(cat "$T/s1/server/token")"; done
	for n in a1 a2; do check "$what: node $n is Ready" wait_for 40 node_is $n True; done
}
start_over() {
	k s1 delete pod --all --force --grace-period=0 >/dev/null 2>&1
	# An old pod's namespace on the bridge would answer for a new one with its address.
	no_namespaces() { ! ip netns list | grep -q '^cni-'; }
	wait_for 30 no_namespaces
	for n in a1 a2 s1; do server_stop $n TERM; done
	for n in a1 a2; do at $n env K3X_DATA_DIR="$T/$n" K3X_STATE_DIR="$T/$n/agent/run" bash "$root/tools/install/down.sh" >/dev/null 2>&1; done
	for n in a1 a2; do mv "$T/$n/agent/images" "$T/images.$n"; rm -rf "${T:?}/$n"; mkdir -p "$T/$n/agent"; mv "$T/images.$n" "$T/$n/agent/images"; done
	rm -rf "${T:?}/s1"
}

# ---- both ----
start both "$(url s1)" --cluster-cidr 10.42.0.0/16,fd00:42::/56 --service-cidr 10.43.0.0/16,fd00:43::/112 --flannel-ipv6-masq
check_is "both: a node has a part of each range" "10.42.N.0/24 fd00:42:0:N::/64" \
	"$(field node/a1 '{.spec.podCIDRs[*]}' | sed -E 's/42::/42:0:0::/; s/^10\.42\.[0-9]+\.0/10.42.N.0/; s/:[0-9]+::/:N::/')"
check_is "both: and says where it is in each" "$(address a1) $(address6 a1)" \
	"$(field node/a1 '{.metadata.annotations.flannel\.alpha\.coreos\.com/public-ip}') $(field node/a1 '{.metadata.annotations.flannel\.alpha\.coreos\.com/public-ipv6}')"
common both "IPv4 IPv6"
check_is "both: what leaves the cluster comes from the node" "$(address6 a1)" "$(seen_outside)"
service grows "{ports: [{name: p, port: 80}]}"
check_is "both: a service is of the first family" IPv4 "$(field service/grows '{.spec.ipFamilies[*]}')"
first=$(field service/grows '{.spec.clusterIP}')
k s1 patch service grows --type=merge -p '{"spec":{"ipFamilyPolicy":"RequireDualStack"}}' >/dev/null
check_is "both: it gets another by its policy" "IPv4 IPv6 $first 2" "$(field service/grows '{.spec.ipFamilies[*]} {.spec.clusterIP}') $(field service/grows '{.spec.clusterIPs[*]}' | wc -w)"
check_has "both: and keeps it until the policy says so" "must be 'SingleStack' to release the secondary cluster IP" \
	"$(k s1 patch service grows --type=merge -p "{\"spec\":{\"clusterIPs\":[\"$first\"]}}" 2>&1)"
second=$(field service/grows '{.spec.clusterIPs[1]}')
k s1 patch service grows --type=merge -p '{"spec":{"ipFamilyPolicy":"SingleStack"}}' >/dev/null
check_is "both: and loses it" "IPv4 $first" "$(field service/grows '{.spec.ipFamilies[*]} {.spec.clusterIPs[*]}')"
service takes "{clusterIP: '$second', ports: [{name: p, port: 80}]}"
check_is "both: its address is free for others" "IPv6 $second" "$(field service/takes '{.spec.ipFamilies[*]} {.spec.clusterIPs[*]}')"
check_has "both: but not twice" "provided IP is already allocated" \
	"$(k s1 create -f - 2>&1 <<<$'---\n'"{apiVersion: v1, kind: Service, metadata: {name: thief}, spec: {clusterIP: '$second', ports: [{name: p, port: 80}]}}")"
start_over

# ---- IPv6 alone ----
start six "https://[$(address6 s1)]:6443" --cluster-cidr fd00:42::/56 --service-cidr fd00:43::/112
check_is "six: the API is a service of IPv6" "fd00:43::1 IPv6" "$(field service/kubernetes '{.spec.clusterIP} {.spec.ipFamilies[*]}')"
check_is "six: at the server's address" "IPv6 $(address6 s1)" "$(field endpointslice/kubernetes '{.addressType} {.endpoints[*].addresses[*]}')"
common six "IPv6"
ip route add fd00:42::/64 via "$(field "pod/one" '{.status.hostIP}')" 2>/dev/null
ip route add fd00:42:0:1::/64 via "$(field "pod/one" '{.status.hostIP}')" 2>/dev/null
check_is "six: what leaves the cluster is seen as who it is" "$(six one)" "$(seen_outside)"
check "six: the API answers at its service's address, with a certificate for it" at a1 curl -s -o /dev/null -m 5 --cacert "$T/a1/agent/server-ca.crt" "https://[fd00:43::1]/livez"
check_has "six: two families need two ranges" "this cluster is not configured for dual-stack services" \
	"$(k s1 create -f - 2>&1 <<<$'---\n'"{apiVersion: v1, kind: Service, metadata: {name: single}, spec: {ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]}}")"
[ -z "${KEEP:-}" ] || cp "$T"/*.log "$KEEP"
finish
