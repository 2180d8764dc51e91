#!/bin/bash
# WebAssembly pods, from a manifest to the last file: arguments, environment, volumes, exit codes, logs, restarts, limits,
# users, addresses, a Service, probes; what is refused, and by which words; the node and the zygote killed with -9; and
# nothing is left at last.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_wasm.sh"
[ "$(id -u)" = 0 ] || { skip "wasm" "needs root"; finish; exit; }
needs clang wasm-ld curl

in_namespace
images=$T/data/agent/images
mkdir -p "$images" "$T/files/www" "$T/host"
check "modules are built" make_module hello
check "and one with sockets" make_module web
echo page >"$T/files/www/index.html"
ln -s /../../../../.. "$T/files/out"
printf '\0asm\15\0\1\0' >"$T/component.wasm"
printf 'no module' >"$T/broken.wasm"
module_image hello:1 "$images/hello.tar" "$T/hello.wasm"
module_image web:1 "$images/web.tar" "$T/web.wasm"
module_image files:1 "$images/files.tar" "$T/hello.wasm" "$T/files"
module_image component:1 "$images/component.tar" "$T/component.wasm"
module_image broken:1 "$images/broken.tar" "$T/broken.wasm"
busybox_image box:1 "$images/box.tar" sh
artifact() { python3 "$(dirname "$0")/_artifact.py" "$@"; }
artifact "$images/cncf.tar" cncf:1 "$T/hello.wasm" cncf
artifact "$images/older.tar" older:1 "$T/hello.wasm" wasm-to-oci
artifact "$T/pulled.tar" pulled:1 "$T/web.wasm" cncf
nsenter --net=/run/netns/$netns python3 "$(dirname "$0")/_registry.py" 5556 "$T/pulled.tar" team/pulled >"$T/registry.log" 2>&1 &
registry=$!
artifact "$images/index.tar" index:1 "$T/hello.wasm" index
gzip "$images/index.tar" # by its own way into the runtime
artifact "$T/indexed.tar" indexed:1 "$T/hello.wasm" index
nsenter --net=/run/netns/$netns python3 "$(dirname "$0")/_registry.py" 5557 "$T/indexed.tar" team/indexed >"$T/registry2.log" 2>&1 &
registry="$registry $!"
trap 'kill $registry 2>/dev/null; cleanup' EXIT
# shellcheck disable=SC2046
args=(--node-name node1 --kubelet-port 17850 $(wasm_root_args))
start_server 17843 "${args[@]}" || { finish; exit 1; }

pid_of() { # pod
	local id
	id=$(field "pod/$1" '.status.containerStatuses[0].containerID')
	cut -d' ' -f1 "$T/data/agent/wasm/containers/${id##*/}/pid" | head -n 1
}
# pod NAME 'CONTAINER FIELDS' ['POD FIELDS']: one container `c`, run once.
pod() {
	kubectl apply -f - <<-YAML >/dev/null
	apiVersion: v1
	kind: Pod
	metadata: {name: $1}
	spec:
	  runtimeClassName: wasm
	  restartPolicy: Never
	  terminationGracePeriodSeconds: 5
	  containers: [{name: c, $2}]
	  ${3:-}
	YAML
}

check "the node says that it runs WebAssembly" wait_for 30 is node/node1 '.metadata.labels.k3x\.io/wasm' true
wait_is "node becomes Ready" 30 node/node1 '.status.conditions[?(@.type=="Ready")].status' True
check_is "the class sends pods to such nodes" true "$(field runtimeclass/wasm '.scheduling.nodeSelector.k3x\.io/wasm')"

# ---- what a container is given ----
kubectl create configmap settings --from-literal=a=one >/dev/null
pod given 'image: "hello:1", args: [args, env, FROM, env, MINE, list, /, write, /data/x, kept, cat, /data/x, write, /cm/a, bad, cat, /cm/a, write, /x, bad, write, /tmp/x, good, error, oops, exit, "3"],
    env: [{name: MINE, value: yes-mine}], volumeMounts: [{name: d, mountPath: /data}, {name: cm, mountPath: /cm, readOnly: true}]' \
	"volumes: [{name: d, emptyDir: {}}, {name: cm, configMap: {name: settings}}]
  securityContext: {runAsUser: 1000, fsGroup: 2000}"
