#!/bin/bash
# Fields of a pod, one after the other: each does what docs/node.md says it does, or the pod says why not.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "node_fields" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
busybox_image pulled:1 "$T/pulled.tar" sleep 1000
nsenter --net=/run/netns/$netns python3 "$(dirname "$0")/_registry.py" 5555 "$T/pulled.tar" team/box robot:secret >"$T/registry.log" 2>&1 &
registry=$!
also_stop() { kill "$registry" 2>/dev/null; }
ports=(--node-name node1 --kubelet-port 17950 --disable-scheduler)
start_server 17943 "${ports[@]}" || { also_stop; finish; exit 1; }

field() { kubectl get "$1" -o "jsonpath={$2}"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
wait_is() { check "$1" wait_for "$2" is "$3" "$4" "$5"; }
log_has() { kubectl logs "$1" 2>/dev/null | grep -q "$2"; }
event_has() { kubectl get events --field-selector "involvedObject.name=$1" -o 'jsonpath={range .items[*]}{.reason} {.message}{"\n"}{end}' | grep -q "$2"; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
# pod NAME SPEC: one pod of the node, with what its spec adds.
pod() { kubectl create -f - >/dev/null <<<$'# YAML\n'"{apiVersion: v1, kind: Pod, metadata: {name: $1}, spec: {nodeName: node1, terminationGracePeriodSeconds: 1, $2}}"; }
sleeper='containers: [{name: c, image: "box:1", command: [sleep, "1000"]}]'

wait_for 20 kubectl get node node1
wait_for 3 is node/node1 .spec.podCIDR 10.42.0.0/24 ||
	kubectl patch node node1 --type=merge -p '{"spec":{"podCIDR":"10.42.0.0/24","podCIDRs":["10.42.0.0/24"]}}' >/dev/null
wait_for 20 kubectl get serviceaccount default
wait_for 40 is node/node1 '.status.conditions[?(@.type=="Ready")].status' True

# imagePullSecrets
kubectl create secret docker-registry other --docker-server=127.0.0.1:5555/team --docker-username=robot --docker-password=wrong >/dev/null
kubectl create secret docker-registry robot --docker-server=http://127.0.0.1:5555 --docker-username=robot --docker-password=secret >/dev/null
image='containers: [{name: c, image: "127.0.0.1:5555/team/box:1", imagePullPolicy: Always}]'
pod stranger "imagePullSecrets: [{name: nothing}], $image"
check "without a pull secret nothing is pulled" wait_for 30 event_has stranger 'Failed Failed to pull image'
check "and a secret that is not there is told" event_has stranger 'FailedToRetrieveImagePullSecret Unable to retrieve some image pull secrets (nothing)'
pod friend "imagePullSecrets: [{name: other}, {name: robot}], $image"
wait_is "the secrets of a pod are tried one after the other" 40 pod/friend .status.phase Running
kubectl patch serviceaccount default -p '{"imagePullSecrets":[{"name":"robot"}]}' >/dev/null
pod heir "$image"
wait_is "those of its service account, too" 40 pod/heir .status.phase Running
kubectl patch serviceaccount default --type=json -p '[{"op":"remove","path":"/imagePullSecrets"}]' >/dev/null

# runtimeClassName
kubectl create -f - >/dev/null <<'YAML'
# YAML
{apiVersion: v1, kind: List, items: [
  {apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: usual}, handler: runc},
  {apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: absent}, handler: nobody}]}
YAML
pod classy "runtimeClassName: usual, $sleeper"
pod classless "runtimeClassName: absent, $sleeper"
wait_is "a pod runs with its runtime class" 30 pod/classy .status.phase Running
check "not without its handler" wait_for 30 event_has classless 'FailedCreatePodSandBox .*nobody'
check_is "and waits then" Pending "$(field pod/classless .status.phase)"

