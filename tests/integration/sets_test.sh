#!/bin/bash
# Daemon sets, stateful sets, replication controllers and disruption budgets against the real binary: nodes and pod
# statuses are made up (fake_kubelet.py), kubectl is the user. One server of its own on loopback, nothing left behind.
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17847}
kubelet_pid=
stop_kubelet() {
	[ -z "$kubelet_pid" ] || kill "$kubelet_pid" 2>/dev/null
	kubelet_pid=
}
trap 'stop_kubelet; cleanup' EXIT

jp() { kubectl get "$1" -o "jsonpath=$2"; }
is() { [ "$(jp "$1" "$2" 2>/dev/null)" = "$3" ]; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
has_event() { kubectl get events -A -o 'jsonpath={range .items[*]}{.reason} {.message}{"\n"}{end}' | grep -q -- "$1"; }
count_is() { [ "$(kubectl get "$1" --no-headers ${3:+-l $3} 2>/dev/null | wc -l)" = "$2" ]; }
names() { kubectl get "$1" -l "$2" -o 'jsonpath={.items[*].metadata.name}'; }
names_are() { [ "$(names "$1" "$2")" = "$3" ]; }
refused() { ! "$@" >"$T/refused" 2>&1; }
fail_pod() { kubectl patch pod "$1" --subresource=status --type=merge -p '{"status":{"phase":"Failed"}}' >/dev/null; }
ready_pod() {
	kubectl patch pod "$1" --subresource=status -p "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"$2\",\"lastTransitionTime\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"}]}}" >/dev/null
}

node() { made_up_node "$1" "" "labels: {kubernetes.io/hostname: $1, disk: ${2:-hdd}}"; }

start_server "$PORT" --disable-agent || { finish; exit 1; }
for n in n1 n2 n3 n4; do node "$n"; done
python3 "$root/tests/integration/fake_kubelet.py" "$T/kubeconfig" n1 n2 n3 n4 &
kubelet_pid=$!

# ---- daemon sets ----
# daemon NAME IMAGE SPEC-MEMBERS
daemon() {
	kubectl apply -f - 2>&1 <<-YAML
		apiVersion: apps/v1
		kind: DaemonSet
		metadata: {name: $1}
		spec:
		  selector: {matchLabels: {ds: $1}}
		  ${3:-revisionHistoryLimit: 10}
		  template:
		    metadata: {labels: {ds: $1}}
		    spec: {containers: [{name: c, image: "$2"}]${4:+, $4}}
	YAML
}
nodes_of() { kubectl get pods -l "ds=$1" --sort-by=.spec.nodeName -o 'jsonpath={.items[*].spec.nodeName}'; }
runs_on() { [ "$(nodes_of "$1")" = "$2" ]; }
images_of() { kubectl get pods -l "ds=$1" -o 'jsonpath={.items[*].spec.containers[0].image}' | tr ' ' '\n' | sort | uniq -c | xargs; }
images_are() { [ "$(images_of "$1")" = "$2" ]; }

kubectl cordon n4 >/dev/null
check_is "a daemon set is made without a warning" "daemonset.apps/log created" "$(daemon log v1)"
check "it rolls out to every node, a cordoned one too" kubectl rollout status ds/log --timeout=20s
check_is "one pod each" "n1 n2 n3 n4" "$(nodes_of log)"
check "its status counts them" wait_for 5 is ds/log '{.status.desiredNumberScheduled} {.status.currentNumberScheduled} {.status.numberReady} {.status.updatedNumberScheduled} {.status.numberAvailable} {.status.numberMisscheduled} {.status.observedGeneration}' "4 4 4 4 4 0 1"
one=$(names pods ds=log | cut -d' ' -f1)
check_is "tied to its node by its name" "metadata.name In" "$(jp "pod/$one" '{.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key} {.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator}')"
check_is "with the tolerations of a daemon" "node.kubernetes.io/disk-pressure node.kubernetes.io/memory-pressure node.kubernetes.io/not-ready node.kubernetes.io/pid-pressure node.kubernetes.io/unreachable node.kubernetes.io/unschedulable" \
	"$(jp "pod/$one" '{.spec.tolerations[*].key}' | tr ' ' '\n' | sort | xargs)"
