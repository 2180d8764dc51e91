#!/bin/bash
# The controllers that keep things tidy, against the real binary with nodes that do not exist: zones of nodes that are not
# ready, the collection of pods, slices of Endpoints that people write, signatures of cluster-info.
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17867}

jp() { kubectl get "$1" ${3:+-n "$3"} -o "jsonpath=$2"; }
is() { [ "$(jp "$1" "$2" "${4:-}" 2>/dev/null)" = "$3" ]; }
not() { ! "$@"; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
has() { jp "$1" "$2" "${4:-}" 2>/dev/null | grep -q -- "$3"; }

# node NAME ZONE: ready, and silent for ever after
node() { made_up_node "$1" "" "labels: {topology.kubernetes.io/zone: $2}"; }
ready() { kubectl patch node "$1" --subresource=status -p "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"$2\"}]}}" >/dev/null; }
taint_is() { is "node/$1" "{.spec.taints[?(@.effect==\"$2\")].key}" "$3"; }
# pod NAME NODE [MORE-METADATA]
pod() {
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1${3:+, $3}}
		spec: {${2:+nodeName: $2, }terminationGracePeriodSeconds: 300, tolerations: [{operator: Exists}], containers: [{name: c, image: x}]}
	YAML
}

start_server "$PORT" --disable-agent --disable-scheduler --kube-controller-manager-arg node-monitor-grace-period=1h \
	--kube-controller-manager-arg node-eviction-rate=0.2 --kube-controller-manager-arg terminated-pod-gc-threshold=3 || { finish; exit 1; }
for n in a1 a2 a3; do node $n a; done
node b1 b
pod orphan ghost
inside "$(type -P kubectl)" --kubeconfig "$T/kubeconfig" get pods -w --output-watch-events -o json >"$T/watched" 2>/dev/null &
watcher=$!
trap 'kill $watcher 2>/dev/null; cleanup' EXIT

# ---- zones ----
check "a ready node has no taints" wait_for 10 taint_is a1 NoSchedule ""
ready a1 False
check "one that is not ready is tainted" wait_for 5 taint_is a1 NoSchedule node.kubernetes.io/not-ready
check "the first of its zone loses its pods at once" wait_for 5 taint_is a1 NoExecute node.kubernetes.io/not-ready
ready a2 False
check "the second one gets nothing new" wait_for 5 taint_is a2 NoSchedule node.kubernetes.io/not-ready
check_is "and keeps its pods for a while" "" "$(jp node/a2 '{.spec.taints[?(@.effect=="NoExecute")].key}')"
check "until its turn comes" wait_for 15 taint_is a2 NoExecute node.kubernetes.io/not-ready
ready a1 Unknown
check "what is wrong with it may change at any time" wait_for 5 taint_is a1 NoExecute node.kubernetes.io/unreachable
ready a3 False
check "a zone that is all down goes on, for there is another" wait_for 15 taint_is a3 NoExecute node.kubernetes.io/not-ready
ready b1 False
check "when all are down nobody loses pods" wait_for 5 taint_is b1 NoSchedule node.kubernetes.io/not-ready
check "and who was about to does not" wait_for 5 taint_is a1 NoExecute ""
check "none of them" wait_for 5 taint_is a3 NoExecute ""
check "the log says so" grep -q "no zone has a node that is ready" "$T/k3x.log"
ready b1 True
check "one that comes back loses its taints" wait_for 5 taint_is b1 NoSchedule ""
check "and the others lose their pods again" wait_for 30 taint_is a3 NoExecute node.kubernetes.io/not-ready
ready a3 True
check "a node that is well again loses them at once" wait_for 5 taint_is a3 NoExecute ""
ready a1 True; ready a2 True

# ---- pods that nobody looks after ----
pod waits "" "finalizers: [test/hold]"
kubectl delete pod waits --wait=false >/dev/null
check "a dying pod that never had a node has failed" wait_for 10 is pod/waits '{.status.phase}' Failed
kubectl patch pod waits --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
check "and goes" wait_for 10 gone pod waits
pod stuck b1
kubectl delete pod stuck --wait=false >/dev/null
check "a dying pod of a silent node stays" kubectl get pod stuck
kubectl taint node b1 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
check "on a node that is ready, out of service or not" kubectl get pod stuck
ready b1 False
check "on one that is out of service it goes" wait_for 10 gone pod stuck
check "for a reason that is told" wait_for 5 grep -q "PodGC: node is out of service" "$T/watched"
kubectl taint node b1 node.kubernetes.io/out-of-service- >/dev/null
ready b1 True
for i in 1 2 3 4 5; do pod ended$i a1; done
for i in 1 2 3 4; do kubectl patch pod ended$i --subresource=status -p '{"status":{"phase":"Succeeded"}}' >/dev/null; done
kubectl patch pod ended5 --subresource=status -p '{"status":{"phase":"Failed","reason":"Evicted"}}' >/dev/null
check "of more pods that have ended than may be an evicted one goes first" wait_for 40 gone pod ended5
check "then the oldest" wait_for 10 gone pod ended1
check_is "no more than too many" "ended2 ended3 ended4" "$(kubectl get pods -o 'jsonpath={.items[?(@.status.phase=="Succeeded")].metadata.name}')"
check "the pod of a node that is not there goes" wait_for 60 gone pod orphan
check "as failed, for a reason" wait_for 5 grep -q "PodGC: node no longer exists" "$T/watched"

