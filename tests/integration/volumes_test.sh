#!/bin/bash
# Claims, volumes and classes against the real binary: the binder, generic ephemeral volumes, and what the scheduler makes
# of pods with claims. Nodes and pod statuses are made up (fake_kubelet.py), the provisioner is this script.
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17857}
kubelet_pid=
stop_kubelet() {
	[ -z "$kubelet_pid" ] || kill "$kubelet_pid" 2>/dev/null
	kubelet_pid=
}
trap 'stop_kubelet; cleanup' EXIT

jp() { kubectl get "$1" -o "jsonpath=$2"; }
is() { [ "$(jp "$1" "$2" 2>/dev/null)" = "$3" ]; }
phase() { is "$1" '{.status.phase}' "$2"; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
has_event() { kubectl get events -A -o 'jsonpath={range .items[*]}{.involvedObject.name} {.type} {.reason} {.message}{"\n"}{end}' | grep -qF -- "$1"; }
unscheduled() { jp "pod/$1" '{.status.conditions[?(@.type=="PodScheduled")].message}' | grep -qF -- "$2"; }
on_node() { [ -n "$(jp "pod/$1" '{.spec.nodeName}' 2>/dev/null)" ] && { [ -z "$2" ] || is "pod/$1" '{.spec.nodeName}' "$2"; }; }

node() { made_up_node "$1" "" "labels: {kubernetes.io/hostname: $1, topology.kubernetes.io/zone: ${2:-z1}}"; }

# claim NAME SIZE SPEC-MEMBERS
claim() {
	kubectl apply -f - <<-YAML >/dev/null
		apiVersion: v1
		kind: PersistentVolumeClaim
		metadata: {name: $1}
		spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: $2}}${3:+, $3}}
	YAML
}

# volume NAME SIZE SPEC-MEMBERS [METADATA-MEMBERS]
volume() {
	kubectl apply -f - <<-YAML >/dev/null
		apiVersion: v1
		kind: PersistentVolume
		metadata: {name: $1${4:+, $4}}
		spec: {accessModes: [ReadWriteOnce], capacity: {storage: $2}, hostPath: {path: /data/$1}${3:+, $3}}
	YAML
}

# class NAME PROVISIONER MODE [ANNOTATIONS]
class() {
	kubectl apply -f - <<-YAML >/dev/null
		apiVersion: storage.k8s.io/v1
		kind: StorageClass
		metadata:
		  name: $1
		  annotations: {${4:-}}
		provisioner: $2
		volumeBindingMode: $3
	YAML
}

# pod NAME CLAIM SPEC-MEMBERS
pod() {
	kubectl apply -f - <<-YAML >/dev/null
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec: {containers: [{name: c, image: x}], volumes: [{name: data, persistentVolumeClaim: {claimName: $2}}]${3:+, $3}}
	YAML
}

start_server "$PORT" --disable-agent || { finish; exit 1; }

