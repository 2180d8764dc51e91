#!/bin/bash
# A node that runs short: of disk (its folder is a small tmpfs, so that the pressure is a real one), of memory and of
# processes (by thresholds above what the machine has). Who is evicted and in which words, who is spared, what is not let
# in meanwhile, the conditions, taints and events, and the kubelet's configuration by which all that is told.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "eviction" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images" "$T/data/agent/kubelet" "$T/data/agent/etc/kubelet.conf.d"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
mount -t tmpfs -o size=64m tmpfs "$T/data/agent/kubelet"
ports=(--node-name node1 --kubelet-port 17752 --disable-scheduler)

field() { kubectl get "$1" -o "jsonpath={$2}"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
wait_is() { check "$1" wait_for "$2" is "$3" "$4" "$5"; }
condition() { echo ".status.conditions[?(@.type==\"$1\")].status"; }
event_has() { kubectl get events --field-selector "involvedObject.name=$1" -o 'jsonpath={range .items[*]}{.reason} {.message}{"\n"}{end}' | grep -q "$2"; }
has_taint() { field node/node1 '.spec.taints[*].key' | grep -q "$1"; }
has_no_taint() { ! has_taint "$1"; }
configz() { kubectl get --raw /api/v1/nodes/node1/proxy/configz; }

pod() { # name, rest of the spec, shell command, rest of the container
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec:
		  nodeName: node1
		  terminationGracePeriodSeconds: 1
		  $2
		  containers:
		  - name: c
		    image: box:1
		    command: [sh, -c, "$3; while :; do sleep 0.2; done"]
		    volumeMounts: [{name: v, mountPath: /v}]
		    $4
		  volumes: [{name: v, emptyDir: {}}]
	YAML
}

# ---- what is refused at the start ----
refusal() { inside timeout 20 "$K3X" server --data-dir "$T/other" --kubelet-arg "$1" 2>&1; }
check_has "a signal that is none" '"memory.free" is no signal' "$(refusal 'eviction-hard=memory.free<1Mi')"
check_has "a soft threshold without a grace" "needs a grace period" "$(refusal 'eviction-soft=memory.available<1Mi')"
check_has "an argument that is none" '"evict" is no argument of a kubelet' "$(refusal evict=1)"
printf 'kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\nevictionHart: {}\n' >"$T/bad.yaml"
check_has "a field that is none" 'no field "evictionHart"' "$(refusal "config=$T/bad.yaml")"

# ---- disk ----
cat >"$T/data/agent/etc/kubelet.conf.d/50-eviction.conf" <<'YAML'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
evictionHard: {nodefs.available: "40%"}
evictionMinimumReclaim: {nodefs.available: 1Mi}
evictionPressureTransitionPeriod: 30s
registryBurst: 99
YAML
start_server 17747 "${ports[@]}" --kubelet-arg eviction-pressure-transition-period=15s || { finish; exit 1; }
wait_is "node becomes Ready" 60 node/node1 "$(condition Ready)" True
check_has "what is in force is shown" '"evictionHard":{"nodefs.available":"40%"}' "$(configz)"
check_has "an argument wins over a file" '"evictionPressureTransitionPeriod":"15s"' "$(configz)"
check_has "so does what a flag of ours says" '"port":17752' "$(configz)"
check "what is not heeded is told by name" grep -q 'registryBurst of the kubelet' "$T/k3x.log"
wait_is "there is no pressure" 30 node/node1 "$(condition DiskPressure)" False
pod small "" "dd if=/dev/zero of=/v/f bs=1M count=2"
pod critical "priorityClassName: system-node-critical" "dd if=/dev/zero of=/v/f bs=1M count=20"
wait_is "one pod runs" 60 pod/small .status.phase Running
wait_is "and a critical one that holds more" 60 pod/critical .status.phase Running
pod big "" "dd if=/dev/zero of=/v/f bs=1M count=25"
wait_is "who fills the disk is evicted" 60 pod/big .status.phase Failed
check_is "with its reason" Evicted "$(field pod/big .status.reason)"
check_has "and what was short" "The node was low on resource: ephemeral-storage. Threshold quantity: " "$(field pod/big .status.message)"
check_is "as no fault of its program" TerminationByKubelet "$(field pod/big '.status.conditions[?(@.type=="DisruptionTarget")].reason')"
wait_is "the node says so" 20 node/node1 "$(condition DiskPressure)" True
check "and is tainted" wait_for 20 has_taint node.kubernetes.io/disk-pressure
check "it is an event of the pod" event_has big 'Evicted The node was low'
check "and of the node" wait_for 10 event_has node1 'EvictionThresholdMet Attempting to reclaim ephemeral-storage'
pod late "" "true"
wait_is "nobody is let in meanwhile" 20 pod/late .status.reason Evicted
check_is "and is told why" "Pod was rejected: The node had condition: [DiskPressure]. " "$(field pod/late .status.message)"
pod vital "priorityClassName: system-cluster-critical" "true"
wait_is "but critical pods are" 30 pod/vital .status.phase Running
wait_is "it passes" 60 node/node1 "$(condition DiskPressure)" False
check "with its taint" wait_for 20 has_no_taint disk-pressure
check_is "a small pod was left alone" Running "$(field pod/small .status.phase)"
check_is "and the critical one" Running "$(field pod/critical .status.phase)"
has_count() { kubectl get --raw /api/v1/nodes/node1/proxy/metrics | grep -q 'kubelet_evictions{eviction_signal="nodefs.available"} 1'; }
check "it is counted" has_count
kubectl delete pod big late vital --wait=true --timeout=60s >/dev/null

# ---- memory: a soft threshold, above what there is, whose grace never ends ----
stop_server
rm "$T/data/agent/etc/kubelet.conf.d/50-eviction.conf"
start_server 17747 "${ports[@]}" --kubelet-arg 'eviction-hard=memory.available<1Ki' --kubelet-arg 'eviction-soft=memory.available<99.9%' \
	--kubelet-arg eviction-soft-grace-period=memory.available=1h || { finish; exit 1; }
wait_is "memory is short" 60 node/node1 "$(condition MemoryPressure)" True
check "the node is tainted" wait_for 20 has_taint node.kubernetes.io/memory-pressure
pod greedy "" "true"
wait_is "who asks for nothing is not let in" 20 pod/greedy .status.reason Evicted
check_is "and is told why" "Pod was rejected: The node had condition: [MemoryPressure]. " "$(field pod/greedy .status.message)"
pod modest "" "true" "resources: {requests: {memory: 4Mi}}"
wait_is "who says what he needs is" 30 pod/modest .status.phase Running
pod patient "tolerations: [{key: node.kubernetes.io/memory-pressure, operator: Exists, effect: NoSchedule}]" "true"
wait_is "and who does not mind" 30 pod/patient .status.phase Running
kubectl delete pod --all --timeout=60s >/dev/null

# ---- memory and processes, hard: everybody goes, in order, but the critical ----
stop_server
start_server 17747 "${ports[@]}" --kubelet-arg 'eviction-hard=pid.available<1' || { finish; exit 1; }
wait_is "node is Ready again" 60 node/node1 "$(condition Ready)" True
pod first "" "x=\$(head -c 30000000 /dev/zero | tr '\\\\\\\\0' x)"
pod second "" "true"
pod critical "priorityClassName: system-node-critical" "true"
for p in first second critical; do wait_is "$p runs" 60 "pod/$p" .status.phase Running; done
stop_server
start_server 17747 "${ports[@]}" --kubelet-arg 'eviction-hard=memory.available<99.9%' || { finish; exit 1; }
wait_is "who holds more memory goes" 60 pod/first .status.reason Evicted
check_has "by its name and use" "Container c was using " "$(field pod/first .status.message)"
wait_is "then the other" 60 pod/second .status.reason Evicted
check "nobody else is there to go" wait_for 30 grep -q "no pod left to evict" "$T/k3x.log"
check_is "the critical one stays" Running "$(field pod/critical .status.phase)"
kubectl delete pod --all --timeout=60s >/dev/null
stop_server
start_server 17747 "${ports[@]}" --kubelet-arg 'eviction-hard=pid.available<1' || { finish; exit 1; }
pod many "" "sleep 100 & sleep 100 & sleep 100"
wait_is "a pod runs" 60 pod/many .status.phase Running
stop_server
start_server 17747 "${ports[@]}" --kubelet-arg 'eviction-hard=pid.available<100G' || { finish; exit 1; }
wait_is "processes run out" 60 node/node1 "$(condition PIDPressure)" True
wait_is "and it goes" 60 pod/many .status.reason Evicted
check_has "for them" "The node was low on resource: pids." "$(field pod/many .status.message)"

# ---- images: by the marks of their disk, and when it is short ----
kubectl delete pod --all --timeout=60s >/dev/null
c8r() { ctr -a "$T/data/agent/run/containerd/containerd.sock" -n k8s.io "$@"; }
for i in junk used late; do busybox_image $i:1 "$T/$i.tar" "$i"; done # of different words, or they might be one image
c8r images import "$T/junk.tar" >/dev/null && c8r images import "$T/used.tar" >/dev/null || bad "images are imported"
has_image() { c8r images ls -q | grep -q "docker.io/library/$1:1"; }
has_no_image() { ! has_image "$1"; }
check "an image is there" has_image junk
stop_server
start_server 17747 "${ports[@]}" --kubelet-arg 'eviction-hard=pid.available<1' || { finish; exit 1; }
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: user}
spec:
  nodeName: node1
  restartPolicy: Never
  priorityClassName: system-node-critical
  containers: [{name: c, image: "used:1", imagePullPolicy: Never, command: ["true"]}]
