#!/bin/bash
# k3x dns beside k3x server: the cluster's names, upstreams (dnsmasq), caches, hosts files, reloads, and what is hostile; asked
# with dig over UDP and TCP. In a network of its own, nothing fetched, nothing left behind.
. "$(dirname "$0")/_lib.sh"
needs kubectl dig dnsmasq curl python3
in_namespace
PORT=17881
start_server $PORT --disable-agent || { finish; exit 1; }

dns_pid= up_pids=
stop_dns() { [ -z "$dns_pid" ] || { kill "$dns_pid" 2>/dev/null; wait "$dns_pid" 2>/dev/null; }; dns_pid=; }
stop_ups() { local p; for p in $up_pids; do kill "$p" 2>/dev/null; wait "$p" 2>/dev/null; done; up_pids=; }
trap 'stop_dns; stop_ups; cleanup' EXIT

# upstream ADDRESS ARGS...: a dnsmasq of the test's own
upstream() {
	local at=$1
	shift
	# each word replaces the process before it, so that $! is the server itself
	nsenter --net=/run/netns/$netns dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces --listen-address="$at" --port=53 --user=root --pid-file= \
		"$@" >>"$T/up.log" 2>&1 &
	up_pids="$up_pids $!"
	wait_for 10 inside dig +tries=1 +time=1 @"$at" x || bad "an upstream starts" "$(tail -n 3 "$T/up.log")"
}
start_dns() { # ARGS...: waits until it is ready
	nsenter --net=/run/netns/$netns "$K3X" dns --conf "$T/Corefile" "$@" >>"$T/dns.log" 2>&1 &
	dns_pid=$!
	wait_for 20 inside curl -sf http://127.0.0.1:8181/ready || bad "dns gets ready" "$(tail -n 5 "$T/dns.log")"
}
q() { inside dig +tries=1 +time=6 @127.0.0.1 "$@"; }
short() { q +short "$@" | sort | tr '\n' ' '; }
rcode() { q "$@" | sed -n 's/.*status: \([A-Z]*\),.*/\1/p' | head -n 1; }
soa() { q +noall +authority "$@" | awk '{print $4}'; }
metric() { inside curl -s http://127.0.0.1:9153/metrics | grep -v '^#' | grep -F "$1" | awk '{print $NF}' | head -n 1; }

# ---- what there is to know ----
kubectl create namespace other >/dev/null
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.43.0.77, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: ExternalName, externalName: www.example.org}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: sql, port: 5432, protocol: TCP}]
endpoints:
- {addresses: [10.42.1.5], conditions: {ready: true}, hostname: db-0}
- {addresses: [10.42.1.6], conditions: {ready: true}}
- {addresses: [10.42.1.7], conditions: {ready: false}, hostname: db-2}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-6, labels: {kubernetes.io/service-name: db}}
addressType: IPv6
ports: [{name: sql, port: 5432, protocol: TCP}]
endpoints:
- {addresses: ["fd00::5"], conditions: {ready: true}, hostname: db-0}
YAML
# An account with the rights of the add-on, and nothing else.
sed -n '/^kind: ServiceAccount/,/^kind: ConfigMap/p' "$root/tools/k3x/addons/coredns.yaml" | sed '1i apiVersion: v1' | sed '/^apiVersion: v1$/{N;/ConfigMap/d}' >"$T/rbac.yaml"
check "the add-on's account and roles are taken" kubectl apply -f "$T/rbac.yaml"
sed 's/%{CLUSTER_DNS}%/10.43.0.10/; s/%{CLUSTER_DNS_LIST}%/["10.43.0.10"]/; s/%{CLUSTER_DNS_IPFAMILYPOLICY}%/SingleStack/; s/%{CLUSTER_DOMAIN}%/cluster.local/; s/%{SYSTEM_IMAGE}%/k3x:test/' "$root/tools/k3x/addons/coredns.yaml" >"$T/addon.yaml"
check "the whole add-on is taken" kubectl apply -f "$T/addon.yaml"
check_is "its Service has the cluster's DNS address" 10.43.0.10 "$(kubectl -n kube-system get svc kube-dns -o 'jsonpath={.spec.clusterIP}')"
kubectl -n kube-system create token coredns >"$T/token"
cat >"$T/dns.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: x
clusters: [{name: x, cluster: {server: "https://127.0.0.1:$PORT", certificate-authority: "$T/data/server/tls/server-ca.crt"}}]
users: [{name: x, user: {tokenFile: "$T/token"}}]
contexts: [{name: x, context: {cluster: x, user: x}}]
YAML

