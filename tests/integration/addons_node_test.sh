#!/bin/bash
# A fresh cluster as its first user meets it: the add-ons that come with the binary run as pods of its own image, names
# resolve from a pod, a claim of the default class is a directory that keeps what was written, --disable removes one.
# lane: cgroups
WITH_ADDONS=1
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "add-ons on a node" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh nslookup sleep cat
start() { start_server 17767 --node-name node1 --kubelet-port 17768 "$@"; }
start || { finish; exit 1; }

jp() { kubectl get "$1" -o "jsonpath=$2" 2>/dev/null; }
is() { [ "$(jp "$1" "$2")" = "$3" ]; }
available() { [ "$(kubectl -n kube-system get deployment "$1" -o 'jsonpath={.status.availableReplicas}' 2>/dev/null)" = 1 ]; }
gone() { ! kubectl "$@" >/dev/null 2>&1; }
check "node becomes Ready" wait_for 40 is node/node1 '{.status.conditions[?(@.type=="Ready")].status}' True
check "DNS comes up" wait_for 60 available coredns
check "local storage comes up" wait_for 60 available local-path-provisioner
check_is "both from the binary's own image" 1 \
	"$(kubectl -n kube-system get pods -o 'jsonpath={range .items[*].spec.containers[*]}{.image}{"\n"}{end}' | sort -u | grep -c '^docker.io/k3x/system:')"
check_is "the DNS has its address" 10.43.0.10 "$(kubectl -n kube-system get service kube-dns -o 'jsonpath={.spec.clusterIP}')"

kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: first}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: first, labels: {app: first}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: box:1, command: [sh, -c, "sleep 1000000"], volumeMounts: [{name: data, mountPath: /data}]}
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
YAML
check "a pod with a claim of the default class runs" wait_for 60 is pod/first '{.status.phase}' Running
check "the claim is bound" is pvc/data '{.status.phase}' Bound
resolves() { kubectl exec first -- nslookup "$1" 2>/dev/null | grep -q "$2"; }
check "a service's short name resolves" wait_for 20 resolves web.default.svc.cluster.local "$(jp service/web '{.spec.clusterIP}')"
check "the API's name too" resolves kubernetes.default.svc.cluster.local 10.43.0.1
kubectl exec first -- sh -c 'echo kept >/data/file' >/dev/null 2>&1
check_is "what is written is there" kept "$(kubectl exec first -- cat /data/file)"
kubectl delete pod first >/dev/null
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: second}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: box:1, command: [sh, -c, "sleep 1000000"], volumeMounts: [{name: data, mountPath: /data}]}
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
YAML
check "another pod with the claim runs" wait_for 60 is pod/second '{.status.phase}' Running
check_is "and finds it" kept "$(kubectl exec second -- cat /data/file)"
volume=$(jp pvc/data '{.spec.volumeName}')
kubectl delete pod second >/dev/null
kubectl delete pvc data >/dev/null
check "with the claim its volume goes" wait_for 60 gone get pv "$volume"
check_is "and the directory" "" "$(ls "$T/data/storage" 2>/dev/null)"

stop_server TERM
start --disable coredns || { finish; exit 1; }
check "what is disabled is removed" wait_for 60 gone -n kube-system get deployment coredns
check "all of it" wait_for 20 gone -n kube-system get service kube-dns
check "the other stays" wait_for 60 available local-path-provisioner
finish
