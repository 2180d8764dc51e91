#!/bin/bash
# Jobs and cron jobs with a real kubelet, as a user runs them: a job that computes something, one whose pods fail, indexes
# that divide the work, a pod that is deleted while it runs, cron jobs; nothing of them is left behind.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "jobs on a node" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
start_server 17763 --node-name node1 --kubelet-port 17764 || { finish; exit 1; }

jp() { kubectl get "$1" -o "jsonpath=$2"; }
is() { [ "$(jp "$1" "$2" 2>/dev/null)" = "$3" ]; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
pods_are() { [ "$(kubectl get pods -l "job-name=$1" --no-headers 2>/dev/null | wc -l)" = "$2" ]; }
ended() { kubectl wait "job/$1" --for=condition="${2:-complete}" --timeout="${3:-60}s"; }
check "node becomes Ready" wait_for 60 is node/node1 '{.status.conditions[?(@.type=="Ready")].status}' True
wait_for 10 kubectl get serviceaccount default

kubectl create job sum --image=box:1 -- sh -c 'i=0; s=0; while [ $i -le 100 ]; do s=$((s+i)); i=$((i+1)); done; echo "the sum is $s"' >/dev/null
check "kubectl create job runs to its end" ended sum
check_is "with what it computed in its log" "the sum is 5050" "$(kubectl logs job/sum)"
check_is "its pod succeeded and has no mark" "Succeeded " "$(kubectl get pod -l job-name=sum -o 'jsonpath={.items[0].status.phase} {.items[0].metadata.finalizers}')"

# job NAME SPEC COMMAND [RESTART]
job() {
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: batch/v1
		kind: Job
		metadata: {name: $1}
		spec: {$2, template: {spec: {terminationGracePeriodSeconds: 1, restartPolicy: ${4:-Never}, containers: [{name: c, image: "box:1", command: [sh, -c, '$3']}]}}}
	YAML
}
job parts 'completionMode: Indexed, completions: 3, parallelism: 3' 'echo "part $JOB_COMPLETION_INDEX on $(hostname)"'
check "an indexed job runs to its end" ended parts
check_is "each pod with its index and its host name" "part 0 on parts-0 part 1 on parts-1 part 2 on parts-2" "$(kubectl logs -l job-name=parts | sort | paste -sd' ')"
check_is "and its indexes are kept" "0-2" "$(jp job/parts '{.status.completedIndexes}')"

job broken 'backoffLimit: 0' 'echo oh; exit 3'
check "a job whose pod fails fails" ended broken failed
check_is "and its pod can be asked why" "oh" "$(kubectl logs -l job-name=broken)"
job again 'backoffLimit: 4' 'exit 1' OnFailure
check "a container is restarted in its pod" wait_for 60 bash -c "[ \"\$(ip netns exec $netns $(type -P kubectl) --kubeconfig $T/kubeconfig get pod -l job-name=again -o 'jsonpath={.items[0].status.containerStatuses[0].restartCount}')\" -ge 1 ]"
kubectl delete job again >/dev/null
check "and goes with the job" wait_for 30 pods_are again 0

job lasts 'podReplacementPolicy: Failed' 'trap "exit 5" TERM; while :; do sleep 0.1; done'
running() { kubectl get pods -l "job-name=$1" --field-selector=status.phase=Running -o name | grep -q .; }
check "a job that lasts runs" wait_for 30 running lasts
kubectl delete "$(kubectl get pods -l job-name=lasts -o name)" >/dev/null
check "its pod that is deleted is a failure once it has ended" wait_for 20 is job/lasts '{.status.failed}' 1
check "and is replaced" wait_for 30 running lasts
kubectl patch job lasts -p '{"spec":{"suspend":true}}' >/dev/null
check "a suspended job's pods go" wait_for 30 pods_are lasts 0
check_is "uncounted" 1 "$(jp job/lasts '{.status.failed}')"
job stopped 'activeDeadlineSeconds: 2' 'sleep 600'
check "a deadline ends a job" ended stopped failed
check "and its pods" wait_for 30 pods_are stopped 0

kubectl create cronjob tick --image=box:1 --schedule='@every 1s' -- sh -c 'echo tick' >/dev/null
check "kubectl create cronjob makes jobs" wait_for 20 bash -c "[ -n \"\$(ip netns exec $netns $(type -P kubectl) --kubeconfig $T/kubeconfig get cronjob tick -o 'jsonpath={.status.lastSuccessfulTime}')\" ]"
kubectl create job by-hand --from=cronjob/tick >/dev/null
check "kubectl create job --from runs one by hand" ended by-hand
check_is "which does the same" tick "$(kubectl logs job/by-hand)"
kubectl delete cronjob tick >/dev/null
check "a cron job's jobs go with it" wait_for 20 gone job by-hand
kubectl delete jobs --all >/dev/null
check "at last no pod is left" wait_for 60 bash -c "[ -z \"\$(ip netns exec $netns $(type -P kubectl) --kubeconfig $T/kubeconfig get pods -o name)\" ]"
finish