upstream 127.0.0.2 --address=/www.example.org/192.0.2.1 --address=/late.example/192.0.2.9 --address=/gone.example/ --txt-record=big.example,"$(printf 'x%.0s' {1..200})" \
	$(for i in $(seq 12); do echo "--txt-record=big.example,$i$(printf 'x%.0s' {1..200})"; done)
upstream 127.0.0.3 --address=/stub.corp/192.0.2.55
printf '192.168.7.1 node1 node1.lan\nfd00:7::1 node1\n' >"$T/NodeHosts"
mkdir "$T/custom"
cat >"$T/custom/a.override" <<'CONF'
rewrite name suffix .old.example .default.svc.cluster.local
CONF
cat >"$T/custom/corp.server" <<'CONF'
stub.corp:53 {
    bind 127.0.0.1
    errors
    forward . 127.0.0.3
}
CONF
cat >"$T/Corefile" <<CONF
.:53 {
    bind 127.0.0.1 ::1
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }
    hosts $T/NodeHosts {
        ttl 60
        reload 1s
        fallthrough
    }
    prometheus :9153
    forward . 127.0.0.2 {
        health_check 200ms
    }
    cache 30 {
        success 100 2 1
        serve_stale 1h verify
    }
    loop
    reload 2s 1s
    loadbalance
    import $T/custom/*.override
}
import $T/custom/*.server
CONF
start_dns --kubeconfig "$T/dns.kubeconfig"

# ---- the specification ----
z=svc.cluster.local
check_is "a service's address" "10.43.0.77 " "$(short web.default.$z)"
check_is "whatever the case" "10.43.0.77 " "$(short WEB.Default.$z)"
check_is "over TCP" "10.43.0.77 " "$(short +tcp web.default.$z)"
check_is "no address of the other family: no data" "NOERROR SOA" "$(rcode web.default.$z AAAA) $(soa web.default.$z AAAA)"
check_is "no such service" "NXDOMAIN SOA" "$(rcode nope.default.$z) $(soa nope.default.$z)"
check_is "no such namespace" NXDOMAIN "$(rcode web.nope.$z)"
check_is "a namespace is a name" NOERROR "$(rcode other.$z)"
check_is "a named port" "0 100 80 web.default.$z. " "$(short _http._tcp.web.default.$z SRV)"
check_is "with its protocol" "0 100 53 web.default.$z. " "$(short _dns._udp.web.default.$z SRV)"
check_is "and no other" NXDOMAIN "$(rcode _dns._tcp.web.default.$z SRV)"
check_is "a headless service: its ready endpoints" "10.42.1.5 10.42.1.6 " "$(short db.default.$z)"
check_is "of both families" "fd00::5 " "$(short db.default.$z AAAA)"
check_is "an endpoint by its hostname" "10.42.1.5 " "$(short db-0.db.default.$z)"
check_is "by its address" "10.42.1.6 " "$(short 10-42-1-6.db.default.$z)"
check_is "not when it isn't ready" NXDOMAIN "$(rcode db-2.db.default.$z)"
check_is "ports of endpoints, each target once" "0 33 5432 10-42-1-6.db.default.$z. 0 33 5432 db-0.db.default.$z. " "$(short _sql._tcp.db.default.$z SRV)"
check_is "their addresses come along" 3 "$(q +noall +additional _sql._tcp.db.default.$z SRV | grep -cE '[[:space:]]A+[[:space:]]')"
check_is "without endpoints there is no such name" NXDOMAIN "$(rcode empty.default.$z)"
check_is "a name elsewhere" "192.0.2.1 www.example.org. " "$(short outside.default.$z)"
check_is "as a CNAME" "www.example.org. " "$(short outside.default.$z CNAME)"
check_is "who has an address: a service" "web.default.$z. " "$(short -x 10.43.0.77)"
check_is "an endpoint with a hostname" "db-0.db.default.$z. " "$(short -x 10.42.1.5)"
check_is "over IPv6" "db-0.db.default.$z. " "$(short -x fd00::5)"
check_is "a pod by its address" "10.42.9.9 " "$(short 10-42-9-9.default.pod.cluster.local)"
check_is "in a namespace that is there" NXDOMAIN "$(rcode 10-42-9-9.nope.pod.cluster.local)"
check_is "the version of the specification" '"1.1.0" ' "$(short dns-version.cluster.local TXT)"
check_is "answers live for five seconds" 5 "$(q +noall +answer web.default.$z | awk '{print $2}')"
check_has "and have authority" " aa " "$(q web.default.$z | sed 's/;/ /g')"

# ---- changes ----
kubectl create service clusterip new --tcp=80 --clusterip=10.43.0.78 >/dev/null
has() { [ "$(short "$1")" = "$2" ]; }
check "a new service has a name" wait_for 10 has new.default.$z "10.43.0.78 "
kubectl delete service new >/dev/null
gone() { [ "$(rcode "$1")" = NXDOMAIN ]; }
check "one that went has none" wait_for 10 gone new.default.$z
kubectl patch endpointslice db-1 --type=json -p '[{"op":"replace","path":"/endpoints/0/conditions/ready","value":false}]' >/dev/null
check "an endpoint that is no longer ready goes" wait_for 10 has db.default.$z "10.42.1.6 "

# ---- hosts, overrides, stub domains ----
check_is "a node's name" "192.168.7.1 " "$(short node1)"
check_is "its other address" "fd00:7::1 " "$(short node1 AAAA)"
check_is "and back" "node1. node1.lan. " "$(short -x 192.168.7.1)"
check_is "a name that is rewritten" "10.43.0.77 " "$(short web.old.example)"
check_has "is answered under the name that was asked" web.old.example. "$(q +noall +answer web.old.example)"
check_is "a stub domain" "192.0.2.55 " "$(short x.stub.corp)"
printf '192.168.7.2 node2\n' >>"$T/NodeHosts"
check "a hosts file that changes is read" wait_for 10 has node2 "192.168.7.2 "

# ---- upstreams ----
check_is "a name of an upstream" "192.0.2.1 " "$(short www.example.org)"
check_is "an upstream's denial" NXDOMAIN "$(rcode gone.example)"
check_has "it may be asked to recurse" " ra" "$(q www.example.org | grep flags:)"
short www.example.org >/dev/null
check "the second time it comes from the cache" test "$(metric 'coredns_cache_hits_total{type="success"}')" -gt 0
check_is "a large answer comes over TCP" 13 "$(q +short big.example TXT | wc -l)"
check_has "over UDP it is cut off" " tc" "$(q +ignore +bufsize=512 big.example TXT | grep flags:)"
check_is "a name is known before its upstream goes" "192.0.2.9 " "$(short late.example)"
first_up=$(set -- $up_pids; echo $1)
kill $first_up
wait $first_up 2>/dev/null
stale() { [ "$(short late.example)" = "192.0.2.9 " ] && [ "$(metric coredns_cache_served_stale_total)" -gt 0 ]; }
check "what is stale is served while no upstream answers" wait_for 20 stale
check_is "what was never known is a failure" SERVFAIL "$(rcode never.example)"
check_is "the cluster's names are not touched by it" "10.43.0.77 " "$(short web.default.$z)"
probes_fail() { [ "$(metric 'healthcheck_failures_total{proxy_name="forward",to="127.0.0.2:53"}')" -gt 2 ]; }
check "an upstream that is away is looked at" wait_for 10 probes_fail
upstream 127.0.0.2 --address=/never.example/192.0.2.10 --address=/www.example.org/192.0.2.1
check "and used when it is back" wait_for 20 has never.example "192.0.2.10 "

# ---- the protocol ----
check_is "an unknown version of EDNS" BADVERS "$(rcode +edns=7 +noednsneg web.default.$z)"
check_is "another class" REFUSED "$(rcode -c CH version.bind TXT)"
check_is "no zone is handed out" REFUSED "$(q +tcp cluster.local IXFR=1 +noall +comments | sed -n 's/.*status: \([A-Z]*\),.*/\1/p' | head -n 1)"
check_is "an operation that is not there" NOTIMP "$(rcode +opcode=STATUS web.default.$z)"
check_is "bytes at random hurt nobody" ok "$(inside python3 - <<'PY'
import random, socket, struct
random.seed(1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(3000):
    s.sendto(random.randbytes(random.randrange(0, 600)), ("127.0.0.1", 53))
def name(text): return b"".join(bytes([len(x)]) + x.encode() for x in text.split(".")) + b"\0"
def ask(i, text): return struct.pack(">6H", i, 0x100, 1, 0, 0, 0) + name(text) + struct.pack(">2H", 1, 1)
# many at once on one connection, in pieces of odd sizes
t = socket.create_connection(("127.0.0.1", 53))
t.settimeout(20)
data = b"".join(struct.pack(">H", len(m)) + m for m in (ask(i, "web.default.svc.cluster.local") for i in range(300)))
for i in range(0, len(data), 7): t.sendall(data[i:i + 7])
f, seen = t.makefile("rb"), set()
for i in range(300):
    n, = struct.unpack(">H", f.read(2))
    seen.add(struct.unpack(">H", f.read(n)[:2])[0])
assert seen == set(range(300)), len(seen)
# a message of no bytes, one that says it is longer than it is, one that is cut off
for junk in (b"\0\0", b"\xff\xffabc", struct.pack(">H", 12) + bytes(12)):
    u = socket.create_connection(("127.0.0.1", 53)); u.sendall(junk); u.close()
print("ok")
PY
)"
check_is "who asks for an answer's answer gets none" none "$(inside python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect(("127.0.0.1", 53))
s.send(bytes([0, 1, 0x80, 0]) + bytes(8))                                   # an answer
s.send(b"\0\2\1\0\0\1\0\0\0\0\0\0\3web\7default\3svc\7cluster\5local\0\0\1\0\1") # a question
print("none" if s.recv(600)[:2] == b"\0\2" else "some")
PY
)"

