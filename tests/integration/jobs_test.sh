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

node() { made_up_node "$1" 'cpu: "64", memory: 64Gi, pods: "1000"' "labels: {kubernetes.io/hostname: $1}"; }

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

# ---- to the end ----
job plain "completions: 5; parallelism: 2" 'fake/exit: "0"' >/dev/null
check "a job completes" ended plain
check_is "with its reason" "True CompletionsReached Reached expected number of succeeded pods" "$(condition plain Complete)"
check_is "each pod counted once" "5  0 0" "$(jp job/plain '{.status.succeeded} {.status.failed} {.status.ready} {.status.terminating}')"
check_is "nothing is left uncounted" '{}' "$(jp job/plain '{.status.uncountedTerminatedPods}')"
check_is "no pod keeps its mark" "" "$(kubectl get pods -l job-name=plain -o 'jsonpath={.items[*].metadata.finalizers}')"
check "its end is an event" has_event "Completed Job completed"
check "its pods are events" has_event "SuccessfulCreate Created pod: plain-"
check_has "kubectl shows it" "Complete   5/5" "$(kubectl get job plain --no-headers | tr -s ' ' | sed 's/Complete /Complete   /')"
check "no pod was made too many" pods_are plain 5

# ---- failures ----
job bad "backoffLimit: 0" 'fake/exit: "3"' >/dev/null
check "a job fails at its limit" ended bad failed
check_is "with its reason" "True BackoffLimitExceeded Job has reached the specified backoff limit" "$(condition bad Failed)"
check "and an event" has_event "BackoffLimitExceeded Job has reached the specified backoff limit"
job slow "backoffLimit: 3" 'fake/exit: "3"' >/dev/null
check "a failure is counted" wait_for 5 is job/slow '{.status.failed}' 1
check "and not replaced at once" pods_are slow 1
check "but after ten seconds" wait_for 15 pods_are slow 2
kubectl delete job slow >/dev/null
job restarts "backoffLimit: 2" 'fake/restarts: "2"' "restartPolicy: OnFailure" >/dev/null
check "restarts in place count" ended restarts failed
job late "activeDeadlineSeconds: 1" >/dev/null
check "a deadline ends a job" ended late failed
check_is "with its reason" "True DeadlineExceeded Job was active longer than specified deadline" "$(condition late Failed)"
check "and its pods go" wait_for 5 pods_are late 0
job ignored 'backoffLimit: 0; podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}' 'fake/condition: DisruptionTarget' >/dev/null
check "a disruption that is ignored is replaced" wait_for 15 pods_are ignored 2
check_is "and not counted" "" "$(jp job/ignored '{.status.failed}')"
kubectl delete job ignored >/dev/null
job policy 'podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}]}' 'fake/exit: "42"' >/dev/null
check "an exit code fails the job" ended policy failed
check_has "and its rule is told" "failed with exit code 42 matching FailJob rule at index 0" "$(condition policy Failed)"

