#!/bin/bash
# Local storage with a real kubelet: a pod writes to a claim of the class local-path, is deleted and made again, and finds
# what it wrote; the directory goes with the claim, or stays where the class says so. The provisioner is a process beside
# the server with the rights of its add-on, its helper pods run the config map's scripts from the test's image.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "local storage on a node" "needs root"; finish; exit; }
provisioner_pid=
stop_provisioner() {
	[ -z "$provisioner_pid" ] || { kill "$provisioner_pid" && wait "$provisioner_pid"; } 2>/dev/null
	provisioner_pid=
}
trap 'stop_provisioner; cleanup' EXIT

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
start_server 17759 --node-name node1 --kubelet-port 17766 || { finish; exit 1; }

jp() { kubectl get "$1" -o "jsonpath=$2"; }
is() { [ "$(jp "$1" "$2" 2>/dev/null)" = "$3" ]; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
has_event() { kubectl get events -A -o 'jsonpath={range .items[*]}{.involvedObject.name} {.type} {.reason} {.message}{"\n"}{end}' | grep -qF -- "$1"; }
no_helpers() { [ -z "$(kubectl -n kube-system get pods -l app=local-path-helper -o name)" ]; }
check "node becomes Ready" wait_for 40 is node/node1 '{.status.conditions[?(@.type=="Ready")].status}' True

# The add-on's own objects, but for its Deployment, which needs the image of ours.
python3 - "$root/tools/k3x/addons/local-storage.yaml" "$T/storage" >"$T/addon.yaml" <<'PY'
import sys
text = open(sys.argv[1]).read().replace("%{DEFAULT_LOCAL_STORAGE_PATH}%", sys.argv[2]).replace("%{SYSTEM_IMAGE}%", "box:1")
print("\n---\n".join(part for part in text.split("\n---\n") if "kind: Deployment" not in part))
PY
check "the add-on's objects are good" kubectl apply -f "$T/addon.yaml"
check_is "its class is the default" true "$(jp sc/local-path '{.metadata.annotations.storageclass\.kubernetes\.io/is-default-class}')"
kubectl -n kube-system patch configmap local-path-config --type=merge -p '{"data":{
	"setup":"#!/bin/sh\nset -eu\nmkdir -m 0777 -p \"$VOL_DIR\"\n", "teardown":"#!/bin/sh\nset -eu\nrm -rf \"$VOL_DIR\"\n"}}' >/dev/null