# ---- health, metrics, reload ----
check_is "it is healthy" OK "$(inside curl -s http://127.0.0.1:8080/health)"
check_has "metrics have upstream's names" 'coredns_dns_requests_total{family="1",proto="udp",server="dns://:53",type="SRV",view="",zone="."}' "$(inside curl -s http://127.0.0.1:9153/metrics)"
sed -i 's/errors/errors\n    template IN A/' "$T/custom/corp.server"
failed_reload() { [ "$(metric coredns_reload_failed_total)" -gt 0 ]; }
check "a Corefile that is wrong is not taken" wait_for 10 failed_reload
check_has "it is told where and why" 'corp.server:4: the directive \"template\" is not supported' "$(sed 's/"/\\"/g' "$T/dns.log")"
check_is "the old one goes on" "192.0.2.55 " "$(short x.stub.corp)"
printf 'more.corp {\n bind 127.0.0.1\n hosts {\n  192.0.2.77 a.more.corp\n }\n}\n' >"$T/custom/corp.server"
check "one that is right is" wait_for 10 has a.more.corp "192.0.2.77 "
check_is "what it no longer says is gone" NXDOMAIN "$(rcode x.stub.corp | sed 's/REFUSED/NXDOMAIN/')"

# ---- the end, and what does not begin ----
kill -TERM $dns_pid
unhealthy() { [ "$(inside curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/health)" = 503 ]; }
check "it says that it is stopping" wait_for 5 unhealthy
check_is "and answers meanwhile" "10.43.0.77 " "$(short web.default.$z)"
wait $dns_pid
check_is "then ends in order" 0 $?
dns_pid=
stop_ups
# The add-on's own Corefile, but for its files and its upstream.
echo 'nameserver 192.0.2.53' >"$T/resolv.conf"
kubectl -n kube-system get configmap coredns -o 'jsonpath={.data.Corefile}' | sed "s|/etc/coredns/config/NodeHosts|$T/NodeHosts|; s|/etc/coredns/custom|$T/none|; s|/etc/resolv.conf|$T/resolv.conf|" >"$T/Corefile"
start_dns --kubeconfig "$T/dns.kubeconfig"
check_is "the add-on's Corefile is understood" "10.43.0.77 " "$(short web.default.$z)"
check_is "it has the cluster's DNS by name" "10.43.0.10 " "$(short kube-dns.kube-system.$z)"
kill $dns_pid; kill $dns_pid # asked twice: at once
stop_dns
# As in a pod: who it is, and where the API server is, by the account's files and the environment; not as root, and without
# any capability, where the network lets everybody have port 53.
mkdir -p "$T/account"
cp "$T/data/server/tls/server-ca.crt" "$T/account/ca.crt"
cp "$T/token" "$T/account/token"
chmod -R a+rX "$T"
inside sysctl -qw net.ipv4.ip_unprivileged_port_start=0
printf '.:53 {\n  ready\n  kubernetes cluster.local {\n    pods verified\n  }\n}\n' >"$T/Corefile"
chmod a+r "$T/Corefile"
cat >"$T/as_pod.sh" <<'SH'
mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io && mkdir /run/secrets/kubernetes.io/serviceaccount || exit 1
mount --bind "$1" /run/secrets/kubernetes.io/serviceaccount || exit 1
shift
KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=$1 exec setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs \
	--inh-caps=-all --bounding-set=-all "$2" dns --conf "$3"