# what the node does not take: bound by name, past the scheduler
failed() { check "$1" wait_for 20 is "pod/$2" .status.reason "$3"; check_is "it is Failed, and nothing else is said" "Failed " "$(field "pod/$2" .status.phase) $(field "pod/$2" .status.containerStatuses)"; }
port='ports: [{containerPort: 80, hostPort: 18999}]'
pod porter "containers: [{name: c, image: 'box:1', command: [sleep, '1000'], $port}]"
wait_is "a pod has a port of the host" 30 pod/porter .status.phase Running
pod late "containers: [{name: c, image: 'box:1', command: [sleep, '1000'], $port}]"
failed "which no second gets" late NodePorts
pod picky "nodeSelector: {disk: slow}, $sleeper"
failed "a node without the label" picky NodeAffinity
pod huge "containers: [{name: c, image: 'box:1', command: [sleep, '1000'], resources: {requests: {cpu: 500}}}]"
failed "more CPUs than it has" huge OutOfcpu
check_has "it says how many" "Pod was rejected: Node didn't have enough resource: cpu, requested: 500000" "$(field pod/huge .status.message)"
check "so does its event" event_has huge "OutOfcpu Node didn't have enough resource"
pod reaching "securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}, $sleeper"
failed "a sysctl that reaches other pods" reaching SysctlForbidden
pod tuned "securityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: '77'}]}, $sleeper"
wait_is "one that does not" 30 pod/tuned .status.phase Running
check_is "is set" 77 "$(kubectl exec tuned -- cat /proc/sys/net/ipv4/ip_unprivileged_port_start)"
if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then
	pod armoured "securityContext: {appArmorProfile: {type: RuntimeDefault}}, $sleeper"
	failed "AppArmor where there is none" armoured AppArmor
fi

# names
pod named "hostname: fancy, subdomain: sub, setHostnameAsFQDN: true, $sleeper"
wait_is "a pod with a full name runs" 30 pod/named .status.phase Running
check_is "it is its host name" fancy.sub.default.svc.cluster.local "$(kubectl exec named -- hostname)"
check_has "and both are in its hosts file" $'\tfancy.sub.default.svc.cluster.local\tfancy' "$(kubectl exec named -- cat /etc/hosts)"
pod endless "hostname: a-name-that-is-too-long-with-its-domain-behind, subdomain: sub, setHostnameAsFQDN: true, $sleeper"
check "a name that no kernel takes is told" wait_for 20 event_has endless 'FailedCreatePodSandBox .*FQDN .* is too long (64 characters is the max'

# mounts
mount='volumes: [{name: v, emptyDir: {}}], containers: [{name: c, image: "box:1", command: [sleep, "1000"], volumeMounts: [{name: v, mountPath: /v, readOnly: true, recursiveReadOnly:'
pod firmly "$mount Enabled}]}]"
check "what the runtime cannot make read-only to the bottom is told" wait_for 20 event_has firmly 'volume "v" requested recursive read-only mode'
pod mildly "$mount IfPossible}]}]"
wait_is "where it need not, the pod runs" 30 pod/mildly .status.phase Running
check_is "and the status says how it is mounted" "true Disabled" "$(field pod/mildly '.status.containerStatuses[0].volumeMounts[?(@.name=="v")].readOnly') $(field pod/mildly '.status.containerStatuses[0].volumeMounts[?(@.name=="v")].recursiveReadOnly')"

# readinessGates
ready='.status.conditions[?(@.type=="Ready")]'
pod gated "readinessGates: [{conditionType: x.test/open}], $sleeper"
wait_is "a gate that nobody opened is told" 30 pod/gated "$ready.message" 'corresponding condition of pod readiness gate "x.test/open" does not exist.'
kubectl patch pod gated --subresource=status -p '{"status":{"conditions":[{"type":"x.test/open","status":"True"}]}}' >/dev/null
wait_is "one that is open lets it be ready" 20 pod/gated "$ready.status" True

