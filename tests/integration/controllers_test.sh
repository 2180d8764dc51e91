#!/bin/bash
# Controllers and scheduler against the real binary: no kubelet, nodes and pod statuses are made up (fake_kubelet.py). One
# server of its own on loopback, nothing fetched, nothing left behind.
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17843}
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
count_is() { [ "$(kubectl get "$1" --no-headers 2>/dev/null ${3:+-l $3} | wc -l)" = "$2" ]; }

# node NAME [CPU]
node() { made_up_node "$1" "cpu: \"${2:-4}\", memory: 8Gi, pods: \"110\"" "labels: {kubernetes.io/hostname: $1, topology.kubernetes.io/zone: z-$1}"; }

# pod NAME SPEC-MEMBERS
pod() {
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1, labels: {app: $1}}
		spec: {containers: [{name: c, image: x, resources: {requests: {cpu: "${3:-0}"}}}]${2:+, $2}}
	YAML
}

start_server "$PORT" --disable-agent || { finish; exit 1; }

# ---- namespaces, accounts ----
check "default account in every namespace" wait_for 5 kubectl -n kube-system get serviceaccount default
check "root CA in every namespace" wait_for 5 kubectl -n kube-public get configmap kube-root-ca.crt
kubectl delete serviceaccount default configmap/kube-root-ca.crt >/dev/null 2>&1
kubectl delete serviceaccount default >/dev/null 2>&1
check "a deleted default account comes back" wait_for 5 kubectl get serviceaccount default
check "a deleted root CA comes back" wait_for 5 kubectl get configmap kube-root-ca.crt
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Secret
metadata: {name: legacy, annotations: {kubernetes.io/service-account.name: default}}
type: kubernetes.io/service-account-token
YAML
legacy_filled() { [ -n "$(jp secret/legacy '{.data.token}')" ]; }
check "a legacy token secret is filled" wait_for 5 legacy_filled

# ---- nodes ----
pod early "" 100m
check "without nodes a pod waits and says so" wait_for 5 has_event "FailedScheduling no nodes available to schedule pods"
node n1; node n2
run_kubelet() {
	python3 "$root/tests/integration/fake_kubelet.py" "$T/kubeconfig" "$@" &
	kubelet_pid=$!
}
run_kubelet n1 n2
check "a ready node loses the not-ready taint" wait_for 5 is node/n1 '{.spec.taints}' ''
check "nodes get a pod network each" wait_for 5 is node/n1 '{.spec.podCIDR}' 10.42.0.0/24
check "networks differ" wait_for 5 is node/n2 '{.spec.podCIDR}' 10.42.1.0/24
check "a waiting pod is placed when nodes come" wait_for 15 is pod/early '{.status.phase}' Running
kubectl delete pod early >/dev/null
# one that no kubelet serves: it comes when nothing waits for a node
node dead
kubectl cordon dead >/dev/null
check "a cordon has its taint" wait_for 5 is node/dead '{.spec.taints[*].key}' node.kubernetes.io/unschedulable

