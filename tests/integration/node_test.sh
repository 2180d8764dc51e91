#!/bin/bash
# The kubelet alone: pods bound to the node by name, from the first sandbox to the last mount. Environment, volumes, init
# containers and sidecars, restarts with back-off, probes, hooks, logs, exec, port-forward, images that cannot be pulled,
# static pods, kill -9 and adoption, deletion; at last nothing may be left behind.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "node" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
ports=(--node-name node1 --kubelet-port 17750 --disable-scheduler)
start_server 17743 "${ports[@]}" || { finish; exit 1; }

field() { kubectl get "$1" -o "jsonpath={$2}"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
log_has() { kubectl logs "$1" 2>/dev/null | grep -q "$2"; }
event_has() { kubectl get events --field-selector "involvedObject.name=$1" -o 'jsonpath={range .items[*]}{.reason} {.message}{"\n"}{end}' | grep -q "$2"; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
wait_is() { check "$1" wait_for "$2" is "$3" "$4" "$5"; }

wait_for 20 kubectl get node node1
wait_for 3 bash -c "[ -n \"\$(ip netns exec $netns $(type -P kubectl) --kubeconfig $T/kubeconfig get node node1 -o 'jsonpath={.spec.podCIDR}')\" ]" ||
	kubectl patch node node1 --type=merge -p '{"spec":{"podCIDR":"10.42.0.0/24","podCIDRs":["10.42.0.0/24"]}}' >/dev/null
wait_is "node becomes Ready" 30 node/node1 '.status.conditions[?(@.type=="Ready")].status' True
check_is "node has a role" true "$(field node/node1 '.metadata.labels.node-role\.kubernetes\.io/control-plane')"
check "lease is renewed" wait_for 15 kubectl -n kube-node-lease get lease node1

cat >"$T/pods.yaml" <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: one, b: two}
---
apiVersion: v1
kind: Secret
metadata: {name: password}
stringData: {pw: hunter2}
---
apiVersion: v1
kind: Pod
metadata: {name: full, labels: {colour: blue}}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 3
  hostAliases: [{ip: 192.0.2.9, hostnames: [alias.test]}]
  securityContext: {fsGroup: 2000, runAsUser: 1000}
  initContainers:
  - {name: first, image: "box:1", command: [sh, -c, "echo from-init >/data/f"], volumeMounts: [{name: scratch, mountPath: /data}]}
  - {name: side, image: "box:1", restartPolicy: Always, command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]}
  containers:
  - name: c
    image: box:1
    command: [sh, -c, "echo ids=$(id -u):$(id -G); cat /data/f; echo env=$CM,$SECRET,$EXPANDED,$MEM; trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done"]
    env:
    - {name: CM, valueFrom: {configMapKeyRef: {name: settings, key: a}}}
    - {name: SECRET, valueFrom: {secretKeyRef: {name: password, key: pw}}}
    - {name: EXPANDED, value: "x-$(CM)-$(NOPE)-$$(CM)"}
    - {name: MEM, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
    resources: {limits: {memory: 64Mi, cpu: 200m}}
    lifecycle: {preStop: {exec: {command: [sh, -c, "echo prestop >>/shared/hook"]}}}
    volumeMounts:
    - {name: scratch, mountPath: /data}
    - {name: memory, mountPath: /mem}
    - {name: settings, mountPath: /settings}
    - {name: all, mountPath: /all}
    - {name: host, mountPath: /shared}
    - {name: scratch, mountPath: /sub, subPath: deep/er}
  volumes:
  - {name: scratch, emptyDir: {}}
  - {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  - {name: settings, configMap: {name: settings, items: [{key: a, path: dir/renamed, mode: 0440}]}}
  - {name: host, hostPath: {path: HOSTDIR, type: DirectoryOrCreate}}
  - name: all
    projected:
      sources:
      - secret: {name: password}
      - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
      - configMap: {name: nothing, optional: true}
---
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  nodeName: node1
  containers: [{name: c, image: "box:1", command: [sh, -c, "echo last words >/dev/termination-log; echo going; exit 7"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: once}
spec:
  nodeName: node1
  restartPolicy: Never
  containers: [{name: c, image: "box:1", command: [sh, -c, "for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: badinit}
spec:
  nodeName: node1
  restartPolicy: Never
  initContainers: [{name: i, image: "box:1", command: ["false"]}]
  containers: [{name: c, image: "box:1", command: ["true"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: noimage}
spec:
  nodeName: node1
  containers: [{name: c, image: "127.0.0.1:1/nothing:1"}]
---
apiVersion: v1
kind: Pod
metadata: {name: never}
spec:
  nodeName: node1
  containers: [{name: c, image: "absent:1", imagePullPolicy: Never}]
---
apiVersion: v1
kind: Pod
metadata: {name: badname}
spec:
  nodeName: node1
  containers: [{name: c, image: "NO:such:name"}]
---
apiVersion: v1
kind: Pod
metadata: {name: late}
spec:
  nodeName: node1
  containers: [{name: c, image: "late:1", command: [sleep, "1000"], imagePullPolicy: Never}]
---
apiVersion: v1
kind: Pod
metadata: {name: noref}
spec:
  nodeName: node1
  containers: [{name: c, image: "box:1", command: [sleep, "1000"], env: [{name: X, valueFrom: {configMapKeyRef: {name: missing, key: k}}}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: claim}
spec:
  nodeName: node1
  containers: [{name: c, image: "box:1", command: [sleep, "1000"]}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: x}}]
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: box:1
    command: [sh, -c, "echo hi >/www/index.html; exec httpd -f -p 8080 -h /www"]
    ports: [{containerPort: 8080, hostPort: 18888}]
    # a busy machine is no reason to fail
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1, timeoutSeconds: 15}
    startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, timeoutSeconds: 15}
    livenessProbe: {exec: {command: [test, "!", -f, /tmp/sick]}, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 15}
YAML
sed -i "s|HOSTDIR|$T/hostdir|" "$T/pods.yaml"
mkdir -p "$T/hostdir" && chmod 777 "$T/hostdir"
wait_for 20 kubectl get serviceaccount default
check "apply" kubectl apply -f "$T/pods.yaml"

wait_is "a pod with everything runs" 30 pod/full .status.phase Running
check "init container's file is there" wait_for 10 log_has full from-init
check "ids" log_has full 'ids=1000:0 2000'
check "environment" log_has full 'env=one,hunter2,x-one-$(NOPE)-$(CM),67108864'
check_is "volumes" "one hunter2 colour=\"blue\"" "$(kubectl exec full -c c -- sh -c 'echo $(cat /settings/dir/renamed) $(cat /all/pw) $(cat /all/labels)')"
check_has "emptyDir in memory" tmpfs "$(kubectl exec full -c c -- grep ' /mem ' /proc/mounts)"
check_has "host aliases" alias.test "$(kubectl exec full -c c -- cat /etc/hosts)"
check_has "cluster DNS" 10.43.0.10 "$(kubectl exec full -c c -- cat /etc/resolv.conf)"
check_is "service account" default "$(kubectl exec full -c c -- cat /var/run/secrets/kubernetes.io/serviceaccount/namespace)"
check "subPath" test -d "$T"/data/agent/kubelet/pods/*/volumes/kubernetes.io~empty-dir/scratch/deep/er
check_has "memory limit" 67108864 "$(kubectl exec full -c c -- sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null')"

wait_is "a pod that ends succeeds" 20 pod/once .status.phase Succeeded
check_is "its log" 5 "$(kubectl logs once | grep -c line)"
check_is "--tail" "line 5" "$(kubectl logs once --tail=1)"
check_is "--limit-bytes" "line 1" "$(kubectl logs once --limit-bytes=6)"
check_has "--timestamps" Z "$(kubectl logs once --timestamps --tail=1 | cut -d' ' -f1)"
wait_is "a failed init container fails the pod" 20 pod/badinit .status.phase Failed
wait_is "CrashLoopBackOff" 30 pod/crash '.status.containerStatuses[0].state.waiting.reason' CrashLoopBackOff
check_is "exit code" 7 "$(field pod/crash '.status.containerStatuses[0].lastState.terminated.exitCode')"
check_is "termination message" "last words" "$(field pod/crash '.status.containerStatuses[0].lastState.terminated.message')"
check "BackOff event" wait_for 10 event_has crash 'BackOff Back-off restarting'
wait_is "ImagePullBackOff" 40 pod/noimage '.status.containerStatuses[0].state.waiting.reason' ImagePullBackOff
check "pull event" event_has noimage 'Failed Failed to pull image'
wait_is "ErrImageNeverPull" 20 pod/never '.status.containerStatuses[0].state.waiting.reason' ErrImageNeverPull
wait_is "InvalidImageName" 20 pod/badname '.status.containerStatuses[0].state.waiting.reason' InvalidImageName
check_is "a pod whose only container waits is Pending" Pending "$(field pod/badname .status.phase)"
wait_is "a missing configMap is told" 20 pod/noref '.status.containerStatuses[0].state.waiting.reason' CreateContainerConfigError
check "a claim that is not there is told" wait_for 20 event_has claim 'FailedMount .*error processing PVC default/x: failed to fetch PVC'

# what an operator does while it runs
busybox_image late:1 "$T/late.tar" sh
mv "$T/late.tar" "$T/data/agent/images/late.tar"
check "an image that is put into agent/images is imported" wait_for 20 grep -q 'images imported archive=.*late.tar' "$T/k3x.log"
wait_is "and its pod runs" 40 pod/late .status.phase Running
check_is "other users cannot see into pods" 750 "$(stat -c %a "$T/data/agent/kubelet/pods")"
check_has "/run/netns is a shared mount" shared: "$(grep ' /run/netns ' /proc/self/mountinfo)"
if [ "$(($((16#$(sed -n 's/^CapEff:\t*//p' "/proc/$server_pid/status"))) >> 24 & 1))" = 1 ]; then
	check_is "pods go before the server when memory is short" -999 "$(cat "/proc/$server_pid/oom_score_adj")"
fi
serial() { inside openssl s_client -connect 127.0.0.1:17750 </dev/null 2>/dev/null | openssl x509 -noout -serial; }
old_serial=$(serial)
openssl req -new -key "$T/data/agent/serving-kubelet.key" -subj /CN=node1 2>/dev/null |
	openssl x509 -req -days 2 -CA "$T/data/server/tls/server-ca.crt" -CAkey "$T/data/server/tls/server-ca.key" -CAcreateserial -CAserial "$T/serial" \
		-extfile <(echo "subjectAltName=DNS:node1,DNS:localhost,IP:127.0.0.1,IP:192.168.177.1") -out "$T/renewed.crt" 2>/dev/null
mv "$T/renewed.crt" "$T/data/agent/serving-kubelet.crt"
renewed() { [ "$(serial)" != "$old_serial" ]; }
check "a renewed serving certificate is served" wait_for 10 renewed

wait_is "probes make it ready" 20 pod/web '.status.conditions[?(@.type=="Ready")].status' True
ip=$(field pod/web .status.podIP)
check_is "the pod's address answers" hi "$(inside curl -s -m 3 "http://$ip:8080/")"
check_is "the host port answers" hi "$(inside curl -s -m 3 http://192.168.177.1:18888/)"
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: balanced}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 8088, targetPort: 8080}]}
YAML
kubectl label pod web app=web --overwrite >/dev/null
wait_is "a load balancer has the node's address" 20 service/balanced '.status.loadBalancer.ingress[0].ip' 192.168.177.1
answers() { [ "$(inside curl -s -m 1 "$1")" = hi ]; }
check "and answers there" wait_for 10 answers http://192.168.177.1:8088/
kubectl patch service balanced -p '{"spec":{"loadBalancerSourceRanges":["10.9.9.0/24"]}}' >/dev/null
silent() { ! answers "$1"; }
check "but not to those whom its source ranges leave out" wait_for 10 silent http://192.168.177.1:8088/
kubectl patch service balanced -p '{"spec":{"loadBalancerSourceRanges":["10.9.9.0/24","192.168.0.0/16"]}}' >/dev/null
check "only to those whom they name" wait_for 10 answers http://192.168.177.1:8088/
inside "$(type -P kubectl)" --kubeconfig "$T/kubeconfig" port-forward pod/web 18889:8080 >/dev/null 2>&1 &
forward=$!
check "port-forward" wait_for 5 inside curl -s -m 2 http://127.0.0.1:18889/
kill $forward
check_is "exec's exit code" 3 "$(kubectl exec web -- sh -c 'exit 3' 2>/dev/null; echo $?)"
head -c 1000000 /dev/urandom >"$T/random"
check_is "exec: stdin ends" "$(md5sum <"$T/random")" "$(kubectl exec -i web -- md5sum <"$T/random")"
check_is "exec: much output" "$(md5sum <"$(type -P busybox)")" "$(kubectl exec web -- cat /bin/busybox | md5sum)"
kubectl exec web -- touch /tmp/sick
wait_is "a failed liveness probe restarts it" 60 pod/web '.status.containerStatuses[0].restartCount' 1
check "Unhealthy event" event_has web 'Unhealthy Liveness'

kubectl create configmap settings --from-literal=a=changed --dry-run=client -o yaml | kubectl apply -f - >/dev/null 2>&1
check "a changed configMap reaches the volume" wait_for 70 bash -c "grep -q changed $T/data/agent/kubelet/pods/*/volumes/kubernetes.io~configmap/settings/dir/renamed"

cat >"$T/data/agent/pod-manifests/still.yaml" <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: still}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: "box:1", command: [sleep, "1000"], imagePullPolicy: Never}]
YAML
wait_is "a static pod runs and has a mirror" 30 pod/still-node1 .status.phase Running