# preStop
pod asked "containers: [{name: c, image: 'box:1', command: [sleep, '1000'], lifecycle: {postStart: {httpGet: {host: 192.168.177.1, path: /nothing, port: 17950, scheme: HTTPS}}}}]"
wait_is "a hook that calls needs no good answer" 30 pod/asked '.status.conditions[?(@.type=="Ready")].status' True
check_is "and the container was not ended for it" 0 "$(field pod/asked '.status.containerStatuses[0].restartCount')"
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: drowsy}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 60
  containers: [{name: c, image: "box:1", command: [sleep, "1000"], lifecycle: {preStop: {sleep: {seconds: 50}}}}]
YAML
wait_is "a pod with a hook that sleeps runs" 30 pod/drowsy .status.phase Running
check "deleted with a short grace, it sleeps no longer" kubectl delete --timeout=20s pod drowsy --grace-period=2

# local storage
pod greedy "volumes: [{name: v, emptyDir: {sizeLimit: 2Mi}}], containers: [{name: c, image: 'box:1', command: [sh, -c, 'head -c 4000000 /dev/zero >/v/file; exec sleep 1000'], volumeMounts: [{name: v, mountPath: /v}]}]"
pod hungry "containers: [{name: c, image: 'box:1', command: [sh, -c, 'head -c 9000000 /dev/zero >/file; exec sleep 1000'], resources: {limits: {ephemeral-storage: 4Mi}}}]"
pod modest "volumes: [{name: v, emptyDir: {sizeLimit: 2Mi}}], containers: [{name: c, image: 'box:1', command: [sh, -c, 'head -c 1000000 /dev/zero >/v/file; exec sleep 1000'], volumeMounts: [{name: v, mountPath: /v}], resources: {limits: {ephemeral-storage: 40Mi}}}]"
wait_is "a volume that outgrows its sizeLimit ends its pod" 40 pod/greedy .status.reason Evicted
check_has "with upstream's words" 'Usage of EmptyDir volume "v" exceeds the limit "2Mi"' "$(field pod/greedy .status.message)"
wait_is "a container that outgrows its ephemeral storage, too" 40 pod/hungry .status.reason Evicted
check_has "with the pod's words, whose only one it is" 'Pod ephemeral local storage usage exceeds the total limit of containers 4Mi' "$(field pod/hungry .status.message)"
wait_is "they are Failed" 20 pod/hungry .status.phase Failed
check_is "not by a fault of their program" TerminationByKubelet "$(field pod/greedy '.status.conditions[?(@.type=="DisruptionTarget")].reason')"
check "an event tells it" event_has greedy 'Evicted Usage of EmptyDir'
check_is "who takes less stays" "Running 0" "$(field pod/modest .status.phase) $(field pod/modest '.status.containerStatuses[0].restartCount')"