# ---- indexes ----
job indexed "completionMode: Indexed; completions: 4; parallelism: 4; backoffLimitPerIndex: 0" 'fake/exit: "0,1,0"' >/dev/null
check "a job with a failed index fails" ended indexed failed
check_is "and says which" "0,2,3 1 True FailedIndexes Job has failed indexes" "$(jp job/indexed '{.status.completedIndexes} {.status.failedIndexes}') $(condition indexed Failed)"
pod0=$(kubectl get pods -l job-name=indexed,batch.kubernetes.io/job-completion-index=0 -o 'jsonpath={.items[0].metadata.name}')
check_has "pods are named after their index" indexed-0- "$pod0"
check_is "have its host name" indexed-0 "$(jp "pod/$pod0" '{.spec.hostname}')"
check_is "its annotation" 0 "$(jp "pod/$pod0" '{.metadata.annotations.batch\.kubernetes\.io/job-completion-index}')"
check_is "and its variable" "metadata.labels['batch.kubernetes.io/job-completion-index']" "$(jp "pod/$pod0" '{.spec.containers[0].env[?(@.name=="JOB_COMPLETION_INDEX")].valueFrom.fieldRef.fieldPath}')"
job enough 'completionMode: Indexed; completions: 3; parallelism: 3; successPolicy: {rules: [{succeededIndexes: "0", succeededCount: 1}]}' >/dev/null
wait_for 5 running_are enough 3
kubectl annotate pod -l job-name=enough,batch.kubernetes.io/job-completion-index=0 fake/exit=0 >/dev/null
check "a success policy ends a job" ended enough
check_is "and says so" "True SuccessPolicy Matched rules at index 0" "$(condition enough SuccessCriteriaMet)"
check_is "what it did not need has not failed" "" "$(jp job/enough '{.status.failed}')"
job elastic "completionMode: Indexed; completions: 2; parallelism: 2" >/dev/null
wait_for 5 running_are elastic 2
kubectl patch job elastic -p '{"spec":{"completions":4,"parallelism":4}}' >/dev/null
check "an indexed job grows" wait_for 5 running_are elastic 4
kubectl patch job elastic -p '{"spec":{"completions":1,"parallelism":1}}' >/dev/null
check "and shrinks to its first indexes" wait_for 5 running_are elastic 1
check_is "which has not failed for it" "" "$(jp job/elastic '{.status.failed}')"

# ---- suspension ----
job paused "suspend: true; completions: 2; parallelism: 2" >/dev/null
check "a suspended job says so" wait_for 5 condition_is paused Suspended "True JobSuspended Job suspended"
check_is "and has not started" "" "$(jp job/paused '{.status.startTime}')"
kubectl patch job paused -p '{"spec":{"suspend":false}}' >/dev/null
check "resumed it runs" wait_for 5 running_are paused 2
check "and says so" wait_for 5 condition_is paused Suspended "False JobResumed Job resumed"
kubectl patch job paused -p '{"spec":{"suspend":true}}' >/dev/null
check "suspended again its pods go" wait_for 5 pods_are paused 0
check_is "and are not counted" "" "$(jp job/paused '{.status.failed}')"
check "events tell of it" has_event "Resumed Job resumed"

# ---- owners ----
job theirs "managedBy: example.com/other" >/dev/null
job one "parallelism: 1" >/dev/null
check "a job runs after one that is somebody else's" wait_for 5 running_are one 1
check "which gets no pods from us" pods_are theirs 0
victim=$(kubectl get pods -l job-name=one -o name)
kubectl delete "$victim" >/dev/null
check "a pod that is deleted is a failure" wait_for 5 is job/one '{.status.failed}' 1
check "and is replaced" wait_for 15 running_are one 1
kubectl delete job one --cascade=orphan >/dev/null
check "orphans lose their mark and their owner" wait_for 5 is "$(kubectl get pods -l job-name=one -o name | head -1)" '{.metadata.finalizers}{.metadata.ownerReferences}' ''
check "and stay" pods_are one 1
uid=$(jp "$(kubectl get pods -l job-name=one -o name)" '{.metadata.labels.controller-uid}')
kubectl create -f - >/dev/null <<YAML
apiVersion: batch/v1
kind: Job
metadata: {name: adopter}
spec:
  manualSelector: true
  selector: {matchLabels: {controller-uid: $uid}}
  template:
    metadata: {labels: {controller-uid: $uid}}
    spec: {containers: [{name: c, image: x}], restartPolicy: Never}
YAML
check "a job with a selector of its own adopts them" wait_for 5 is "$(kubectl get pods -l job-name=one -o name | head -1)" '{.metadata.ownerReferences[0].name} {.metadata.finalizers[0]}' "adopter batch.kubernetes.io/job-tracking"
check "and makes none besides" is job/adopter '{.status.active}' 1
kubectl delete job adopter --cascade=foreground >/dev/null
check "its pods go with it" wait_for 5 gone pod -l "controller-uid=$uid" -o 'jsonpath={.items[0].metadata.name}'
out=$(kubectl delete --raw /apis/batch/v1/namespaces/default/jobs/plain 2>&1)
check_has "a deletion that says nothing is warned of it" "child pods are preserved by default" "$out"
check "and keeps the pods" wait_for 5 pods_are plain 5
check "the job itself is gone" wait_for 5 gone job plain
job brief "ttlSecondsAfterFinished: 0" 'fake/exit: "0"' >/dev/null
check "a finished job whose time is up goes" wait_for 10 gone job brief
check "with its pods" wait_for 5 pods_are brief 0

