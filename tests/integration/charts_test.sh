#!/bin/bash
# HelmCharts against the real binary: no kubelet and no helm. Nodes are made up (fake_kubelet.py), the jobs' pods end when
# the test says so, and the releases that helm would keep are made by hand. One server on loopback, nothing left behind.
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17893}
kubelet_pid=
trap '[ -z "$kubelet_pid" ] || kill "$kubelet_pid" 2>/dev/null; cleanup' EXIT

jp() { kubectl get "$1" -n "${3:-default}" -o "jsonpath=$2" 2>/dev/null; }
is() { [ "$(jp "$1" "$2" "${4:-default}")" = "$3" ]; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
has_event() { kubectl get events -A -o 'jsonpath={range .items[*]}{.reason} {.message}{"\n"}{end}' | grep -q -- "$1"; }
failed_is() { is "helmchart/$1" '{range .status.conditions[?(@.type=="Failed")]}{.status} {.reason}{end}' "$2"; }
job_hash() { jp "job/$1" '{.spec.template.metadata.annotations.helmcharts\.helm\.cattle\.io/configHash}'; }
hash_is_not() { local now; now=$(job_hash "$1"); [ -n "$now" ] && [ "$now" != "$2" ]; }
env_of() { jp "job/$1" "{.spec.template.spec.containers[0].env[?(@.name==\"$2\")].value}"; }
pod_runs() { kubectl get pods -l "job-name=$1" --field-selector=status.phase=Running -o name | grep -q .; }
# end_job NAME CODE: its pod ends with this code
end_job() { wait_for 20 pod_runs "$1" && kubectl annotate pods -l "job-name=$1" "fake/exit=$2" --overwrite >/dev/null; }
# release CHART REVISION HASH [STATUS]: as helm 3 keeps it
release() {
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Secret
		metadata: {name: sh.helm.release.v1.$1.v$2, labels: {owner: helm, name: $1, version: "$2", status: ${4:-deployed}, helmcharts.helm.cattle.io/configHash: "$3"}}
		type: helm.sh/release.v1
	YAML
}
# The line before keeps kubectl from taking it for JSON.
chart() { kubectl apply -f - <<<$'---\n'"{apiVersion: helm.cattle.io/v1, kind: HelmChart, metadata: {name: $1, namespace: default}, spec: {$2}}"; }

start_server "$PORT" --disable-agent || { finish; exit 1; }
kubectl create -f - >/dev/null <<YAML
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {kubernetes.io/hostname: n1, kubernetes.io/os: linux}}
status:
  capacity: {cpu: "64", memory: 64Gi, pods: "1000"}
  allocatable: {cpu: "64", memory: 64Gi, pods: "1000"}
  conditions: [{type: Ready, status: "True", reason: KubeletReady, message: ok, lastHeartbeatTime: $(date -u +%Y-%m-%dT%H:%M:%SZ), lastTransitionTime: $(date -u +%Y-%m-%dT%H:%M:%SZ)}]
YAML
python3 "$(dirname "$0")/fake_kubelet.py" "$T/kubeconfig" n1 >/dev/null 2>&1 &
kubelet_pid=$!

# ---- the kinds ----
check "the kinds are served" wait_for 10 kubectl get helmcharts,helmchartconfigs -A
check_has "short names" "No resources" "$(kubectl get hc,hcc 2>&1)"
check_has "a field that is wrong is refused" 'spec.failurePolicy: Unsupported value: "hope"' "$(chart bad 'chart: x, failurePolicy: hope' 2>&1)"
check_has "an unknown one is told" 'unknown field "spec.colour"' "$(chart bad 'chart: x, colour: red' 2>&1)"

# ---- no image ----
chart bare 'chart: site, repo: "https://charts.example"' >/dev/null
check "without an image the status says so" wait_for 10 failed_is bare "True No job image"
check_has "and what to do" "set spec.jobImage, or start the servers with --helm-job-image" "$(jp helmchart/bare '{.status.conditions[1].message}')"
check "an event too" has_event "NoJobImage no image with helm is named"
check "no job is made" gone job/helm-install-bare
kubectl delete helmchart bare --wait=false >/dev/null
check "a chart that was never installed goes at once" wait_for 10 gone helmchart/bare
chart none 'version: "1"' >/dev/null
chart theirs 'chart: site, jobImage: "helm:1"' >/dev/null
kubectl annotate helmchart none x=y >/dev/null