wait_is "it runs and ends with its own exit code" 30 pod/given '.status.containerStatuses[0].state.terminated.exitCode' 3
wait_is "which makes the pod Failed" 10 pod/given .status.phase Failed
log=$(kubectl logs given)
check_has "arguments" "[/hello.wasm][args][env]" "$log"
check_has "the image's environment" "FROM=image" "$log"
check_has "the pod's environment" "MINE=yes-mine" "$log"
check_has "volumes can be written" "wrote /data/x" "$log"
check_has "a read-only one cannot" "cannot write /cm/a: Read-only file system" "$log"
check_has "and is read" "one" "$log"
check_has "the root is root's" "cannot write /x: Permission denied" "$log"
check_has "but for /tmp" "wrote /tmp/x" "$log"
check_has "stderr" "oops" "$log"

pod files 'image: "files:1", args: [cat, /www/index.html, write, /www/new, x, list, /out, list, /out/proc]'
wait_is "an image's other files are there" 20 pod/files .status.phase Succeeded
log=$(kubectl logs files)
check_has "to be read" "page" "$log"
check_has "and written over" "wrote /www/new" "$log"
check_has "its links lead nowhere else" "cannot list /out/proc" "$log"

pod cncf 'image: "cncf:1", args: [args]'
wait_is "an artifact with a module of type application/wasm" 20 pod/cncf .status.phase Succeeded
check "runs, by the name that it has" log_has cncf '[/module.wasm][args]'
pod older 'image: "older:1", args: [args]'
wait_is "an artifact of the older form" 20 pod/older .status.phase Succeeded
pod pulled 'image: "127.0.0.1:5556/team/pulled:1", args: ["81"]'
wait_is "an artifact of a registry" 30 pod/pulled .status.phase Running
check "runs at the first try" event_has pulled "Successfully pulled image"
kubectl delete pod pulled --wait=false >/dev/null
artifact "$T/other.tar" other:1 "$T/web.wasm" wasm-to-oci
mv "$T/other.tar" "$images/other.tar"
wait_for 20 grep -q 'images imported archive=.*other.tar' "$T/k3x.log"
pod other 'image: "other:1"'
check "two artifacts that the runtime cannot tell apart are refused" wait_for 20 event_has other "several artifacts have the same configuration"
kubectl delete pod other --wait=false --force >/dev/null 2>&1

pod index 'image: "index:1", args: [args, env, NAME]'
wait_is "an image for wasi/wasm alone, from an archive" 30 pod/index .status.phase Succeeded
check "runs" log_has index '[/main.wasm][args]'
pod indexed 'image: "127.0.0.1:5557/team/indexed:1", args: [args, env, NAME]'
wait_is "and of a registry" 30 pod/indexed .status.phase Succeeded
check "with its own settings" log_has indexed 'NAME=indexed'

pod ro 'image: "hello:1", args: [write, /tmp/x, bad], securityContext: {readOnlyRootFilesystem: true}'
wait_is "a read-only root" 20 pod/ro .status.phase Succeeded
check "holds" log_has ro "cannot write /tmp/x: Read-only file system"

pod traps 'image: "hello:1", args: [echo, before, trap]'
wait_is "a trap is an end with 134" 20 pod/traps '.status.containerStatuses[0].state.terminated.exitCode' 134
check "whose reason stands in the log" log_has traps "ended by a trap: unreachable"

pod grows 'image: "hello:1", args: [grow, "200"], resources: {limits: {memory: 32Mi}}'
wait_is "a memory limit ends no one who asks first" 20 pod/grows .status.phase Succeeded
have=$(kubectl logs grows | sed -n 's/have \([0-9]*\) MiB/\1/p')
check "malloc says no instead, within the limit (had $have MiB)" test "${have:-0}" -gt 8 -a "${have:-99}" -lt 32