SH
nsenter --net=/run/netns/$netns unshare --mount bash "$T/as_pod.sh" "$T/account" $PORT "$K3X" "$T/Corefile" >>"$T/dns.log" 2>&1 &
dns_pid=$!
check "as a pod it is ready" wait_for 20 inside curl -sf http://127.0.0.1:8181/ready
check_is "and answers" "10.43.0.77 " "$(short web.default.$z)"
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {nodeName: none, containers: [{name: c, image: x}]}
YAML
check_is "a pod's address is verified" NXDOMAIN "$(rcode 10-42-8-8.default.pod.cluster.local)"
kubectl patch pod p --subresource=status --type=merge -p '{"status":{"phase":"Running","podIP":"10.42.8.8","podIPs":[{"ip":"10.42.8.8"}]}}' >/dev/null
check "one that is there is answered" wait_for 10 has 10-42-8-8.default.pod.cluster.local "10.42.8.8 "
stop_dns
says() { inside timeout 20 "$K3X" dns --conf "$T/Corefile" 2>&1; }
printf '.:53 {\n  errors\n  frobnicate\n}\n' >"$T/Corefile"
check_has "an unknown directive is named with its line" 'Corefile:3: unknown directive "frobnicate"' "$(says)"
printf '.:53 {\n  kubernetes cluster.local\n}\n' >"$T/Corefile"
check_has "a cluster that nobody names" 'be given --kubeconfig' "$(says)"
printf '.:53 {\n  loop\n  forward . 127.0.0.1\n}\n' >"$T/Corefile"
check_has "an upstream that is ourselves" "questions go in circles" "$(says)"
check "nothing crashed" test -z "$(grep -a 'invariant broken' "$T/dns.log")"
finish
