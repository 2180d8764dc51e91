#!/bin/bash
# A one-server cluster as a user sees it: kubectl applies a Deployment and a Service, pods run in containers, curl reaches
# every replica through the service from a pod and from the node, and the things people do every day work: scale, update,
# undo, logs, exec, wait, describe, delete namespace. Then the server is killed while pods run, and nothing is lost.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "cluster" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image web:1 "$T/data/agent/images/web1.tar" sh -c 'echo one-$(hostname) >/www/index.html; echo started; exec httpd -f -p 8080 -h /www'
busybox_image web:2 "$T/data/agent/images/web2.tar" sh -c 'echo two-$(hostname) >/www/index.html; echo started; exec httpd -f -p 8080 -h /www'

start_server 17643 --node-name node1 --kubelet-port 17650 || { finish; exit 1; }
check "node becomes Ready" wait_for 60 bash -c "$(declare -f inside kubectl); netns=$netns T=$T; kubectl wait --for=condition=Ready node/node1 --timeout=1s"

cat >"$T/web.yaml" <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: web:1
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata:
  name: client
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: sh
    image: web:1
    command: [sh, -c, "echo hello; trap exit TERM; while :; do sleep 1; done"]
YAML
check "apply" kubectl apply -f "$T/web.yaml"
check "deployment rolls out" kubectl rollout status deploy/web --timeout=60s
check "wait for the client pod" kubectl wait --for=condition=Ready pod/client --timeout=60s
ip=$(kubectl get svc web -o jsonpath='{.spec.clusterIP}')

# replies HOW WANT: asks the service until that many different answers were seen.
replies() {
	local how=$1 want=$2 i seen=
	for i in $(seq 60); do
		seen+=$($how)$'\n'
		[ "$(grep -c . <<<"$(sort -u <<<"$seen" | grep -E '^(one|two)-')")" -ge "$want" ] && return 0
	done
	sort -u <<<"$seen"
	return 1
}
# Not wget: in a static busybox it crashes in the C library's resolver.
from_pod() { kubectl exec client -- sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 2 $ip 80" | tail -n 1; }
from_node() { inside curl -s -m 2 "http://$ip/"; }
check "every replica answers a pod through the ClusterIP" replies from_pod 3
check "every replica answers the node through the ClusterIP" replies from_node 3
check "the kubernetes service answers" bash -c "[ \"\$(nsenter --net=/run/netns/$netns curl -sk -m 2 https://10.43.0.1/livez)\" = ok ]"

# two services name one external address: the older has it, the other is told, and nobody else is kept from being served
cat >"$T/external.yaml" <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: older}
spec: {selector: {app: web}, externalIPs: [192.168.177.50], ports: [{port: 90, targetPort: 8080}]}
YAML
long=$(printf 'n%.0s' $(seq 63))
check "apply the older service" kubectl apply -f "$T/external.yaml"
older_is_older() { [ "$(kubectl get svc older -o jsonpath='{.metadata.creationTimestamp}')" != "$(date -u +%Y-%m-%dT%H:%M:%SZ)" ]; }
wait_for 5 older_is_older
sed 's/older/younger/' "$T/external.yaml" | kubectl apply -f - >/dev/null
check "a service with the longest names" kubectl apply -f - <<<"$(sed "s/older/$long/; s/port: 90/name: $long, port: 90/; s/externalIPs.*50., //" "$T/external.yaml")"
kubectl create service nodeport innocent --tcp=80:8080 --node-port=31080 >/dev/null
kubectl patch service innocent -p '{"spec":{"selector":{"app":"web"}}}' >/dev/null
inside ip addr add 192.168.177.50/32 dev uplink
node_answers() { inside curl -s -m 2 "http://$1/" | grep -qE '^(one|two)-'; }
check "the external address answers" wait_for 10 node_answers 192.168.177.50:90
check "a service that came later is served" wait_for 10 node_answers "$(kubectl get svc innocent -o jsonpath='{.spec.clusterIP}')"
check "its node port answers on the node's address" wait_for 10 node_answers 192.168.177.1:31080
check "but not on 127.0.0.1" [ "$(inside curl -s -m 2 http://127.0.0.1:31080/; echo $?)" = 7 ]
told() { kubectl get events --field-selector involvedObject.name=younger -o jsonpath='{.items[*].message}' | grep -q 'older service default/older'; }
check "the younger one's event says who has its address" wait_for 10 told
check "long names are served too" wait_for 10 node_answers "$(kubectl get svc "$long" -o jsonpath='{.spec.clusterIP}'):90"
kubectl delete svc older >/dev/null
check "the younger one has it when the older is gone" wait_for 10 node_answers 192.168.177.50:90
kubectl delete svc younger innocent "$long" >/dev/null