kubectl uncordon n4 >/dev/null
check_is "its pods have its revision's hash" "$(kubectl get controllerrevisions -l ds=log -o 'jsonpath={.items[0].metadata.labels.controller-revision-hash}')" "$(jp "pod/$one" '{.metadata.labels.controller-revision-hash}')"
check_is "and the generation of the template" "1 1" "$(jp ds/log '{.metadata.annotations.deprecated\.daemonset\.template\.generation}') $(jp "pod/$one" '{.metadata.labels.pod-template-generation}')"

kubectl taint node n3 only=me:NoSchedule >/dev/null
check "a NoSchedule taint leaves the pod and counts it out of place" wait_for 5 is ds/log '{.status.desiredNumberScheduled} {.status.numberMisscheduled}' "3 1"
kubectl taint node n3 only=me:NoExecute >/dev/null
check "NoExecute takes it off" wait_for 10 runs_on log "n1 n2 n4"
kubectl taint node n3 only- >/dev/null
check "without the taints it comes back" wait_for 10 runs_on log "n1 n2 n3 n4"
node n5
check "a new node gets one" wait_for 5 is ds/log '{.status.currentNumberScheduled}' 5
kubectl delete node n5 >/dev/null
check "a lost node is no longer wanted" wait_for 5 is ds/log '{.status.desiredNumberScheduled}' 4
kubectl delete pods -l ds=log --field-selector spec.nodeName=n5 --force --grace-period=0 >/dev/null 2>&1

daemon picky v1 "revisionHistoryLimit: 10" "nodeSelector: {disk: ssd}" >/dev/null
check "no node fits a selector" wait_for 5 is ds/picky '{.status.observedGeneration} {.status.desiredNumberScheduled}' "1 0"
kubectl label node n2 disk=ssd --overwrite >/dev/null
check "until a node has the label" wait_for 5 runs_on picky n2
kubectl label node n2 disk=hdd --overwrite >/dev/null
check "and goes with it" wait_for 5 count_is pods 0 ds=picky
kubectl delete ds picky >/dev/null

check "both a surge and missing pods are refused" refused daemon wrong v1 "updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}"
check_has "with what is wrong" "may not be set when maxUnavailable is non-zero" "$(cat "$T/refused")"

# updates
kubectl set image ds/log c=v2 >/dev/null
check "a rolling update rolls out" kubectl rollout status ds/log --timeout=30s
check "everywhere" images_are log "4 v2"
check_is "in a second revision" "1 2" "$(kubectl get controllerrevisions -l ds=log -o 'jsonpath={.items[*].revision}' | tr ' ' '\n' | sort | xargs)"
check_has "that the history shows" "2" "$(kubectl rollout history ds/log)"
check_has "with its template" "v1" "$(kubectl rollout history ds/log --revision=1)"
kubectl set image ds/log c=never >/dev/null
check "a broken update takes one pod only" wait_for 10 images_are log "1 never 3 v2"
kubectl rollout undo ds/log >/dev/null
check "and can be undone" kubectl rollout status ds/log --timeout=30s
check "to what it was" wait_for 5 images_are log "4 v2"
check_is "as the newest revision" "1 3 4" "$(kubectl get controllerrevisions -l ds=log -o 'jsonpath={.items[*].revision}' | tr ' ' '\n' | sort | xargs)"
kubectl patch ds log -p '{"spec":{"revisionHistoryLimit":0}}' >/dev/null
check "history is cut to its limit" wait_for 5 count_is controllerrevisions 1 ds=log
kubectl patch ds log -p '{"spec":{"updateStrategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":0}}}}' >/dev/null
kubectl set image ds/log c=never >/dev/null
check "with a surge a broken pod stands beside the others" wait_for 10 images_are log "1 never 4 v2"
check "and everything is available" wait_for 10 is ds/log '{.status.numberAvailable}' 4
kubectl set image ds/log c=v3 >/dev/null
check "until the update works" kubectl rollout status ds/log --timeout=30s
check "and no old one is left" wait_for 10 images_are log "4 v3"
kubectl patch ds log --type=merge -p '{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}' >/dev/null
kubectl set image ds/log c=v4 >/dev/null
check "OnDelete notes the update" wait_for 5 is ds/log '{.status.updatedNumberScheduled}' ""
check "and leaves the pods" images_are log "4 v3"
kubectl delete pod "$(names pods ds=log | cut -d' ' -f1)" >/dev/null
check "a pod that is deleted comes back new" wait_for 10 images_are log "3 v3 1 v4"

