#!/bin/bash
# What a node has and holds back: reserved resources and what is left for pods, huge pages in containers and volumes,
# limits of processes, sysctls that were allowed, a seccomp profile for who names none, exclusive CPUs, what lies near to what, devices
# of plugins, a critical pod's place, pods that are resized while they run.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "resources" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
pages=$(cat /proc/sys/vm/nr_hugepages)
give_back() { [ -z "${plugin_pid:-}" ] || kill "$plugin_pid" 2>/dev/null; echo "$pages" >/proc/sys/vm/nr_hugepages; cleanup; }
trap give_back EXIT
has_pages=
echo 16 >/proc/sys/vm/nr_hugepages 2>/dev/null
[ "$(cat /proc/sys/vm/nr_hugepages)" -lt 16 ] || has_pages=1

field() { kubectl get "$1" -o "jsonpath={$2}"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
wait_is() { check "$1" wait_for "$2" is "$3" "$4" "$5"; }
log_has() { kubectl logs "$1" 2>/dev/null | grep -q "$2"; }
bytes() { field node/node1 ".status.$1" | numfmt --from=auto; }
cat >"$T/kubelet.yaml" <<'YAML'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
systemReserved: {cpu: 100m, memory: 200Mi}
kubeReserved: {cpu: 150m, memory: 100Mi}
evictionHard: {memory.available: 50Mi}
podPidsLimit: 33
allowedUnsafeSysctls: ["net.core.somaxconn", "kernel.msg*"]
seccompDefault: true
containerLogMaxSize: 64Ki
YAML
pod() { # name, spec
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec: {nodeName: node1, terminationGracePeriodSeconds: 1, restartPolicy: Never, $2}
	YAML
}
start_server 17749 --node-name node1 --kubelet-port 17754 --disable-scheduler --kubelet-arg "config=$T/kubelet.yaml" \
	--kubelet-arg provider-id=test://node1 || { finish; exit 1; }
wait_is "node becomes Ready" 60 node/node1 '.status.conditions[?(@.type=="Ready")].status' True
check_is "it has its provider's id" "test://node1" "$(field node/node1 .spec.providerID)"
cpus=$(field node/node1 .status.capacity.cpu)
check_is "CPU is held back" "$((cpus * 1000 - 250))m" "$(field node/node1 .status.allocatable.cpu)"
huge=$([ -z "$has_pages" ] && echo 0 || echo 32)
check_is "and memory, with what eviction keeps free" "$((350 + huge))" "$((($(bytes capacity.memory) - $(bytes allocatable.memory)) / 1048576))"
pids_max() { cat /sys/fs/cgroup/pids/kubepods/besteffort/pod"$1"/pids.max 2>/dev/null || cat /sys/fs/cgroup/kubepods/besteffort/pod"$1"/pids.max; }
all_memory() { cat /sys/fs/cgroup/memory/kubepods/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/kubepods/memory.max; }
check_is "it is enforced on all pods together" "$((300 + huge))" "$((($(bytes capacity.memory) - $(all_memory)) / 1048576))"
pod few "containers: [{name: c, image: 'box:1', command: [sleep, '1000']}]"
wait_is "a pod runs" 60 pod/few .status.phase Running
check_is "it has a limit of processes" 33 "$(pids_max "$(field pod/few .metadata.uid)")"
check_is "and a seccomp filter that it did not ask for" 2 "$(kubectl exec few -- sh -c 'grep ^Seccomp: /proc/self/status | tr -dc 0-9')"
pod tuned "securityContext: {sysctls: [{name: net.core.somaxconn, value: '77'}, {name: kernel.msgmax, value: '9000'}]}, containers: [{name: c, image: 'box:1', command: [cat, /proc/sys/net/core/somaxconn, /proc/sys/kernel/msgmax]}]"
wait_is "sysctls that were allowed are set" 60 pod/tuned .status.phase Succeeded
check_is "to what was asked for" "77 9000" "$(kubectl logs tuned | tr '\n' ' ' | sed 's/ $//')"
pod wild "securityContext: {sysctls: [{name: kernel.sem, value: '1'}]}, containers: [{name: c, image: 'box:1'}]"
wait_is "others are refused" 20 pod/wild .status.reason SysctlForbidden
pod chatty "containers: [{name: c, image: 'box:1', command: [sh, -c, 'while :; do echo 0123456789012345678901234567890123456789; done']}]"
rotated() { ls "$T"/data/agent/kubelet/logs/*chatty*/c/0.log.1; }
check "logs are rotated at the size that was told" wait_for 60 rotated
kubectl delete pod chatty --wait=false >/dev/null

# ---- a critical pod at a full node ----
event_has() { kubectl get events --field-selector "involvedObject.name=$1" -o 'jsonpath={range .items[*]}{.reason} {.message}{"\n"}{end}' | grep -q "$2"; }
asks() { echo "containers: [{name: c, image: 'box:1', command: [sleep, '1000'], resources: {requests: {cpu: $1}}}]"; }
pod small "$(asks 10m)"
pod filler "$(asks $((cpus * 1000 - 350))m)"
wait_is "a pod fills the node" 60 pod/filler .status.phase Running
pod over "$(asks 300m)"
wait_is "another one does not fit" 20 pod/over .status.reason OutOfcpu
pod critical "priorityClassName: system-node-critical, $(asks 300m)"
wait_is "a critical one runs" 60 pod/critical .status.phase Running
check_is "in the place of who filled it" "Failed Preempting" "$(field pod/filler '.status.phase} {.status.reason')"
check_is "as no fault of its program" "TerminationByKubelet Pod was preempted by Kubelet to accommodate a critical pod." \
	"$(field pod/filler '.status.conditions[?(@.type=="DisruptionTarget")].reason} {.status.conditions[?(@.type=="DisruptionTarget")].message')"
check "which an event says" event_has filler 'Preempting Preempted in order to admit critical pod'
check_is "who did not help stays" Running "$(field pod/small .status.phase)"
pod greedy "priorityClassName: system-node-critical, $(asks $((cpus * 1000 + 1)))"
wait_is "what nobody can make place for is refused" 20 pod/greedy .status.reason UnexpectedAdmissionError
kubectl delete pod small filler over critical greedy --wait=false >/dev/null

# ---- huge pages ----
if [ -n "$has_pages" ]; then
	check_is "huge pages are told" 32Mi "$(field node/node1 .status.allocatable.hugepages-2Mi)"
	pod huge "volumes: [{name: h, emptyDir: {medium: HugePages}}, {name: two, emptyDir: {medium: HugePages-2Mi}}], containers: [{name: c, image: 'box:1', command: [sh, -c, 'grep -c hugetlbfs.*pagesize=2M /proc/mounts; sleep 1000'], volumeMounts: [{name: h, mountPath: /h}, {name: two, mountPath: /two}], resources: {limits: {hugepages-2Mi: 8Mi, memory: 32Mi, cpu: 100m}}}]"
	wait_is "a pod has huge pages" 60 pod/huge .status.phase Running
	check "as file systems" wait_for 20 log_has huge '^2$'
	pod hungry "containers: [{name: c, image: 'box:1', resources: {limits: {hugepages-2Mi: 26Mi, memory: 32Mi, cpu: 100m}}}]"
	wait_is "more than there is are refused" 20 pod/hungry .status.reason OutOfhugepages-2Mi
else
	skip "huge pages" "the kernel gives none"
fi

# ---- CPUs of one's own ----
kubectl delete pod --all --timeout=60s >/dev/null
stop_server
cpu_server() { start_server 17749 --node-name node1 --kubelet-port 17754 --disable-scheduler --kubelet-arg cpu-manager-policy=static "$@"; }
check_has "the static policy needs CPUs for all" "name them in reserved-cpus" "$(inside timeout 20 "$K3X" server --data-dir "$T/other" --kubelet-arg cpu-manager-policy=static 2>&1)"
check_has "a policy that is none" 'no policy "dynamic"' "$(inside timeout 20 "$K3X" server --data-dir "$T/other" --kubelet-arg cpu-manager-policy=dynamic 2>&1)"
if [ "$(nproc)" -ge 2 ]; then
	near=(--kubelet-arg reserved-cpus=0 --kubelet-arg topology-manager-policy=single-numa-node --kubelet-arg memory-manager-policy=Static
		--kubelet-arg system-reserved=memory=200Mi --kubelet-arg 'eviction-hard=memory.available<50Mi'
		--kubelet-arg feature-gates=KubeletPodResourcesGet=true)
	check_has "what is reserved must be said of nodes" "make them the same" "$(inside timeout 20 "$K3X" server --data-dir "$T/other" "${near[@]}" --kubelet-arg reserved-memory=0:memory=200Mi 2>&1)"
	near+=(--kubelet-arg reserved-memory=0:memory=250Mi)
	cpu_server "${near[@]}" || { finish; exit 1; }
	wait_is "node is Ready with it" 60 node/node1 '.status.conditions[?(@.type=="Ready")].status' True
	all=$(cat /sys/devices/system/cpu/online)
	cpus_of() { kubectl exec "$1" -- grep ^Cpus_allowed_list: /proc/1/status | tr -dc 0-9,-; }
	has_cpus() { [ "$(cpus_of "$1")" = "$2" ]; }
	pod shares "containers: [{name: c, image: 'box:1', command: [sleep, '1000']}]"
	wait_is "a pod shares" 60 pod/shares .status.phase Running
	check_is "all CPUs" "$all" "$(cpus_of shares)"
	pod owns "containers: [{name: c, image: 'box:1', command: [sleep, '1000'], resources: {limits: {cpu: '1', memory: 32Mi}}}]"
	wait_is "a pod has one of its own" 60 pod/owns .status.phase Running
	check "that is not the reserved one" has_cpus owns 1
	# On cgroup v1 memory and swap together are limited, on v2 swap alone; a kernel that does not count it has no file.
	swap_limit() { kubectl exec "$1" -- sh -c 'cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.swap.max 2>/dev/null || echo none'; }
	no_swap() { case $(swap_limit "$1") in 33554432 | 0 | none) ;; *) return 1 ;; esac; }
	check "nor does it swap" no_swap owns
	check "which the other one leaves" wait_for 20 has_cpus shares "$(python3 -c "