# ---- a restart in the middle ----
job long "completions: 30; parallelism: 10" >/dev/null
wait_for 10 running_are long 10
stop_kubelet
kubectl get pods -l job-name=long -o name | head -4 | while read -r p; do
	kubectl patch "$p" --subresource=status --type=merge -p '{"status":{"phase":"Succeeded"}}' >/dev/null
done
kubectl patch job long -p '{"spec":{"template":{}}}' >/dev/null
stop_server KILL
start_server "$PORT" --disable-agent
python3 "$root/tests/integration/fake_kubelet.py" "$T/kubeconfig" n1 &
kubelet_pid=$!
end_running() { kubectl annotate pods -l job-name=long --field-selector=status.phase=Running fake/exit=0 --overwrite >/dev/null 2>&1; is job/long '{.status.succeeded}' 30; }
check "a job goes on after a crash" wait_for 60 end_running
check "and ends" ended long
check "with as many pods as it asked for" pods_are long 30

# ---- cron jobs ----
cron() { # NAME SCHEDULE [SPEC-MEMBERS [ANNOTATIONS]]
	kubectl create -f - <<-YAML
		apiVersion: batch/v1
		kind: CronJob
		metadata: {name: $1}
		spec:
		  schedule: "$2"
		  ${3:+$(sed 's/; /\n		  /g' <<<"$3" | sed '2,$s/^\t*//')}
		  jobTemplate:
		    spec:
		      template:
		        metadata: {annotations: {${4:-}}}
		        spec: {containers: [{name: c, image: x}], restartPolicy: Never}
	YAML
}
# last NAME TIME: as if it had started a job then.
last() { kubectl patch cronjob "$1" --subresource=status --type=merge -p "{\"status\":{\"lastScheduleTime\":\"$2\"}}" >/dev/null; }
hour=$(date -u +%Y-%m-%dT%H:00:00Z)
ago() { date -u -d "$hour - $1 hours" +%Y-%m-%dT%H:00:00Z; }
job_of() { echo "job/$1-$(($(date -u -d "${2:-$hour}" +%s) / 60))"; }
cron hourly "0 * * * *" "timeZone: Asia/Tokyo" 'fake/exit: "0"' >/dev/null
last hourly "$(ago 3)"
check "a missed start is made up for, once" wait_for 5 kubectl get "$(job_of hourly)"
check_is "with the time it was due, in its zone" "$(TZ=Asia/Tokyo date -d "$hour" +%Y-%m-%dT%H:%M:%S+09:00)" "$(jp "$(job_of hourly)" '{.metadata.annotations.batch\.kubernetes\.io/cronjob-scheduled-timestamp}')"
check_is "it is the cron job's" "CronJob hourly" "$(jp "$(job_of hourly)" '{.metadata.ownerReferences[0].kind} {.metadata.ownerReferences[0].name}')"
check "the time is kept" wait_for 5 is cronjob/hourly '{.status.lastScheduleTime}' "$hour"
check "a job that is done leaves the active ones" wait_for 10 is cronjob/hourly '{.status.active}' ''
check "the last success is kept" wait_for 5 bash -c "[ -n \"\$(kubectl --kubeconfig $T/kubeconfig get cronjob hourly -o 'jsonpath={.status.lastSuccessfulTime}')\" ]"
check "events tell of it" has_event "SawCompletedJob Saw completed job: hourly-.*, condition: Complete"
check "and of its making" has_event "SuccessfulCreate Created job hourly-"
cron forgotten "0 * * * *" >/dev/null
last forgotten "$(ago 200)"
check "many missed starts are one and a warning" wait_for 5 has_event "TooManyMissedTimes too many missed start times"
check "and the newest is made" wait_for 5 kubectl get "$(job_of forgotten)"
cron strict "0 0 1 1 *" "startingDeadlineSeconds: 10" >/dev/null
last strict 2020-01-01T00:00:00Z
cron asleep "0 * * * *" "suspend: true" >/dev/null
last asleep "$(ago 3)"
# runs NAME: it has a job, NAME-before, that runs, and is due again.
runs() {
	local uid
	uid=$(kubectl create job "$1-before" --from="cronjob/$1" -o 'jsonpath={.metadata.uid}')
	kubectl patch cronjob "$1" --subresource=status --type=merge -p "{\"status\":{\"lastScheduleTime\":\"$(ago 3)\",\"active\":[{\"kind\":\"Job\",\"apiVersion\":\"batch/v1\",\"namespace\":\"default\",\"name\":\"$1-before\",\"uid\":\"$uid\"}]}}" >/dev/null
	kubectl patch cronjob "$1" -p '{"spec":{"suspend":false}}' >/dev/null
}
cron busy "0 * * * *" "suspend: true; concurrencyPolicy: Forbid" >/dev/null
runs busy
check "one that may not run beside itself waits" wait_for 5 has_event "JobAlreadyActive Not starting job because prior execution is running and concurrency policy is Forbid"
check "and its job goes on" kubectl get job busy-before
check "no other was made" gone "$(job_of busy)"
cron anew "0 * * * *" "suspend: true; concurrencyPolicy: Replace" >/dev/null
runs anew
check "one that replaces makes the new job" wait_for 5 kubectl get "$(job_of anew)"
check "and deletes the one before" wait_for 5 gone job anew-before
check "and says so" has_event "SuccessfulDelete Deleted job anew-before"
check_is "a deadline that is over starts nothing" "" "$(kubectl get jobs -o name | grep strict)"
check_is "a suspended one starts nothing" "" "$(kubectl get jobs -o name | grep asleep)"
for i in 1 2 3 4 5; do kubectl create job "by-hand-$i" --from=cronjob/hourly >/dev/null; done
history() { [ "$(kubectl get jobs -o 'jsonpath={range .items[*]}{.metadata.ownerReferences[0].name}{"\n"}{end}' | grep -c hourly)" = 3 ]; }
check "of those that succeeded three are kept" wait_for 10 history
check "the youngest among them" kubectl get job by-hand-5
kubectl delete job "$(job_of forgotten | cut -d/ -f2)" >/dev/null
check "a job that is deleted is missed" wait_for 5 has_event "MissingJob Active job went missing: forgotten-"
kubectl delete cronjob hourly forgotten busy anew >/dev/null
check "jobs go with their cron job" wait_for 10 bash -c "[ -z \"\$(kubectl --kubeconfig $T/kubeconfig get jobs -o name | grep -E 'hourly|by-hand|forgotten|busy|anew')\" ]"

