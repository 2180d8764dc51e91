#!/bin/bash
# The image of our own binary on a real node: made at the start, pinned, and an add-on from server/manifests
# runs from it; a start with the same binary makes no new one, another binary does.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "system image" "needs root"; finish; exit; }

in_namespace
M=$T/data/server/manifests
mkdir -p "$M"
version=$("$K3X" --version | cut -d' ' -f3)
image=docker.io/k3x/system:$version
flags=(--node-name node1 --kubelet-port 17760)
ready() { [ "$(kubectl get node node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
running() { [ "$(kubectl -n kube-system get pods -l app=self -o 'jsonpath={.items[0].status.phase}')" = Running ]; }
ctr() { command ctr -a "$T/data/agent/run/containerd/containerd.sock" -n k8s.io "$@"; }
log_has() { kubectl -n kube-system logs deployment/self 2>/dev/null | grep -q "$1"; }
imports() { grep -c 'images imported archive=.*system.tar' "$T/k3x.log"; }

# A program of the binary that goes on: a store of its own, on a small disk in memory.
cat >"$M/self.yaml" <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: self, namespace: kube-system}
spec:
  selector: {matchLabels: {app: self}}
  template:
    metadata: {labels: {app: self}}
    spec:
      containers:
      - name: self
        image: $image
        args: [store, serve, --data-dir, /data/store]
        securityContext: {readOnlyRootFilesystem: true, runAsUser: 65534, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {medium: Memory}}]
YAML
start_server 17753 "${flags[@]}" || { finish; exit 1; }
check "node becomes Ready" wait_for 30 ready
check "the image is there soon" wait_for 20 grep -q 'images imported archive=.*system.tar' "$T/k3x.log"
is_pinned() { ctr images ls | grep "$image" | grep -q io.cri-containerd.pinned=pinned; }
check "and pinned" wait_for 20 is_pinned
check "its archive does not stay" test ! -e "$T/data/agent/containerd/system.tar"
check "an add-on runs from it" wait_for 40 running
check "as the program it names" wait_for 10 log_has .
check_is "on a root that is read only, as nobody" "1" "$(kubectl -n kube-system get pods -l app=self --no-headers | grep -c '1/1 *Running *0')"
check_is "it was never pulled" "" "$(kubectl -n kube-system get events -o 'jsonpath={range .items[*]}{.reason}{"\n"}{end}' | grep -x Pulling)"

stop_server TERM
start_server 17753 "${flags[@]}" || { finish; exit 1; }
check "node is Ready again" wait_for 30 ready
check_is "the same binary makes no new image" 1 "$(imports)"

# Another binary: the same one with something behind its end.
stop_server TERM
cp "$K3X" "$T/other" && echo behind >>"$T/other"
K3X=$T/other start_server 17753 "${flags[@]}" || { finish; exit 1; }
check "another binary makes one" wait_for 30 bash -c "[ \$(grep -c 'images imported archive=.*system.tar' '$T/k3x.log') = 2 ]"
check "the add-on goes on" running

kubectl -n kube-system delete deployment self >/dev/null
rm "$M/self.yaml"
check "its pods go" wait_for 40 bash -c "[ -z \"\$(ip netns exec $netns $(type -P kubectl) --kubeconfig $T/kubeconfig -n kube-system get pods -l app=self -o name)\" ]"

# ---- a pod that goes while its image is pulled: from an address where nobody answers ----
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: pulling}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "192.0.2.1/never:1"}]}
YAML
pulls() { kubectl get events --field-selector involvedObject.name=pulling -o 'jsonpath={.items[*].reason}' | grep -q Pulling; }
check "a pull is under way" wait_for 20 pulls
kubectl delete pod pulling --wait=false >/dev/null
check "its pod can be deleted" wait_for 20 bash -c "! ip netns exec $netns $(type -P kubectl) --kubeconfig $T/kubeconfig get pod pulling 2>/dev/null"
check "the node lives on" kill -0 "$server_pid"

# ---- the same images, as of another registry ----
stop_server TERM
printf 'system-default-registry: registry.test:5000\n' >"$T/config.yaml"
start_server 17753 "${flags[@]}" --config "$T/config.yaml" || { finish; exit 1; }
image=registry.test:5000/k3x/system:$version
check "with a registry of the system's the node is Ready" wait_for 40 ready
check "the image has its name" wait_for 30 is_pinned
pause_is() { ctr images ls | grep -q "^registry.test:5000/k3x/pause:$version "; }
check "the pause image too" wait_for 20 pause_is
check_has "and sandboxes are made of it" "sandbox_image = \"registry.test:5000/k3x/pause:$version\"" "$(find "$T/data/agent" -name config.toml -exec cat {} +)"
kubectl create -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: named}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "$image", imagePullPolicy: Never, args: [store, serve, --data-dir, /data/store], volumeMounts: [{name: d, mountPath: /data}]}], volumes: [{name: d, emptyDir: {}}]}
YAML
named_runs() { [ "$(kubectl get pod named -o 'jsonpath={.status.phase}')" = Running ]; }
check "a pod runs from it, in such a sandbox" wait_for 40 named_runs
kubectl delete pod named --wait=false >/dev/null
check_has "one that is none is refused" "--system-default-registry" "$(inside "$K3X" server --data-dir "$T/data" --system-default-registry https://registry.test 2>&1)"
stop_server TERM
check "nothing was broken" bash -c "! grep -q 'invariant broken' '$T/k3x.log'"
finish