s = set()
for part in '$all'.split(','):
    a, _, b = part.partition('-')
    s |= set(range(int(a), int(b or a) + 1))
s = sorted(s - {1})
runs = []
for i in s:
    if runs and runs[-1][1] == i - 1: runs[-1][1] = i
    else: runs.append([i, i])
print(','.join(str(a) if a == b else '%d-%d' % (a, b) for a, b in runs))")"
	memory_state="$T/data/agent/kubelet/memory_manager_state"
	check "its memory is of a node" grep -q '"type":"memory","size":33554432' "$memory_state"
	check_is "of which the runtime knows" 0 "$(kubectl exec owns -- grep ^Mems_allowed_list: /proc/1/status | tr -dc 0-9,-)"
	asks_of() { "$root/build/release/tests/plugin/pod_resources" "$T/data/agent/kubelet/pod-resources/kubelet.sock" "$@"; }
	check "who asks for resources is built" make -s -C "$root" build/release/tests/plugin/pod_resources
	check_is "is told what a pod has" "default/owns c cpus=1 memory=memory:33554432@0" "$(asks_of Get default owns)"
	check_has "and all of them" "default/shares c cpus=" "$(asks_of List)"
	check_has "and what there is to have" "allocatable - cpus=$(seq -s, 1 $(($(nproc) - 1))) memory=memory:" "$(asks_of GetAllocatableResources)"
	check_has "no more often than upstream" "well=10 refused=40" "$(sleep 0.2; asks_of List 50)"
	stop_server
	cpu_server "${near[@]}" || { finish; exit 1; }
	wait_is "after a start" 60 node/node1 '.status.conditions[?(@.type=="Ready")].status' True
	check "it has it still" has_cpus owns 1
	kubectl create -f - >/dev/null <<-YAML
		{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "greedy"}, "spec": {"nodeName": "node1", "containers": [{"name": "c", "image": "box:1",
		 "resources": {"limits": {"cpu": "$(($(nproc) - 1))", "memory": "32Mi"}}}]}}
	YAML
	case $(nproc) in
	2) wait_is "who asks for more than is free is refused" 20 pod/greedy .status.phase Failed ;;
	*) wait_is "who asks for more than is free is refused" 20 pod/greedy .status.reason UnexpectedAdmissionError ;;
	esac
	check "a plugin for it is built" make -s -C "$root" build/release/tests/plugin/device_plugin
	touch "$T/plugin.log"
	"$root/build/release/tests/plugin/device_plugin" "$T/data/agent/kubelet/device-plugins" test.example.com/near "$T/plugin.log" a@7 b@0 &
	plugin_pid=$!
	check "its devices say where they are" wait_for 20 is node/node1 '.status.allocatable.test\.example\.com/near' 2
	device() { pod "$1" "containers: [{name: c, image: 'box:1', command: [sh, -c, 'echo got=\$TEST_DEVICES; sleep 1000'], resources: {limits: {test.example.com/near: $2}}}]"; }
	device both 2
	wait_is "what lies apart is refused" 20 pod/both .status.reason TopologyAffinityError
	check_has "in upstream's words" "Resources cannot be allocated with Topology locality" "$(field pod/both .status.message)"
	device one 1
	wait_is "what lies together is let in" 60 pod/one .status.phase Running
	check "by what is near, not by what comes first" wait_for 10 log_has one '^got=b$'
	check_is "the agent is told so" "default/one c cpus= devices=test.example.com/near:b@0" "$(asks_of Get default one)"
	kill "$plugin_pid"; wait "$plugin_pid" 2>/dev/null; plugin_pid=
	kubectl delete pod owns greedy both one --timeout=60s >/dev/null
	check "what was its own is given back" wait_for 20 has_cpus shares "$all"
	kubectl delete pod --all --timeout=60s >/dev/null
	stop_server
	check_has "another policy does not take its state" "drain the node, remove the file" "$(inside timeout 20 "$K3X" server --data-dir "$T/data" --node-name node1 2>&1; tail -n 5 "$T/k3x.log")"
	rm "$T/data/agent/kubelet/cpu_manager_state" "$memory_state"
