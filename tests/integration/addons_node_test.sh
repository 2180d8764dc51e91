#!/bin/bash
# A fresh cluster as its first user meets it: the add-ons that come with the binary run as pods of its own image, names
# resolve from a pod, a claim of the default class is a directory that keeps what was written, --disable removes one.
# lane: node
WITH_ADDONS=1
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "add-ons on a node" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh nslookup sleep cat httpd tar
start() { start_server 17767 --node-name node1 --kubelet-port 17768 "$@"; }
start || { finish; exit 1; }

jp() { kubectl get "$1" -o "jsonpath=$2" 2>/dev/null; }
is() { [ "$(jp "$1" "$2")" = "$3" ]; }
available() { [ "$(kubectl -n kube-system get deployment "$1" -o 'jsonpath={.status.availableReplicas}' 2>/dev/null)" = 1 ]; }
gone() { ! kubectl "$@" >/dev/null 2>&1; }
check "node becomes Ready" wait_for 40 is node/node1 '{.status.conditions[?(@.type=="Ready")].status}' True
check "DNS comes up" wait_for 60 available coredns
check "local storage comes up" wait_for 60 available local-path-provisioner
check "the metrics server comes up" wait_for 60 available metrics-server
check "the ingress comes up" wait_for 60 available traefik
check_is "all from the binary's own image" 1 \
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
head -c 300000 /dev/urandom >"$T/sent"
check "kubectl cp into a pod" kubectl cp "$T/sent" first:/tmp/got
check "and out of it" kubectl cp first:/tmp/got "$T/back"
check "byte for byte" cmp "$T/sent" "$T/back"
nsenter --net=/run/netns/$netns "$(type -P kubectl)" --kubeconfig "$T/kubeconfig" proxy --port=17769 >"$T/proxy.log" 2>&1 &
proxy_pid=$!
check "kubectl proxy serves the API" wait_for 10 inside curl -sf http://127.0.0.1:17769/api/v1/namespaces/default/pods/first
kill $proxy_pid; wait $proxy_pid 2>/dev/null
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

# ---- HTTP from outside ----
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: page}
spec:
  replicas: 2
  selector: {matchLabels: {app: page}}
  template:
    metadata: {labels: {app: page}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: c
        image: box:1
        command: [sh, -c, "mkdir /tmp/w; echo $VERSION >/tmp/w/index.html; trap 'sleep 3; exit 0' TERM; httpd -f -p 8080 -h /tmp/w & wait"]
        env: [{name: VERSION, value: one}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: page}
spec: {selector: {app: page}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: page}
spec: {rules: [{host: page.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: page, port: {number: 80}}}}]}}]}
YAML
page_is() { [ "$(inside curl -s --max-time 5 -H 'Host: page.test' http://192.168.177.1/)" = "$1" ]; }
check "a page is there, at the node's address" wait_for 60 page_is one
check "over TLS too" inside curl -skf --max-time 5 -H 'Host: page.test' https://192.168.177.1/
check_is "its class is the default one" traefik "$(jp ingress/page '{.spec.ingressClassName}')"
check "it has the node's address" wait_for 30 is ingress/page '{.status.loadBalancer.ingress[0].ip}' 192.168.177.1
inside bash -c 'while [ ! -e "$1/stop" ]; do curl -s -o /dev/null --max-time 5 -w "%{http_code}\n" -H "Host: page.test" http://192.168.177.1/; done' _ "$T" >"$T/asked" 2>&1 &
asking=$!
kubectl set env deployment/page VERSION=two >/dev/null
check "an update rolls" kubectl rollout status deployment/page --timeout=60s
check "and is served" wait_for 30 page_is two
touch "$T/stop"
wait $asking
check_is "no request was lost meanwhile" 200 "$(sort -u "$T/asked" | paste -sd' ')"
echo "     asked: $(wc -l <"$T/asked")"

# ---- what is used ----
top_works() { kubectl top "$@" | grep -q '[0-9]m'; }
check "kubectl top nodes" wait_for 60 top_works nodes
check "kubectl top pods" wait_for 60 top_works pods -n kube-system --containers

stop_server TERM
start --disable coredns || { finish; exit 1; }
check "what is disabled is removed" wait_for 60 gone -n kube-system get deployment coredns
check "all of it" wait_for 20 gone -n kube-system get service kube-dns
check "the other stays" wait_for 60 available local-path-provisioner
finish