YAML
wait_is "a pod has used one" 60 pod/user .status.phase Succeeded
check "nothing is removed while there is room" has_image junk
stop_server
start_server 17747 "${ports[@]}" --kubelet-arg 'eviction-hard=pid.available<1' --kubelet-arg image-gc-high-threshold=1 \
	--kubelet-arg image-gc-low-threshold=0 || { finish; exit 1; }
check "an unused image goes when the disk is above its mark" wait_for 60 has_no_image junk
check "that of a dead container stays" has_image used
check "and what was imported" has_image box
check "that it was not enough is told" wait_for 30 event_has node1 'FreeDiskSpaceFailed Failed to garbage collect required amount'
c8r images import "$T/late.tar" >/dev/null
stop_server
start_server 17747 "${ports[@]}" --kubelet-arg 'eviction-hard=imagefs.available<99.99%' || { finish; exit 1; }
check "images go before pods when their disk is short" wait_for 60 has_no_image late
check_is "and a critical pod stays" Succeeded "$(field pod/user .status.phase)"

# NEXT

kubectl delete pod --all --timeout=60s >/dev/null
no_containers() { [ -z "$(ctr -a "$T/data/agent/run/containerd/containerd.sock" -n k8s.io containers ls -q)" ]; }
check "no container is left" wait_for 20 no_containers
stop_server
umount -l "$T/data/agent/kubelet"
finish