pod stays 'image: "hello:1", args: [cat, /etc/hosts, sleep, "100000000"], resources: {limits: {memory: 64Mi, cpu: 500m}}' "restartPolicy: Always"
wait_is "one that stays is Running" 20 pod/stays .status.phase Running
pid=$(pid_of stays)
check_is "without a capability" 0000000000000000 "$(sed -n 's/^CapEff:\t//p' "/proc/$pid/status")"
check_is "with a filter" 2 "$(sed -n 's/^Seccomp:\t//p' "/proc/$pid/status")"
check_is "without new privileges" 1 "$(sed -n 's/^NoNewPrivs:\t//p' "/proc/$pid/status")"
check "in its pod's cgroup" grep -q "pod$(field pod/stays .metadata.uid)" "/proc/$pid/cgroup"
check_is "no shim stands beside it" "" "$(pids_with "$(field pod/stays .metadata.uid)" | head -n 1)"
check "it has an address" test -n "$(field pod/stays .status.podIP)"

uses() { kubectl get --raw /api/v1/nodes/node1/proxy/metrics/resource | grep 'container_memory_working_set_bytes.*pod="stays"' | awk '{ exit !($2 > 0) }'; }
check "what it uses is told" wait_for 10 uses

# ---- refused, with words ----
refused() { # name, words, container fields, pod fields
	pod "$1" "$3" "${4:-}"
	check "refused: $1" wait_for 20 event_has "$1" "$2"
	kubectl delete pod "$1" --wait=false --force >/dev/null 2>&1
}
refused component "Component Model" 'image: "component:1"'
refused no-module "does not begin with" 'image: "broken:1"'
refused absent "the image has no file /nothing.wasm to run" 'image: "hello:1", command: [/nothing.wasm]'
refused tty "stdin and tty are not supported" 'image: "hello:1", tty: true'
refused privileged "cannot be privileged" 'image: "hello:1", securityContext: {privileged: true}'
refused capabilities "it has no capabilities" 'image: "hello:1", securityContext: {capabilities: {add: [NET_ADMIN]}}'
refused directory "workingDir must be /" 'image: "hello:1", workingDir: /tmp'
check_has "exec is refused" "exec and attach do not work" "$(kubectl exec stays -- ls 2>&1)"

# ---- network ----
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      runtimeClassName: wasm
      terminationGracePeriodSeconds: 5
      containers:
      - name: c
        image: web:1
        args: ["80"]
        securityContext: {runAsUser: 1000}
        readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
        livenessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: box}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: "box:1", command: [sleep, "100000"]}]
YAML
wait_is "web servers pass their probes" 30 deployment/web .status.readyReplicas 2
get() { inside curl -s -m 5 "http://$1/$2"; }
service=$(field service/web .spec.clusterIP)
answers_of_both() { [ "$(for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do get "$service"; done | sort -u | grep -c 'hello from web-')" = 2 ]; }
check "both answer behind their Service" wait_for 20 answers_of_both
code_of() { awk '$2 == "r-xp" && $6 == "/m" { print $4 ":" $5; exit }' "/proc/$(pid_of "$1")/maps"; }
read -r first second < <(kubectl get pod -l app=web -o 'jsonpath={.items[*].metadata.name}')
check "their code is in memory" test -n "$(code_of "$first")"
check_is "once for both, from the cache" "$(code_of "$first")" "$(code_of "$second")"
wait_is "an ordinary pod" 30 pod/box .status.phase Running
one=$(kubectl get pod -l app=web -o 'jsonpath={.items[0].metadata.name}')
address=$(field "pod/$one" .status.podIP)
check_has "reaches one on the same node" "hello from $one" "$(kubectl exec box -- sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 $address 80" 2>&1)"
get "$address" exit >/dev/null
wait_is "one that ends is started again" 20 "pod/$one" '.status.containerStatuses[0].restartCount' 1
check_is "its last exit code is told" 7 "$(field "pod/$one" '.status.containerStatuses[0].lastState.terminated.exitCode')"
check "and it serves again, with the same address" wait_for 20 bash -c "nsenter --net=/run/netns/$netns curl -s -m 2 http://$address/ | grep -q 'hello from $one'"

