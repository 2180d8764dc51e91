#!/bin/bash
# HelmCharts with a real kubelet: an image whose install and delete are scripts in helm's place. They see what helm would
# (arguments, values, archive), and by the job's account they make what helm would: the chart's objects and its release.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "charts on a node" "needs root"; finish; exit; }
needs openssl

in_namespace
mkdir -p "$T/data/agent/images" "$T/extra/bin"
cat >"$T/extra/bin/api" <<'SH'
#!/bin/sh
# api PATH [JSON]: asks the API with the pod's account, as the job's helm does
S=/var/run/secrets/kubernetes.io/serviceaccount
wget -q -O - --no-check-certificate --header "Authorization: Bearer $(cat $S/token)" --header "Content-Type: application/json" ${2:+--post-data "$2"} "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT$1"
SH
cat >"$T/extra/bin/install" <<'SH'
#!/bin/sh
echo "install $*"
cat /config/*.yaml
[ ! -e "/chart/$NAME.tgz.base64" ] || base64 -d "/chart/$NAME.tgz.base64"
touch /tmp/scratch && ! touch /root.file 2>/dev/null && echo "only /tmp can be written"
n=$((EXPECTED_RELEASE_REVISION + 1))
api "/api/v1/namespaces/$TARGET_NAMESPACE/configmaps" '{"metadata":{"name":"of-'$NAME-$n'"}}' >/dev/null || exit 1
api "/api/v1/namespaces/$TARGET_NAMESPACE/secrets" '{"metadata":{"name":"sh.helm.release.v1.'$NAME.v$n'","labels":{"owner":"helm","name":"'$NAME'","version":"'$n'","status":"deployed","helmcharts.helm.cattle.io/configHash":"'$CONFIG_HASH'"}},"type":"helm.sh/release.v1"}' >/dev/null
SH
cat >"$T/extra/bin/delete" <<'SH'
#!/bin/sh
echo "deleting what is at revision $EXPECTED_RELEASE_REVISION"
SH
# busybox's wget has openssl do its TLS where it finds it.
cp "$(type -P openssl)" "$T/extra/bin/"
ldd "$(type -P openssl)" | grep -o '/[^ ]*' | while read -r f; do mkdir -p "$T/extra${f%/*}" && cp -L "$f" "$T/extra$f"; done
chmod +x "$T"/extra/bin/*
BUSYBOX_IMAGE_EXTRA=$T/extra busybox_image helm:1 "$T/data/agent/images/helm.tar" sh
start_server 17765 --node-name node1 --kubelet-port 17766 --helm-job-image helm:1 || { finish; exit 1; }

jp() { kubectl get "$1" -n "${3:-default}" -o "jsonpath=$2" 2>/dev/null; }
is() { [ "$(jp "$1" "$2" "${4:-default}")" = "$3" ]; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
chart() { kubectl apply -f - <<<$'---\n'"{apiVersion: helm.cattle.io/v1, kind: HelmChart, metadata: {name: $1, namespace: default}, spec: {podSecurityContext: {runAsNonRoot: true, runAsUser: 1000}, $2}}"; }
completes() { kubectl wait "job/$1" --for=condition=complete --timeout=90s; }
check "node becomes Ready" wait_for 60 is node/node1 '{.status.conditions[?(@.type=="Ready")].status}' True

chart web "chart: site, valuesContent: 'colour: red', chartContent: '$(printf 'the archive\n' | base64)', set: {size: 3}" >/dev/null
wait_for 20 kubectl get job helm-install-web
check "a chart's job runs to its end" completes helm-install-web
log=$(kubectl logs job/helm-install-web)
check_has "helm has its arguments" "install --set size=3" "$log"
check_has "its values" "colour: red" "$log"
check_has "its archive" "the archive" "$log"
check_has "and a root that is read-only" "only /tmp can be written" "$log"
check "what the chart holds is there" kubectl get configmap of-web-1
check "the chart has not failed" is helmchart/web '{.status.conditions[?(@.type=="Failed")].status}' False

chart web "chart: site, valuesContent: 'colour: blue'" >/dev/null
check "a change is a second revision" wait_for 90 kubectl get secret sh.helm.release.v1.web.v2
check_has "of the new values" "colour: blue" "$(kubectl logs job/helm-install-web)"

mkdir -p "$T/data/server/manifests"
printf 'apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: dropped, namespace: kube-system}\nspec: {chart: site, targetNamespace: default, podSecurityContext: {runAsUser: 1000}}\n' >"$T/data/server/manifests/dropped.yaml"
check "a chart in server/manifests is installed" wait_for 90 kubectl get secret sh.helm.release.v1.dropped.v1

kubectl delete helmchart web --wait=false >/dev/null
check "a deleted chart's job runs" wait_for 60 is job/helm-delete-web '{.status.succeeded}' 1
check_has "it knows what is installed" "at revision 2" "$(kubectl logs job/helm-delete-web)"
check "the chart stays while its release does" kubectl get helmchart web
kubectl delete secret sh.helm.release.v1.web.v1 sh.helm.release.v1.web.v2 >/dev/null
check "and goes with it" wait_for 90 gone helmchart/web
no_pods() { [ -z "$(kubectl get pods -l helmcharts.helm.cattle.io/chart=web -o name)" ]; }
check "its pods too" wait_for 60 no_pods
finish