# failures, orphans, adoption
one=$(names pods ds=log | cut -d' ' -f1)
fail_pod "$one"
check "a failed pod is said and replaced" wait_for 10 has_event "FailedDaemonPod Found failed daemon pod default/$one on node"
check "by another" wait_for 10 gone pod "$one"
check "so that all are ready" wait_for 10 is ds/log '{.status.numberReady}' 4
check "its pods are said" has_event "SuccessfulCreate Created pod: log-"
before=$(names pods ds=log)
kubectl delete ds log --cascade=orphan --timeout=20s >/dev/null
daemon log v4 >/dev/null
adopted() { [ "$(kubectl get pods -l ds=log -o 'jsonpath={.items[*].metadata.ownerReferences[0].uid}' | tr ' ' '\n' | sort -u)" = "$(jp ds/log '{.metadata.uid}')" ]; }
check "orphans are adopted" wait_for 10 adopted
kubectl delete ds log >/dev/null
check "pods go with their daemon set" wait_for 10 count_is pods 0 ds=log
check "and so do revisions" wait_for 10 count_is controllerrevisions 0 ds=log

# ---- stateful sets ----
# stateful NAME IMAGE REPLICAS SPEC-MEMBERS CONTAINER-MEMBERS
stateful() {
	kubectl apply -f - 2>&1 <<-YAML
		apiVersion: apps/v1
		kind: StatefulSet
		metadata: {name: $1}
		spec:
		  serviceName: $1-svc
		  replicas: $3
		  selector: {matchLabels: {sts: $1}}
		  ${4:-revisionHistoryLimit: 10}
		  template:
		    metadata: {labels: {sts: $1}}
		    spec: {containers: [{name: c, image: "$2"${5:+, $5}}]}
	YAML
}
pods_of() { kubectl get pods -l "sts=$1" --sort-by=.metadata.name -o 'jsonpath={range .items[*]}{.metadata.name}={.spec.containers[0].image} {end}' | xargs; }
pods_are() { [ "$(pods_of "$1")" = "$2" ]; }
# Deletes a pod and waits for its namesake. kubectl's own wait can take that for the pod that it deleted.
uid_differs() { [ "$(jp "pod/$1" '{.metadata.uid}' 2>/dev/null)" != "$2" ] && kubectl get pod "$1" >/dev/null 2>&1; }
replace() {
	local uid
	uid=$(jp "pod/$1" '{.metadata.uid}')
	kubectl delete pod "$1" --wait=false >/dev/null
	wait_for 10 uid_differs "$1" "$uid"
}

