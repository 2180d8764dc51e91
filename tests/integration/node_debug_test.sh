#!/bin/bash
# kubectl debug: an ephemeral container joins a pod that runs, by its own image, sees the processes of the container it was
# aimed at, can be attached to, and is told in the status without a part in the pod's readiness.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "node_debug" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
start_server 17843 --node-name node1 --kubelet-port 17850 --disable-scheduler || { finish; exit 1; }
field() { kubectl get "$1" -o "jsonpath={$2}"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
wait_is() { check "$1" wait_for "$2" is "$3" "$4" "$5"; }
log_has() { kubectl logs "$1" -c "$2" 2>/dev/null | grep -q "$3"; }

wait_for 20 kubectl get node node1
wait_for 3 is node/node1 .spec.podCIDR 10.42.0.0/24 ||
	kubectl patch node node1 --type=merge -p '{"spec":{"podCIDR":"10.42.0.0/24","podCIDRs":["10.42.0.0/24"]}}' >/dev/null
wait_for 20 kubectl get serviceaccount default
kubectl create configmap words --from-literal=word=hello >/dev/null
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 1
  initContainers: [{name: first, image: "box:1", command: ["true"]}]
  containers: [{name: c, image: "box:1", command: [sh, -c, "echo made >/made; exec sleep 12345"], volumeMounts: [{name: v, mountPath: /v}]}]
  volumes: [{name: v, emptyDir: {}}]
YAML
wait_is "the pod runs" 60 pod/web .status.phase Running

# The runtime ends an attachment with its standard input, which stays open until the container has ended; and what a
# container writes with its last breath may miss who is attached, so it ends when all of it has come.
dbg_ended() { field pod/web '.status.ephemeralContainerStatuses[?(@.name=="dbg")].state' | grep -q terminated; }
{
	echo 'echo typed-$((40+2)); ls /proc/1/root/made; tr "\0" " " </proc/1/cmdline; echo'
	wait_for 20 grep -q 12345 "$T/typed"
	echo 'exit 5'
	wait_for 20 dbg_ended
} | kubectl debug -i web --image=box:1 --target=c --profile=general -c dbg -- sh >"$T/typed" 2>&1
out=$(cat "$T/typed")
check_has "kubectl debug -i runs what is typed" typed-42 "$out"
check_has "and sees the processes of its target" "sleep 12345" "$out"
wait_is "its end is told with its exit code" 20 pod/web '.status.ephemeralContainerStatuses[?(@.name=="dbg")].state.terminated.exitCode' 5
check_is "it is not run again, and has no part in the readiness" "Running True 0" \
	"$(field pod/web .status.phase) $(field pod/web '.status.conditions[?(@.type=="Ready")].status') $(field pod/web '.status.ephemeralContainerStatuses[0].restartCount')"

# a terminal: kubectl wants one to give one
cat >"$T/terminal.py" <<'PY'
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
out, end, typed = b"", time.time() + 40, False
while time.time() < end:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    out += data
    if not typed and b"# " in out:
        os.write(fd, b"tty && stty size; echo on-$((1+1))-tty\nexit\n")
        typed = True
sys.stdout.buffer.write(out)
PY
out=$(inside python3 "$T/terminal.py" "$(type -P kubectl)" --kubeconfig "$T/kubeconfig" debug -it web --image=box:1 --profile=general -c term -- sh)
check_has "kubectl debug -it gives a terminal" on-2-tty "$out"
check_has "which is one" /dev/pts/ "$out"

kubectl debug web --image=box:1 --profile=general -c loop --attach=false -- sh -c 'i=0; while :; do echo tick $((i=i+1)); sleep 0.3; done' >/dev/null 2>&1
check "one that is not attached to runs and logs" wait_for 20 log_has web loop 'tick 2'
check_has "kubectl attach shows what it writes" tick "$(timeout 4 nsenter --net=/run/netns/$netns "$(type -P kubectl)" --kubeconfig "$T/kubeconfig" attach web -c loop 2>&1)"
check_is "kubectl exec reaches it" ok "$(kubectl exec web -c loop -- echo ok)"
check_has "its events name it" 'spec.ephemeralContainers{loop}' "$(kubectl get events --field-selector involvedObject.name=web -o 'jsonpath={range .items[*]}{.involvedObject.fieldPath} {end}')"

cat >"$T/custom.json" <<'JSON'
{"env": [{"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "word"}}}], "volumeMounts": [{"name": "v", "mountPath": "/mine"}]}
JSON
kubectl debug web --image=box:1 --profile=general -c custom --custom "$T/custom.json" -- sh -c 'echo word=$WORD; echo there >/mine/file' >/dev/null 2>&1
check "one may name what the pod did not: the node may read it" wait_for 20 log_has web custom 'word=hello'
check_is "and mount the pod's volumes" there "$(kubectl exec web -c c -- cat /v/file)"

check_has "a name is taken once" 'spec.ephemeralContainers[4].name: Duplicate value' "$(kubectl patch pod web --subresource=ephemeralcontainers --type=json \
	-p '[{"op":"add","path":"/spec/ephemeralContainers/-","value":{"name":"c","image":"box:1"}}]' 2>&1)"
check_has "what is there is not changed" 'may not be changed' "$(kubectl patch pod web --subresource=ephemeralcontainers -p '{"spec":{"ephemeralContainers":[{"name":"loop","image":"other:1"}]}}' 2>&1)"
check_has "nor set on create" 'cannot be set on create' "$(kubectl create -f - 2>&1 <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: early}
spec: {nodeName: node1, containers: [{name: c, image: "box:1"}], ephemeralContainers: [{name: e, image: "box:1"}]}
YAML
)"
# where the level of security is restricted it may not slip in
kubectl create namespace strict >/dev/null
wait_for 20 kubectl -n strict get serviceaccount default
kubectl -n strict run calm --image=box:1 --command -- sleep 1000 >/dev/null
kubectl label namespace strict pod-security.kubernetes.io/enforce=restricted >/dev/null 2>&1
check_has "PodSecurity looks at it" 'violates PodSecurity' "$(kubectl -n strict debug calm --image=box:1 --profile=sysadmin -c sly --attach=false -- sh 2>&1)"
kubectl -n strict delete pod calm --wait=false >/dev/null

kubectl run lone --image=box:1 --overrides='{"spec":{"nodeName":"node1","terminationGracePeriodSeconds":1}}' --restart=Never --command -- sleep 1000 >/dev/null
wait_is "another pod runs" 30 pod/lone .status.phase Running
kubectl debug lone --image=absent:1 --profile=general -c nope --attach=false >/dev/null 2>&1
pull_fails() { field pod/lone '.status.ephemeralContainerStatuses[0].state.waiting.reason' | grep -qE 'ErrImagePull|ImagePullBackOff'; }
check "an image that cannot be pulled is told" wait_for 30 pull_fails
check_is "and leaves the pod alone" True "$(field pod/lone '.status.conditions[?(@.type=="Ready")].status')"
kubectl debug lone --image=box:1 --profile=general -c stay --attach=false -- sleep 1000 >/dev/null 2>&1
stay_runs() { field pod/lone '.status.ephemeralContainerStatuses[?(@.name=="stay")].state' | grep -q running; }
check "the next is not held up by it" wait_for 20 stay_runs

stop_server KILL
start_server 17843 --node-name node1 --kubelet-port 17850 --disable-scheduler
adopted() { kubectl exec web -c loop -- true; }
check "they are adopted after kill -9" wait_for 30 adopted
check_is "and not run again" "0 0" "$(field pod/web '.status.ephemeralContainerStatuses[?(@.name=="loop")].restartCount') $(field pod/web '.status.ephemeralContainerStatuses[?(@.name=="dbg")].restartCount')"
check "the pods go with them" kubectl delete pod --all --timeout=60s
no_containers() { [ -z "$(ctr -a "$T/data/agent/run/containerd/containerd.sock" -n k8s.io containers ls -q)" ]; }
check "no container is left" wait_for 10 no_containers
finish