check_has "logs" hello "$(kubectl logs client)"
check_has "logs -f ends with its time" hello "$(timeout 3 nsenter --net=/run/netns/$netns "$(type -P kubectl)" --kubeconfig "$T/kubeconfig" logs -f client)"
check_is "exec passes output" hi "$(kubectl exec client -- echo hi)"
check_is "exec passes input and its end" 6 "$(printf 'abcdef' | kubectl exec -i client -- wc -c | tr -d ' ')"
kubectl exec client -- sh -c 'exit 7' >/dev/null 2>&1
check_is "exec passes the exit code" 7 $?
check_has "describe shows events" "Started" "$(kubectl describe pod client)"
check_has "get -o wide shows the node" node1 "$(kubectl get pods -o wide)"

check "scale" kubectl scale deploy/web --replicas=5
check "scaled out" kubectl rollout status deploy/web --timeout=60s
check_is "five pods" 5 "$(kubectl get pods -l app=web --no-headers | wc -l)"
check "set image" kubectl set image deploy/web web=web:2
check "new version rolls out" kubectl rollout status deploy/web --timeout=90s
answers() { from_node | grep -q "^$1"; }
check "new version answers" wait_for 10 answers two-
check "rollout undo" kubectl rollout undo deploy/web
check "old version rolls out" kubectl rollout status deploy/web --timeout=90s
check "old version answers" wait_for 10 answers one-

# killed: pods live on, the restarted server adopts them, what was acknowledged is there
kubectl create configmap kept --from-literal=a=b >/dev/null
settled() { [ "$(kubectl get pods --no-headers | wc -l)" = 6 ]; }
check "old pods are gone" wait_for 40 settled
before=$(kubectl get pods -o jsonpath='{range .items[*]}{.metadata.uid}{.status.containerStatuses[0].containerID}{.status.containerStatuses[0].restartCount}{"\n"}{end}' | sort)
stop_server KILL
check_has "pods answer while the server is dead" one- "$(from_node)"
start_server 17643 --node-name node1 --kubelet-port 17650
check "node is Ready again" wait_for 30 bash -c "$(declare -f inside kubectl); netns=$netns T=$T; kubectl wait --for=condition=Ready node/node1 --timeout=1s"
check_is "what was acknowledged is there" b "$(kubectl get configmap kept -o jsonpath='{.data.a}')"
looked_again() { [ "$(grep -c "container runtime is ready" "$T/k3x.log")" -ge 2 ] && kubectl exec client -- true; }
check "the kubelet has looked at what runs" wait_for 20 looked_again
check "and writes the status of what it adopted" wait_for 20 bash -c "$(declare -f inside kubectl); netns=$netns T=$T; kubectl wait --for=condition=Ready pod --all --timeout=1s"
check_is "the same containers run, none restarted" "$before" "$(kubectl get pods -o jsonpath='{range .items[*]}{.metadata.uid}{.status.containerStatuses[0].containerID}{.status.containerStatuses[0].restartCount}{"\n"}{end}' | sort)"
check_is "exec works on adopted pods" hi "$(kubectl exec client -- echo hi)"

check "create a namespace with a pod" bash -c "$(declare -f inside kubectl); netns=$netns T=$T; kubectl create ns gone && kubectl -n gone create deployment d --image=web:1 --replicas=2"
check "its deployment rolls out" kubectl -n gone rollout status deploy/d --timeout=60s
check "delete ns" kubectl delete ns gone --timeout=90s
check_is "nothing of it is left" "" "$(kubectl get all -n gone --no-headers 2>/dev/null)"

kubectl delete deploy/web svc/web pod/client --timeout=60s >/dev/null 2>&1
check_is "deleted pods are gone" "" "$(wait_for 30 bash -c "$(declare -f inside kubectl); netns=$netns T=$T; [ -z \"\$(kubectl get pods --no-headers 2>/dev/null)\" ]" || kubectl get pods --no-headers)"

# everything goes
stop_server TERM
inside env K3X_DATA_DIR="$T/data" K3X_STATE_DIR="${state_dir:-$T/data/agent/run}" bash "$root/tools/install/down.sh" >/dev/null
check_is "no mount is left" "" "$(grep -F "$T" /proc/self/mountinfo)"
check_is "no process is left" "" "$(pids_with "$T")"
check_is "no rule is left" "" "$(inside nft list tables | grep k3x)"
check_is "no link is left" "" "$(inside ip -o link | grep -E 'cni0|veth')"
finish