# ---- claims and volumes ----
claim small 1Gi
check "a claim without a volume or a class waits" wait_for 10 has_event "small Normal FailedBinding no persistent volumes available for this claim and no storage class is set"
volume tiny 100Mi
check "a volume that nobody takes is Available" wait_for 10 phase pv/tiny Available
volume big 20Gi
check "the claim is bound when volumes come" wait_for 10 phase pvc/small Bound
bound_to=$(jp pvc/small '{.spec.volumeName}')
check "the volume as well" wait_for 10 phase "pv/$bound_to" Bound
check_is "both know each other" "small $(jp pvc/small '{.metadata.uid}')" "$(jp "pv/$bound_to" '{.spec.claimRef.name} {.spec.claimRef.uid}')"
check_is "the binder signs what it did" "yes yes yes" "$(jp pvc/small '{.metadata.annotations.pv\.kubernetes\.io/bind-completed} {.metadata.annotations.pv\.kubernetes\.io/bound-by-controller}') $(jp "pv/$bound_to" '{.metadata.annotations.pv\.kubernetes\.io/bound-by-controller}')"
check_is "the claim has the volume's size" "$(jp "pv/$bound_to" '{.spec.capacity.storage}')" "$(jp pvc/small '{.status.capacity.storage}')"
check_has "kubectl shows modes in short" RWO "$(kubectl get pvc small)"
kubectl delete pvc small --wait=false >/dev/null
check "a deleted claim releases its volume" wait_for 10 phase "pv/$bound_to" Released
claim again 1Gi 'volumeName: '"$bound_to"
check "a released volume is nobody's" wait_for 10 has_event "again Warning FailedBinding volume \"$bound_to\" already bound to a different claim."
check_is "and its data is kept for whoever frees it" Retain "$(jp "pv/$bound_to" '{.spec.persistentVolumeReclaimPolicy}')"
kubectl patch pv "$bound_to" --type=json -p '[{"op":"remove","path":"/spec/claimRef"}]' >/dev/null
check "freed by hand it is bound again" wait_for 10 phase pvc/again Bound
claim picky 1Gi 'selector: {matchLabels: {tier: gold}}'
volume silver 800Mi "" 'labels: {tier: silver}'
volume gold 5Gi "" 'labels: {tier: gold}'
check "a selector is heeded" wait_for 10 is pvc/picky '{.spec.volumeName}' gold
volume reserved 1Gi 'claimRef: {namespace: default, name: owner}'
claim owner 1Gi
check "a reserved volume goes to its claim" wait_for 10 is pvc/owner '{.spec.volumeName}' reserved
claim misfit 50Gi 'volumeName: silver'
check "a volume that does not fit is told" wait_for 10 has_event 'misfit Warning VolumeMismatch Cannot bind to requested volume "silver": requested PV is too small'
kubectl delete pv gold --wait=false >/dev/null
check_is "a bound volume stays while it is bound" Bound "$(jp pv/gold '{.status.phase}')"
kubectl patch pv gold --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
check "a claim whose volume is gone is Lost" wait_for 10 phase pvc/picky Lost
check "and told so" wait_for 10 has_event "picky Warning ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!"
volume scrap 1Gi 'persistentVolumeReclaimPolicy: Recycle, claimRef: {namespace: default, name: scrapper}'
claim scrapper 1Gi
wait_for 10 phase pvc/scrapper Bound
kubectl delete pvc scrapper >/dev/null
check "nobody recycles" wait_for 10 has_event "scrap Warning VolumeFailedRecycle No recycler plugin found for the volume!"
check "which is a failure" wait_for 10 phase pv/scrap Failed

# ---- many at once, and a restart in the middle ----
for i in $(seq 30); do
	printf 'apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: many-%d}\nspec: {storageClassName: many, accessModes: [ReadWriteMany], capacity: {storage: 1Gi}, hostPath: {path: /data/%d}}\n---\n' "$i" "$i"
	printf 'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: many-%d}\nspec: {storageClassName: many, accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}\n---\n' "$i"
done >"$T/many.yaml"
kubectl apply -f "$T/many.yaml" >/dev/null
stop_server KILL
start_server "$PORT" --disable-agent || { finish; exit 1; }
all_bound() { [ "$(kubectl get pvc -o 'jsonpath={range .items[?(@.spec.storageClassName=="many")]}{.status.phase}{"\n"}{end}' | grep -c Bound)" = 30 ]; }
check "thirty claims are bound whatever happens in between" wait_for 30 all_bound
check_is "each to a volume of its own" 30 "$(kubectl get pvc -o 'jsonpath={range .items[?(@.spec.storageClassName=="many")]}{.spec.volumeName}{"\n"}{end}' | sort -u | wc -l)"
check_is "which points back to it" 30 "$(kubectl get pv -o 'jsonpath={range .items[?(@.spec.storageClassName=="many")]}{.spec.claimRef.name}{"\n"}{end}' | sort -u | wc -l)"

