#!/bin/bash
# Volumes of a CSI driver, from claim to mounted pod, with a real kubelet and containerd and a driver of ours: it registers, is
# told of in CSINode and Node; claims are attached (this script plays the attacher beside the driver), staged, published, read
# and written, unpublished, unstaged, detached; the server killed at any point; a driver that fails, hangs, goes; inline volumes,
# block devices, groups, secrets, pod information, tokens, growth, statistics.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "csi" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images" "$T/driver/volumes"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
kubelet="$T/data/agent/kubelet" log="$T/driver/log"
touch "$log"
driver_pid= loop=
end_all() {
	[ -z "$driver_pid" ] || kill "$driver_pid" 2>/dev/null
	[ -z "$loop" ] || losetup -d "$loop" 2>/dev/null
	cleanup
}
trap end_all EXIT

field() { kubectl get "$1" -o "jsonpath={$2}"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
wait_is() { check "$1" wait_for "$2" is "$3" "$4" "$5"; }
gone() { ! kubectl get "$1"; }
called() { grep -q "^$1" "$log"; }
calls() { grep -c "^$1" "$log"; }
wait_calls() { check "$1" wait_for "$2" called "$3"; }
mounted() { grep -q " $1 " /proc/self/mountinfo; }
logs_have() { kubectl logs "$1" 2>/dev/null | grep -q "$2"; }
event_has() { kubectl get events --field-selector "involvedObject.name=$1,reason=$2" -o jsonpath='{.items[*].message}' | grep -qF "$3"; }
start_driver() { # capabilities
	"$root/build/release/tests/plugin/csi_driver" "$kubelet" "$T/driver" csi.test "$@" >>"$T/driver/out" 2>&1 &
	driver_pid=$!
}
end_driver() { kill "$driver_pid" 2>/dev/null; wait "$driver_pid" 2>/dev/null; driver_pid=; }
server() { start_server 17761 --node-name node1 --kubelet-port 17766 --disable-scheduler "$@" || { finish; exit 1; }; }
volume() { # name, spec more
	mkdir -p "$T/driver/volumes/id-$1"
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: PersistentVolume
		metadata: {name: pv-$1}
		spec: {capacity: {storage: 1Gi}, accessModes: [${3:-ReadWriteOnce}], storageClassName: "", mountOptions: [noatime], claimRef: {namespace: default, name: $1},
		 csi: {driver: csi.test, volumeHandle: id-$1, fsType: ext4, volumeAttributes: {color: blue}}${2:+, $2}}
		---
		apiVersion: v1
		kind: PersistentVolumeClaim
		metadata: {name: $1}
		spec: {storageClassName: "", accessModes: [${3:-ReadWriteOnce}], volumeName: pv-$1, resources: {requests: {storage: 1Gi}}${2:+, $2}}
	YAML
	check "claim $1 is bound" wait_for 20 is "pvc/$1" .status.phase Bound
}
pod() { # name, volume, more of the container, more of the spec
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec: {nodeName: node1, terminationGracePeriodSeconds: 1, restartPolicy: Never, volumes: [{name: data, $2}], ${4:+$4,}
		 containers: [{name: c, image: 'box:1', $3}]}
	YAML
}
writer='command: [sh, -c, "echo hello >/data/file && sleep 1000"], volumeMounts: [{name: data, mountPath: /data}]'
driver_object() { # attachRequired, which can't be changed
	kubectl delete csidriver csi.test --ignore-not-found >/dev/null
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: storage.k8s.io/v1
		kind: CSIDriver
		metadata: {name: csi.test}
		spec: {attachRequired: $1, podInfoOnMount: true, volumeLifecycleModes: [Persistent, Ephemeral], tokenRequests: [{audience: vault}], requiresRepublish: false, fsGroupPolicy: ReadWriteOnceWithFSType}
	YAML
}
attachment() { kubectl get volumeattachments -o "jsonpath={.items[?(@.spec.source.persistentVolumeName==\"pv-$1\")].metadata.name}"; }
has_attachment() { [ -n "$(attachment "$1")" ]; }
attach() { # as the attacher beside a driver does
	check "claim $1 is to be attached" wait_for 20 has_attachment "$1"
	kubectl patch volumeattachment "$(attachment "$1")" --subresource=status --type=merge -p '{"status":{"attached":true,"attachmentMetadata":{"disk":"sdx"}}}' >/dev/null
}

check "a driver is built" make -s -C "$root" build/release/tests/plugin/csi_driver
server
wait_is "the node becomes Ready" 60 node/node1 '.status.conditions[?(@.type=="Ready")].status' True
check "it has a CSINode" wait_for 20 is csinode/node1 '.metadata.ownerReferences[0].name' node1

# ---- registration ----
start_driver 1 2 3 4
wait_calls "a driver registers" 20 "NotifyRegistrationStatus registered"
check_is "its CSINode says so" "csi.test csi.test-id 8 topology.csi.test/zone" "$(field csinode/node1 '.spec.drivers[0].name} {.spec.drivers[0].nodeID} {.spec.drivers[0].allocatable.count} {.spec.drivers[0].topologyKeys[0]')"
check_is "the Node has its id" '{"csi.test":"csi.test-id"}' "$(field node/node1 '.metadata.annotations.csi\.volume\.kubernetes\.io/nodeid')"
check_is "and its zone" z1 "$(field node/node1 '.metadata.labels.topology\.csi\.test/zone')"

# ---- those that are refused ----
refused() { # words, variable of the driver's
	mkdir -p "$T/refused"
	: >"$T/refused/log"
	env "$2" "$root/build/release/tests/plugin/csi_driver" "$kubelet" "$T/refused" other.test >>"$T/driver/out" 2>&1 &
	other_pid=$!
	check "a driver is refused: $2" wait_for 20 grep -qF "refused: $1" "$T/refused/log"
	kill "$other_pid"
	wait "$other_pid" 2>/dev/null
	rm -f "$kubelet/plugins_registry/other.test-reg.sock"
}
refused "no handler registered for plugin type: DRAPlugin" CSI_TYPE=DRAPlugin
refused "error validating CSI driver other.test" CSI_VERSION=0.3.0
kubectl label node node1 topology.other.test/zone=z1 >/dev/null
refused "detected topology value collision: driver reported \"topology.other.test/zone\":\"z2\" but existing label is \"topology.other.test/zone\":\"z1\"" CSI_ZONE=z2
check_is "none of them is told" csi.test "$(field csinode/node1 '.spec.drivers[*].name')"

# ---- claim to pod ----
driver_object true
volume one
pod one 'persistentVolumeClaim: {claimName: one}' "$writer"
check "its attachment is made" wait_for 20 has_attachment one
want="csi-$(printf 'id-onecsi.testnode1' | sha256sum | cut -d' ' -f1)"
check_is "by upstream's name" "$want" "$(attachment one)"
wait_is "the node says that it waits for it" 20 node/node1 '.status.volumesInUse[0]' kubernetes.io/csi/csi.test^id-one
check_is "nothing is staged before it is attached" 0 "$(calls NodeStage)"
attach one
wait_is "the pod runs" 30 pod/one .status.phase Running
check_is "the node has it attached" kubernetes.io/csi/csi.test^id-one "$(field node/node1 '.status.volumesAttached[0].name')"
check "an event says so" wait_for 10 event_has one SuccessfulAttachVolume 'AttachVolume.Attach succeeded for volume "pv-one"'
check_is "it was staged as it says" 'NodeStageVolume id-one mode=1 fs=ext4 flag=noatime publish:disk=sdx context:color=blue' "$(grep ^NodeStage "$log")"
uid=$(field pod/one .metadata.uid)
check_has "and published with its pod" "staged publish:disk=sdx context:color=blue context:csi.storage.k8s.io/pod.name=one context:csi.storage.k8s.io/pod.namespace=default context:csi.storage.k8s.io/pod.uid=$uid context:csi.storage.k8s.io/serviceAccount.name=default context:csi.storage.k8s.io/ephemeral=false" "$(grep ^NodePublish "$log")"
check_has "and a token" 'serviceAccount.tokens={"vault":{"token":"' "$(grep ^NodePublish "$log")"
file_is() { [ "$(cat "$T/driver/volumes/id-$1/file" 2>/dev/null)" = "$2" ]; }
check "the pod writes into it" wait_for 20 file_is one hello
target="$kubelet/pods/$uid/volumes/kubernetes.io~csi/pv-one/mount"
staging="$kubelet/plugins/kubernetes.io/csi/csi.test/$(printf id-one | sha256sum | cut -d' ' -f1)/globalmount"
check "it lies where upstream has it" mounted "$target"
check "staged too" mounted "$staging"
check_has "with a record" '"driverName":"csi.test"' "$(cat "${target%/mount}/vol_data.json")"
stats() { kubectl get --raw /api/v1/nodes/node1/proxy/stats/summary; }
stats_tell() { stats | grep -q '"availableBytes":900,"capacityBytes":1000,"usedBytes":100,"inodesFree":7,"inodes":10,"inodesUsed":3,"volumeHealthStats":{"abnormal":false},"pvcRef":{"name":"one","namespace":"default"},"name":"data"'; }
check "its use is told" wait_for 10 stats_tell
metrics() { kubectl get --raw /api/v1/nodes/node1/proxy/metrics; }
check_has "as metrics too" 'kubelet_volume_stats_used_bytes{namespace="default",persistentvolumeclaim="one"} 100' "$(metrics)"

# ---- two pods, one volume ----
pod two 'persistentVolumeClaim: {claimName: one, readOnly: true}' 'command: [sh, -c, "cat /data/file; touch /data/no || echo refused; sleep 1000"], volumeMounts: [{name: data, mountPath: /data}]'
wait_is "another pod has it too" 30 pod/two .status.phase Running
check "and reads what was written, and no more" wait_for 10 logs_have two refused
check_is "it was staged once" 1 "$(calls NodeStage)"
kubectl delete pod two --timeout=60s >/dev/null
check_is "it goes" 1 "$(calls NodeUnpublish)"
check_is "the volume stays staged" 0 "$(calls NodeUnstage)"

# ---- growth ----
kubectl patch pv pv-one -p '{"spec":{"capacity":{"storage":"2Gi"}}}' >/dev/null
kubectl patch pvc one --subresource=status --type=merge -p '{"status":{"conditions":[{"type":"FileSystemResizePending","status":"True"}]}}' >/dev/null
pod three 'persistentVolumeClaim: {claimName: one}' "$writer"
wait_calls "a volume grows when it is mounted" 30 "NodeExpandVolume id-one bytes=2147483648"
wait_is "and its claim says so" 20 pvc/one .status.capacity.storage 2Gi
check_is "nothing is waited for any more" "" "$(field pvc/one '.status.conditions[*].type')"
check "the pod is told" wait_for 10 event_has three FileSystemResizeSuccessful MountVolume.NodeExpandVolume
kubectl delete pod three --timeout=60s >/dev/null

# ---- growth beside a pod that runs ----
kubectl patch pv pv-one -p '{"spec":{"capacity":{"storage":"3Gi"}}}' >/dev/null
kubectl patch pvc one --subresource=status --type=merge -p '{"status":{"conditions":[{"type":"FileSystemResizePending","status":"True"}]}}' >/dev/null
wait_calls "a volume grows while it is used" 60 "NodeExpandVolume id-one bytes=3221225472"
wait_is "and its claim says so" 20 pvc/one .status.capacity.storage 3Gi

# ---- killed in the middle ----
stop_server KILL
server
wait_is "after a kill the pod runs" 30 pod/one .status.phase Running
check "the driver registers anew" wait_for 20 is csinode/node1 '.spec.drivers[0].name' csi.test
check_is "nothing was done twice" "1 3" "$(calls NodeStage) $(calls NodePublish)"
stop_server KILL
server --disable-agent
kubectl delete pod one --grace-period=0 --force >/dev/null 2>&1
check "its pod is gone meanwhile" wait_for 10 gone pod/one
stop_server KILL
check "it is mounted still" mounted "$target"
server
wait_calls "it is unstaged when a server finds it" 60 "NodeUnstageVolume id-one"
check "and unmounted" wait_for 10 eval '! mounted "$target" && ! mounted "$staging"'
check "its folders are gone" wait_for 10 eval '! test -e "$kubelet/pods/$uid" && ! test -e "${staging%/globalmount}"'
check "the node uses it no more" wait_for 20 is node/node1 '.status.volumesInUse' ""
check "it is detached" wait_for 20 eval '! has_attachment one'
check "and told so" wait_for 20 is node/node1 '.status.volumesAttached' ""
check_is "the data is there" hello "$(cat "$T/driver/volumes/id-one/file")"

# ---- drivers that need no attaching; groups, secrets ----
driver_object false
kubectl create secret generic key --from-literal=user=me >/dev/null
mkdir -p "$T/driver/volumes/id-secret"
kubectl create -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: PersistentVolume
	metadata: {name: pv-secret}
	spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: "", claimRef: {namespace: default, name: secret}, csi: {driver: csi.test, volumeHandle: id-secret, fsType: ext4,
	 nodeStageSecretRef: {namespace: default, name: key}, nodePublishSecretRef: {namespace: default, name: key}}}
	---
	apiVersion: v1
	kind: PersistentVolumeClaim
	metadata: {name: secret}
	spec: {storageClassName: "", accessModes: [ReadWriteOnce], volumeName: pv-secret, resources: {requests: {storage: 1Gi}}}
