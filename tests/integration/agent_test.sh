#!/bin/bash
# An agent and three servers, each on a "host" of its own: who is turned away and how that is told, joining, a pod, logs
# and exec through the tunnel with the kubelet's port closed, certificates renewed while it runs, the loss of the server
# that it was given, a server that freezes, and a restart with no server up.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
[ "$(id -u)" = 0 ] || { skip "agent" "needs root"; finish; exit; }
needs curl kubectl nft openssl python3 containerd
hosts s1 s2 s3 a1 a2
ip -n "${prefix}a1" route add default via $net.254 # a node has one, or no service can be reached

node_is() { [ "$(k "$1" get node "$2" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = "$3" ]; }
pod_is() { [ "$(k "$1" get pod "$2" -o "jsonpath=$3" 2>/dev/null)" = "$4" ]; }
refused() { timeout 60 bash -c "$(declare -f at agent_run address); $(declare -p prefix net T K3X); agent_run $*" 2>&1; }
# In the background: the process itself, so that $! is its own.
beside() { local n=$1; shift; exec nsenter --net="/run/netns/$prefix$n" "$@"; }
logged() { grep -q -- "$2" "$T/$1.log"; }
tunnels() { grep -c 'a tunnel is up' "$T/a1.log"; }
has_tunnels() { [ "$(tunnels)" -ge "$1" ]; }
members_are() { [ "$(grep -o 'raft: members .*' "$T/$1.log" | tail -n 1 | grep -o ':voter' | wc -l)" = "$2" ]; }

# ---- a cluster ----
server_start s1 --cluster-init --agent-token agents-only-secret
check "the first server is ready" wait_for 20 server_is_ready s1
token=$(cat "$T/s1/server/node-token")
hash=${token%%::*}
hash=${hash#K10}
for n in s2 s3; do
	# Word splitting of the flags is wanted.
	# shellcheck disable=SC2046
	server_start $n $(join_flags s1)
done
check "three servers are" wait_for 60 members_are s1 3
wait_for 30 server_is_ready s2
wait_for 30 server_is_ready s3

# ---- who is turned away ----
check_has "no server is told" "--server (or K3X_URL) is needed" "$(refused a2)"
check_has "no token is told" "--token (or --token-file, K3X_TOKEN) is needed" "$(refused a2 --server "$(url s1)")"
check_has "a setting of servers is refused by name" "a setting of servers" "$(refused a2 --server "$(url s1)" --token x123 --cluster-cidr 10.0.0.0/16)"
check_has "and one of agents on a server" "a setting of agents" "$(at s1 "$K3X" server --lb-server-port 1 2>&1)"
check_has "a label that is none is told" "--node-label" "$(refused a2 --server "$(url s1)" --token x123 --node-label nonsense)"
check_has "kubelet-arg is not swallowed" "no argument of a kubelet" "$(refused a2 --server "$(url s1)" --token x123 --kubelet-arg max-pod=3)"
check_has "a wrong token is told" "the token is not this cluster's" "$(refused a2 --server "$(url s1)" --token "K10$hash::node:not-the-secret")"
check "and on the server" logged s1 'join: turned away'
check_has "another CA is told before anything is sent" "is not the token's" "$(refused a2 --server "$(url s1)" --token "K10$(printf x | sha256sum | cut -d' ' -f1)::node:agents-only-secret")"
check "no key was made for it" test ! -e "$T/a2/agent/client-kubelet.key"
check_has "a server's data directory is left alone" "holds a server's data" "$(refused s2 --server "$(url s1)" --token "$token")"
agent_start a2 --server "$(url a1)" --token "$token"
check "a server that is not there is waited for, and that is told" wait_for 20 logged a2 'waiting for a server.*is a k3x server there'
server_stop a2 KILL
check_has "a lb port that is taken is told" "--lb-server-port" "$(at a2 python3 -c '
import socket, subprocess, sys
s = socket.socket(); s.bind(("127.0.0.1", 6444)); s.listen()
sys.stdout.write(subprocess.run(sys.argv[1:], capture_output=True, text=True, timeout=50).stderr)' \
	"$K3X" agent --data-dir "$T/a2" --node-name a2 --node-ip "$(address a2)" --server "$(url s1)" --token "$token")"
rm -rf "$T/a2"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/odd.key" -out "$T/odd.crt" -subj /CN=odd -days 2 2>/dev/null
beside a1 python3 - "$T/odd.crt" "$T/odd.key" <<'PY' &
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def date_time_string(self, timestamp=None): return "Sat, 01 Jan 2000 00:00:00 GMT"
    def log_message(self, *args): pass
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"CA")
server = http.server.HTTPServer(("0.0.0.0", 6443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
PY
odd=$!
wait_for 10 at a1 curl -sk "$(url a1)/cacerts"
check_has "a clock that is far off is told" "the clock of this machine is" "$(refused a2 --server "$(url a1)" --token "$token")"
kill $odd
wait $odd 2>/dev/null

# ---- one joins ----
mkdir -p "$T/a1/agent/images"
busybox_image box:1 "$T/a1/agent/images/box.tar" sh
begun=$(date +%s%N)
agent_start a1 --server "$(url s1)" --token "$token" --node-label colour=blue --node-taint shy=yes:PreferNoSchedule --node-external-ip 192.0.2.7
check "the agent's node becomes Ready" wait_for 60 node_is s1 a1 True
echo "     from k3x agent to Ready: $((($(date +%s%N) - begun) / 1000000)) ms"
check_is "it has its label" blue "$(k s2 get node a1 -o 'jsonpath={.metadata.labels.colour}')"
check_is "and its taint" shy "$(k s2 get node a1 -o 'jsonpath={.spec.taints[?(@.key=="shy")].key}')"
check_is "and both addresses" "10.99.0.201 192.0.2.7" "$(k s2 get node a1 -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address} {.status.addresses[?(@.type=="ExternalIP")].address}')"
check_is "and no role of a server" "" "$(k s2 get node a1 -o 'jsonpath={.metadata.labels.node-role\.kubernetes\.io/control-plane}')"
check_is "it is system:node:NAME" "O = system:nodes, CN = system:node:a1" "$(openssl x509 -in "$T/a1/agent/client-kubelet.crt" -noout -subject | sed 's/^subject=//')"
check_has "its serving certificate has both addresses" "192.0.2.7" "$(openssl x509 -in "$T/a1/agent/serving-kubelet.crt" -noout -ext subjectAltName)"
check_is "keys are for nobody else" "600 600" "$(stat -c %a "$T/a1/agent/client-kubelet.key" "$T/a1/agent/node-password" | paste -sd' ')"
check "a tunnel to each server is up" wait_for 20 has_tunnels 3
check_has "the list of servers is kept" '"10.99.0.3:6443"' "$(cat "$T/a1/agent/etc/k3x-agent-load-balancer.json")"
check_has "a second one of the name is turned away" "with another password" "$(refused a2 --node-name a1 --server "$(url s2)" --token "$token")"
check "and on the server" logged s2 'a node was turned away name=a1'
check_has "a node may not ask for another's certificates" "may not ask for certificates of the node other" \
	"$(openssl req -new -key "$T/a1/agent/client-kubelet.key" -subj /CN=x 2>/dev/null | at a1 curl -sk --cert "$T/a1/agent/client-kubelet.crt" --key "$T/a1/agent/client-kubelet.key" \
		-H 'k3x-node-name: other' -H 'k3x-node-password: 0123456789abcdef' --data-binary @- "$(url s1)/v1-k3x/client-kubelet.crt")"
rm -rf "$T/a2"

# ---- pods, with the kubelet's port closed ----
at a1 nft -f - <<'NFT'
table inet closed { chain input { type filter hook input priority 0; iifname "eth0" tcp dport 10250 drop; }; }
NFT
mark=${T##*/} # by which its process is found
sed "s/MARK/$mark/g" <<'YAML' | k s2 apply -f - >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: "box:1", command: [sh, -c, "echo hello from $HOSTNAME; mkdir -p /tmp/MARK; echo page >/tmp/MARK/index.html; httpd -f -p 8080 -h /tmp/MARK"]}]
YAML
check "a pod runs on it" wait_for 60 pod_is s1 web '{.status.phase}' Running
check_is "it was scheduled there" a1 "$(k s1 get pod web -o 'jsonpath={.spec.nodeName}')"
check "the kubelet's port is closed" bash -c "! timeout 2 nsenter --net=/run/netns/${prefix}s1 curl -sk --max-time 1 https://$(address a1):10250/healthz"
for n in s1 s2 s3; do
	check_has "logs come through the tunnel to $n" "hello from web" "$(k $n logs web)"
	check_is "and exec" ran "$(k $n exec web -- echo ran)"
done
check_is "a large output comes whole" 3000000 "$(k s1 exec web -- sh -c 'head -c 3000000 /dev/zero' | wc -c)"
check_is "and input" 1000000 "$(head -c 1000000 /dev/zero | k s2 exec -i web -- wc -c | tr -d ' ')"
forward_works() { # a port-forward of our own, ended by its pid
	beside s3 "$(type -P kubectl)" --kubeconfig "$T/s3.kubeconfig" port-forward pod/web 18080:8080 >"$T/forward.log" 2>&1 &
	local pid=$! out
	wait_for 10 grep -q Forwarding "$T/forward.log"
	out=$(at s3 curl -s --max-time 5 http://127.0.0.1:18080/)
	kill $pid
	wait $pid 2>/dev/null
	[ "$out" = page ]
}
check "port-forward works" forward_works
check_has "nodes/proxy reaches the kubelet's metrics" "kubelet_running_pods 1" "$(k s3 get --raw /api/v1/nodes/a1/proxy/metrics)"
check_has "and its answers as they are" "NotFound" "$(k s3 get --raw /api/v1/nodes/a1/proxy/nothing 2>&1)"
check_is "who is no node gets no tunnel" 403 "$(at s1 curl -sk --http1.1 -o /dev/null -w '%{http_code}' -u node:agents-only-secret -H 'Connection: Upgrade' -H 'Upgrade: k3x-tunnel' "$(url s1)/v1-k3x/connect")"

# A node may have a few tunnels to a server; what breaks the rules of one ends that one.
at a1 python3 - "$T/a1/agent" "$(address s2)" >"$T/rules" 2>&1 <<'PY'
import socket, ssl, sys
def tunnel():
    context = ssl.create_default_context(cafile=sys.argv[1] + "/server-ca.crt")
    context.load_cert_chain(sys.argv[1] + "/client-kubelet.crt", sys.argv[1] + "/client-kubelet.key")
    s = context.wrap_socket(socket.create_connection((sys.argv[2], 6443), timeout=10), server_hostname=sys.argv[2])
    s.sendall(b"GET /v1-k3x/connect HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: k3x-tunnel\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        head += s.recv(1)
    assert b" 101 " in head, head
    return s
def is_closed(s):
    try:
        return s.recv(100) == b""
    except ConnectionError:
        return True
for words in b"\xff" * 100, b"\x01\0\0\0\1\0\0\0", b"\x02\0\0\0\5\0\0\1x", b"GET / HTTP/1.1\r\n\r\n":
    s = tunnel()
    s.sendall(words)
    assert is_closed(s), words
many = [tunnel() for _ in range(6)]
assert is_closed(many[0]) and is_closed(many[1]), "the oldest is closed"
print("fine")
PY
check_is "what is no frame ends a tunnel, and the oldest of too many" fine "$(tail -n 1 "$T/rules")"
has_tunnel() { [ "$(k s2 exec web -- echo ran 2>/dev/null)" = ran ]; }
check "the agent has one again" wait_for 30 has_tunnel

# One that does not read what it asked for holds up nobody.
beside s1 "$(type -P kubectl)" --kubeconfig "$T/s1.kubeconfig" exec web -- sh -c 'while :; do head -c 100000 /dev/zero; done' >"$T/stuck" 2>/dev/null &
stuck=$!
wait_for 10 test -s "$T/stuck"
kill -STOP $stuck
check "one does not read" wait_for 5 grep -q '^State:.T' /proc/$stuck/status
check_is "beside one that does not read, exec works" ran "$(k s1 exec web -- echo ran)"
check_is "and again" 2000000 "$(k s1 exec web -- sh -c 'head -c 2000000 /dev/zero' | wc -c)"
kill -KILL $stuck
kill -CONT $stuck 2>/dev/null
wait $stuck 2>/dev/null
rm -f "$T/stuck"

# ---- certificates, while it runs ----
serial() { openssl x509 -in "$T/a1/agent/$1.crt" -noout -serial; }
old_client=$(serial client-kubelet)
# A quarter of its life is not left: as if it had been issued ten months ago.
mkdir "$T/ca"
: >"$T/ca/index"
echo 77 >"$T/ca/serial"
cat >"$T/ca/conf" <<CONF
[ca]
default_ca=c
[c]
database=$T/ca/index
serial=$T/ca/serial
new_certs_dir=$T/ca
default_md=sha256
policy=p
x509_extensions=x
[p]
organizationName=supplied
commonName=supplied
[x]
extendedKeyUsage=clientAuth
CONF
openssl req -new -key "$T/a1/agent/client-kubelet.key" -subj "/O=system:nodes/CN=system:node:a1" -out "$T/ca/csr" 2>/dev/null
openssl ca -batch -config "$T/ca/conf" -cert "$T/s1/server/tls/client-ca.crt" -keyfile "$T/s1/server/tls/client-ca.key" -in "$T/ca/csr" -out "$T/ca/old.crt" \
	-startdate "$(date -ud '-330 days' +%y%m%d%H%M%SZ)" -enddate "$(date -ud '+35 days' +%y%m%d%H%M%SZ)" -notext >"$T/ca/log" 2>&1
check "a certificate that is about to end" test -s "$T/ca/old.crt"
cp "$T/ca/old.crt" "$T/a1/agent/client-kubelet.crt"
was_renewed() { [ "$(serial "$1")" != "$2" ] && openssl x509 -in "$T/a1/agent/$1.crt" -noout -checkend $((300 * 86400)); }
check "is renewed while the agent runs" wait_for 20 was_renewed client-kubelet "serial=77"
[ "$(serial client-kubelet)" != "$old_client" ] && ok "it is a new one" || bad "it is a new one" "$old_client"
old_serving=$(serial serving-kubelet)
rm "$T/a1/agent/serving-kubelet.crt"
serving_is_new() { [ -e "$T/a1/agent/serving-kubelet.crt" ] && was_renewed serving-kubelet "$old_serving"; }
check "one that was removed is asked for again" wait_for 20 serving_is_new
check "the kubelet serves with it" wait_for 20 logged a1 'serving certificate renewed'
check_is "exec works with it" ran "$(k s2 exec web -- echo ran)"
check "and it was not restarted" kill -0 "$(cat "$T/a1.pid")"

# ---- the server that it was given dies ----
container() { k "$1" get pod web -o 'jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}'; }
before=$(container s2)
server_stop s1 KILL
lease() { k "$1" -n kube-node-lease get lease a1 -o 'jsonpath={.spec.renewTime}' 2>/dev/null; }
last=$(lease s2)
lease_moves() { local now; now=$(lease "$1") && [ -n "$now" ] && [ "$now" != "$last" ]; }
check "it goes on through the others" wait_for 40 lease_moves s2
check_has "logs work there" "hello from web" "$(k s2 logs web)"
check "the node stays Ready" node_is s3 a1 True
k s2 run second --image=box:1 --image-pull-policy=Never --restart=Never --command -- sh -c 'sleep 1000' >/dev/null
check "a new pod runs" wait_for 30 pod_is s2 second '{.status.phase}' Running
server_start s1
check "the server comes back" wait_for 30 server_is_ready s1
tunnel_again() { [ "$(k s1 exec web -- echo ran 2>/dev/null)" = ran ]; }
check "and has a tunnel again" wait_for 30 tunnel_again

# ---- one freezes: it takes connections, and answers nothing ----
for n in s1 s2 s3; do
	other=$([ $n = s1 ] && echo s2 || echo s1)
	kill -STOP "$(cat "$T/$n.pid")"
	wait_for 20 k $other get --raw /readyz
	last=$(lease $other)
	check "with $n frozen the node's Lease is renewed" wait_for 40 lease_moves $other
	kill -CONT "$(cat "$T/$n.pid")"
	wait_for 20 k $n get --raw /readyz
done

# ---- kill -9, and no server anywhere ----
pid_of() { pgrep -f "^httpd -f -p 8080 -h /tmp/$mark" | head -n 1; }
httpd=$(pid_of)
beside s2 "$(type -P kubectl)" --kubeconfig "$T/s2.kubeconfig" exec web -- sh -c 'echo open; sleep 1000' >"$T/session" 2>/dev/null &
session=$!
wait_for 10 test -s "$T/session"
stops() { # NAME: in order, within what a server may take
	kill -TERM "$(cat "$T/$1.pid")"
	wait_for 15 server_is_gone "$1"
}
check "a server with an open session stops" stops s2
wait $session 2>/dev/null
server_stop a1 KILL
for n in s1 s2 s3; do server_stop $n TERM; done
agent_start a1 --server "$(url s1)" --node-external-ip 192.0.2.7 # a token is not needed any more
check "the agent starts with no server up" wait_for 20 logged a1 'container runtime is ready'
check "and keeps its pods" kill -0 "$httpd"
for n in s1 s2 s3; do server_start $n; done
check "the servers come back" wait_for 40 server_is_ready s2
check "the node is Ready again" wait_for 60 node_is s2 a1 True
check_is "the pod's container is the same, never restarted" "$before" "$(container s2)"
check_is "its process, too" "$httpd" "$(pid_of)"
exec_again() { [ "$(k s2 exec web -- echo ran 2>/dev/null)" = ran ]; }
check "exec works again" wait_for 20 exec_again

# ---- a server that the agent can't reach, but that reaches it ----
server_stop a1 KILL
at a1 nft -f - <<'NFT'
delete table inet closed
table inet closed { chain output { type filter hook output priority 0; ip daddr 10.99.0.3 tcp dport 6443 drop; }; }
NFT
: >"$T/s3.log"
: >"$T/a1.log"
agent_start a1 --server "$(url s1)"
check "with one server out of its reach the agent is Ready" wait_for 60 logged a1 'tunnel is up server=10.99.0.1'
direct() { [ "$(k s3 exec web -- echo ran 2>/dev/null)" = ran ]; }
check "that server dials its kubelet" wait_for 30 direct
check_is "for it has no tunnel" 0 "$(grep -c 'opened a tunnel' "$T/s3.log")"
rss=$(awk '/VmRSS/ { print $2 }' "/proc/$(cat "$T/a1.pid")/status")
echo "     resident: $rss KiB"

# ---- and a stop in order ----
check_has "a token of another cluster is told at a later start" "of another cluster" "$(server_stop a1 TERM; refused a1 --server "$(url s1)" --token "K10$(printf y | sha256sum | cut -d' ' -f1)::node:whatever")"
check "it had stopped in order" wait_for 25 logged a1 'agent: stopped'
check "its pods go on" kill -0 "$httpd"
finish