# ---- killed ----
stays=$(pid_of stays)
stop_server KILL
check "containers outlive the node" kill -0 "$stays"
kubectl_was=$(field pod/stays .metadata.uid 2>/dev/null)
pod_web=$(inside curl -s -m 5 "http://$address/")
check_has "and serve meanwhile" "hello from $one" "$pod_web"
cache=$T/data/agent/wasm/cache
hello=$cache/$(sha256sum "$T/hello.wasm" | cut -d' ' -f1)-v0-14-1
head -c 1000 "$hello.so" >"$T/half" && mv "$T/half" "$hello.so" # a crash of the machine; what runs has its own
echo half >"$cache/0-v0-14-1.new.so" && echo old >"$cache/1-v0-14-1.wasm" && echo sha256:gone >"$cache/1-v0-14-1.image"
touch -d '2 hours ago' "$cache/0-v0-14-1.new.so" "$cache"/1-v0-14-1.*
start_server 17843 "${args[@]}" || { finish; exit 1; }
check "a new node is Ready" wait_for 30 is node/node1 '.status.conditions[?(@.type=="Ready")].status' True
check_is "and has adopted it: the same process" "$stays" "$(pid_of stays)"
check_is "which was not restarted" 0 "$(field pod/stays '.status.containerStatuses[0].restartCount')"
old=$(zygote_pid)
kill -9 "$old"
is_new_zygote() { local new; new=$(zygote_pid); [ -n "$new" ] && [ "$new" != "$old" ]; }
check "a killed zygote is replaced" wait_for 20 is_new_zygote
check "its containers go on" kill -0 "$stays"
get "$address" exit >/dev/null
wait_is "one that ends then is started again" 20 "pod/$one" '.status.containerStatuses[0].restartCount' 2
check_is "and that its code is unknown is said" ContainerStatusUnknown "$(field "pod/$one" '.status.containerStatuses[0].lastState.terminated.reason')"
pod after 'image: "hello:1", args: [echo, "after all"]'
wait_is "new pods run" 20 pod/after .status.phase Succeeded
check_is "from a library that was made again, for it was broken" "$(cat "$hello.sum")" "$(sha256sum "$hello.so" | cut -d' ' -f1)"
swept() { [ ! -e "$cache/0-v0-14-1.new.so" ] && [ ! -e "$cache/1-v0-14-1.wasm" ] && [ -e "$hello.wasm" ]; }
check "left-overs and modules without an image are removed" wait_for 10 swept
kill -9 "$stays"
wait_is "a container that is killed is started again" 20 pod/stays '.status.containerStatuses[0].restartCount' 1

# ---- deleted ----
kubectl delete deployment,service web --wait=false >/dev/null
kubectl delete pod --all --wait=false >/dev/null
no_pods() { [ -z "$(kubectl get pods -o name)" ]; }
check "pods are deleted" wait_for 40 no_pods
left() { find "$T/data/agent/wasm/boxes" "$T/data/agent/wasm/containers" "$T/data/agent/wasm/images" -mindepth 1 | head -n 3; }
nothing_left() { [ -z "$(left)" ]; }
check "no folder is left" wait_for 30 nothing_left
check_is "no link is left" "" "$(inside ip -o link | grep -o 'kw[0-9a-f]*@' | head -n 1)"
check_is "no address is left" "" "$(grep -l wasm- "$T"/data/agent/run/cni/cbr0/1* 2>/dev/null | head -n 1)"
check "no view of an image is left" bash -c "list=\$(ctr -a $T/data/agent/run/containerd/containerd.sock -n k8s.io snapshots ls) && [ -n \"\$list\" ] && ! grep -q k3x-wasm <<<\"\$list\""
check_is "one module was compiled once" 2 "$(find "$T/data/agent/wasm/cache" -name '*.so' | wc -l)"
zygote=$(zygote_pid)
stop_server TERM
no_zygote() { ! kill -0 "$zygote" 2>/dev/null; }
check "a zygote that nobody needs ends with the node" wait_for 10 no_zygote

# ---- where there is no WasmEdge ----
mkdir -p "$T/empty"
args=(--node-name node1 --kubelet-port 17850 --wasm --wasm-root "$T/empty")
start_server 17843 "${args[@]}" || { finish; exit 1; }
check "a node without the engine says what to do" wait_for 20 grep -q 'WebAssembly pods cannot run here.*wasm_root.sh' "$T/k3x.log"
check "and runs other pods" wait_for 30 is node/node1 '.status.conditions[?(@.type=="Ready")].status' True
finish
