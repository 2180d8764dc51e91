#!/bin/bash
# The metrics add-on on a real node, from the binary's own image: kubelet, k3x metrics, API server and kubectl top; and who
# may ask the kubelet itself.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "metrics on a node" "needs root"; finish; exit; }
no_addons=(env K3X_DISABLE=coredns,local-storage)

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh sleep cat
start_server 17395 --node-name node1 --kubelet-port 17396 --kube-controller-manager-arg horizontal-pod-autoscaler-sync-period=2s || { finish; exit 1; }

jp() { kubectl get "$1" -o "jsonpath=$2" 2>/dev/null; }
is() { [ "$(jp "$1" "$2")" = "$3" ]; }
available() { [ "$(kubectl -n kube-system get deployment metrics-server -o 'jsonpath={.status.availableReplicas}' 2>/dev/null)" = 1 ]; }
check "the add-on comes up" wait_for 60 available
check "the API service is available" wait_for 30 is apiservice/v1beta1.metrics.k8s.io '{.status.conditions[?(@.type=="Available")].status}' True
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: busy}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: loop, image: box:1, command: [sh, -c, "while :; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1; done"]}
YAML
check "a pod runs" wait_for 60 is pod/busy '{.status.phase}' Running
check "kubectl top nodes" wait_for 60 kubectl top nodes
check_has "names the node" node1 "$(kubectl top nodes --no-headers)"
check "kubectl top pods" wait_for 60 kubectl top pod busy --containers
line=$(kubectl top pod busy --containers --no-headers)
check "the busy container uses CPU" grep -Eq '^busy +loop +[1-9][0-9]*m +[0-9]+Mi' <<<"$line"
echo "     $line; $(kubectl top nodes --no-headers)"

resident() {
	local pid
	for pid in $(pids_with "metrics --secure-port=10250"); do awk '/^VmRSS/ { print $2 " " $3 }' "/proc/$pid/status"; done
}
echo "     k3x metrics: $(resident | head -n 1) resident"

# an autoscaler by what is really used
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: load}
spec:
  replicas: 1
  selector: {matchLabels: {app: load}}
  template:
    metadata: {labels: {app: load}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: loop, image: box:1, resources: {requests: {cpu: 10m}}, command: [sh, -c, "while :; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1; done"]}
YAML
kubectl autoscale deployment load --cpu-percent=50 --min=1 --max=2 >/dev/null
check "an autoscaler makes a second pod of a busy one" wait_for 120 is deployment/load '{.spec.replicas}' 2
check_has "and shows what is used" "Deployment/load" "$(kubectl get hpa load --no-headers)"
echo "     $(kubectl get hpa load --no-headers)"
kubectl delete hpa,deployment load >/dev/null 2>&1

# the kubelet's own door
ask() { inside curl -sk -o /dev/null -w '%{http_code}' "$@"; }
node=https://127.0.0.1:17396
check_is "nobody is refused" 401 "$(ask $node/metrics/resource)"
check_is "a made-up token too" 401 "$(ask -H 'Authorization: Bearer x' $node/metrics/resource)"
token=$(kubectl -n kube-system create token metrics-server)
check_is "the add-on's account may read metrics" 200 "$(ask -H "Authorization: Bearer $token" $node/metrics/resource)"
check_is "and nothing else" 403 "$(ask -H "Authorization: Bearer $token" $node/pods)"
text=$(inside curl -sk -H "Authorization: Bearer $token" $node/metrics/resource)
for name in node_cpu_usage_seconds_total node_memory_working_set_bytes; do
	check_has "$name" "$name " "$text"
done
for name in container_cpu_usage_seconds_total container_memory_working_set_bytes container_start_time_seconds; do
	check_has "$name" "$name{container=\"loop\",namespace=\"default\",pod=\"busy\"} " "$text"
done
for name in pod_cpu_usage_seconds_total pod_memory_working_set_bytes; do
	check_has "$name" "$name{namespace=\"default\",pod=\"busy\"} " "$text"
done
finish
