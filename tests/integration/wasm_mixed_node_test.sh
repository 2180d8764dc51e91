#!/bin/bash
# Pods with modules and ordinary containers: one sandbox, network and volumes for both; logs, exit codes, restarts, probes and
# figures of each; what makes a pod mixed; the node, the zygote and the sandbox killed with -9; and nothing is left at last.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_wasm.sh"
[ "$(id -u)" = 0 ] || { skip "wasm" "needs root"; finish; exit; }
needs clang wasm-ld curl ctr

in_namespace
images=$T/data/agent/images
mkdir -p "$images"
check "modules are built" make_module hello
check "and one with sockets" make_module web
module_image hello:1 "$images/hello.tar" "$T/hello.wasm"
module_image web:1 "$images/web.tar" "$T/web.wasm"
busybox_image box:1 "$images/box.tar" sh
# shellcheck disable=SC2046
args=(--node-name node1 --kubelet-port 17950 $(wasm_root_args))
start_server 17943 "${args[@]}" || { finish; exit 1; }
containerd() { ctr -a "$T/data/agent/run/containerd/containerd.sock" -n k8s.io "$@"; }
state() { field "pod/$1" ".status.containerStatuses[?(@.name==\"$2\")].$3"; }
state_is() { [ "$(state "$1" "$2" "$3")" = "$4" ]; }
container_id() { local id; id=$(state "$1" "$2" containerID); echo "${id##*/}"; }
module_pid() { cut -d' ' -f1 "$T/data/agent/wasm/containers/$(container_id "$1" "$2")/pid" | head -n 1; }
# Of the pod's containers and its pause.
task_pid() { containerd tasks ls | awk -v id="$1" '$1 == id { print $2 }'; }
pauses() { containerd containers ls | grep -c pause; }
check "the node runs WebAssembly" wait_for 30 is node/node1 '.metadata.labels.k3x\.io/wasm' true
wait_is "node becomes Ready" 30 node/node1 '.status.conditions[?(@.type=="Ready")].status' True

# ---- one sandbox ----
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: mixed, labels: {app: mixed}}
spec:
  runtimeClassName: wasm
  terminationGracePeriodSeconds: 3
  volumes: [{name: d, emptyDir: {}}]
  initContainers:
  - {name: before, image: "box:1", command: [sh, -c, "echo from-box >/d/box"], volumeMounts: [{name: d, mountPath: /d}]}
  - {name: then, image: "hello:1", args: [cat, /d/box, write, /d/module, from-module], volumeMounts: [{name: d, mountPath: /d}]}
  - {name: side, image: "box:1", restartPolicy: Always, command: [sleep, "100000"]}
  containers:
  - name: web
    image: web:1
    args: ["80"]
    readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
    ports: [{containerPort: 80, hostPort: 18088}]
  - name: box
    image: box:1
    command: [sh, -c, "cat /d/module; hostname; exec sleep 100000"]
    readinessProbe: {exec: {command: [test, -e, /d/module]}, periodSeconds: 1}
    volumeMounts: [{name: d, mountPath: /d}]
---
apiVersion: v1
kind: Service
metadata: {name: mixed}
spec: {selector: {app: mixed}, ports: [{port: 80}]}
YAML
wait_is "a pod of both kinds becomes Ready, each by its probe" 60 pod/mixed '.status.conditions[?(@.type=="Ready")].status' True
check_has "a module reads what an ordinary init container wrote" from-box "$(kubectl logs mixed -c then)"
check_has "and the other way round" from-module "$(kubectl logs mixed -c box)"
check_has "they have one name" mixed "$(kubectl logs mixed -c box)"
check_has "a module answers on the loopback that they share" "hello from mixed" \
	"$(kubectl exec mixed -c box -- sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 127.0.0.1 80" 2>&1)"
check_has "exec into the module is refused" "exec and attach do not work" "$(kubectl exec mixed -c web -- ls 2>&1)"
address=$(field pod/mixed .status.podIP)
service=$(field service/mixed .spec.clusterIP)
answers() { inside curl -s -m 5 "http://$1/" | grep -q 'hello from mixed'; }
check "at the pod's address" answers "$address"
check "behind its Service" wait_for 10 answers "$service"
check "and at the node's port" wait_for 10 answers 192.168.177.1:18088
check_is "with one pause" 1 "$(pauses)"
uses() { kubectl get --raw /api/v1/nodes/node1/proxy/metrics/resource | awk -v c="container=\"$1\"" '/container_memory_working_set_bytes/ && index($0, c) && /pod="mixed"/ && $2 > 0 { found = 1 } END { exit !found }'; }
check "what the module uses is told" wait_for 15 uses web
check "and what the other one does" wait_for 15 uses box

# ---- each on its own ----
inside curl -s -m 5 "http://$address/exit" >/dev/null
check "a module that ends is started again" wait_for 30 state_is mixed web restartCount 1
check_is "its exit code is told" 7 "$(state mixed web lastState.terminated.exitCode)"
kill -9 "$(task_pid "$(container_id mixed box)")"
check "so is an ordinary container" wait_for 60 state_is mixed box restartCount 1
check_is "which the module does not notice" 1 "$(state mixed web restartCount)"
check "and the module serves" wait_for 20 answers "$address"