check_is "a stateful set is made without a warning" "statefulset.apps/db created" "$(stateful db never 3)"
check "its first pod comes alone" wait_for 5 pods_are db "db-0=never"
ready_pod db-0 True
check "the second when the first is ready" wait_for 5 pods_are db "db-0=never db-1=never"
ready_pod db-1 True
check "and the third" wait_for 5 pods_are db "db-0=never db-1=never db-2=never"
ready_pod db-2 True
check "its rollout is done" kubectl rollout status sts/db --timeout=20s
check_is "its pods know themselves" "db-1 1 db-1 db-svc" "$(jp pod/db-1 '{.metadata.labels.statefulset\.kubernetes\.io/pod-name} {.metadata.labels.apps\.kubernetes\.io/pod-index} {.spec.hostname} {.spec.subdomain}')"
check_is "and their revision" "$(jp sts/db '{.status.updateRevision}')" "$(jp pod/db-1 '{.metadata.labels.controller-revision-hash}')"
check "the status counts" wait_for 5 is sts/db '{.status.replicas} {.status.readyReplicas} {.status.availableReplicas} {.status.currentReplicas} {.status.updatedReplicas} {.status.observedGeneration}' "3 3 3 3 3 1"
check "creations are said" has_event "SuccessfulCreate create Pod db-2 in StatefulSet db successful"
ready_pod db-1 False
kubectl scale sts db --replicas=5 >/dev/null
check "it notes a pod that is not ready" wait_for 5 is sts/db '{.status.readyReplicas}' 2
check "and adds none meanwhile" count_is pods 3 sts=db
ready_pod db-1 True
check "then the fourth" wait_for 5 count_is pods 4 sts=db
ready_pod db-3 True
check "and the fifth" wait_for 5 count_is pods 5 sts=db
kubectl scale sts db --replicas=1 >/dev/null
check "scaled in, the highest go first" wait_for 10 pods_are db "db-0=never"
kubectl delete sts db >/dev/null
check "pods go with their stateful set" wait_for 10 count_is pods 0 sts=db

stateful web v1 3 >/dev/null
check "a set rolls out" kubectl rollout status sts/web --timeout=20s
kubectl set image sts/web c=v2 >/dev/null
check "an update rolls out" kubectl rollout status sts/web --timeout=20s
check "everywhere" pods_are web "web-0=v2 web-1=v2 web-2=v2"
check "to one revision" wait_for 5 bash -c "$(declare -f kubectl inside jp); netns=$netns T=$T; [ \"\$(jp sts/web '{.status.currentRevision}')\" = \"\$(jp sts/web '{.status.updateRevision}')\" ]"
check_has "the history shows two" "2" "$(kubectl rollout history sts/web)"
kubectl rollout undo sts/web >/dev/null
check "undo rolls back" kubectl rollout status sts/web --timeout=20s
check "to the old template" pods_are web "web-0=v1 web-1=v1 web-2=v1"
check_is "whose revision is the newest" "2 3" "$(kubectl get controllerrevisions -l sts=web -o 'jsonpath={.items[*].revision}' | tr ' ' '\n' | sort | xargs)"
kubectl patch sts web -p '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}}' >/dev/null
kubectl set image sts/web c=v3 >/dev/null
check "a partition is rolled" kubectl rollout status sts/web --timeout=20s
check "and what is below it stays" pods_are web "web-0=v1 web-1=v1 web-2=v3"
replace web-0
check "as it is made anew" wait_for 10 is sts/web '{.status.readyReplicas}' 3
check_is "from the old template" "web-0=v1 web-1=v1 web-2=v3" "$(pods_of web)"
kubectl patch sts web -p '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}' >/dev/null
check "without a partition the rest follows" wait_for 15 pods_are web "web-0=v3 web-1=v3 web-2=v3"
check "until it is done" kubectl rollout status sts/web --timeout=20s
kubectl set image sts/web c=never >/dev/null
check "a broken update stops at the highest" wait_for 10 pods_are web "web-0=v3 web-1=v3 web-2=never"
kubectl rollout undo sts/web >/dev/null
replace web-2
check "undone, with the broken pod deleted, it recovers" kubectl rollout status sts/web --timeout=20s
kubectl patch sts web --type=merge -p '{"spec":{"revisionHistoryLimit":0,"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}' >/dev/null
check "history is cut" wait_for 5 count_is controllerrevisions 1 sts=web
kubectl set image sts/web c=v4 >/dev/null
check "OnDelete notes the update" wait_for 5 is sts/web '{.status.updatedReplicas}' ""
check "and leaves the pods" pods_are web "web-0=v3 web-1=v3 web-2=v3"
replace web-1
check "until one is deleted" wait_for 10 pods_are web "web-0=v3 web-1=v4 web-2=v3"
check "all ready" wait_for 10 is sts/web '{.status.readyReplicas}' 3
fail_pod web-0
check "a failed pod is said" wait_for 5 has_event "RecreatingFailedPod StatefulSet default/web is recreating failed Pod web-0"
check "and made anew" wait_for 10 is sts/web '{.status.readyReplicas}' 3
kubectl label pod web-1 statefulset.kubernetes.io/pod-name=other --overwrite >/dev/null
check "a pod's name label is mended" wait_for 5 is pod/web-1 '{.metadata.labels.statefulset\.kubernetes\.io/pod-name}' web-1
kubectl delete sts web --cascade=orphan --timeout=20s >/dev/null
stateful web v4 3 "updateStrategy: {type: OnDelete}" >/dev/null
own() { [ "$(kubectl get pods -l sts=web -o 'jsonpath={.items[*].metadata.ownerReferences[0].uid}' | tr ' ' '\n' | sort -u)" = "$(jp sts/web '{.metadata.uid}')" ]; }
check "orphans are adopted" wait_for 10 own
kubectl delete sts web >/dev/null
check "a selector that does not fit the template is refused" refused kubectl -n default create -f - <<<'{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"x"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"c"}},"spec":{"containers":[{"name":"c","image":"x"}]}}}}'