# ---- deployments ----
kubectl create deployment web --image=web:1 --replicas=4 --port=80 >/dev/null
check "a deployment rolls out" kubectl rollout status deployment/web --timeout=20s
managers() { kubectl get "$1" --show-managed-fields -o 'jsonpath={range .metadata.managedFields[*]}{.manager}/{.operation}/{.subresource} {end}'; }
check_has "its controller manages its status" "kube-controller-manager/Update/status" "$(managers deploy/web)"
check_has "and who made it the rest" "kubectl-create/Update/ " "$(managers deploy/web)"
check_has "controllers manage what they make" "kube-controller-manager/Update/ " "$(managers "$(kubectl get pods -l app=web -o name | head -1)")"
check "its pods have the hash of the template" count_is pods 4 pod-template-hash
check "its status is complete" is deploy/web '{.status.readyReplicas} {.status.updatedReplicas} {.status.availableReplicas}' "4 4 4"
check "pods are spread over nodes" bash -c "[ $(jp pods '{.items[?(@.spec.nodeName=="n1")].metadata.name}' | wc -w) = 2 ]"
kubectl set image deployment/web web=web:2 >/dev/null
check "an update rolls out" kubectl rollout status deployment/web --timeout=20s
check_is "the old set is empty and kept" "0 4" "$(jp rs '{range .items[*]}{.spec.replicas}{"\n"}{end}' | sort | paste -sd' ')"
check_is "revision 2" 2 "$(jp deploy/web '{.metadata.annotations.deployment\.kubernetes\.io/revision}')"
kubectl rollout undo deployment/web >/dev/null
check "undo rolls back" kubectl rollout status deployment/web --timeout=20s
check_is "with the old template" web:1 "$(jp deploy/web '{.spec.template.spec.containers[0].image}')"
check_has "and a new revision" "3" "$(kubectl rollout history deployment/web)"
check "by the old replica set" count_is rs 2
kubectl rollout pause deployment/web >/dev/null
kubectl set image deployment/web web=web:3 >/dev/null
check "a pause is noted" wait_for 5 is deploy/web '{.status.conditions[?(@.type=="Progressing")].reason}' DeploymentPaused
kubectl scale deployment/web --replicas=6 >/dev/null
check "a paused deployment scales" wait_for 5 is deploy/web '{.status.readyReplicas}' 6
check "but does not roll" count_is rs 2
kubectl rollout resume deployment/web >/dev/null
check "resumed it rolls" kubectl rollout status deployment/web --timeout=20s
check "in a third set" count_is rs 3
kubectl patch deployment web -p '{"spec":{"progressDeadlineSeconds":1,"template":{"spec":{"containers":[{"name":"web","image":"never"}]}}}}' >/dev/null
check "a stuck rollout is noticed" wait_for 10 is deploy/web '{.status.conditions[?(@.type=="Progressing")].reason}' ProgressDeadlineExceeded
check "and keeps the minimum" wait_for 5 is deploy/web '{.status.conditions[?(@.type=="Available")].status}' True
kubectl rollout undo deployment/web >/dev/null
check "and can be undone" kubectl rollout status deployment/web --timeout=20s
kubectl patch deployment web --type=merge -p '{"spec":{"progressDeadlineSeconds":600,"strategy":{"type":"Recreate","rollingUpdate":null},"template":{"metadata":{"labels":{"x":"y"}}}}}' >/dev/null
check "Recreate rolls out" kubectl rollout status deployment/web --timeout=20s
kubectl patch deployment web --type=merge -p '{"spec":{"revisionHistoryLimit":1}}' >/dev/null
check "history is cut to its limit" wait_for 5 count_is rs 2

# ---- replica sets ----
victim=$(jp pods '{.items[0].metadata.name}')
kubectl delete pod "$victim" >/dev/null
check "a deleted pod is replaced" wait_for 5 is deploy/web '{.status.readyReplicas}' 6
one=$(jp pods '{.items[0].metadata.name}')
kubectl label pod "$one" app=other --overwrite >/dev/null
check "a relabelled pod is released" wait_for 5 is "pod/$one" '{.metadata.ownerReferences}' ''
check "and replaced" wait_for 5 is deploy/web '{.status.readyReplicas}' 6
kubectl label pod "$one" app=web --overwrite >/dev/null
check "labelled back it is adopted and one too many goes" wait_for 5 count_is pods 6

# ---- endpoints ----
kubectl expose deployment web --port=80 --target-port=8080 >/dev/null
slice_count() { jp "endpointslices" '{range .items[?(@.metadata.labels.kubernetes\.io/service-name=="web")]}{range .endpoints[*]}{.conditions.ready} {end}{end}' | wc -w; }
has_endpoints() { [ "$(slice_count)" = "$1" ]; }
check "a service gets its endpoints" wait_for 5 has_endpoints 6
check "and an Endpoints object" wait_for 5 bash -c "[ $(jp endpoints/web '{.subsets[0].addresses[*].ip}' | wc -w) = 6 ]"
kubectl scale deployment web --replicas=2 >/dev/null
check "endpoints follow the pods" wait_for 5 has_endpoints 2
hints() { kubectl get endpointslices -l kubernetes.io/service-name=web -o 'jsonpath={range .items[*].endpoints[*]}{.zone}={.hints.forZones[*].name} {end}' | tr ' ' '\n' | sort -u | paste -sd' '; }
hints_are() { [ "$(hints)" = "$1" ]; }
zones=$(hints | tr -d =)
kubectl patch service web --type=merge -p '{"spec":{"trafficDistribution":"PreferClose"}}' >/dev/null
check "endpoints are meant for their own zones when asked for" wait_for 10 hints_are "$(for z in $zones; do echo "$z=$z"; done | paste -sd' ')"
kubectl patch service web --type=merge -p '{"spec":{"trafficDistribution":null}}' >/dev/null
check "and for all again" wait_for 10 hints_are "$(for z in $zones; do echo "$z="; done | paste -sd' ')"
web_version() { kubectl get endpointslices -l kubernetes.io/service-name=web -o 'jsonpath={.items[*].metadata.resourceVersion}'; }
before=$(web_version)
kubectl annotate pods -l app=web note=1 >/dev/null
# The service that comes after it has its slices: by then the annotations have been looked at.
kubectl expose deployment web --name=after --port=80 >/dev/null
has_slices() { [ -n "$(kubectl get endpointslices -l "kubernetes.io/service-name=$1" -o name)" ]; }
check "a second service gets its endpoints" wait_for 5 has_slices after
check_is "what readers do not see writes nothing" "$before" "$(web_version)"
kubectl delete service after >/dev/null
kubectl delete service web >/dev/null
check "slices go with their service" wait_for 5 has_endpoints 0
check "and so does Endpoints" wait_for 5 gone endpoints web