# ---- what makes a pod mixed ----
pod() { # name, container fields, pod fields
	kubectl apply -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: Pod
	metadata: {name: $1}
	spec:
	  runtimeClassName: wasm
	  terminationGracePeriodSeconds: 1
	  ${3:-}
	  containers: [{name: c, $2}]
	YAML
}
pod plain 'image: "box:1", command: [sh, -c, "echo as usual; exit 4"]' "restartPolicy: Never"
wait_is "an image without a module runs as usual" 30 pod/plain '.status.containerStatuses[0].state.terminated.exitCode' 4
check "and says so" log_has plain "as usual"
pod pure 'image: "hello:1", args: [sleep, "100000000"]'
wait_is "a pod of modules alone runs" 30 pod/pure .status.phase Running
check_is "without a pause" 2 "$(pauses)"
kubectl patch pod pure --type=json -p '[{"op":"replace","path":"/spec/containers/0/image","value":"box:1"}]' >/dev/null
check "one whose image is none any more gets a sandbox for it" wait_for 60 event_has pure "gets a sandbox for ordinary containers"
kubectl delete pod pure plain --wait=false >/dev/null
pod nowhere 'image: "127.0.0.1:1/nothing:1"'
failing() { [[ $(field pod/nowhere '.status.containerStatuses[0].state.waiting.reason') = *ImagePull* ]]; }
check "an image that cannot be had is said so" wait_for 30 failing
check "by an event, too" event_has nowhere "Failed to pull image"
kubectl delete pod nowhere --wait=false >/dev/null
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: ends}
spec:
  runtimeClassName: wasm
  restartPolicy: Never
  hostNetwork: true
  containers:
  - {name: module, image: "hello:1", args: [echo, done, exit, "5"]}
  - {name: box, image: "box:1", command: [sh, -c, "exit 0"]}
YAML
wait_is "with the node's network, and to the end" 30 pod/ends .status.phase Failed
check_is "the module's exit code is its own" 5 "$(state ends module state.terminated.exitCode)"
check_is "and the other's" 0 "$(state ends box state.terminated.exitCode)"
kubectl delete pod ends --wait=false >/dev/null

# ---- killed ----
module=$(module_pid mixed web)
box=$(task_pid "$(container_id mixed box)")
restarts=$(state mixed web restartCount)
stop_server KILL
check "both outlive the node" kill -0 "$module" "$box"
start_server 17943 "${args[@]}" || { finish; exit 1; }
wait_is "a new node is Ready" 30 node/node1 '.status.conditions[?(@.type=="Ready")].status' True
wait_is "it has adopted the pod" 30 pod/mixed '.status.conditions[?(@.type=="Ready")].status' True
check_is "with the module's process" "$module" "$(module_pid mixed web)"
check_is "and the container's" "$box" "$(task_pid "$(container_id mixed box)")"
check_is "not restarted" "$restarts" "$(state mixed web restartCount)"
inside curl -s -m 5 "http://$address/exit" >/dev/null
check "a module is started again in the adopted sandbox" wait_for 40 state_is mixed web restartCount $((restarts + 1))
check "and serves at the same address" wait_for 20 answers "$address"
module=$(module_pid mixed web)
kill -9 "$(zygote_pid)"
check "the zygote's end harms none of it" kill -0 "$module" "$box"
check "nor its answers" answers "$address"
sandbox=$(containerd containers ls | awk '/pause/ { print $1 }' | head -n 1)
kill -9 "$(task_pid "$sandbox")"
new_sandbox() { [ "$(pauses)" -ge 1 ] && ! containerd tasks ls | grep -q "^$sandbox .*RUNNING" && ! kill -0 "$module" 2>/dev/null; }
check "a sandbox that ends takes its modules along" wait_for 60 new_sandbox
ready_again() { [ "$(field pod/mixed '.status.conditions[?(@.type=="Ready")].status')" = True ] && answers "$(field pod/mixed .status.podIP)"; }
check "and the pod gets another one" wait_for 60 ready_again

# ---- deleted ----
kubectl delete service mixed --wait=false >/dev/null
kubectl delete pod --all --wait=false >/dev/null
no_pods() { [ -z "$(kubectl get pods -o name)" ]; }
check "the pods are deleted" wait_for 40 no_pods
left() { find "$T/data/agent/wasm/boxes" "$T/data/agent/wasm/containers" "$T/data/agent/wasm/images" -mindepth 1 | head -n 3; }
nothing_left() { [ -z "$(left)" ]; }
check "no folder is left" wait_for 30 nothing_left
check_is "no sandbox is left" 0 "$(pauses)"
check_is "no address is left" "" "$(find "$T/data/agent/run/cni" -name '10.*' 2>/dev/null | head -n 1)"
check_is "no link is left" "" "$(inside ip -o link | grep -oE '(kw[0-9a-f]+|veth[0-9a-f]+)@' | head -n 1)"
finish