else
	skip "CPUs of one's own" "the machine has one"
fi
start_server 17749 --node-name node1 --kubelet-port 17754 --disable-scheduler || { finish; exit 1; }

# ---- devices of plugins ----
kubectl delete pod --all --timeout=60s >/dev/null
check "a plugin is built" make -s -C "$root" build/release/tests/plugin/device_plugin
sockets="$T/data/agent/kubelet/device-plugins"
plugin() { # devices
	"$root/build/release/tests/plugin/device_plugin" "$sockets" test.example.com/thing "$T/plugin.log" "$@" &
	plugin_pid=$!
}
end_plugin() { kill "$plugin_pid" 2>/dev/null; wait "$plugin_pid" 2>/dev/null; plugin_pid=; }
things_of='.status.allocatable.test\.example\.com/thing'
has_things() { is node/node1 "$things_of" "$1"; }
touch "$T/plugin.log"
check "the socket is there" wait_for 20 test -S "$sockets/kubelet.sock"
plugin a b c d
check "its devices are the node's" wait_for 20 has_things 4
things() { # pod, how many, command
	pod "$1" "containers: [{name: c, image: 'box:1', command: [sh, -c, '$3'], resources: {limits: {test.example.com/thing: $2}}}]"
}
things two 2 'echo got=$TEST_DEVICES; test -c /dev/test-device && test -f /test-log && echo has-device; sleep 1000'
wait_is "a pod gets two" 60 pod/two .status.phase Running
check "those that the plugin prefers" wait_for 20 log_has two '^got=c,d$'
check "with its device and its file" log_has two has-device
check "the plugin was asked before the container was made" grep -q '^PreStart c d$' "$T/plugin.log"
check_is "all that is there is still allocatable" 4 "$(field node/node1 "$things_of")"
kill -USR1 "$plugin_pid"
check "an ill device is none" wait_for 20 has_things 3
things greedy 2 true
wait_is "more than are well and free are refused" 20 pod/greedy .status.phase Failed
kill -USR1 "$plugin_pid"
check "it is well again" wait_for 20 has_things 4
end_plugin
check "a plugin that goes takes them with it" wait_for 20 has_things 0
check_is "the container keeps its own" Running "$(field pod/two .status.phase)"
plugin a b refuse
check "it comes back with others" wait_for 20 has_things 3
things unlucky 1 true
wait_is "one that it refuses ends the pod" 20 pod/unlucky .status.reason UnexpectedAdmissionError
check_has "with its words" "this one cannot be had" "$(field pod/unlucky .status.message)"
end_plugin
stop_server
start_server 17749 --node-name node1 --kubelet-port 17754 --disable-scheduler || { finish; exit 1; }
wait_is "after a start the pod is there" 60 pod/two .status.phase Running
check "the socket too" wait_for 20 test -S "$sockets/kubelet.sock"
plugin a b c d
check "the plugin registers anew" wait_for 30 has_things 4
things three 3 true
wait_is "but two are another's still" 20 pod/three .status.phase Failed
kubectl delete pod two --timeout=60s >/dev/null
things four 4 'echo got=$TEST_DEVICES'
wait_is "until it is gone" 60 pod/four .status.phase Succeeded
check "then they are all free" log_has four '^got=a,b,c,d$'
end_plugin