YAML
pod secret 'persistentVolumeClaim: {claimName: secret}' 'command: [sh, -c, "ls -ldn /data; sleep 1000"], volumeMounts: [{name: data, mountPath: /data}]' 'securityContext: {fsGroup: 4321}'
wait_is "a volume without attaching" 30 pod/secret .status.phase Running
check_has "its secret comes to staging" "secret:user=me" "$(grep '^NodeStageVolume id-secret' "$log")"
check_has "and to publishing" "secret:user=me" "$(grep '^NodePublishVolume id-secret' "$log")"
check "it has the pod's group" wait_for 10 logs_have secret ' 4321 '
kubectl create -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: PersistentVolume
	metadata: {name: pv-twin}
	spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: "", claimRef: {namespace: default, name: twin}, csi: {driver: csi.test, volumeHandle: id-secret}}
	---
	apiVersion: v1
	kind: PersistentVolumeClaim
	metadata: {name: twin}
	spec: {storageClassName: "", accessModes: [ReadWriteOnce], volumeName: pv-twin, resources: {requests: {storage: 1Gi}}}
YAML
pod twin 'persistentVolumeClaim: {claimName: twin}' "$writer"
wait_is "another PersistentVolume of the same handle" 30 pod/twin .status.phase Running
uid=$(field pod/twin .metadata.uid)
check "lies under its own name" mounted "$kubelet/pods/$uid/volumes/kubernetes.io~csi/pv-twin/mount"
kubectl delete pod secret twin --timeout=60s >/dev/null
check "both are undone" wait_for 10 eval '! test -e "$kubelet/pods/$uid/volumes/kubernetes.io~csi"'

