#!/bin/bash
# The scheduler on the real binary: pods that fit nowhere are placed as soon as what kept them away is gone, each by the
# event that lifts it; nodes and kubelets are made up. One server of its own on loopback, nothing fetched.
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17877}
trap cleanup EXIT

# node NAME ZONE [SPEC-MEMBERS]
node() { made_up_node "$1" 'cpu: "4", memory: 8Gi, pods: "110"' "labels: {kubernetes.io/hostname: $1, topology.kubernetes.io/zone: $2}" "$3"; }

# pod NAME APP SPEC-MEMBERS [CPU]
pod() {
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1, labels: {app: $2}}
		spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x, resources: {requests: {cpu: "${4:-0}"}}}]${3:+, $3}}
	YAML
}

node_of() { kubectl get pod "$1" -o 'jsonpath={.spec.nodeName}'; }
placed() { [ -n "$(node_of "$1")" ]; }
says() { kubectl get pod "$1" -o 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}' | grep -qF -- "$2"; }
waits_for() { check "$1 waits: $2" wait_for 5 says "$1" "$2"; }
comes() { check "$1 is placed: $2" wait_for 12 placed "$1"; }
drop() { kubectl delete --force --grace-period=0 "$@" >/dev/null 2>&1; }

# Pods of the profile "strict" are spread, kept to nodes with a zone but d, and ask for devices that nobody counts.
cat >"$T/scheduler.yaml" <<'YAML'
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: strict
  pluginConfig:
  - name: PodTopologySpread
    args:
      defaultingType: List
      defaultConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]
  - name: NodeAffinity
    args: {addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: NotIn, values: [d]}]}]}}}
  - {name: NodeResourcesFit, args: {ignoredResourceGroups: [x.io]}}
  - {name: VolumeBinding, args: {bindTimeoutSeconds: 30}}
  - {name: NodeResourcesBalancedAllocation, args: {resources: [{name: cpu}, {name: memory}, {name: ephemeral-storage}]}}
YAML
start_server "$PORT" --disable-agent --kube-scheduler-arg=config="$T/scheduler.yaml" || { finish; exit 1; }
for z in a b c; do node "n-$z" "$z"; done

# ---- nodes ----
pod ssd ssd 'nodeSelector: {disk: ssd}'
waits_for ssd "3 node(s) didn't match Pod's node affinity/selector"
kubectl label node n-a disk=ssd >/dev/null
comes ssd "a node was labelled"
kubectl taint node n-a n-b n-c k=v:NoSchedule >/dev/null
pod clean clean ''
waits_for clean "3 node(s) had untolerated taint {k: v}"
kubectl taint node n-b k- >/dev/null
comes clean "a taint went"
kubectl taint node n-a n-c k- >/dev/null
pod big big '' 6
waits_for big "3 Insufficient cpu"
kubectl patch node n-c --subresource=status --type=merge -p '{"status":{"allocatable":{"cpu":"8"}}}' >/dev/null
comes big "a node grew"
drop pod big

# ---- other pods ----
pod front front 'affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: db}}}]}}'
waits_for front "node(s) didn't match pod affinity rules"
pod db db 'nodeSelector: {kubernetes.io/hostname: n-b}'
comes front "the pod that it wants to be near has come"
check "beside it" [ "$(node_of front)" = n-b ]
pod apart apart 'nodeSelector: {kubernetes.io/hostname: n-b}, affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: db}}}]}}'
waits_for apart "node(s) didn't match pod anti-affinity rules"
kubectl label --overwrite pod db app=other >/dev/null
comes apart "the one that it avoids has another label"
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: holds}, spec: {nodeSelector: {kubernetes.io/hostname: n-a}, containers: [{name: c, image: x, ports: [{containerPort: 80, hostPort: 80}]}]}}
YAML
wait_for 5 placed holds
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: wants}
spec: {nodeSelector: {kubernetes.io/hostname: n-a}, containers: [{name: c, image: x, ports: [{containerPort: 80, hostPort: 80}]}]}
YAML
waits_for wants "node(s) didn't have free ports for the requested pod ports"
drop pod holds
comes wants "the port was given back"

# ---- spread over at least four zones ----
for i in 1 2 3 4; do
	pod "s$i" spread 'topologySpreadConstraints: [{maxSkew: 1, minDomains: 4, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: spread}}}]'
done
spread_is() { [ "$(kubectl get pods -l app=spread -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | grep -c .)" = "$1" ]; }
check "three zones take one each" wait_for 5 spread_is 3
spread_says() { kubectl get pods -l app=spread -o 'jsonpath={.items[*].status.conditions[*].message}' | grep -qF -- "$1"; }
check "the fourth waits for a fourth" wait_for 5 spread_says "3 node(s) didn't match pod topology spread constraints"
node n-d d
check "and is placed when there is one" wait_for 12 spread_is 4

# ---- what the profile asks for ----
kubectl create service clusterip strict --tcp=80 >/dev/null
for i in 1 2 3; do pod "t$i" strict 'schedulerName: strict'; done
strict_zones() { [ "$(for i in 1 2 3; do node_of "t$i"; echo; done | sort | xargs)" = "n-a n-b n-c" ]; }
check "pods of a service are spread by the profile's constraint, and kept to its nodes" wait_for 5 strict_zones
pod t4 strict 'schedulerName: strict, nodeSelector: {kubernetes.io/hostname: n-d}'
waits_for t4 "node(s) didn't match scheduler-enforced node affinity"
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: counted}, spec: {containers: [{name: c, image: x, resources: {limits: {x.io/dev: "1"}}}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: uncounted}, spec: {schedulerName: strict, containers: [{name: c, image: x, resources: {limits: {x.io/dev: "1"}}}]}}
YAML
comes uncounted "nobody counts its device"
waits_for counted "4 Insufficient x.io/dev"

# ---- what is not served ----
check "devices by dynamic resource allocation are refused, and it is said" grep -q "spec.resourceClaims: dynamic resource allocation is not served" <<<"$(pod dra dra 'resourceClaims: [{name: g, resourceClaimName: g}]' 2>&1)"

# ---- volumes ----
pod claims claims 'volumes: [{name: v, persistentVolumeClaim: {claimName: late}}]'
waits_for claims 'persistentvolumeclaim "late" not found'
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: PersistentVolume, metadata: {name: pv}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: "", hostPath: {path: /x}}}
- {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: late}, spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1Gi}}}}
YAML
comes claims "its claim is there, and bound"

finish