stateful fast never 3 "podManagementPolicy: Parallel
  ordinals: {start: 5}" >/dev/null
check "Parallel waits for none, from the first ordinal on" wait_for 5 pods_are fast "fast-5=never fast-6=never fast-7=never"
kubectl scale sts fast --replicas=0 >/dev/null
check "nor when they go" wait_for 10 count_is pods 0 sts=fast
kubectl delete sts fast >/dev/null

check_is "a set with claims is made" "statefulset.apps/disk created" "$(stateful disk v1 2 'podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Retain}
  volumeClaimTemplates: [{metadata: {name: data, labels: {of: us}}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]' 'volumeMounts: [{name: data, mountPath: /data}]')"
check "each pod has a claim" wait_for 5 bash -c "$(declare -f kubectl inside jp); netns=$netns T=$T; [ \"\$(jp pod/disk-1 '{.spec.volumes[?(@.name==\"data\")].persistentVolumeClaim.claimName}')\" = data-disk-1 ]"
check_is "that was made for it" "us disk" "$(jp pvc/data-disk-1 '{.metadata.labels.of} {.metadata.labels.sts}')"
check_is "and is free" "" "$(jp pvc/data-disk-1 '{.metadata.ownerReferences}')"
kubectl scale sts disk --replicas=1 >/dev/null
check "scaled in, the claim goes as whenScaled says" wait_for 15 gone pvc data-disk-1
check "the other stays" kubectl get pvc data-disk-0
kubectl patch sts disk -p '{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenScaled":"Retain","whenDeleted":"Delete"}}}' >/dev/null
check "whenDeleted makes it the set's" wait_for 5 is pvc/data-disk-0 '{.metadata.ownerReferences[*].name}' disk
kubectl delete sts disk >/dev/null
check "with which it goes" wait_for 15 gone pvc data-disk-0

# ---- replication controllers ----
check_is "a replication controller is made without a warning" "replicationcontroller/rc created" "$(kubectl apply -f - 2>&1 <<'YAML'
apiVersion: v1
kind: ReplicationController
metadata: {name: rc}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: rc}}
    spec: {containers: [{name: c, image: v1}]}