# ---- inline ----
pod inline 'csi: {driver: csi.test, readOnly: false, volumeAttributes: {size: small}}' "$writer"
wait_is "an inline volume" 30 pod/inline .status.phase Running
check_has "is published as one" "context:size=small" "$(grep 'NodePublishVolume csi-' "$log")"
check_has "is told to be one" "ephemeral=true" "$(grep 'NodePublishVolume csi-' "$log")"
check_is "and never staged" 0 "$(calls 'NodeStageVolume csi-')"
kubectl delete pod inline --timeout=60s >/dev/null
wait_calls "and goes with its pod" 10 "NodeUnpublishVolume csi-"

# ---- nothing is left of a pod but what its driver holds ----
pod lost 'csi: {driver: csi.test}' "$writer"
wait_is "another inline volume" 30 pod/lost .status.phase Running
uid=$(field pod/lost .metadata.uid)
stop_server KILL
K3X_DATA_DIR="$T/data" K3X_STATE_DIR="$T/data/agent/run" inside bash "$root/tools/install/killall.sh" >/dev/null 2>&1
server --disable-agent
kubectl delete pod lost --grace-period=0 --force >/dev/null 2>&1
check "a pod is gone, and its containers" wait_for 10 gone pod/lost
stop_server KILL
check "a record is left" test -e "$kubelet/pods/$uid/volumes/kubernetes.io~csi/data/vol_data.json"
server
undone() { [ "$(calls 'NodeUnpublishVolume csi-')" = 2 ]; }
check "its volume is undone" wait_for 60 undone
check "with its folders" wait_for 20 eval '! test -e "$kubelet/pods/$uid"'