# ---- scheduler ----
pod big "" 64
check "too much is explained" wait_for 5 has_event "0/3 nodes are available: 1 node(s) had untolerated taint\|0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
check "and in the condition" is pod/big '{.status.conditions[?(@.type=="PodScheduled")].reason}' Unschedulable
kubectl patch node n1 --subresource=status --type=merge -p '{"status":{"allocatable":{"cpu":"100","memory":"8Gi","pods":"110"}}}' >/dev/null
check "until a node grows" wait_for 20 is pod/big '{.spec.nodeName}' n1
kubectl delete pod big >/dev/null
pod picky 'nodeSelector: {kubernetes.io/hostname: n2}'
check "node selectors choose" wait_for 5 is pod/picky '{.spec.nodeName}' n2
pod gated 'schedulingGates: [{name: a/b}]'
pod after
has_node() { [ -n "$(jp "pod/$1" '{.spec.nodeName}')" ]; }
check "a pod that came after a gated one is placed" wait_for 5 has_node after
check_is "a gated pod waits" "" "$(jp pod/gated '{.spec.nodeName}')"
pod claims 'volumes: [{name: v, persistentVolumeClaim: {claimName: none}}]'
check "a missing claim is named" wait_for 5 has_event 'persistentvolumeclaim "none" not found'
kubectl delete pod picky gated after claims >/dev/null

# ---- preemption ----
node n9 2
stop_kubelet
run_kubelet n1 n2 n9
kubectl create priorityclass low --value=10 >/dev/null
kubectl create priorityclass high --value=100 >/dev/null
kubectl create priorityclass polite --value=200 --preemption-policy=Never >/dev/null
here='nodeSelector: {kubernetes.io/hostname: n9}'
pod meek "$here, priorityClassName: low, terminationGracePeriodSeconds: 0" 1
check "one is there" wait_for 10 is pod/meek '{.spec.nodeName}' n9
pod guarded "$here, priorityClassName: low, terminationGracePeriodSeconds: 0" 1
check "and one that a budget guards" wait_for 10 is pod/guarded '{.spec.nodeName}' n9
kubectl create pdb guard --selector=app=guarded --min-available=1 >/dev/null
check "which allows nothing" wait_for 10 is pdb/guard '{.status.disruptionsAllowed}' 0
pod waits "$here, priorityClassName: polite" 1
check "who may not preempt waits" wait_for 10 has_event "1 Insufficient cpu.*preemption: not eligible due to preemptionPolicy=Never."
kubectl delete pod waits >/dev/null
meek_uid=$(jp pod/meek '{.metadata.uid}')
kubectl get pod meek -w -o json >"$T/meek" 2>/dev/null & watcher=$!
wait_for 20 test -s "$T/meek"
pod vip "$here, priorityClassName: high" 1
check "the urgent one takes the place" wait_for 20 is pod/vip '{.spec.nodeName}' n9
check_is "of the one without a budget" n9 "$(jp pod/guarded '{.spec.nodeName}')"
check "which is gone" wait_for 10 gone pod meek
kill $watcher; wait $watcher 2>/dev/null
check "and was told why" grep -q '"reason": "PreemptionByScheduler"' "$T/meek"
check "an event says for whom" has_event "Preempted Preempted by pod $(jp pod/vip '{.metadata.uid}') on node n9"
pod more "$here, priorityClassName: high" 1
check "when there is no other way the guarded one goes" wait_for 20 is pod/more '{.spec.nodeName}' n9
check_is "nobody of the same priority does" n9 "$(jp pod/vip '{.spec.nodeName}')"
pod late "$here, priorityClassName: high" 1
check "the next finds no victims" wait_for 10 has_event "preemption: 0/4 nodes are available: 1 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling."
kubectl delete pod vip more late --grace-period=0 --force >/dev/null 2>&1
kubectl delete pdb guard >/dev/null
kubectl delete node n9 >/dev/null