# processes, users and what a container may
mkdir -p "$T/outside"
mount --bind "$T/outside" "$T/outside" && mount --make-shared "$T/outside" # else nothing can spread there
cat >"$T/seccomp.json" <<'JSON'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
JSON
seccomp=/var/lib/kubelet/seccomp/k3x-test-$$.json
mkdir -p "${seccomp%/*}" && cp "$T/seccomp.json" "$seccomp"
kubectl create -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: careful, annotations: {first: one}, labels: {l: v}}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 1
  shareProcessNamespace: true
  dnsPolicy: None
  dnsConfig: {nameservers: [192.0.2.53], searches: [a.test, b.test], options: [{name: ndots, value: "3"}, {name: edns0}]}
  securityContext: {runAsUser: 1234, runAsGroup: 5678, runAsNonRoot: true, supplementalGroups: [42, 43], fsGroup: 99, seccompProfile: {type: Localhost, localhostProfile: "${seccomp##*/}"}}
  containers:
  - name: c
    image: box:1
    command: [sleep, "1000"]
    workingDir: /tmp
    env: [{name: WHO, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}
    volumeMounts:
    - {name: v, mountPath: /v, subPathExpr: "sub-\$(WHO)"}
    - {name: down, mountPath: /down}
  - {name: other, image: "box:1", command: [sleep, "54321"], securityContext: {seccompProfile: {type: Unconfined}, runAsUser: 4321}}
  volumes:
  - {name: v, emptyDir: {}}
  - {name: down, downwardAPI: {items: [{path: annotations, fieldRef: {fieldPath: metadata.annotations}}]}}
YAML
wait_is "a pod with all of a security context runs" 30 pod/careful .status.phase Running
in_careful() { kubectl exec careful -c c -- sh -c "$1" 2>&1; }
check_is "users and groups" "1234:5678 42 43 99 5678" "$(in_careful 'echo $(id -u):$(id -g) $(id -G | tr " " "\n" | sort -n | tr "\n" " ")')"
check_is "a container's user before the pod's" 4321 "$(kubectl exec careful -c other -- id -u)"
check_has "its root is read-only" 'Read-only file system' "$(in_careful 'touch /tmp/x')"
check_is "its capabilities, and no way to more" "0000000000000400 1" "$(in_careful "sed -n 's/^CapBnd:\t//p; s/^NoNewPrivs:\t//p' /proc/1/task/../../self/status" | tr '\n' ' ' | sed 's/ $//')"
check_has "a seccomp profile of the node's" 'Operation not permitted' "$(in_careful 'mkdir /v/x')"
check_is "but not where a container has another" ok "$(kubectl exec careful -c other -- sh -c 'mkdir /dev/shm/x && echo ok' 2>&1)"
check_has "processes are shared" 'sleep 54321' "$(in_careful 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\0" " "')"
check_is "a sub-path of a variable's name" sub-careful "$(ls "$T"/data/agent/kubelet/pods/*/volumes/kubernetes.io~empty-dir/v | grep sub-)"
check_is "its group" 99 "$(stat -c %g "$T"/data/agent/kubelet/pods/"$(field pod/careful .metadata.uid)"/volumes/kubernetes.io~empty-dir/v)"
check_is "its resolver" "nameserver 192.0.2.53 options ndots:3 edns0 search a.test b.test" "$(in_careful 'sort /etc/resolv.conf' | tr '\n' ' ' | sed 's/ $//')"
kubectl annotate pod careful first=two --overwrite >/dev/null
rm "$seccomp"

pod root "securityContext: {runAsNonRoot: true}, $sleeper"
wait_is "who may not be root does not run as the image's root" 20 pod/root '.status.containerStatuses[0].state.waiting.reason' CreateContainerConfigError
check_is "and it is told" "container has runAsNonRoot and image will run as root" "$(field pod/root '.status.containerStatuses[0].state.waiting.message')"
kubectl create -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: hosty}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 1
  hostPID: true
  hostIPC: true
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  containers:
  - name: c
    image: box:1
    command: [sleep, "1000"]
    securityContext: {privileged: true}
    volumeMounts: [{name: h, mountPath: /h, mountPropagation: Bidirectional}]
  volumes: [{name: h, hostPath: {path: "$T/outside", type: Directory}}]
YAML
wait_is "a pod in the host's namespaces runs" 30 pod/hosty .status.phase Running
own() { readlink "/proc/$server_pid/ns/$1"; }
check_is "they are the host's" "$(own pid) $(own ipc) $(own net)" "$(kubectl exec hosty -- sh -c 'echo $(readlink /proc/self/ns/pid) $(readlink /proc/self/ns/ipc) $(readlink /proc/self/ns/net)')"
check_has "the cluster's DNS all the same" 10.43.0.10 "$(kubectl exec hosty -- cat /etc/resolv.conf)"
kubectl exec hosty -- sh -c 'mkdir -p /h/m && mount -t tmpfs t /h/m && touch /h/m/there'
check "a mount it makes is seen outside" test -e "$T/outside/m/there"
kubectl exec hosty -- umount /h/m
umount "$T/outside"

