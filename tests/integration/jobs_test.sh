#!/bin/bash
# Jobs and cron jobs against the real binary: no kubelet, nodes are made up and pods end as their annotations say
# (fake_kubelet.py). One server of its own on loopback, nothing fetched, nothing left behind.
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17853}
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
pods_are() { [ "$(kubectl get pods -l "job-name=$1" --no-headers 2>/dev/null | wc -l)" = "$2" ]; }
running_are() { [ "$(kubectl get pods -l "job-name=$1" --field-selector=status.phase=Running --no-headers 2>/dev/null | wc -l)" = "$2" ]; }
# condition JOB TYPE: "STATUS REASON MESSAGE"
condition() { jp "job/$1" "{range .status.conditions[?(@.type==\"$2\")]}{.status} {.reason} {.message}{end}"; }
condition_is() { [ "$(condition "$1" "$2")" = "$3" ]; }
ended() { kubectl wait "job/$1" --for=condition="${2:-complete}" --timeout="${3:-15}s"; }

node() {
	local now
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Node
		metadata: {name: $1, labels: {kubernetes.io/hostname: $1}}
		status:
		  capacity: {cpu: "64", memory: 64Gi, pods: "1000"}
		  allocatable: {cpu: "64", memory: 64Gi, pods: "1000"}
		  conditions: [{type: Ready, status: "True", reason: KubeletReady, message: ok, lastHeartbeatTime: $now, lastTransitionTime: $now}]
	YAML
}

# job NAME SPEC-MEMBERS [ANNOTATIONS [POD-SPEC-MEMBERS]]: restartPolicy Never unless the last says otherwise.
job() {
	kubectl create -f - <<-YAML
		apiVersion: batch/v1
		kind: Job
		metadata: {name: $1}
		spec:
		  template:
		    metadata: {annotations: {${3:-}}}
		    spec: {containers: [{name: c, image: x}], ${4:-restartPolicy: Never}}
		  ${2:+$(sed 's/; /\n		  /g' <<<"$2" | sed '2,$s/^\t*//')}
	YAML
}

start_server "$PORT" --disable-agent || { finish; exit 1; }
node n1
python3 "$root/tests/integration/fake_kubelet.py" "$T/kubeconfig" n1 &
kubelet_pid=$!
wait_for 10 kubectl get serviceaccount default
