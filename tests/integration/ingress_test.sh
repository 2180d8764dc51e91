#!/bin/bash
# k3x ingress beside k3x server: routes, TLS, annotations, upgrades, streams, gRPC (etcdctl to k3x store through it), endpoints
# that come, go, and are not there; what is hostile. In a network of its own.
. "$(dirname "$0")/_lib.sh"
needs kubectl curl python3 openssl etcdctl
in_namespace
for i in 11 12 13 14; do ip -n $netns addr add 192.168.177.$i/24 dev uplink; done
start_server 17883 --disable-agent || { finish; exit 1; }

pids=
stop_all() { local p; for p in $pids $ingress_pid; do kill "$p" 2>/dev/null; wait "$p" 2>/dev/null; done; }
ingress_pid=
trap 'stop_all; cleanup' EXIT
beside() { exec nsenter --net=/run/netns/$netns "$@"; }
backend() { beside python3 "$root/tests/integration/ingress_backend.py" "$@" >>"$T/backend.log" 2>&1 & pids="$pids $!"; }
for i in 1 6; do ip -n $netns addr add fd00:77::$i/64 dev uplink nodad; done
backend one 8081 192.168.177.11
backend six 8086 fd00:77::6
backend two 8081 192.168.177.12
beside "$K3X" store serve --data-dir "$T/store" --listen-client-urls http://192.168.177.14:2379 --advertise-client-urls http://192.168.177.14:2379 --listen-peer-urls http://127.0.0.1:17884 >"$T/store.log" 2>&1 &
pids="$pids $!"
for a in 11 12; do wait_for 10 inside curl -s http://192.168.177.$a:8081/; done
start_ingress() { # ARGS...
	nsenter --net=/run/netns/$netns "$K3X" ingress --kubeconfig "$T/kubeconfig" --web-port 8000 --websecure-port 8443 --published-service kube-system/traefik "$@" >>"$T/ingress.log" 2>&1 &
	ingress_pid=$!
	wait_for 20 inside curl -sf http://127.0.0.1:8080/ready || bad "the ingress gets ready" "$(tail -n 5 "$T/ingress.log")"
}
# get HOST PATH [CURL ARGS...]: the body; st: the status; field: one of what the backend saw
get() { local h=$1 p=$2; shift 2; inside curl -s --max-time 20 --path-as-is -H "Host: $h" "$@" "http://127.0.0.1:8000$p"; }
st() { get "$@" -o /dev/null -w '%{http_code}'; }
tls() { local h=$1 p=$2; shift 2; inside curl -sk --max-time 20 --resolve "$h:8443:127.0.0.1" "$@" "https://$h:8443$p"; }
field() { python3 -c 'import json,sys
o = json.load(sys.stdin)
for k in sys.argv[1].split("/"): o = o.get(k, "")
print(o)' "$1"; }
ingress() { # NAME ANNOTATIONS SPEC
	kubectl apply -f - >/dev/null <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: $1, annotations: {$2}}
spec: $3
YAML
}
rule() { echo "{rules: [{host: $1, http: {paths: [{path: \"$2\", pathType: $3, backend: {service: {name: web, port: {name: http}}}}]}}]}"; }
endpoints() { # ADDRESS...: which of web are ready
	local list= a
	for a; do list="$list{addresses: [\"$a\"], conditions: {ready: true}},"; done
	kubectl apply -f - >/dev/null <<YAML
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8081}]
endpoints: [$list]
YAML
}

kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {ports: [{name: grpc, port: 2379, appProtocol: kubernetes.io/h2c}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: store-1, labels: {kubernetes.io/service-name: store}}
addressType: IPv4
ports: [{name: grpc, port: 2379}]
endpoints: [{addresses: ["192.168.177.14"]}]
---
apiVersion: v1
kind: Service
metadata: {name: traefik, namespace: kube-system}
spec: {type: LoadBalancer, loadBalancerClass: test/none, ports: [{name: web, port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: ours}
spec: {controller: traefik.io/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: foreign}
spec: {controller: example.org/other}
YAML
endpoints 192.168.177.11 192.168.177.12
ingress plain '' "$(rule plain.test / Prefix)"
check_is "without a cluster it says what is missing" "k3x ingress: this is no pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig to run outside of one" "$(env -u KUBERNETES_SERVICE_HOST "$K3X" ingress 2>&1)"
start_ingress ${DEBUG:+--log-level debug}

# ---- routes ----
status_is() { [ "$(st "$1" "$2")" = "$3" ]; }
check "a host is served" wait_for 10 status_is plain.test / 200
check_is "each endpoint in turn" "one two" "$(for _ in 1 2 3 4; do get plain.test / | field name; done | sort -u | paste -sd' ')"
check_is "another host is not" 404 "$(st other.test /)"

# ---- IPv6 ----
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: six}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: six-1, labels: {kubernetes.io/service-name: six}}
addressType: IPv6
ports: [{name: http, port: 8086}]
endpoints: [{addresses: ["fd00:77::6"], conditions: {ready: true}}]
YAML
ingress six '' '{rules: [{host: six.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: six, port: {name: http}}}}]}}]}'
check "an endpoint of IPv6 is reached" wait_for 10 status_is six.test / 200
check_is "by a client of IPv6" six "$(inside curl -s -m 5 -H 'Host: six.test' 'http://[fd00:77::1]:8000/' | field name)"
check_is "the backend is told who that was" fd00:77::1 "$(inside curl -s -m 5 -H 'Host: six.test' 'http://[fd00:77::1]:8000/' | field headers/x-forwarded-for)"
check_is "IPv6 reaches one of IPv4" 200 "$(inside curl -s -m 5 -o /dev/null -w '%{http_code}' -H 'Host: plain.test' 'http://[fd00:77::1]:8000/')"
check_is "such an address as a host has no rule" 404 "$(inside curl -s -m 5 -o /dev/null -w '%{http_code}' 'http://[fd00:77::1]:8000/')"
ingress paths '' '{ingressClassName: ours, rules: [{host: paths.test, http: {paths: [
  {path: /foo, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}},
  {path: /exact, pathType: Exact, backend: {service: {name: web, port: {name: http}}}},
  {path: /foo/none, pathType: Prefix, backend: {service: {name: nothere, port: {number: 80}}}}]}},
  {host: "*.wild.test", http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}]}'
check "an Ingress that comes is served" wait_for 10 status_is paths.test /foo 200
for want in "/foo/ 200" "/foo/bar 200" "/foobar 404" "/exact 200" "/exact/ 404" "/foo/none 503" "/foo/none/x 503" "/ 404" "/x/../foo 200" "//foo 200" "/x/%2e%2e/foo 200" "/../foo 400" "/foo/%zz 400" "/foo/%00 400"; do
	check_is "path ${want% *} is ${want#* }" "${want#* }" "$(st paths.test "${want% *}")"
done
check_is "a wildcard takes one label" 200 "$(st a.wild.test /)"
check_is "not two" 404 "$(st a.b.wild.test /)"
check_is "hosts have no case" 200 "$(st PLAIN.Test:8000 /)"
ingress foreign '' "{ingressClassName: foreign, $(rule foreign.test / Prefix | cut -c2-)"
ingress default '' '{defaultBackend: {service: {name: web, port: {name: http}}}}'
check "a default backend takes the rest" wait_for 10 status_is foreign.test /whatever 200
kubectl delete ingress default >/dev/null
check "one that goes is served no more, and another class never was" wait_for 10 status_is foreign.test / 404

