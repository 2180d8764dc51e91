#!/bin/bash
# The attach-detach controller against the real binary: nodes and what their kubelets say are made up here, as is the attacher
# beside the driver. What is attached when, what keeps a volume from being detached or attached, what pods are told, and that a
# server that was killed goes on.
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17863}
in_namespace

jp() { kubectl get "$1" -o "jsonpath=$2" 2>/dev/null; }
is() { [ "$(jp "$1" "$2")" = "$3" ]; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
event_has() { kubectl get events --field-selector "involvedObject.name=$1,reason=$2" -o 'jsonpath={.items[*].message}' | grep -qF -- "$3"; }
handle() { echo "h-$1"; }
attachment() { echo "csi-$(printf '%sdisk.test%s' "$(handle "$1")" "$2" | sha256sum | cut -d' ' -f1)"; } # volume, node
node() { made_up_node "$1" "" "annotations: {volumes.kubernetes.io/controller-managed-attach-detach: \"${2:-true}\"}"; }
volume() { # name, driver, access mode
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: PersistentVolume
		metadata: {name: pv-$1}
		spec: {capacity: {storage: 1Gi}, accessModes: [${3:-ReadWriteOnce}], storageClassName: "", claimRef: {namespace: default, name: $1}, csi: {driver: ${2:-disk.test}, volumeHandle: $(handle "$1")}}
		---
		apiVersion: v1
		kind: PersistentVolumeClaim
		metadata: {name: $1}
		spec: {storageClassName: "", accessModes: [${3:-ReadWriteOnce}], volumeName: pv-$1, resources: {requests: {storage: 1Gi}}}
	YAML
	check "claim $1 is bound" wait_for 20 is "pvc/$1" '{.status.phase}' Bound
}
pod() { # name, node, claim
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec: {nodeName: $2, terminationGracePeriodSeconds: 0, tolerations: [{operator: Exists}], containers: [{name: c, image: x}], volumes: [{name: d, persistentVolumeClaim: {claimName: $3}}]}
	YAML
}
say() { kubectl patch volumeattachment "$1" --subresource=status --type=merge -p "{\"status\":$2}" >/dev/null; }
uses() { kubectl patch node "$1" --subresource=status --type=merge -p "{\"status\":{\"volumesInUse\":$2}}" >/dev/null; }
unique() { echo "kubernetes.io/csi/disk.test^$(handle "$1")"; }
told() { is "node/$1" '{.status.volumesAttached[*].name}' "$2"; }
drop() { kubectl delete pod "$1" --force --grace-period=0 >/dev/null 2>&1; }

server() { start_server "$PORT" --disable-agent "$@" || { finish; exit 1; }; }
server
node n1
node n2
node n3 false
kubectl create -f - >/dev/null <<-YAML
	apiVersion: storage.k8s.io/v1
	kind: CSIDriver
	metadata: {name: shared.test}
	spec: {attachRequired: false}
YAML
volume a
volume b shared.test
volume c
volume m disk.test ReadWriteMany

# ---- attached, told, detached ----
A1=$(attachment a n1)
pod a1 n1 a
pod b1 n1 b
pod c3 n3 c
check "a volume of a pod on a node is to be attached" wait_for 20 is "volumeattachment/$A1" '{.spec.attacher} {.spec.nodeName} {.spec.source.persistentVolumeName}' "disk.test n1 pv-a"
check_is "nothing is told before it is" "" "$(jp node/n1 '{.status.volumesAttached}')"
say "$A1" '{"attached":false,"attachError":{"time":"2026-01-01T00:00:00Z","message":"no such disk"}}'
check "an attacher that fails is told" wait_for 10 event_has a1 FailedAttachVolume 'AttachVolume.Attach failed for volume "pv-a" : no such disk'
say "$A1" '{"attached":true,"attachError":null}'
check "when it is attached the node says so" wait_for 10 told n1 "$(unique a)"
check "and its pod is told" wait_for 10 event_has a1 SuccessfulAttachVolume 'AttachVolume.Attach succeeded for volume "pv-a"'
check_is "a driver that needs none has none, and a node that sees to it itself" "$A1" "$(kubectl get volumeattachments -o 'jsonpath={.items[*].metadata.name}')"

# ---- one at a time ----
A2=$(attachment a n2)
pod a2 n2 a
check "another node does not get it" wait_for 10 event_has a2 FailedAttachVolume 'Multi-Attach error for volume "pv-a" Volume is already used by pod(s) a1'
check "and has no attachment" gone volumeattachment "$A2"
uses n1 "[\"$(unique a)\"]"
drop a1
stop_server KILL
server
pod m1 n1 m
check "a new server sees to the node" wait_for 20 is "volumeattachment/$(attachment m n1)" '{.spec.nodeName}' n1
check_is "what is in use stays attached, also after a kill" "$(unique a)" "$(jp node/n1 '{.status.volumesAttached[0].name}')"
check "its attachment too" is "volumeattachment/$A1" '{.status.attached}' true
kubectl patch volumeattachment "$A1" --type=merge -p '{"metadata":{"finalizers":["external-attacher/disk-test"]}}' >/dev/null
uses n1 null
check "then it is untold" wait_for 20 told n1 ""
leaving() { [ -n "$(jp "volumeattachment/$1" '{.metadata.deletionTimestamp}')" ]; }
check "and deleted" wait_for 10 leaving "$A1"
check "while it is being detached nobody else has it" gone volumeattachment "$A2"
kubectl patch volumeattachment "$A1" --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
check "then the other node gets it" wait_for 10 is "volumeattachment/$A2" '{.spec.nodeName}' n2
say "$A2" '{"attached":true}'
check "and is told" wait_for 10 told n2 "$(unique a)"

# ---- at many nodes ----
pod m2 n2 m
check "a volume for many is attached to another node too" wait_for 10 is "volumeattachment/$(attachment m n2)" '{.spec.nodeName}' n2

# ---- nodes that do not come back ----
uses n2 "[\"$(unique a)\"]"
drop a2
pod a1 n1 a
check "a node that uses it keeps it" wait_for 10 event_has a1 FailedAttachVolume 'Multi-Attach error for volume "pv-a" Volume is already exclusively attached to one node and can'"'"'t be attached to another'
kubectl taint node n2 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
check "one that is out of service does not" wait_for 20 gone volumeattachment "$A2"
check "so its pod gets it elsewhere" wait_for 10 is "volumeattachment/$A1" '{.spec.nodeName}' n1
say "$A1" '{"attached":true}'
check "and it is told" wait_for 10 told n1 "$(unique a)"
uses n1 "[\"$(unique a)\"]"
kubectl delete node n1 >/dev/null
drop a1
drop m1
check "a node that was deleted keeps nothing" wait_for 20 gone volumeattachment "$A1"

# ---- others' ----
kubectl create -f - >/dev/null <<-YAML
	apiVersion: storage.k8s.io/v1
	kind: VolumeAttachment
	metadata: {name: by-hand}
	spec: {attacher: disk.test, nodeName: n2, source: {persistentVolumeName: pv-c}}
YAML
drop m2
check "what is not wanted goes" wait_for 20 gone volumeattachment "$(attachment m n2)"
check "what others have made stays" kubectl get volumeattachment by-hand
finish