# ---- taints ----
kubectl create deployment stay --image=x --replicas=2 >/dev/null
kubectl rollout status deployment/stay --timeout=20s >/dev/null
kubectl taint node n1 maintenance=now:NoExecute >/dev/null
on_n1() { [ -z "$(jp pods '{.items[?(@.spec.nodeName=="n1")].metadata.name}')" ]; }
check "NoExecute evicts" wait_for 10 on_n1
check "elsewhere they come back" wait_for 10 is deploy/stay '{.status.readyReplicas}' 2
pod patient 'nodeName: n1, tolerations: [{key: maintenance, operator: Exists, effect: NoExecute, tolerationSeconds: 600}]'
kubectl taint node n1 maintenance- >/dev/null
check "who may stay after all is told" wait_for 10 has_event "Cancelling deletion of Pod default/patient"
kubectl delete pod patient --grace-period=0 --force >/dev/null 2>&1
check "nodes that come are told of" has_event "RegisteredNode Node n1 event: Registered Node n1 in Controller"
check "and those that go" wait_for 10 has_event "RemovingNode Node n9 event: Removing Node n9 from Controller"

# ---- gates ----
pod gated "schedulingGates: [{name: example.com/wait}]"
check_has "a pod behind a gate says so" "SchedulingGated" "$(kubectl get pod gated --no-headers)"
kubectl patch pod gated -p '{"spec":{"nodeSelector":{"kubernetes.io/hostname":"n1"}}}' >/dev/null
check_has "its nodes may become fewer, not others" "only additions to spec.nodeSelector are allowed" \
	"$(kubectl patch pod gated -p '{"spec":{"nodeSelector":{"kubernetes.io/hostname":"n2"}}}' 2>&1)"
kubectl patch pod gated --type=json -p '[{"op":"remove","path":"/spec/schedulingGates"}]' >/dev/null
check "without the gate it goes there" wait_for 10 is pod/gated '{.spec.nodeName}' n1
kubectl delete pod gated --grace-period=0 --force >/dev/null 2>&1

# ---- garbage ----
kubectl delete deployment stay >/dev/null
check "dependents go with their owner" wait_for 10 count_is rs 0 app=stay
check "down to the pods" wait_for 10 count_is pods 0 app=stay
kubectl create deployment fg --image=x --replicas=2 >/dev/null
kubectl rollout status deployment/fg --timeout=20s >/dev/null
kubectl delete deployment fg --cascade=foreground --timeout=20s >/dev/null
check "foreground deletion leaves nothing" count_is pods 0 app=fg
kubectl create deployment orphans --image=x --replicas=1 >/dev/null
kubectl rollout status deployment/orphans --timeout=20s >/dev/null
kubectl delete deployment orphans --cascade=orphan --timeout=20s >/dev/null
kubectl create configmap owner >/dev/null
kubectl create -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: ConfigMap
	metadata: {name: owned, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: owner, uid: $(jp cm/owner '{.metadata.uid}')}]}
YAML
kubectl delete configmap owner >/dev/null
check "what is collected after the orphans is gone" wait_for 10 gone configmap owned
check "orphans stay" count_is rs 1 app=orphans
check_is "without an owner" "" "$(kubectl get rs -l app=orphans -o 'jsonpath={.items[0].metadata.ownerReferences}')"

# Three that own each other, and an owner in the foreground.
for i in 1 2 3; do kubectl create configmap "circle$i" >/dev/null; done
for i in 1 2 3; do
	o=circle$((i % 3 + 1))
	kubectl patch configmap "circle$i" --type=merge -p "{\"metadata\":{\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"$o\",\"uid\":\"$(jp "cm/$o" '{.metadata.uid}')\",\"blockOwnerDeletion\":true}]}}" >/dev/null
done
kubectl delete configmap circle1 --cascade=foreground --wait=false >/dev/null
check "owners in a circle go" wait_for 10 gone configmap circle1
check "all of them" wait_for 10 gone configmap circle2
check "to the last" wait_for 10 gone configmap circle3

