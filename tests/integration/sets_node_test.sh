#!/bin/bash
# A daemon set and a stateful set with a real kubelet and scheduler: placed by affinity, run, updated in order, known by
# their names, and gone without a trace of them.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "sets on a node" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
busybox_image box:2 "$T/data/agent/images/box2.tar" sh
start_server 17749 --node-name node1 --kubelet-port 17756 || { finish; exit 1; }

is() { [ "$(kubectl get "$1" -o "jsonpath=$2")" = "$3" ]; }
none() { [ -z "$(kubectl get pods -o name)" ]; }
check "node becomes Ready" wait_for 40 is node/node1 '{.status.conditions[?(@.type=="Ready")].status}' True

kubectl apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: every}
spec:
  selector: {matchLabels: {app: every}}
  template:
    metadata: {labels: {app: every}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: "box:1", command: [sh, -c, "trap exit TERM; while :; do sleep 0.1; done"]}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: "box:1", command: [sh, -c, "hostname; trap exit TERM; while :; do sleep 0.1; done"]}]
YAML
check "a daemon set rolls out" kubectl rollout status ds/every --timeout=60s
check "a stateful set rolls out" kubectl rollout status sts/db --timeout=60s
check_is "its pods are called as they are named" "db-1" "$(kubectl logs db-1)"
kubectl set image ds/every c=box:2 >/dev/null
kubectl set image sts/db c=box:2 >/dev/null
check "the daemon set is updated" kubectl rollout status ds/every --timeout=60s
check "the stateful set is updated" kubectl rollout status sts/db --timeout=60s
check_is "to the new image" "box:2 box:2" "$(kubectl get pods -l app=db -o 'jsonpath={.items[*].spec.containers[0].image}')"
check "drain leaves daemons alone" kubectl drain node1 --ignore-daemonsets --force --delete-emptydir-data --timeout=60s
check "and they are Ready" wait_for 10 is ds/every '{.status.numberReady}' 1
kubectl uncordon node1 >/dev/null
check "what was drained comes back" wait_for 60 is sts/db '{.status.readyReplicas}' 2
kubectl delete ds,sts --all >/dev/null
check "pods go with their sets" wait_for 60 none
finish
