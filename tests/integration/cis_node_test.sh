#!/bin/bash
# The CIS Kubernetes benchmark v1.10 on a cluster that is started as docs/security.md says: every control, none failed, and
# the table there is that of cis.py.
# lane: node
WITH_ADDONS=1
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "the benchmark on a node" "needs root"; finish; exit; }

in_namespace
mkdir -p "$T/audit"
printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n' >"$T/audit/policy.yaml"
arg() { printf -- '--kube-apiserver-arg=%s\n' "$1"; }
start_server 17767 --node-name node1 --kubelet-port 17768 --secrets-encryption --secrets-encryption-provider=secretbox \
	"$(arg "audit-policy-file=$T/audit/policy.yaml")" "$(arg "audit-log-path=$T/audit/audit.log")" "$(arg audit-log-maxage=30)" \
	"$(arg audit-log-maxbackup=10)" "$(arg audit-log-maxsize=100)" "$(arg enable-admission-plugins=DenyServiceExternalIPs)" || { finish; exit 1; }
ready() { [ "$(kubectl get node node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
check "node becomes Ready" wait_for 60 ready
check "add-ons come up" wait_for 60 kubectl -n kube-system wait --for=condition=Available --timeout=1s deployment --all
out=$(inside python3 -B "$root/tests/integration/cis.py" --data-dir "$T/data" --kubeconfig "$T/kubeconfig" --kubelet-port 17768)
status=$?
echo "$out"
check_is "no control fails" 0 "$status"
check_has "the table is in docs/security.md" "$(python3 -B "$root/tests/integration/cis.py" --table)" "$(cat "$root/docs/security.md")"
stop_server
finish