YAML
)"
check "it makes its pods" wait_for 10 is rc/rc '{.status.replicas} {.status.fullyLabeledReplicas} {.status.readyReplicas} {.status.availableReplicas} {.status.observedGeneration}' "3 3 3 3 1"
check_is "which are its own" "v1 ReplicationController rc" "$(kubectl get pods -l app=rc -o 'jsonpath={.items[0].metadata.ownerReferences[0].apiVersion} {.items[0].metadata.ownerReferences[0].kind} {.items[0].metadata.ownerReferences[0].name}')"
kubectl scale rc rc --replicas=1 >/dev/null
check "it scales in" wait_for 10 count_is pods 1 app=rc
one=$(names pods app=rc)
kubectl label pod "$one" app=other --overwrite >/dev/null
check "a relabelled pod is released" wait_for 5 is "pod/$one" '{.metadata.ownerReferences}' ''
check "and replaced" wait_for 5 count_is pods 1 app=rc
kubectl scale rc rc --replicas=2 >/dev/null
kubectl label pod "$one" app=rc --overwrite >/dev/null
check "labelled back there are two of them" wait_for 10 is rc/rc '{.status.readyReplicas}' 2
check "a selector that does not fit is refused" refused kubectl create -f - <<<'{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"x"},"spec":{"selector":{"a":"b"},"template":{"metadata":{"labels":{"a":"c"}},"spec":{"containers":[{"name":"c","image":"x"}]}}}}'
check_has "with what is wrong" "does not match template" "$(cat "$T/refused")"

# ---- disruption budgets ----
kubectl create deployment front --image=v1 --replicas=4 >/dev/null
kubectl rollout status deployment/front --timeout=20s >/dev/null
budget_is() { is "pdb/$1" '{.status.expectedPods} {.status.currentHealthy} {.status.desiredHealthy} {.status.disruptionsAllowed} {.status.conditions[0].status} {.status.conditions[0].reason}' "$2"; }
evict() { kubectl create --raw "/api/v1/namespaces/default/pods/$1/eviction" -f - <<<"{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"$1\"}}"; }
kubectl create pdb front --selector=app=front --max-unavailable=1 >/dev/null
check "a budget counts what its deployment wants" wait_for 5 budget_is front "4 4 3 1 True SufficientPods"
check_is "and kubectl shows it" "front N/A 1 1" "$(kubectl get pdb front --no-headers | awk '{print $1, $2, $3, $4}')"
one=$(names pods app=front | cut -d' ' -f1)
ready_pod "$one" False
check "with one pod less nothing is allowed" wait_for 5 budget_is front "4 3 3 0 False InsufficientPods"
check "and an eviction is refused" refused evict "$(names pods app=front | cut -d' ' -f2)"
ready_pod "$one" True
check "until it is back" wait_for 5 budget_is front "4 4 3 1 True SufficientPods"
check "then it is granted" evict "$one"
check "the pod goes" wait_for 10 gone pod "$one"
check "and what was drawn comes back with its successor" wait_for 10 budget_is front "4 4 3 1 True SufficientPods"
check_is "nothing is left of it" "" "$(jp pdb/front '{.status.disruptedPods}')"
stale=$(names pods app=front | cut -d' ' -f1)
kubectl patch pdb front --subresource=status --type=merge -p "{\"status\":{\"disruptedPods\":{\"$stale\":\"2020-01-01T00:00:00Z\"}}}" >/dev/null
check "an eviction that came to nothing is said" wait_for 5 has_event "NotDeleted Pod was expected by PDB default/front to be deleted but it wasn't"
check "and forgotten" wait_for 5 is pdb/front '{.status.disruptedPods}' ''
kubectl patch pdb front --subresource=status --type=merge -p "{\"status\":{\"disruptedPods\":{\"$stale\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"}}}" >/dev/null
check "a fresh one counts as gone" wait_for 5 budget_is front "4 3 3 0 False InsufficientPods"
kubectl scale deployment front --replicas=2 >/dev/null
check "a budget follows the scale" wait_for 10 is pdb/front '{.status.expectedPods} {.status.desiredHealthy}' "2 1"
kubectl patch pdb front --type=merge -p '{"spec":{"maxUnavailable":null,"minAvailable":"100%"}}' >/dev/null
check "and its own changes" wait_for 5 is pdb/front '{.status.desiredHealthy} {.status.disruptionsAllowed} {.status.observedGeneration}' "2 0 2"
stateful duo v1 2 >/dev/null
kubectl create pdb duo --selector=sts=duo --max-unavailable=50% >/dev/null
check "of a stateful set too" wait_for 15 budget_is duo "2 2 1 1 True SufficientPods"
kubectl create pdb rc --selector=app=rc --max-unavailable=0 >/dev/null
check "and of a replication controller" wait_for 5 budget_is rc "2 2 2 0 False InsufficientPods"
daemon lone v1 >/dev/null
kubectl create pdb lone --selector=ds=lone --max-unavailable=1 >/dev/null
check "a daemon set has no scale: nothing is allowed, and the condition says so" wait_for 10 is pdb/lone '{.status.disruptionsAllowed} {.status.conditions[0].reason}' "0 SyncFailed"
check "an event too" wait_for 5 has_event 'CalculateExpectedPodCountFailed Failed to calculate the number of expected pods: DaemonSet "lone"'
kubectl patch pdb lone --type=merge -p '{"spec":{"maxUnavailable":null,"minAvailable":1}}' >/dev/null
check "a number of pods needs none" wait_for 15 budget_is lone "4 4 1 3 True SufficientPods"
check "both amounts are refused" refused kubectl create -f - <<<'{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"x"},"spec":{"minAvailable":1,"maxUnavailable":1}}'
check_has "with what is wrong" "minAvailable and maxUnavailable cannot be both set" "$(cat "$T/refused")"