# ---- what the backend sees ----
get plain.test '/a%20b?x=1&y=%2F' -H 'X-Forwarded-For: 6.6.6.6' -H 'X-Forwarded-Proto: https' -H 'Connection: X-Hop' -H 'X-Hop: 1' -H 'X-Real-Ip: 6.6.6.6' >"$T/seen"
check_is "path and query as they came" '/a%20b?x=1&y=%2F' "$(field path <"$T/seen")"
check_is "the host" plain.test "$(field headers/host <"$T/seen")"
check_is "the client, and nobody's claims" "127.0.0.1 http 127.0.0.1" "$(field headers/x-forwarded-for <"$T/seen") $(field headers/x-forwarded-proto <"$T/seen") $(field headers/x-real-ip <"$T/seen")"
check_is "nothing of the connection" "" "$(field headers/x-hop <"$T/seen")"
check_is "a body" "POST 100000" "$(head -c 100000 /dev/zero | get plain.test / --data-binary @- | python3 -c 'import json,sys; o=json.load(sys.stdin); print(o["method"], o["length"])')"
check_is "a body of unknown length" 3000000 "$(head -c 3000000 /dev/zero | get plain.test / -X PUT -H 'Transfer-Encoding: chunked' --data-binary @- | field length)"
check_is "a stream" 10000000 "$(get plain.test /stream | wc -c)"
check_is "HEAD" 200 "$(st plain.test / -I)"
check_is "an answer that breaks off is broken off" 18 "$(get plain.test /broken >/dev/null; echo $?)"
ws() { # HOST: what comes back through an upgrade
	inside python3 - "$1" <<'PY'
import socket, sys
s = socket.create_connection(("127.0.0.1", 8000), timeout=10)
s.sendall(f"GET /ws HTTP/1.1\r\nHost: {sys.argv[1]}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode())
head = b""
while b"\r\n\r\n" not in head: head += s.recv(1)
assert b" 101 " in head, head
s.sendall(b"hello" * 100000)
got = b""
while len(got) < 500000: got += s.recv(65536)
print(len(got))
PY
}
check_is "WebSockets pass" 500000 "$(ws plain.test)"

# ---- endpoints ----
endpoints 192.168.177.11 192.168.177.13
only_one() { [ "$(for _ in 1 2 3 4 5 6; do st plain.test /; done | sort -u)" = 200 ] || get plain.test /; [ "$(for _ in 1 2 3 4 5 6; do get plain.test / | field name; done | sort -u | paste -sd' ')" = one ]; }
check "one that is not there is passed over" wait_for 10 only_one
check_is "with a body too" 100000 "$(head -c 100000 /dev/zero | get plain.test / --data-binary @- | field length)"
check_has "and counted" "traefik_service_retries_total" "$(inside curl -s http://127.0.0.1:9100/metrics)"
endpoints
check "without any it is 503" wait_for 10 status_is plain.test / 503
endpoints 192.168.177.11 192.168.177.12
check "and back" wait_for 10 status_is plain.test / 200

# ---- a change under load loses nothing ----
inside python3 - >"$T/load" 2>&1 <<'PY' &
import http.client, threading, time
lost, count, end = [], [0], time.time() + 6
def ask():
    c = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
    while time.time() < end:
        try:
            c.request("POST", "/", b"x" * 100, {"Host": "plain.test"})
            r = c.getresponse(); r.read()
            if r.status != 200: lost.append(r.status)
        except Exception as e:
            lost.append(repr(e)); c.close()
        count[0] += 1
threads = [threading.Thread(target=ask) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print("lost", len(lost), lost[:3]); print("asked", count[0])
PY
load=$!
for _ in 1 2 3; do endpoints 192.168.177.11; sleep 0.5; endpoints 192.168.177.12; sleep 0.5; done
endpoints 192.168.177.11 192.168.177.12
wait $load
check_has "endpoints that change under load lose no request" "lost 0" "$(cat "$T/load")"
tail -n 1 "$T/load" | sed 's/^/     /'

# ---- TLS ----
for n in a b; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/$n.key" -out "$T/$n.crt" -subj /CN=$n -addext "subjectAltName=DNS:$n.tls.test" -days 2 2>/dev/null; kubectl create secret tls cert-$n --cert="$T/$n.crt" --key="$T/$n.key" >/dev/null; done
ingress tls '' "{tls: [{hosts: [a.tls.test], secretName: cert-a}, {hosts: [b.tls.test], secretName: cert-b}], rules: [{host: a.tls.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}, {host: b.tls.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}]}"
subject() { inside openssl s_client -connect 127.0.0.1:8443 -servername "$1" </dev/null 2>/dev/null | openssl x509 -noout -subject | sed 's/.*= *//'; }
subject_is() { [ "$(subject "$1")" = "$2" ]; }
check "a name has its Secret's certificate" wait_for 10 subject_is a.tls.test a
check_is "another has another" b "$(subject b.tls.test)"
check_is "who is not known has the default one" "k3x default certificate" "$(subject nobody.test)"
check_is "it is verified" 200 "$(tls a.tls.test / --cacert "$T/a.crt" -o /dev/null -w '%{http_code}')"
check_is "HTTP/2, and https for the backend" "2 https" "$(tls a.tls.test / -o "$T/seen" -w '%{http_version} '; field headers/x-forwarded-proto <"$T/seen")"
kubectl create secret tls cert-a --cert="$T/b.crt" --key="$T/b.key" --dry-run=client -o yaml | kubectl apply -f - >/dev/null 2>&1
check "a Secret that changes is followed" wait_for 10 subject_is a.tls.test b
check_is "HTTP is served beside it" 200 "$(st a.tls.test /)"

# ---- gRPC ----
ingress grpc '' '{rules: [{host: b.tls.test, http: {paths: [{path: /etcdserverpb., pathType: ImplementationSpecific, backend: {service: {name: store, port: {name: grpc}}}}]}}]}'
echo "127.0.0.1 b.tls.test" >"$T/hosts"
via() { inside unshare -m bash -c 'mount --bind "$1" /etc/hosts; shift; exec "$@"' _ "$T/hosts" env ETCDCTL_API=3 etcdctl --endpoints=https://b.tls.test:8443 --cacert="$T/b.crt" --command-timeout=5s "$@"; }
check "gRPC passes, with its trailers" wait_for 10 via put key value
check_is "both ways" "key value" "$(via get key | paste -sd' ')"

# ---- annotations ----
N=nginx.ingress.kubernetes.io
ingress rewrite "$N/rewrite-target: /\$2" "$(rule rewrite.test '/api(/|$)(.*)' ImplementationSpecific)"
check "a rewrite" wait_for 10 status_is rewrite.test /api/x 200
check_is "has its groups" "/x/y?q=1" "$(get rewrite.test '/api/x/y?q=1' | field path)"
ingress ssl "$N/force-ssl-redirect: \"true\"" "$(rule ssl.test / Prefix)"
check "a redirect to https" wait_for 10 status_is ssl.test /x 308
check_has "to the same place" "https://ssl.test/x?y=1" "$(get ssl.test '/x?y=1' -o /dev/null -w '%{redirect_url}')"
ingress gone "$N/permanent-redirect: https://example.org/new" "$(rule gone.test / Prefix)"
check "a permanent redirect" wait_for 10 status_is gone.test / 301
ingress deny "$N/whitelist-source-range: 10.9.0.0/16" "$(rule deny.test / Prefix)"
check "who is not on the list is refused" wait_for 10 status_is deny.test / 403
ingress small "$N/proxy-body-size: 1k" "$(rule small.test / Prefix)"
check "a body may be" wait_for 10 status_is small.test / 200
check_is "not too large" 413 "$(head -c 2000 /dev/zero | st small.test / --data-binary @-)"
check_is "nor grow so" 413 "$(head -c 200000 /dev/zero | st small.test / -H 'Transfer-Encoding: chunked' --data-binary @-)"
ingress quick "$N/proxy-read-timeout: \"1\"" "$(rule quick.test / Prefix)"
check "one that does not answer" wait_for 10 status_is quick.test / 200
check_is "is given up" 504 "$(st quick.test /slow)"
ingress limited "$N/limit-rps: \"1\", $N/limit-burst-multiplier: \"3\"" "$(rule limited.test / Prefix)"
check "a limit" wait_for 10 status_is limited.test / 200
check_has "is kept" 429 "$(for _ in 1 2 3 4 5 6; do st limited.test /; done)"
kubectl create secret generic users --from-literal=auth="ann:$(openssl passwd -6 secret)" >/dev/null
ingress login "$N/auth-type: basic, $N/auth-secret: users" "$(rule login.test / Prefix)"
login_is() { [ "$(st login.test / -u "$1")" = "$2" ]; }
check "who knows the password gets in" wait_for 10 login_is ann:secret 200
check_is "again" 200 "$(st login.test / -u ann:secret)"
check_is "others do not" "401 401 401" "$(st login.test / -u ann:wrong) $(st login.test / -u bob:secret) $(st login.test /)"
ingress sticky "$N/affinity: cookie, $N/session-cookie-name: route" "$(rule sticky.test / Prefix)"
check "a cookie" wait_for 10 status_is sticky.test / 200
first=$(get sticky.test / -c "$T/jar" -D "$T/head" | field name)
check_has "is set" "route=" "$(grep -i '^set-cookie' "$T/head")"
check_is "and heard" "$first" "$(for _ in 1 2 3 4; do get sticky.test / -b "$(sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\);.*/\1/p' "$T/head")" | field name; done | sort -u)"
ingress odd "$N/configuration-snippet: \"deny all;\"" "$(rule odd.test / Prefix)"
event_of() { kubectl get events --field-selector "involvedObject.name=$1" -o 'jsonpath={.items[*].message}' | grep -q "$2"; }
check "what is not served is told" wait_for 15 event_of odd 'configuration-snippet is not served here'
check_is "and the rest is served" 200 "$(st odd.test /)"

# ---- status ----
kubectl -n kube-system patch service traefik --subresource=status --type=merge -p '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.9"}]}}}' >/dev/null
address_is() { [ "$(kubectl get ingress "$1" -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')" = "$2" ]; }
check "Ingresses have the Service's address" wait_for 10 address_is plain 192.0.2.9
check_is "those of others have not" "" "$(kubectl get ingress foreign -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')"

# ---- hostile ----
raw() { inside python3 -c 'import socket,sys
s = socket.create_connection(("127.0.0.1", 8000), timeout=10)
s.sendall(sys.argv[1].encode().decode("unicode_escape").encode("latin1"))
s.shutdown(socket.SHUT_WR)
d = b""
while (p := s.recv(4096)): d += p
print(d.split(b"\r\n")[0].decode())' "$1"; }
check_has "two lengths are refused" 400 "$(raw 'POST / HTTP/1.1\r\nHost: plain.test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd')"
check_has "a length beside chunks is refused" 400 "$(raw 'POST / HTTP/1.1\r\nHost: plain.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')"
check_has "no request at all" 400 "$(raw 'nonsense\r\n\r\n')"
check_is "an answer of no status, an upgrade nobody wanted, an interim one with a body are none" "502 502 502" "$(st plain.test /status/099) $(st plain.test /status/101) $(st plain.test /status/199)"
check_is "nor with an upgrade" "502 502" "$(st plain.test /status/099 -H 'Connection: Upgrade' -H 'Upgrade: x') $(st plain.test /status/199 -H 'Connection: Upgrade' -H 'Upgrade: x')"
check_is "an upgrade that is refused is streamed" 10000000 "$(get plain.test /stream -H 'Connection: Upgrade' -H 'Upgrade: x' | wc -c)"
check_is "it serves on" 200 "$(st plain.test /)"

# ---- the end ----
echo "     resident: $(awk '/VmRSS/ { print $2 }' /proc/$ingress_pid/status) KiB"
begun=$(grep -c "slow begins" "$T/backend.log")
another_began() { [ "$(grep -c "slow begins" "$T/backend.log")" -gt "$begun" ]; }
get plain.test /slow >"$T/slow" &
slow=$!
check "a slow request is under way" wait_for 5 another_began
kill -TERM $ingress_pid
wait $slow
check_is "what is under way is answered before the end" /slow "$(field path <"$T/slow")"
wait $ingress_pid
check_is "and it ends in order" 0 $?
ingress_pid=
finish