# ---- block ----
truncate -s 16M "$T/disk"
if loop=$(losetup -f --show "$T/disk" 2>/dev/null); then
	echo "$loop" >"$T/driver/volumes/id-block.dev"
	volume block 'volumeMode: Block'
	pod block 'persistentVolumeClaim: {claimName: block}' 'command: [sh, -c, "test -b /dev/xda && echo here | dd of=/dev/xda conv=fsync 2>/dev/null && echo written; sleep 1000"], volumeDevices: [{name: data, devicePath: /dev/xda}]'
	wait_is "a block device" 30 pod/block .status.phase Running
	check "is written by the pod" wait_for 20 logs_have block written
	check_is "down to the disk" here "$(head -c 4 "$T/disk")"
	check_has "as one" " block" "$(grep '^NodePublishVolume id-block' "$log")"
	uid=$(field pod/block .metadata.uid)
	check "with upstream's link" test -L "$kubelet/pods/$uid/volumeDevices/kubernetes.io~csi/pv-block"
	kubectl delete pod block --timeout=60s >/dev/null
	wait_calls "and goes" 20 "NodeUnstageVolume id-block"
	check "without a trace" wait_for 10 eval '! find "$kubelet/plugins/kubernetes.io/csi" -name "*pv-block*" | grep -q .'
	losetup -d "$loop"
	loop=