# a pod that was to be disrupted and was not
one=$(names pods sts=duo | cut -d' ' -f1)
target() { kubectl patch pod "$one" --subresource=status -p "{\"status\":{\"conditions\":[{\"type\":\"DisruptionTarget\",\"status\":\"True\",\"reason\":\"Test\",\"lastTransitionTime\":\"$1\"}]}}" >/dev/null; }
target 2020-01-01T00:00:00Z
check "a disruption that came to nothing is taken back" wait_for 5 is "pod/$one" '{.status.conditions[?(@.type=="DisruptionTarget")].status}' False

# ---- a crash in the middle of it all ----
kubectl set image ds/lone c=v2 >/dev/null
kubectl set image sts/duo c=v2 >/dev/null
kubectl scale rc rc --replicas=5 >/dev/null
stop_server KILL
start_server "$PORT" --disable-agent || { finish; exit 1; }
check "after a crash a daemon set ends where it was going" kubectl rollout status ds/lone --timeout=60s
check "and a stateful set" kubectl rollout status sts/duo --timeout=60s
check "and a replication controller" wait_for 20 is rc/rc '{.status.readyReplicas}' 5
check "with as many pods as without it" count_is pods 5 app=rc
check "and one on every node" runs_on lone "n1 n2 n3 n4"
check "the budget knows them" wait_for 10 is pdb/rc '{.status.expectedPods} {.status.currentHealthy}' "5 5"

kubectl delete rc rc --cascade=background >/dev/null
check "kubectl's deletion takes the pods along" wait_for 10 count_is pods 0 app=rc
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: ReplicationController
metadata: {name: left}
spec:
  template:
    metadata: {labels: {app: left}}
    spec: {containers: [{name: c, image: v1}]}
YAML
check "a replication controller has a pod" wait_for 10 is rc/left '{.status.readyReplicas}' 1
kubectl delete --raw /api/v1/namespaces/default/replicationcontrollers/left >/dev/null
check "deleted without a word of its pods it goes" wait_for 10 gone rc left
check "and they stay, with nobody above them" is "pod/$(names pods app=left)" '{.metadata.ownerReferences}' ''

stop_kubelet
finish