# how containers end and begin
pod brief "activeDeadlineSeconds: 2, $sleeper"
wait_is "a pod has its time" 30 pod/brief .status.reason DeadlineExceeded
pod wordy "restartPolicy: Never, containers: [{name: c, image: 'box:1', command: [sh, -c, 'echo last line; exit 3'], terminationMessagePolicy: FallbackToLogsOnError}, {name: d, image: 'box:1', command: [sh, -c, 'echo own words >/msg; echo log; exit 1'], terminationMessagePath: /msg}]"
wait_is "its log speaks for who says nothing" 30 pod/wordy '.status.containerStatuses[?(@.name=="c")].state.terminated.message' 'last line'
wait_is "who says something is heard" 30 pod/wordy '.status.containerStatuses[?(@.name=="d")].state.terminated.message' "own words"
pod unlucky "containers: [{name: c, image: 'box:1', command: [sleep, '1000'], lifecycle: {postStart: {exec: {command: [sh, -c, 'echo cannot; exit 4']}}}}]"
check "a hook that fails is told" wait_for 30 event_has unlucky 'FailedPostStartHook .*cannot'
more_than() { [ "$(field "$1" "$2" | tr -d ' ')" -gt "$3" ] 2>/dev/null; }
check "and its container is ended" wait_for 60 more_than pod/unlucky '.status.containerStatuses[0].restartCount' 0
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: deaf}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 600
  containers:
  - name: c
    image: box:1
    command: [sh, -c, "trap '' TERM; while :; do sleep 0.2; done"]
    livenessProbe: {exec: {command: ["false"]}, periodSeconds: 1, failureThreshold: 1, terminationGracePeriodSeconds: 1}
YAML
check "a probe's own grace ends what does not listen" wait_for 40 more_than pod/deaf '.status.containerStatuses[0].restartCount' 0
kubectl delete pod deaf --grace-period=1 --wait=false >/dev/null
mkdir -p "$T/order" && chmod 777 "$T/order"
note() { echo "[sh, -c, \"echo $1-up >>/o/log; trap 'echo $1-down >>/o/log; exit 0' TERM; while :; do sleep 0.1; done\"]"; }
o='volumeMounts: [{name: o, mountPath: /o}]'
up() { echo "startupProbe: {exec: {command: [grep, -q, $1-up, /o/log]}, periodSeconds: 1}"; }
pod ordered "terminationGracePeriodSeconds: 20, volumes: [{name: o, hostPath: {path: '$T/order'}}], initContainers: [{name: s1, image: 'box:1', restartPolicy: Always, command: $(note s1), $o, $(up s1)}, {name: i, image: 'box:1', command: [sh, -c, 'echo i >>/o/log'], $o}, {name: s2, image: 'box:1', restartPolicy: Always, command: $(note s2), $o, $(up s2)}], containers: [{name: c, image: 'box:1', command: $(note c), $o}]"
wait_is "a pod with sidecars is ready" 60 pod/ordered '.status.conditions[?(@.type=="Ready")].status' True
check_is "they began in order" "s1-up i s2-up c-up" "$(tr '\n' ' ' <"$T/order/log" | sed 's/ $//')"
check "it is deleted" kubectl delete pod ordered --timeout=60s
check_is "and ended in the order turned around" "c-down s2-down s1-down" "$(tail -n 3 "$T/order/log" | tr '\n' ' ' | sed 's/ $//')"

has_two() { kubectl exec careful -c c -- cat /down/annotations | grep -q two; }
check "an annotation reaches the file that shows it" wait_for 70 has_two

# NEXT

check "all of them go" kubectl delete pod --all --timeout=60s
no_containers() { [ -z "$(ctr -a "$T/data/agent/run/containerd/containerd.sock" -n k8s.io containers ls -q)" ]; }
no_mounts() { ! grep -q "$T/data/agent/kubelet" /proc/mounts; }
is_empty() { [ -z "$(ls "$1")" ]; }
check "no container is left" wait_for 10 no_containers
check "no mount is left" wait_for 10 no_mounts
check "no pod folder is left" wait_for 10 is_empty "$T/data/agent/kubelet/pods"
also_stop
finish