else
	skip "block devices" "the kernel gives no loop devices"
fi

# ---- a driver that fails, hangs, is away ----
volume bad
volume good
echo "no such disk" >"$T/driver/fail-NodeStageVolume"
pod bad 'persistentVolumeClaim: {claimName: bad}' "$writer"
check "a driver that fails" wait_for 20 event_has bad FailedMount 'MountVolume.MountDevice failed for volume "pv-bad" : rpc error: code = Internal desc = no such disk'
rm "$T/driver/fail-NodeStageVolume"
wait_is "is asked again" 30 pod/bad .status.phase Running
kubectl delete pod bad --timeout=60s >/dev/null
touch "$T/driver/hang-NodeStageVolume"
pod bad 'persistentVolumeClaim: {claimName: bad}' "$writer"
hung() { [ "$(calls 'NodeStageVolume id-bad')" -ge 3 ]; }
check "a driver that hangs" wait_for 20 hung
rm "$T/driver/hang-NodeStageVolume"
pod good 'persistentVolumeClaim: {claimName: good}' "$writer"
wait_is "does not hold other volumes" 20 pod/good .status.phase Running
touch "$T/driver/hang-NodeStageVolume"
stop_server
check "nor the server, when it is stopped" test -z "$server_pid"
rm "$T/driver/hang-NodeStageVolume"
server
wait_is "the next one goes on" 60 pod/bad .status.phase Running
kubectl delete pod bad --timeout=60s >/dev/null
touch "$T/driver/hang-NodeUnpublishVolume"
kubectl delete pod good --wait=false >/dev/null
wait_calls "one that hangs at the end" 20 "NodeUnpublishVolume id-good"
rm "$T/driver/hang-NodeUnpublishVolume"
check_is "holds its pod" good "$(field pod/good .metadata.name)"
end_driver
pod late 'csi: {driver: csi.test}' "$writer"
rm -f "$kubelet/plugins_registry/csi.test-reg.sock"
check "a driver that is gone" wait_for 20 is csinode/node1 .spec.drivers "[]"
check "is said to be" wait_for 20 event_has late FailedMount 'driver name csi.test not found in the list of registered CSI drivers'
check_is "the Node has its id no more" "" "$(field node/node1 '.metadata.annotations.csi\.volume\.kubernetes\.io/nodeid')"
start_driver 1 2 3 4
wait_is "it comes back, and all goes on" 60 pod/late .status.phase Running
check "and the one that waited for its end" wait_for 60 gone pod/good

kubectl delete pod --all --timeout=90s >/dev/null
no_mounts() { ! grep -q "$kubelet" /proc/self/mountinfo; }
check "no mount is left" wait_for 20 no_mounts
no_records() { ! find "$kubelet" -name vol_data.json | grep -q .; }
check "and no record" wait_for 10 no_records
end_driver
stop_server
finish