# ---- an installation ----
kubectl create secret generic more --from-literal=v="c: 3" >/dev/null
chart web 'chart: site, repo: "https://charts.example", version: "1.2", jobImage: "helm:1", set: {a: 1, b: "x,y"}, valuesContent: "k: v", valuesSecrets: [{name: more, keys: [v]}], targetNamespace: default' >/dev/null
check "a job is made" wait_for 10 kubectl get job helm-install-web
check_is "with the chart's arguments" '["install","--namespace","default","--version","1.2","--set","a=1","--set-string","b=x\\,y"]' "$(jp job/helm-install-web '{.spec.template.spec.containers[0].args}')"
check_is "its environment" "web/site https://charts.example 0" "$(env_of helm-install-web CHART) $(env_of helm-install-web REPO) $(env_of helm-install-web EXPECTED_RELEASE_REVISION)"
check_is "values are in a secret" "k: v" "$(jp secret/chart-values-web '{.data.HelmChartValuesContent}' | base64 -d)"
check_is "its account may do all" "cluster-admin helm-web" "$(kubectl get clusterrolebinding -l helmcharts.helm.cattle.io/chart=web -o 'jsonpath={.items[0].roleRef.name} {.items[0].subjects[0].name}')"
check "kubectl can see that account's rights" kubectl auth can-i '*' '*' --as=system:serviceaccount:default:helm-web
check_is "the chart is claimed" "helm-controller wrangler.cattle.io/on-helm-chart-remove" "$(jp helmchart/web '{.metadata.annotations.helmcharts\.cattle\.io/managed-by} {.metadata.finalizers[0]}')"
check "the status names the job" wait_for 5 is helmchart/web '{.status.jobName}' helm-install-web
check "and that nothing failed" failed_is web "False "
check "an event tells what is applied" has_event "ApplyJob Applying HelmChart from site, version 1.2, from chart repository https://charts.example using Job default/helm-install-web"
first=$(job_hash helm-install-web)
release web 1 "$first"
end_job helm-install-web 0
check "the job completes" kubectl wait job/helm-install-web --for=condition=complete --timeout=20s
uid=$(jp job/helm-install-web '{.metadata.uid}')
kubectl annotate helmchart web seen=yes >/dev/null
chart after 'chart: c, jobImage: "helm:1"' >/dev/null
check "the next chart has its turn" wait_for 10 kubectl get job helm-install-after
check_is "and is left alone when nothing changes" "$uid" "$(jp job/helm-install-web '{.metadata.uid}')"

# ---- changes ----
keys() { jp secret/chart-values-web '{.data}'; }
check_has "the secret has the chart's values" HelmChartValuesContent "$(keys)"
chart web 'chart: site, repo: "https://charts.example", version: "1.3", jobImage: "helm:1", valuesSecrets: [{name: more, keys: [v]}]' >/dev/null
check "a change makes another job" wait_for 20 hash_is_not helm-install-web "$first"
check_is "that expects the release there is" 1 "$(env_of helm-install-web EXPECTED_RELEASE_REVISION)"
second=$(job_hash helm-install-web)
check_is "values that went from the chart go from the secret" "" "$(keys)"
release web 2 "$second"
end_job helm-install-web 0
kubectl wait job/helm-install-web --for=condition=complete --timeout=20s >/dev/null
kubectl create secret generic more --from-literal=v="c: 4" --dry-run=client -o yaml | kubectl apply -f - >/dev/null 2>&1
check "so does a secret that it names" wait_for 20 hash_is_not helm-install-web "$second"
third=$(job_hash helm-install-web)
wait_for 20 pod_runs helm-install-web
kubectl apply -f - >/dev/null <<<$'---\n{apiVersion: helm.cattle.io/v1, kind: HelmChartConfig, metadata: {name: web, namespace: default}, spec: {valuesContent: "z: 1", failurePolicy: abort}}'
check "and a config, while the job runs" wait_for 40 hash_is_not helm-install-web "$third"
check_is "the config's policy wins" abort "$(env_of helm-install-web FAILURE_POLICY)"
check_is "its values are beside the chart's" "z: 1" "$(jp secret/chart-values-web '{.data.HelmChartConfigValuesContent}' | base64 -d)"
check_is "helm runs once at a time" 1 "$(kubectl get pods -l helmcharts.helm.cattle.io/chart=web --field-selector=status.phase=Running -o name | wc -l)"
kubectl delete job helm-install-web >/dev/null
check "a job that somebody deletes comes again" wait_for 20 kubectl get job helm-install-web