# ---- namespaces ----
kubectl create namespace doomed >/dev/null
kubectl -n doomed create deployment d --image=x --replicas=2 >/dev/null
kubectl -n doomed create configmap kept >/dev/null
kubectl -n doomed patch configmap kept --type=merge -p '{"metadata":{"finalizers":["example.com/hold"]}}' >/dev/null
kubectl delete namespace doomed --wait=false >/dev/null
check "a held namespace says by what" wait_for 10 is ns/doomed '{.status.conditions[?(@.type=="NamespaceFinalizersRemaining")].status}' True
kubectl -n doomed patch configmap kept --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
check "and goes when it may" wait_for 15 gone namespace doomed

kubectl create namespace indexed >/dev/null
kubectl -n indexed create -f - >/dev/null <<'YAML'
apiVersion: batch/v1
kind: Job
metadata: {name: j}
spec:
  completions: 1
  parallelism: 1
  completionMode: Indexed
  backoffLimitPerIndex: 1
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}
YAML
its_pod() { kubectl -n indexed get pods -o 'jsonpath={.items[0].metadata.name}' 2>/dev/null | grep .; }
check "a Job has its pod" wait_for 10 its_pod
kubectl -n indexed patch pod "$(its_pod)" --subresource=status --type=merge -p '{"status":{"phase":"Failed"}}' >/dev/null
kubectl delete namespace indexed --wait=false >/dev/null
check "a failed pod that its Job holds until it is replaced does not hold the namespace" wait_for 20 gone namespace indexed

kubectl create namespace far >/dev/null
kubectl create configmap near >/dev/null
kubectl -n far create -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: ConfigMap
	metadata: {name: stray, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: near, uid: $(jp cm/near '{.metadata.uid}')}]}
YAML
check "an owner in another namespace is told" wait_for 10 has_event 'OwnerRefInvalidNamespace ownerRef \[v1/ConfigMap, namespace: far, name: near, uid: .*\] does not exist in namespace "far"'
check "and is none" wait_for 10 bash -c "$(declare -f kubectl inside); netns=$netns T=$T; ! kubectl -n far get cm stray"
kubectl delete namespace far --wait=false >/dev/null
kubectl delete configmap near >/dev/null

# ---- quotas ----
kubectl create namespace quota >/dev/null
kubectl -n quota create quota q --hard=pods=2,count/deployments.apps=1,configmaps=10,requests.cpu=1 >/dev/null
used_is() { [ "$(kubectl -n quota get resourcequota q -o "jsonpath={.status.used.$1}" 2>/dev/null)" = "$2" ]; }
check "a new quota is counted: the root CA is there already" wait_for 5 used_is configmaps 1
check "and what it bounds is said" [ "$(kubectl -n quota get resourcequota q -o 'jsonpath={.status.hard.pods}')" = 2 ]
kubectl -n quota create deployment web --image=web:1 --replicas=3 --dry-run=client -o yaml |
	kubectl set resources -f - --requests=cpu=100m --local -o yaml | kubectl -n quota create -f - >/dev/null
check "two of three pods are made" wait_for 20 used_is pods 2
check "what they ask for is counted" wait_for 10 used_is 'requests\.cpu' 200m
check "the third is refused, and an event says so" wait_for 10 has_event "FailedCreate.*exceeded quota: q, requested: pods=1.*used: pods=2"
set_version() { kubectl -n quota get replicasets -o 'jsonpath={.items[0].metadata.resourceVersion}'; }
tries() { grep -c "replicaset: cannot bring about what is wanted.*exceeded quota: q" "$T/k3x.log"; }
tried_more() { [ "$(tries)" -gt "$1" ]; }
check "it is told in the set's status" wait_for 5 kubectl -n quota wait --for=jsonpath='{.status.conditions[0].type}'=ReplicaFailure replicaset --all --timeout=1s
version=$(set_version)
check "and tried again" wait_for 60 tried_more "$(tries)"
check_is "without a write for each try" "$version" "$(set_version)"
check "deployments are counted" used_is 'count/deployments\.apps' 1
check_fails() { ! "$@" >/dev/null 2>&1; }
check "a second one is refused" check_fails kubectl -n quota create deployment more --image=web:1
kubectl -n quota patch resourcequota q -p '{"spec":{"hard":{"pods":"3"}}}' >/dev/null
check "with a larger quota the third comes" wait_for 30 used_is pods 3
kubectl -n quota delete deployment web --wait=false >/dev/null
check "what goes is given back" wait_for 30 used_is pods 0
check "all of it" wait_for 10 used_is 'requests\.cpu' 0