# ---- resizing pods in place ----
kubectl delete pod --all --timeout=60s >/dev/null
check "without its gate it is not there" bash -c '! "$@" 2>/dev/null' _ inside "$(type -P kubectl)" --kubeconfig "$T/kubeconfig" get --raw /api/v1/namespaces/default/pods/any/resize
stop_server
resize_server() {
	start_server 17749 --node-name node1 --kubelet-port 17754 --disable-scheduler --kube-apiserver-arg feature-gates=InPlacePodVerticalScaling=true \
		--kubelet-arg feature-gates=InPlacePodVerticalScaling=true
	wait_is "a node that resizes is Ready" 60 node/node1 '.status.conditions[?(@.type=="Ready")].status' True
}
resize() { kubectl patch pod "$1" --subresource resize --type=strategic -p "{\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":$2}]}}" 2>&1; }
amounts() { echo "{\"requests\":{\"cpu\":\"$1\",\"memory\":\"$2\"},\"limits\":{\"cpu\":\"$3\",\"memory\":\"$4\"}}"; }
of_c() { field pod/"$1" ".status.containerStatuses[0].$2"; }
# What the kernel holds: of the container as it sees it itself, of the pod by its group.
own_memory() { kubectl exec "$1" -- sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max'; }
own_shares() { kubectl exec "$1" -- sh -c 'cat /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null || cat /sys/fs/cgroup/cpu.weight'; }
pods_memory() { cat /sys/fs/cgroup/memory/kubepods/burstable/pod"$1"/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/kubepods/burstable/pod"$1"/memory.max; }
has_own_memory() { [ "$(own_memory "$1")" = "$2" ]; }
has_pods_memory() { [ "$(pods_memory "$1")" = "$2" ]; }
resize_server
sized() { # name, rest of the container
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec:
		  nodeName: node1
		  restartPolicy: OnFailure
		  containers: [{name: c, image: 'box:1', command: [sh, -c, 'trap "exit 0" TERM; while :; do sleep 0.2; done'], resources: $(amounts 100m 32Mi 200m 64Mi)$2}]
	YAML
}
sized live ", resizePolicy: [{resourceName: memory, restartPolicy: NotRequired}]"
wait_is "a pod runs that can be resized" 60 pod/live .status.phase Running
check_is "its policies are filled in" "memory cpu" "$(field pod/live '.spec.containers[0].resizePolicy[*].resourceName')"
check_is "what it was given is told" "100m 200m" "$(of_c live allocatedResources.cpu) $(of_c live resources.limits.cpu)"
id=$(of_c live containerID) uid=$(field pod/live .metadata.uid) shares=$(own_shares live)
check_has "it is resized" "patched" "$(resize live "$(amounts 200m 48Mi 400m 128Mi)")"
check "the container has more memory" wait_for 20 has_own_memory live 134217728
check "so has the pod" wait_for 20 has_pods_memory "$uid" 134217728
check "and more CPU" [ "$(own_shares live)" -gt "$shares" ]
wait_is "its status says so" 20 pod/live '.status.containerStatuses[0].resources.limits.memory' 128Mi
check_is "and what it holds" 200m "$(of_c live allocatedResources.cpu)"
check_is "nothing is under way any more" "" "$(field pod/live .status.resize)"
check_is "it is the same container" "$id" "$(of_c live containerID)"
check_has "it is made smaller" "patched" "$(resize live "$(amounts 100m 32Mi 200m 64Mi)")"
check "in the kernel" wait_for 20 has_own_memory live 67108864
check "the pod follows" wait_for 20 has_pods_memory "$uid" 67108864
check_has "another class is refused" "Pod QOS Class may not change as a result of resizing" "$(resize live "$(amounts 200m 64Mi 200m 64Mi)")"
check_has "the spec itself is as closed as ever" "pod updates may not change fields" "$(kubectl patch pod live -p '{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"150m"}}}]}}' 2>&1)"
check_has "more than the node has is taken down" "patched" "$(resize live "$(amounts 100 32Mi 200 64Mi)")"
wait_is "as infeasible" 20 pod/live .status.resize Infeasible
check_is "the pod keeps what it has" 100m "$(of_c live allocatedResources.cpu)"
sized other
wait_is "another one holds a part" 60 pod/other .status.phase Running
all=$(($(nproc) * 1000))
resize other "$(amounts "$((all / 2))m" 32Mi "${all}m" 64Mi)" >/dev/null
wait_is "of half the node" 20 pod/other '.status.containerStatuses[0].allocatedResources.cpu' "$([ $((all / 2 % 1000)) = 0 ] && echo $((all / 2000)) || echo $((all / 2))m)"
resize live "$(amounts "$((all / 2 + 100))m" 32Mi "${all}m" 64Mi)" >/dev/null
wait_is "what does not fit now is deferred" 20 pod/live .status.resize Deferred
kubectl delete pod other --wait=false >/dev/null
wait_is "until a place is free" 30 pod/live '.status.containerStatuses[0].allocatedResources.cpu' "$((all / 2 + 100))m"
sized restarts ", resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]"
wait_is "one runs that restarts for memory" 60 pod/restarts .status.phase Running
resize restarts "$(amounts 200m 32Mi 400m 64Mi)" >/dev/null
wait_is "CPU it takes as it is" 20 pod/restarts '.status.containerStatuses[0].resources.requests.cpu' 200m
check_is "without a restart" 0 "$(of_c restarts restartCount)"
resize restarts "$(amounts 200m 64Mi 400m 128Mi)" >/dev/null
wait_is "for memory it is started again" 30 pod/restarts '.status.containerStatuses[0].restartCount' 1
check "with more" wait_for 20 has_own_memory restarts 134217728
check "an event says why" event_has restarts 'Killing Container c resize requires restart'
kill -9 "$server_pid"; wait "$server_pid" 2>/dev/null
resize_server
check_is "after a kill it has what it was given" "200m 128Mi" "$(of_c restarts allocatedResources.cpu) $(of_c restarts resources.limits.memory)"
check_is "and was not started again" 1 "$(of_c restarts restartCount)"
resize restarts "$(amounts 100m 64Mi 400m 128Mi)" >/dev/null
wait_is "it can be resized still" 20 pod/restarts '.status.containerStatuses[0].allocatedResources.cpu' 100m

# NEXT

kubectl delete pod --all --timeout=60s >/dev/null
no_containers() { [ -z "$(ctr -a "$T/data/agent/run/containerd/containerd.sock" -n k8s.io containers ls -q)" ]; }
no_mounts() { ! grep -q "$T/data/agent/kubelet" /proc/mounts; }
check "no container is left" wait_for 20 no_containers
check "and no mount" wait_for 10 no_mounts
stop_server

# ---- cgroup v2 without systemd, as in a container: it was thought of, and fell over its own check ----
mount -t cgroup2 cgroup2 /sys/fs/cgroup
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	start_server 17749 --node-name node1 --kubelet-port 17754 --disable-scheduler
	check "a node starts where there is cgroup v2 alone" wait_for 20 grep -q "container runtime is ready" "$T/k3x.log"
	check "and goes on" kill -0 "$server_pid"
	rmdir /sys/fs/cgroup/kubepods/besteffort /sys/fs/cgroup/kubepods/burstable /sys/fs/cgroup/kubepods 2>/dev/null
else
	skip "cgroup v2" "the kernel has none"
fi
finish