# ---- classes ----
claim classless 1Gi 'accessModes: [ReadWriteOncePod]'
claim nobody 1Gi 'storageClassName: absent'
check "a class that is not there is told" wait_for 10 has_event 'nobody Warning ProvisioningFailed storageclass.storage.k8s.io "absent" not found'
class fast fast.example.com Immediate 'storageclass.kubernetes.io/is-default-class: "true"'
check "a claim without a class gets the default that comes later" wait_for 10 is pvc/classless '{.spec.storageClassName}' fast
check "its provisioner is asked" wait_for 10 is pvc/classless '{.metadata.annotations.volume\.kubernetes\.io/storage-provisioner}' fast.example.com
check "and the user told" wait_for 10 has_event "classless Normal ExternalProvisioning Waiting for a volume to be created either by the external provisioner 'fast.example.com' or manually by the system administrator."
uid=$(jp pvc/classless '{.metadata.uid}')
kubectl apply -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: PersistentVolume
	metadata: {name: pvc-$uid, annotations: {pv.kubernetes.io/provisioned-by: fast.example.com}}
	spec: {storageClassName: fast, accessModes: [ReadWriteOncePod], capacity: {storage: 1Gi}, persistentVolumeReclaimPolicy: Delete, csi: {driver: fast.example.com, volumeHandle: h}, claimRef: {namespace: default, name: classless, uid: $uid}}
YAML
check "what the provisioner made is bound" wait_for 10 phase pvc/classless Bound
kubectl delete pvc classless >/dev/null
check "and left to it when the claim is gone" wait_for 10 phase "pv/pvc-$uid" Released
check_is "not deleted by us" "pvc-$uid" "$(jp "pv/pvc-$uid" '{.metadata.name}')"

# ---- the scheduler ----
for n in n1 n2; do node "$n" "z${n#n}"; done
python3 "$root/tests/integration/fake_kubelet.py" "$T/kubeconfig" n1 n2 &
kubelet_pid=$!
# at NODE: the members of a volume that lies on it
at() { echo "nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [$1]}]}]}}"; }
# provision CLAIM NODE DRIVER: what a provisioner does
provision() {
	local uid
	wait_for 10 is "pvc/$1" '{.metadata.annotations.volume\.kubernetes\.io/selected-node}' "$2" || return 1
	uid=$(jp "pvc/$1" '{.metadata.uid}')
	kubectl apply -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: PersistentVolume
		metadata: {name: pvc-$uid, annotations: {pv.kubernetes.io/provisioned-by: $3}}
		spec: {storageClassName: $(jp "pvc/$1" '{.spec.storageClassName}'), accessModes: [ReadWriteOnce], capacity: {storage: $(jp "pvc/$1" "{.spec.resources.requests.storage}")}, persistentVolumeReclaimPolicy: Delete, csi: {driver: $3, volumeHandle: "$uid"}, claimRef: {namespace: default, name: $1, uid: $uid}, $(at "$2")}
	YAML
}
pod orphan nothing
check "a claim that is not there is told" wait_for 10 unscheduled orphan 'persistentvolumeclaim "nothing" not found'
claim stuck 1Gi 'storageClassName: absent'
pod early stuck
check "an immediate claim has to be bound first" wait_for 10 unscheduled early "pod has unbound immediate PersistentVolumeClaims"
class lazy kubernetes.io/no-provisioner WaitForFirstConsumer
claim local 1Gi 'storageClassName: lazy'
check "a class may wait for the first consumer" wait_for 10 has_event "local Normal WaitForFirstConsumer waiting for first consumer to be created before binding"
pod consumer local
check "no volume, no node" wait_for 10 unscheduled consumer "2 node(s) didn't find available persistent volumes to bind"
check "the claim tells which pod waits" wait_for 10 has_event "local Normal WaitForPodScheduled waiting for pod consumer to be scheduled"
volume on-n2 1Gi "storageClassName: lazy, $(at n2)"
check "the pod goes where the volume is" wait_for 20 on_node consumer n2
check "and both are bound" wait_for 10 is pvc/local '{.spec.volumeName}' on-n2
check "the pod runs" wait_for 10 phase pod/consumer Running
pod elsewhere local 'nodeSelector: {kubernetes.io/hostname: n1}'
check "a bound volume does not follow" wait_for 10 unscheduled elsewhere "1 node(s) had volume node affinity conflict"
claim pair-a 1Gi 'storageClassName: lazy'
claim pair-b 2Gi 'storageClassName: lazy'
volume pair-1 1Gi "storageClassName: lazy, $(at n1)"
volume pair-2 5Gi "storageClassName: lazy, $(at n1)"
volume pair-3 1Gi "storageClassName: lazy, $(at n2)"
kubectl apply -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: Pod
	metadata: {name: pair}
	spec: {containers: [{name: c, image: x}], volumes: [{name: b, persistentVolumeClaim: {claimName: pair-b}}, {name: a, persistentVolumeClaim: {claimName: pair-a}}]}