before=$(field pod/full '.status.containerStatuses[0].containerID')
ready_since() { field "$1" '.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].lastTransitionTime'; }
wait_is "the restarted container is ready again" 60 pod/web '.status.conditions[?(@.type=="Ready")].status' True
web_ready=$(ready_since pod/web) full_ready=$(ready_since pod/full)
containerd=$(cat "$T/data/agent/run/containerd/containerd.pid")
stop_server KILL
check "containerd survives kill -9" kill -0 "$containerd"
start_server 17743 "${ports[@]}"
wait_for 30 is node/node1 '.status.conditions[?(@.type=="Ready")].status' True
check "containerd is adopted" wait_for 10 grep -q 'containerd adopted' "$T/k3x.log"
looked_again() { [ "$(grep -c 'container runtime is ready' "$T/k3x.log")" -ge 2 ] && kubectl exec full -c c -- true; }
check "the kubelet has looked at what runs" wait_for 30 looked_again
check_is "containers are adopted" "$before" "$(field pod/full '.status.containerStatuses[0].containerID')"
check_is "readiness did not flap" "$web_ready $full_ready" "$(ready_since pod/web) $(ready_since pod/full)"
check_is "no restart" 0 "$(field pod/full '.status.containerStatuses[0].restartCount')"
check_is "exec after adoption" ok "$(kubectl exec full -c c -- echo ok)"

kill "$containerd"
check "containerd is started again" wait_for 30 bash -c "[ \"\$(cat $T/data/agent/run/containerd/containerd.pid)\" != $containerd ]"
check "exec after containerd's restart" wait_for 30 kubectl exec full -c c -- true

rm "$T/data/agent/pod-manifests/still.yaml"
check "the static pod goes with its file" wait_for 30 gone pod/still-node1
check "delete" kubectl delete pod --all --timeout=60s
check_is "preStop ran" prestop "$(cat "$T/hostdir/hook")"
no_containers() { [ -z "$(ctr -a "$T/data/agent/run/containerd/containerd.sock" -n k8s.io containers ls -q)" ]; }
no_mounts() { ! grep -q "$T/data/agent/kubelet" /proc/mounts; }
is_empty() { [ -z "$(ls "$1")" ]; }
check "no container is left" wait_for 10 no_containers
check "no mount is left" wait_for 10 no_mounts
check "no pod folder is left" wait_for 10 is_empty "$T/data/agent/kubelet/pods"
check "no log folder is left" wait_for 10 is_empty "$T/data/agent/kubelet/logs"
check_is "no interface is left" "" "$(ip -n $netns -br link | grep veth)"
finish