# ---- load balancers ----
balancer() { # NAME PORT [SPEC-MEMBERS]
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Service
		metadata: {name: $1}
		spec: {type: LoadBalancer, selector: {app: nobody}, ports: [{port: $2}]${3:+, $3}}
	YAML
}
addresses() { jp "service/$1" '{.status.loadBalancer.ingress[*].ip}' 2>/dev/null; }
serves() { [ "$(addresses "$1")" = "$2" ]; }
node lb1 && node lb2
for n in lb1:10.77.0.1 lb2:10.77.0.2; do
	kubectl patch node "${n%%:*}" --subresource=status -p "{\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"${n##*:}\"}]}}" >/dev/null
done
balancer web 80
check "a load balancer has the addresses of the nodes" wait_for 10 serves web "10.77.0.1 10.77.0.2"
check "as they are" is service/web '{.status.loadBalancer.ingress[0].ipMode}' VIP
balancer second 80
check "its port is given once" wait_for 10 has_event "PortConflict port 80 is served by the older service default/web: no node is left"
check "and no address" serves second ""
balancer api "$PORT"
check "the API's port is given to nobody" wait_for 10 has_event "PortConflict port $PORT is served by the cluster's own servers"
balancer other 80 "loadBalancerClass: example.com/other"
balancer near 81 "externalTrafficPolicy: Local"
kubectl label node lb2 svccontroller.k3s.cattle.io/enablelb=true >/dev/null
check "labels choose" wait_for 10 serves web 10.77.0.2
check "for all" serves second ""
kubectl label node lb2 svccontroller.k3s.cattle.io/enablelb- >/dev/null
kubectl create -f - >/dev/null <<'YAML'
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: near-x, labels: {kubernetes.io/service-name: near}}
addressType: IPv4
ports: [{port: 81}]
endpoints: [{addresses: [10.88.0.1], nodeName: lb1, conditions: {ready: true}}]
YAML
check "a local one is where its endpoints are" wait_for 10 serves near 10.77.0.1
check "another's class is left alone" serves other ""
kubectl delete service web >/dev/null
check "a port that is free again is given" wait_for 10 serves second "10.77.0.1 10.77.0.2"
kubectl patch node lb1 --subresource=status -p '{"status":{"conditions":[{"type":"Ready","status":"False"}]}}' >/dev/null
check "a node that is not ready serves nobody" wait_for 10 serves second 10.77.0.2
kubectl patch service second -p '{"spec":{"type":"ClusterIP"}}' >/dev/null
check "what is no load balancer any more has no address" wait_for 10 serves second ""
kubectl delete service second near api other >/dev/null
kubectl delete node lb1 lb2 >/dev/null

# ---- a silent node ----
check "a silent node becomes Unknown" wait_for 60 is node/dead '{.status.conditions[?(@.type=="Ready")].status}' Unknown
check "and unreachable" wait_for 5 bash -c "$(declare -f kubectl inside jp); netns=$netns T=$T; jp node/dead '{.spec.taints[*].key}' | grep -q unreachable"
check_is "the others are Ready" "True" "$(jp node/n1 '{.status.conditions[?(@.type=="Ready")].status}')"

# ---- profiles of the scheduler ----
stop_server TERM
printf 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nwonders: []\n' >"$T/scheduler.yaml"
check_has "a configuration that is not served is refused by name" "wonders: there is no such member" \
	"$("$K3X" server --disable-agent --data-dir "$T/none" --kube-scheduler-arg "config=$T/scheduler.yaml" 2>&1)"
cat >"$T/scheduler.yaml" <<'YAML'
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: packed
  plugins: {score: {disabled: [{name: "*"}], enabled: [{name: NodeResourcesFit}]}}
  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu}]}}}]
YAML
start_server "$PORT" --disable-agent --kube-scheduler-arg "config=$T/scheduler.yaml"
node p1 8
node p2 8
here='nodeSelector: {pool: p}'
kubectl label node p1 p2 pool=p >/dev/null
pod seed "$here, nodeName: p2" 1
placed() { [ -n "$(jp "pod/$1" '{.spec.nodeName}')" ]; }
for i in 1 2 3 4; do
	pod "packed$i" "$here, schedulerName: packed" 1
	check "a pod of another profile is placed" wait_for 20 placed "packed$i"
done
check_is "all where there is least room" "p2 p2 p2 p2" "$(for i in 1 2 3 4; do jp "pod/packed$i" '{.spec.nodeName}{" "}'; done | sed 's/ $//')"
pod plain "$here" 1
check "one of the default goes where there is most" wait_for 20 is pod/plain '{.spec.nodeName}' p1

stop_kubelet
finish