YAML
check "two claims of a pod find a node that has both" wait_for 20 on_node pair n1
check_is "the smaller one leaves the larger volume" "pair-1 pair-2" "$(jp pvc/pair-a '{.spec.volumeName}') $(jp pvc/pair-b '{.spec.volumeName}')"

class made csi.example.com WaitForFirstConsumer
claim dynamic 1Gi 'storageClassName: made'
pod user dynamic 'nodeSelector: {kubernetes.io/hostname: n1}'
check "a claim names the node of its pod" wait_for 10 is pvc/dynamic '{.metadata.annotations.volume\.kubernetes\.io/selected-node}' n1
check "the pod waits for its volume" is pod/user '{.spec.nodeName}' ""
stop_server KILL
start_server "$PORT" --disable-agent || { finish; exit 1; }
check "a restart in between: its provisioner makes it" provision dynamic n1 csi.example.com
check "and the pod gets its node" wait_for 20 on_node user n1
check "the claim its volume" phase pvc/dynamic Bound
claim refused 1Gi 'storageClassName: made'
pod retry refused
wait_for 10 is pvc/refused '{.metadata.annotations.volume\.kubernetes\.io/storage-provisioner}' csi.example.com
kubectl annotate pvc refused volume.kubernetes.io/selected-node- >/dev/null
check "a provisioner that cannot gives the node back" wait_for 10 has_event 'retry Warning FailedScheduling running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "refused"'
chosen() { jp pvc/refused '{.metadata.annotations.volume\.kubernetes\.io/selected-node}'; }
chosen_again() { [ -n "$(chosen)" ]; }
check "and the pod chooses again" wait_for 20 chosen_again
check "a volume at last" provision refused "$(chosen)" csi.example.com
check "a node at last" wait_for 20 on_node retry

# ---- capacity, limits, zones, single pods ----
kubectl apply -f - >/dev/null <<-YAML
	apiVersion: storage.k8s.io/v1
	kind: CSIDriver
	metadata: {name: tight.example.com}
	spec: {storageCapacity: true, attachRequired: false}
YAML
class tight tight.example.com WaitForFirstConsumer
claim wide 10Gi 'storageClassName: tight'
pod fat wide
check "a driver that has no room is told" wait_for 10 unscheduled fat "2 node(s) did not have enough free storage"
kubectl apply -f - >/dev/null <<-YAML
	apiVersion: storage.k8s.io/v1
	kind: CSIStorageCapacity
	metadata: {name: room}
	storageClassName: tight
	capacity: 20Gi
	nodeTopology: {matchLabels: {kubernetes.io/hostname: n2}}
YAML
check "room on a node is used" wait_for 20 is pvc/wide '{.metadata.annotations.volume\.kubernetes\.io/selected-node}' n2
check "made there" provision wide n2 tight.example.com
check "placed there" wait_for 20 on_node fat n2
kubectl apply -f - >/dev/null <<-YAML
	apiVersion: storage.k8s.io/v1
	kind: CSINode
	metadata: {name: n2}
	spec: {drivers: [{name: tight.example.com, nodeID: n2, allocatable: {count: 1}}]}