# ---- failure ----
chart broken 'chart: site, jobImage: "helm:1", backOffLimit: 0' >/dev/null
wait_for 10 kubectl get job helm-install-broken
end_job helm-install-broken 3
check "a job that fails makes the chart failed" wait_for 20 failed_is broken "True Job failed"
check_has "kubectl shows it" "True" "$(kubectl get hc broken --no-headers)"
chart old 'chart: site, jobImage: "helm:1", helmVersion: v2' >/dev/null
check "helm 2 is refused" wait_for 10 failed_is old "True Unsupported version"

# ---- removal ----
kubectl delete helmchart web --wait=false >/dev/null
check "a deleted chart is uninstalled first" wait_for 40 kubectl get job helm-delete-web
check_is "by helm" '["delete"]' "$(jp job/helm-delete-web '{.spec.template.spec.containers[0].args}')"
check "the other job is gone by then" gone job/helm-install-web
check "and the chart still there" kubectl get helmchart web
kubectl delete secret sh.helm.release.v1.web.v1 sh.helm.release.v1.web.v2 >/dev/null
end_job helm-delete-web 0
check "it goes when that is done" wait_for 30 gone helmchart/web
no_binding() { [ -z "$(kubectl get clusterrolebinding -l "helmcharts.helm.cattle.io/chart=$1" -o name)" ]; }
check "with its binding" wait_for 10 no_binding web
check "its account" wait_for 20 gone serviceaccount/helm-web
check "its values" wait_for 20 gone secret/chart-values-web
check "and its jobs" wait_for 20 gone job/helm-delete-web

chart forced 'chart: site, jobImage: "helm:1"' >/dev/null
wait_for 10 kubectl get job helm-install-forced
kubectl delete helmchart forced --wait=false >/dev/null
kubectl patch helmchart forced --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
check "a chart that can't be uninstalled goes without its finalizer" wait_for 10 gone helmchart/forced
check "nor does its binding stay when somebody takes the finalizer off" wait_for 20 no_binding forced
long=$(printf 'x%.0s' $(seq 51))
chart "$long" 'chart: site, jobImage: "helm:1"' >/dev/null
check "a name that is too long is told" wait_for 10 failed_is "$long" "True Name too long"
kubectl delete helmchart "$long" --wait=false >/dev/null
check "and goes" wait_for 10 gone "helmchart/$long"
chart wrong 'chart: site, jobImage: "helm:1", podSecurityContext: {runAsUser: abc}' >/dev/null
check "a job that can't be made is told" wait_for 10 failed_is wrong "True Job create failed"
kubectl delete helmchart wrong --wait=false >/dev/null
check "and its chart goes" wait_for 20 gone helmchart/wrong
kubectl create secret generic chart-values-taken --from-literal=a=b >/dev/null
chart taken 'chart: site, jobImage: "helm:1", valuesContent: "k: v"' >/dev/null
check "a secret in the way is told" wait_for 10 failed_is taken "True Job create failed"

kubectl create namespace team >/dev/null
kubectl apply -f - >/dev/null <<<$'---\n{apiVersion: helm.cattle.io/v1, kind: HelmChart, metadata: {name: in, namespace: team}, spec: {chart: c, jobImage: "helm:1"}}'
wait_for 10 kubectl -n team get job helm-install-in
kubectl delete namespace team --wait=false >/dev/null
check "a namespace with a chart goes" wait_for 60 gone namespace/team
check_is "a chart that names none is left alone" "" "$(jp helmchart/none '{.status}{.metadata.finalizers}')"

# ---- a restart, and a server that says which image ----
stop_server TERM
start_server "$PORT" --disable-agent --helm-job-image own/helm:2 || { finish; exit 1; }
chart late 'chart: site' >/dev/null
check "the server's image is the one of those that name none" wait_for 20 is job/helm-install-late '{.spec.template.spec.containers[0].image}' own/helm:2
stop_server TERM
start_server "$PORT" --disable-agent --disable-helm-controller || { finish; exit 1; }
chart last 'chart: site, jobImage: "helm:1"' >/dev/null
config() { kubectl create configmap "$1" >/dev/null && wait_for 10 kubectl get configmap "$1"; }
config passed
check "--disable-helm-controller installs nothing" gone job/helm-install-last
finish