# ---- Endpoints that people write ----
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {ports: [{name: web, port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: outside, labels: {team: x}, annotations: {note: of-mine}}
subsets:
- addresses: [{ip: 192.0.2.1}, {ip: "2001:db8::1"}]
  notReadyAddresses: [{ip: 192.0.2.2, hostname: late}]
  ports: [{name: web, port: 8080}]
YAML
slices() { kubectl get endpointslices -l "kubernetes.io/service-name=outside" -o "jsonpath=$1"; }
slice_is() { [ "$(slices "$1")" = "$2" ]; }
check "Endpoints of a service without a selector become slices" wait_for 10 slice_is '{.items[?(@.addressType=="IPv4")].endpoints[*].addresses[0]}' "192.0.2.1 192.0.2.2"
check_is "ready and not" "true false" "$(slices '{.items[?(@.addressType=="IPv4")].endpoints[*].conditions.ready}')"
check "a slice for each family" wait_for 10 slice_is '{.items[?(@.addressType=="IPv6")].endpoints[*].addresses[0]}' "2001:db8::1"
check_is "with their ports" 8080 "$(slices '{.items[?(@.addressType=="IPv6")].ports[0].port}')"
check_is "labels and annotations" "x endpointslicemirroring-controller.k8s.io of-mine" "$(slices '{.items[?(@.addressType=="IPv4")].metadata.labels.team} {.items[?(@.addressType=="IPv4")].metadata.labels.endpointslice\.kubernetes\.io/managed-by} {.items[?(@.addressType=="IPv4")].metadata.annotations.note}')"
kubectl patch endpoints outside --type=json -p '[{"op":"replace","path":"/subsets/0/addresses","value":[{"ip":"192.0.2.7"}]},{"op":"remove","path":"/subsets/0/notReadyAddresses"}]' >/dev/null
check "they follow" wait_for 10 slice_is '{.items[*].endpoints[*].addresses[0]}' 192.0.2.7
kubectl label endpoints outside endpointslice.kubernetes.io/skip-mirror=true >/dev/null
check "those that are not to be mirrored are not" wait_for 10 slice_is '{.items[*].metadata.name}' ""
kubectl label endpoints outside endpointslice.kubernetes.io/skip-mirror- >/dev/null
check "until they are" wait_for 10 slice_is '{.items[*].endpoints[*].addresses[0]}' 192.0.2.7
kubectl delete service outside >/dev/null
check "they go with their service" wait_for 10 slice_is '{.items[*].metadata.name}' ""
check_is "the API server's own are not doubled" 1 "$(kubectl get endpointslices -l kubernetes.io/service-name=kubernetes --no-headers | wc -l)"

# ---- cluster-info ----
kubectl -n kube-public create configmap cluster-info --from-literal=kubeconfig="some: config" >/dev/null
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Secret
metadata: {name: bootstrap-token-abcdef, namespace: kube-system}
type: bootstrap.kubernetes.io/token
stringData: {token-id: abcdef, token-secret: 0123456789abcdef, usage-bootstrap-signing: "true"}
YAML
b64() { openssl base64 -A | tr '+/' '-_' | tr -d =; }
head=$(printf '{"alg":"HS256","kid":"abcdef"}' | b64)
signature=$(printf '%s.%s' "$head" "$(printf 'some: config' | b64)" | openssl dgst -sha256 -hmac 0123456789abcdef -binary | b64)
check "cluster-info is signed with a token" wait_for 10 is configmap/cluster-info '{.data.jws-kubeconfig-abcdef}' "$head..$signature" kube-public
kubectl -n kube-system delete secret bootstrap-token-abcdef >/dev/null
check "and no longer when it is gone" wait_for 10 is configmap/cluster-info '{.data}' '{"kubeconfig":"some: config"}' kube-public

stop_server TERM
check "nobody lacked a right" not grep -q "forbidden" "$T/k3x.log"
check "it stops cleanly" not grep -qE 'invariant broken' "$T/k3x.log"
finish