YAML
claim second 1Gi 'storageClassName: tight'
pod crowd second
check "a node takes so many volumes of a driver" wait_for 10 unscheduled crowd "1 node(s) exceed max volume count"
kubectl delete pod fat --grace-period=0 --force >/dev/null 2>&1
check "one less is room for one more" wait_for 20 is pvc/second '{.metadata.annotations.volume\.kubernetes\.io/selected-node}' n2
volume zoned 1Gi 'storageClassName: zoned' 'labels: {topology.kubernetes.io/zone: z1__z9}'
claim zoned 1Gi 'storageClassName: zoned'
wait_for 10 phase pvc/zoned Bound
pod inzone zoned
check "a zone is heeded" wait_for 20 on_node inzone n1
pod outzone zoned 'nodeSelector: {kubernetes.io/hostname: n2}'
check "also against the pod's wish" wait_for 10 unscheduled outzone "1 node(s) had no available volume zone"
kubectl apply -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: PersistentVolume
	metadata: {name: single}
	spec: {storageClassName: single, accessModes: [ReadWriteOncePod], capacity: {storage: 1Gi}, hostPath: {path: /data/single}}
---
	apiVersion: v1
	kind: PersistentVolumeClaim
	metadata: {name: single}
	spec: {storageClassName: single, accessModes: [ReadWriteOncePod], resources: {requests: {storage: 1Gi}}}
YAML
wait_for 10 phase pvc/single Bound
pod only single
check "a claim for one pod has one" wait_for 10 on_node only
pod another single
check "and no second" wait_for 10 unscheduled another "2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
kubectl delete pod only --grace-period=0 --force >/dev/null 2>&1
check "until the first is gone" wait_for 20 on_node another

# ---- claims of pods, and growing ----
kubectl apply -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: PersistentVolume
	metadata: {name: scratch-1}
	spec: {storageClassName: scratch, accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, hostPath: {path: /data/scratch}}
---
	apiVersion: v1
	kind: Pod
	metadata: {name: eph}
	spec:
	  containers: [{name: c, image: x}]
	  volumes:
	  - name: scratch
	    ephemeral: {volumeClaimTemplate: {metadata: {labels: {for: eph}}, spec: {storageClassName: scratch, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}
YAML
check "an ephemeral volume is a claim of its pod" wait_for 10 is pvc/eph-scratch '{.metadata.labels.for} {.metadata.ownerReferences[0].kind} {.metadata.ownerReferences[0].name} {.metadata.ownerReferences[0].controller}' "eph Pod eph true"
check "with it the pod runs" wait_for 20 phase pod/eph Running
kubectl delete pod eph --grace-period=0 --force >/dev/null 2>&1
check "it goes with its pod" wait_for 30 gone pvc eph-scratch
claim thief-data 1Gi 'storageClassName: scratch'
kubectl apply -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: Pod
	metadata: {name: thief}
	spec: {containers: [{name: c, image: x}], volumes: [{name: data, ephemeral: {volumeClaimTemplate: {spec: {storageClassName: scratch, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}]}
YAML
check "a claim that is not its own is not taken" wait_for 10 has_event "thief Warning FailedBinding ephemeral volume data: PVC default/thief-data was not created for pod default/thief (pod is not owner)"
check "nor is the pod placed with it" wait_for 10 unscheduled thief "PVC default/thief-data was not created for pod default/thief (pod is not owner)"
kubectl patch sc made --type=merge -p '{"allowVolumeExpansion": true}' >/dev/null
kubectl patch pvc dynamic --type=merge -p '{"spec":{"resources":{"requests":{"storage":"3Gi"}}}}' >/dev/null
check "who grows a claim is somebody else" wait_for 10 has_event "dynamic Normal ExternalExpanding waiting for an external controller to expand this PVC"
finish