# As the add-on: the account's token, and nothing else.
token=$(kubectl -n kube-system create token local-path-provisioner-service-account)
cat >"$T/provisioner.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "$(kubectl config view --raw -o 'jsonpath={.clusters[0].cluster.server}')", certificate-authority-data: $(kubectl config view --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}')}}]
users: [{name: u, user: {token: "$token"}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
YAML
start_provisioner() {
	nsenter --net=/run/netns/$netns "$K3X" provisioner --kubeconfig "$T/provisioner.kubeconfig" --helper-image box:1 >>"$T/provisioner.log" 2>&1 &
	provisioner_pid=$!
}
start_provisioner

# An image of the binary with the libraries it names.
own_image() {
	local dir sum f
	dir=$(mktemp -d "$T/image-XXXXXX")
	mkdir -p "$dir/root/bin"
	cp -L "$K3X" "$dir/root/bin/k3x"
	strip "$dir/root/bin/k3x" 2>/dev/null
	for f in $(ldd "$K3X" | grep -o '/[^ ]*'); do mkdir -p "$dir/root$(dirname "$f")" && cp -L "$f" "$dir/root$f"; done
	tar -C "$dir/root" --owner=0 --group=0 -cf "$dir/layer.tar" .
	sum=$(sha256sum "$dir/layer.tar" | cut -d' ' -f1)
	echo '{"architecture":"'"$(dpkg --print-architecture)"'","os":"linux","config":{"Entrypoint":["/bin/k3x"]},"rootfs":{"type":"layers","diff_ids":["sha256:'"$sum"'"]}}' >"$dir/config.json"
	echo '[{"Config":"config.json","RepoTags":["docker.io/library/own:1"],"Layers":["layer.tar"]}]' >"$dir/manifest.json"
	tar -C "$dir" -cf "$1" manifest.json config.json layer.tar
	rm -rf "$dir"
}

# claim NAME [CLASS] [ANNOTATIONS]
claim() {
	kubectl apply -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: PersistentVolumeClaim
		metadata:
		  name: $1
		  annotations: {${3:-}}
		spec: {accessModes: [ReadWriteOnce], storageClassName: ${2:-local-path}, resources: {requests: {storage: 64Mi}}}
	YAML
}
# pod NAME CLAIM COMMAND [SPEC-MEMBERS]
pod() {
	kubectl apply -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec:
		  terminationGracePeriodSeconds: 1
		  restartPolicy: Never
		  ${4:-activeDeadlineSeconds: 600}
		  containers: [{name: c, image: "box:1", command: [sh, -c, "$3"], volumeMounts: [{name: data, mountPath: /data}]}]
		  volumes: [{name: data, persistentVolumeClaim: {claimName: $2}}]
	YAML
}
claim data
check "a claim waits for its pod" wait_for 10 has_event "data Normal WaitForFirstConsumer waiting for first consumer to be created before binding"
pod writer data "echo kept >/data/file"
check "a pod with it runs" wait_for 60 is pod/writer '{.status.phase}' Succeeded || { finish; exit 1; }
pv=$(jp pvc/data '{.spec.volumeName}')
dir=$T/storage/${pv}_default_data
check_is "what it wrote lies in the volume's directory" kept "$(cat "$dir/file")"
check_is "the volume is tied to the node" node1 "$(jp "pv/$pv" '{.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]}')"
check "the user is told who made it" has_event "data Normal ProvisioningSucceeded Successfully provisioned volume $pv"
check "and that its size is not enforced" has_event "data Normal SizeNotEnforced"
check "helper pods are cleared away" wait_for 30 no_helpers
kubectl delete pod writer >/dev/null
pod reader data "cat /data/file"
check "another pod finds the data" wait_for 60 is pod/reader '{.status.phase}' Succeeded
check_is "as it was" kept "$(kubectl logs reader)"
kubectl delete pod reader >/dev/null

# ---- a local volume, a group, a folder that is named, and a restart of everything in between ----
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: named}
provisioner: rancher.io/local-path
volumeBindingMode: WaitForFirstConsumer
reclaimPolicy: Retain
parameters: {pathPattern: "{{ .PVC.Namespace }}/{{ .PVC.Name }}"}
YAML
stop_provisioner
claim mine named 'volumeType: local'
pod grouped mine "id -G; stat -c %g /data; touch /data/own && stat -c %g /data/own" "securityContext: {runAsUser: 1000, fsGroup: 2000}"
check "without a provisioner the claim names its node and waits" wait_for 20 is pvc/mine '{.metadata.annotations.volume\.kubernetes\.io/selected-node}' node1
stop_server KILL
start_server 17759 --node-name node1 --kubelet-port 17766 || { finish; exit 1; }
start_provisioner
check "after a restart it goes on" wait_for 90 is pod/grouped '{.status.phase}' Succeeded
check_is "the group of the pod owns a local volume" "2000 2000 2000" "$(kubectl logs grouped | tr '\n' ' ' | sed 's/^0 //; s/ $//')"
kept=$(jp pvc/mine '{.spec.volumeName}')
check_is "a local volume" "$T/storage/default/mine" "$(jp "pv/$kept" '{.spec.local.path}')"
kubectl delete pod grouped >/dev/null

# ---- what goes and what stays ----
kubectl delete pvc mine data >/dev/null
check "a claim's volume goes with it" wait_for 60 gone pv "$pv"
check "and its directory" test ! -e "$dir"
check "Retain keeps the volume" wait_for 10 is "pv/$kept" '{.status.phase}' Released
check "and the data" test -e "$T/storage/default/mine/own"
check "helper pods are cleared away again" wait_for 30 no_helpers

# ---- errors ----
kubectl -n kube-system patch configmap local-path-config --type=merge -p '{"data":{"setup":"#!/bin/sh\necho no room >&2\nexit 3\n"}}' >/dev/null
claim unlucky
pod unlucky unlucky "true"
check "a helper that fails is told" wait_for 60 has_event "unlucky Warning ProvisioningFailed failed to provision volume with StorageClass \"local-path\": failed to create volume"
kubectl -n kube-system patch configmap local-path-config --type=merge -p '{"data":{"setup":"#!/bin/sh\nmkdir -m 0777 -p \"$VOL_DIR\"\n"}}' >/dev/null
check "and tried again" wait_for 90 is pod/unlucky '{.status.phase}' Succeeded
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: many}
spec: {accessModes: [ReadWriteMany], storageClassName: local-path, resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: early}
spec:
  nodeName: node1
  containers: [{name: c, image: "box:1", command: [sh, -c, "sleep 1000"], volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: many}}]
YAML
check "a pod that was placed by hand waits for its claim" wait_for 20 has_event "early Warning FailedMount Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC default/many: PVC is not bound"
pod many many "true"
check "a mode that cannot be served is told" wait_for 20 has_event 'many Warning ProvisioningFailed failed to provision volume with StorageClass "local-path": NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes'

# ---- the add-on itself: a Deployment under its account, helper pods that run our own program ----
stop_provisioner
own_image "$T/own.tar"
mv "$T/own.tar" "$T/data/agent/images/own.tar"
kubectl delete pod unlucky early many --grace-period=0 --force >/dev/null 2>&1
sed "s#%{DEFAULT_LOCAL_STORAGE_PATH}%#$T/storage2#; s#%{SYSTEM_IMAGE}%#own:1#" "$root/tools/k3x/addons/local-storage.yaml" >"$T/addon.yaml"
kubectl delete -f "$T/addon.yaml" >/dev/null 2>&1
addon_runs() { [ "$(kubectl -n kube-system get deployment local-path-provisioner -o 'jsonpath={.status.readyReplicas}')" = 1 ]; }
check "the whole add-on is applied" kubectl apply -f "$T/addon.yaml"
check "it runs, as nobody, on a root that is read only" wait_for 60 addon_runs
claim own
pod first own "echo mine >/data/file; mkdir -p /data/a/b/c; ln -s /etc /data/a/link"
check "a claim is served from our own image" wait_for 90 is pod/first '{.status.phase}' Succeeded
own=$(jp pvc/own '{.spec.volumeName}')
dir=$T/storage2/${own}_default_own
check_is "its directory is anybody's" 777 "$(stat -c %a "$dir")"
check_is "and holds what was written" mine "$(cat "$dir/file")"
kubectl delete pod first >/dev/null
kubectl delete pvc own >/dev/null
check "its volume goes" wait_for 60 gone pv "$own"
check "with all that was in it" test ! -e "$dir"
for i in $(seq 20); do
	claim "m$i"
	pod "m$i" "m$i" "true"
done
all_done() { [ "$(kubectl get pods -o 'jsonpath={range .items[*]}{.metadata.name} {.status.phase}{"\n"}{end}' | grep -c '^m[0-9]* Succeeded')" = 20 ]; }
check "twenty at once" wait_for 120 all_done
finish