# ---- what is refused ----
refused() { # NAME WHAT COMMAND...
	local name=$1 what=$2
	shift 2
	check_has "$name" "$what" "$("$@" 2>&1)"
}
refused "a pod that always restarts" 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"' job r1 "" "" "restartPolicy: Always"
refused "indexes without a number of them" "spec.completions: Required value: when completion mode is Indexed" job r2 "completionMode: Indexed; parallelism: 2"
refused "a limit per index without indexes" "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode" job r3 "backoffLimitPerIndex: 1"
refused "a policy of failure with restarts" 'only "Never" is supported when podFailurePolicy is specified' job r4 "podFailurePolicy: {rules: [{action: Count, onExitCodes: {operator: In, values: [1]}}]}" "" "restartPolicy: OnFailure"
refused "a schedule that is none" "spec.schedule: Invalid value" cron r5 "61 * * * *"
refused "a zone in the schedule" "cannot use TZ or CRON_TZ in schedule, use timeZone field instead" cron r6 "TZ=Asia/Tokyo 0 * * * *"
refused "a zone that is none" "unknown time zone Mars/Olympus" cron r7 "0 * * * *" "timeZone: Mars/Olympus"
refused "a name that leaves no room" "must be no more than 52 characters" cron "r8-$(printf 'x%.0s' {1..51})" "0 * * * *"

finish
