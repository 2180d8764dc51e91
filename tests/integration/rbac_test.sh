#!/bin/bash
# Who may do what: roles, escalation, reviews, impersonation, nodes; with kubectl and curl, over tokens of service accounts
# and client certificates. One server of its own, no kubelet, nothing fetched, nothing left behind.
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17853}
needs kubectl curl openssl
tls=$T/data/server/tls
start_server "$PORT" --disable-agent || { finish; exit 1; }

# certificate NAME USER [GROUP...]: $T/NAME.{crt,key}, from the cluster's CA of clients
certificate() {
	local name=$1 subject=/CN=$2 g
	shift 2
	for g; do subject="/O=$g$subject"; done
	openssl ecparam -name prime256v1 -genkey -noout -out "$T/$name.key" 2>/dev/null
	openssl req -new -key "$T/$name.key" -subj "$subject" -out "$T/$name.csr" 2>/dev/null
	openssl x509 -req -in "$T/$name.csr" -CA "$tls/client-ca.crt" -CAkey "$tls/client-ca.key" -CAcreateserial -days 1 \
		-extfile <(echo extendedKeyUsage=clientAuth) -out "$T/$name.crt" 2>/dev/null
}
as_cert() { # NAME CURL-ARGS
	local name=$1
	shift
	curl -s --max-time 20 --cacert "$tls/server-ca.crt" --cert "$T/$name.crt" --key "$T/$name.key" -H "content-type: ${type:-application/json}" "$@"
}
merge=application/merge-patch+json
api=https://127.0.0.1:$PORT
as_token() { local token=$1; shift; curl -s --max-time 20 --cacert "$tls/server-ca.crt" -H "authorization: Bearer $token" -H 'content-type: application/json' "$@"; }
code() { "$@" -o /dev/null -w '%{http_code}'; }
message() { "$@" | sed -n 's/^ *"message": *"\(.*\)",$/\1/p; s/.*"message":"\(\([^"\\]\|\\.\)*\)".*/\1/p' | head -n1; }
user() { local name=$1; shift; inside "$(type -P kubectl)" --server "$api" --certificate-authority "$tls/server-ca.crt" \
	--client-certificate "$T/$name.crt" --client-key "$T/$name.key" --request-timeout=20s "$@"; }
can() { [ "$("$@" 2>/dev/null)" = yes ]; }

# ---- what is there from the start ----
check_is "upstream's cluster roles are there" 0 "$(for r in cluster-admin admin edit view system:node system:kube-scheduler system:discovery \
	system:controller:deployment-controller system:controller:job-controller; do kubectl get clusterrole $r -o name; done 2>&1 >/dev/null | wc -l)"
check_is "so are the roles of kube-system" role.rbac.authorization.k8s.io/extension-apiserver-authentication-reader \
	"$(kubectl -n kube-system get role extension-apiserver-authentication-reader -o name)"
check_is "a controller's role is bound to its account" deployment-controller \
	"$(kubectl get clusterrolebinding system:controller:deployment-controller -o 'jsonpath={.subjects[0].name}')"
view_is_filled() { kubectl get clusterrole view -o 'jsonpath={.rules}' | grep -q configmaps; }
check "view is put together of its parts" wait_for 10 view_is_filled
admin_is_filled() { kubectl get clusterrole admin -o 'jsonpath={.rules}' | grep -q rolebindings; }
check "admin is put together of parts that are put together" wait_for 10 admin_is_filled

# ---- users with certificates ----
certificate jane jane devs
check_is "a known user may discover" 200 "$(code as_cert jane $api/apis)"
check_is "health is open to all" 200 "$(curl -s --cacert "$tls/server-ca.crt" -o /dev/null -w '%{http_code}' $api/healthz)"
check_is "and sees nothing else" 403 "$(code as_cert jane $api/api/v1/pods)"
check_is "the refusal is upstream's" 'pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"' \
	"$(message as_cert jane $api/api/v1/namespaces/default/pods)"
check_is "of a path, too" 'forbidden: User \"jane\" cannot get path \"/metrics\"' "$(message as_cert jane $api/metrics)"
kubectl create rolebinding jane-view --clusterrole=view --user=jane >/dev/null
check_is "a binding counts at once" 200 "$(code as_cert jane $api/api/v1/namespaces/default/pods)"
check_is "in its namespace alone" 403 "$(code as_cert jane $api/api/v1/namespaces/kube-system/pods)"
check_is "and for what it says alone" 403 "$(code as_cert jane -X POST -d '{"metadata":{"name":"x"}}' $api/api/v1/namespaces/default/configmaps)"
check_is "view shows no secrets" 403 "$(code as_cert jane $api/api/v1/namespaces/default/secrets)"
kubectl delete rolebinding jane-view >/dev/null
check_is "without it nothing is left" 403 "$(code as_cert jane $api/api/v1/namespaces/default/pods)"
kubectl create clusterrolebinding devs-gone --clusterrole=gone --group=devs >/dev/null
check_is "a role that is not there is named" 'pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\": RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found' \
	"$(message as_cert jane $api/api/v1/namespaces/default/pods)"
kubectl create clusterrole gone --verb=get,list --resource=configmaps --resource-name=one >/dev/null
kubectl create configmap one >/dev/null
kubectl create configmap two >/dev/null
check_is "when it comes it counts, for the object it names" 200 "$(code as_cert jane $api/api/v1/namespaces/default/configmaps/one)"
check_is "and no other" 403 "$(code as_cert jane $api/api/v1/namespaces/default/configmaps/two)"
check_is "a list of that one object" 200 "$(code as_cert jane "$api/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Done")"
check_is "but no list of all" 403 "$(code as_cert jane $api/api/v1/namespaces/default/configmaps)"
kubectl delete clusterrolebinding devs-gone >/dev/null

# ---- service accounts ----
kubectl create serviceaccount robot >/dev/null
token=$(kubectl create token robot)
check_is "an account may nothing at first" 403 "$(code as_token "$token" $api/api/v1/namespaces/default/services)"
kubectl create role reader --verb=get,list,watch --resource=services >/dev/null
kubectl create rolebinding robot --role=reader --serviceaccount=default:robot >/dev/null
check_is "bound it may" 200 "$(code as_token "$token" $api/api/v1/namespaces/default/services)"
kubectl create clusterrole deployer --verb=create --resource=deployments.apps >/dev/null
kubectl create clusterrolebinding accounts --clusterrole=deployer --group=system:serviceaccounts:default >/dev/null
check_is "a group of accounts is a group" 201 "$(code as_token "$token" -X POST "$api/apis/apps/v1/namespaces/default/deployments?dryRun=All" \
	-d '{"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"x"}]}}}}')"

# ---- aggregation and reconciliation ----
kubectl create -f - >/dev/null <<'YAML'
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: more-view, labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}}
rules: [{apiGroups: [example.com], resources: [widgets], verbs: [get, list]}]
YAML
view_has_widgets() { kubectl get clusterrole view -o 'jsonpath={.rules}' | grep -q example.com; }
check "a role with the label is collected" wait_for 10 view_has_widgets
kubectl delete clusterrole more-view >/dev/null
view_lost_widgets() { ! view_has_widgets; }
check "and given up when it goes" wait_for 10 view_lost_widgets
kubectl patch clusterrole system:basic-user --type=json -p '[{"op":"replace","path":"/rules","value":[{"verbs":["get"],"apiGroups":["example.com"],"resources":["things"]}]}]' >/dev/null
kubectl annotate clusterrole system:heapster --overwrite rbac.authorization.kubernetes.io/autoupdate=false >/dev/null
kubectl patch clusterrole system:heapster --type=json -p '[{"op":"replace","path":"/rules","value":[]}]' >/dev/null
kubectl patch clusterrolebinding system:discovery --type=json -p '[{"op":"replace","path":"/subjects","value":[{"kind":"User","name":"extra","apiGroup":"rbac.authorization.k8s.io"}]}]' >/dev/null
kubectl delete clusterrole system:kube-dns >/dev/null
stop_server TERM
start_server "$PORT" --disable-agent || { finish; exit 1; }
rules=$(kubectl get clusterrole system:basic-user -o 'jsonpath={.rules}')
check_has "rules that a role lacks are added at a start" selfsubjectreviews "$rules"
check_has "and none is taken away" things "$rules"
check_is "who says autoupdate false is left alone" "" "$(kubectl get clusterrole system:heapster -o 'jsonpath={.rules[*]}')"
check_is "subjects are added the same way" "extra system:authenticated" "$(kubectl get clusterrolebinding system:discovery -o 'jsonpath={.subjects[*].name}')"
check "what was deleted is made again" kubectl get clusterrole system:kube-dns

# ---- escalation ----
kubectl create role role-writer --verb='*' --resource=roles,rolebindings >/dev/null
kubectl create rolebinding role-writer --role=role-writer --user=jane >/dev/null
role() { printf '{"metadata":{"name":"%s"},"rules":[{"verbs":["get","list"],"apiGroups":[""],"resources":["%s"]}]}' "$1" "$2"; }
rbac=$api/apis/rbac.authorization.k8s.io/v1/namespaces/default
# the verb * is also escalate and bind
check_is "who may escalate may" 201 "$(code as_cert jane -X POST -d "$(role r1 secrets)" $rbac/roles)"
kubectl patch role role-writer --type=json -p '[{"op":"replace","path":"/rules/0/verbs","value":["create","get","update","patch"]}]' >/dev/null
check_is "nobody grants what he does not hold" \
	'roles.rbac.authorization.k8s.io \"r2\" is forbidden: user \"jane\" (groups=[\"devs\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}' \
	"$(message as_cert jane -X POST -d "$(role r2 secrets)" $rbac/roles | sed 's/groups=\[\\"system:authenticated\\" \\"devs\\"\]/groups=[\\"devs\\" \\"system:authenticated\\"]/')"
check_is "what he holds he may grant" 201 "$(code as_cert jane -X POST -d '{"metadata":{"name":"r3"},"rules":[{"verbs":["get"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["roles"]}]}' $rbac/roles)"
check_is "a patch is looked at as well" 403 "$(type=$merge code as_cert jane -X PATCH -d '{"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}' $rbac/roles/r3)"
binding() { printf '{"metadata":{"name":"%s"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"%s","name":"%s"},"subjects":[{"kind":"User","name":"jane"}]}' "$1" "$2" "$3"; }
check_is "nor binds himself to more" 403 "$(code as_cert jane -X POST -d "$(binding b1 ClusterRole cluster-admin)" $rbac/rolebindings)"
check_is "a binding to what he holds is fine" 201 "$(code as_cert jane -X POST -d "$(binding b2 Role r3)" $rbac/rolebindings)"
check_is "a role that is not there cannot be bound" 404 "$(code as_cert jane -X POST -d "$(binding b3 Role none)" $rbac/rolebindings)"
kubectl create clusterrole binder --verb=bind --resource=clusterroles --resource-name=view >/dev/null
kubectl create rolebinding binder --clusterrole=binder --user=jane >/dev/null
check_is "who may bind a role may" 201 "$(code as_cert jane -X POST -d "$(binding b4 ClusterRole view)" $rbac/rolebindings)"
check_is "that role alone" 403 "$(code as_cert jane -X POST -d "$(binding b5 ClusterRole edit)" $rbac/rolebindings)"

# ---- roles and bindings that are none ----
clusters=$api/apis/rbac.authorization.k8s.io/v1
invalid() { # WHAT PART-OF-THE-MESSAGE PATH BODY
	local answer
	answer=$(kubectl create --raw "${3#"$api"}" -f - <<<"$4" 2>&1)
	check_has "$1" "$2" "$answer"
}
typed() { printf '{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"%s","metadata":{"name":"odd"},%s}' "$1" "$2"; }
rule() { typed ClusterRole "\"rules\":[{$1}]"; }
subject() { typed ClusterRoleBinding "\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"${2:-ClusterRole}\",\"name\":\"view\"},\"subjects\":[{$1}]"; }
invalid "a rule has verbs" 'rules[0].verbs: Required value: verbs must contain at least one value' $clusters/clusterroles "$(rule '"apiGroups":[""],"resources":["pods"]')"
invalid "and groups" 'rules[0].apiGroups: Required value' $clusters/clusterroles "$(rule '"verbs":["get"],"resources":["pods"]')"
invalid "and resources" 'rules[0].resources: Required value' $clusters/clusterroles "$(rule '"verbs":["get"],"apiGroups":[""]')"
invalid "or paths" 'rules cannot apply to both regular resources and non-resource URLs' $clusters/clusterroles "$(rule '"verbs":["get"],"apiGroups":[""],"resources":["pods"],"nonResourceURLs":["/x"]')"
invalid "paths are the cluster's" 'Invalid value: []string{"/x"}: namespaced rules cannot apply to non-resource URLs' $rbac/roles "$(typed Role '"rules":[{"verbs":["get"],"nonResourceURLs":["/x"]}]')"
invalid "who collects says what" 'at least one clusterRoleSelector required' $clusters/clusterroles "$(typed ClusterRole '"rules":[],"aggregationRule":{"clusterRoleSelectors":[]}')"
invalid "a cluster has no roles of namespaces" 'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"' $clusters/clusterrolebindings "$(subject '"kind":"User","name":"x"' Role)"
invalid "a subject is of a kind" 'subjects[0].kind: Unsupported value: "Robot"' $clusters/clusterrolebindings "$(subject '"kind":"Robot","name":"x"')"
invalid "and of its group" 'subjects[0].apiGroup: Unsupported value: "v1"' $clusters/clusterrolebindings "$(subject '"kind":"User","name":"x","apiGroup":"v1"')"
invalid "an account is of a namespace" 'subjects[0].namespace: Required value' $clusters/clusterrolebindings "$(subject '"kind":"ServiceAccount","name":"x"')"

# ---- questions ----
check "kubectl auth can-i says yes" can user jane auth can-i list pods
check_is "and no" no "$(user jane auth can-i delete pods 2>/dev/null)"
list=$(user jane auth can-i --list)
check_has "can-i --list shows the rules of the namespace" configmaps "$list"
check_has "and paths" /healthz "$list"
check_has "whoami shows groups" devs "$(user jane auth whoami)"
check_is "reviews of others are not everybody's" 403 "$(code as_token "$token" -X POST $api/apis/authorization.k8s.io/v1/subjectaccessreviews -d '{"spec":{"user":"jane","resourceAttributes":{"verb":"list","resource":"pods","namespace":"default"}}}')"
reviewed=$(kubectl create -o json -f - <<'JSON'
{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":"jane","resourceAttributes":{"verb":"list","resource":"pods","namespace":"default"}}}
JSON
)
check_has "a review says why" 'RBAC: allowed by RoleBinding \"b4/default\" of ClusterRole \"view\" to User \"jane\"' "$reviewed"
local_review=/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews
check_has "a local review is about its namespace" "must match metadata.namespace" "$(kubectl create --raw $local_review -f - 2>&1 <<'JSON'
{"apiVersion":"authorization.k8s.io/v1","kind":"LocalSubjectAccessReview","metadata":{"namespace":"default"},"spec":{"user":"jane","resourceAttributes":{"verb":"list","resource":"pods","namespace":"kube-system"}}}
JSON
)"
cat >"$T/roles.yaml" <<'YAML'
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules: [{apiGroups: [""], resources: [endpoints], verbs: [get]}]
YAML
kubectl auth reconcile -f "$T/roles.yaml" >/dev/null 2>&1
check_has "kubectl auth reconcile adds" endpoints "$(kubectl get role reader -o 'jsonpath={.rules}')"

# ---- impersonation ----
check_is "an administrator may act as anybody" no "$(kubectl auth can-i delete pods --as=nobody 2>/dev/null)"
check "as a group, too" can kubectl auth can-i delete pods --as=nobody --as-group=system:masters
check_is "and as an account" 'system:serviceaccount:default:robot' "$(kubectl auth whoami --as=system:serviceaccount:default:robot -o 'jsonpath={.status.userInfo.username}')"
check_has "whose groups come along" system:serviceaccounts:default "$(kubectl auth whoami --as=system:serviceaccount:default:robot)"
check_has "extra keys are kept" reason "$(curl -s --cacert "$tls/server-ca.crt" --cert "$tls/client-admin.crt" --key "$tls/client-admin.key" -H 'content-type: application/json' \
	-H 'Impersonate-User: x' -H 'Impersonate-Extra-Reason: test' -H 'Impersonate-Uid: 7' -X POST -d '{}' "$api/apis/authentication.k8s.io/v1/selfsubjectreviews")"
check_is "others may not" 'users \"admin\" is forbidden: User \"jane\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope' \
	"$(message as_cert jane -H 'Impersonate-User: admin' $api/api/v1/pods)"
kubectl create clusterrole as-bob --verb=impersonate --resource=users --resource-name=bob >/dev/null
kubectl create clusterrolebinding as-bob --clusterrole=as-bob --user=jane >/dev/null
check_is "but whom they were allowed to" bob "$(user jane auth whoami --as=bob -o 'jsonpath={.status.userInfo.username}')"
check_is "without his groups" 403 "$(code as_cert jane -H 'Impersonate-User: bob' -H 'Impersonate-Group: system:masters' $api/api/v1/pods)"
check_is "a group without a user is nobody" 400 "$(code as_cert jane -H 'Impersonate-Group: system:masters' $api/api/v1/pods)"
check_is "and acts with his rights alone" 403 "$(code as_cert jane -H 'Impersonate-User: bob' $api/api/v1/namespaces/default/pods)"

# ---- nodes ----
certificate n1 system:node:n1 system:nodes
kubectl create secret generic used --from-literal=a=b >/dev/null
kubectl create secret generic unused --from-literal=a=b >/dev/null
kubectl create configmap conf --from-literal=a=b >/dev/null
pod() { printf '{"metadata":{"name":"%s"},"spec":{"nodeName":"%s","containers":[{"name":"c","image":"x","envFrom":[{"configMapRef":{"name":"conf"}}]}],"volumes":[{"name":"s","secret":{"secretName":"used"}}]}}' "$1" "$2"; }
core=$api/api/v1/namespaces/default
node() { printf '{"metadata":{"name":"%s","labels":{%s}}}' "$1" "$2"; }
check_is "a node registers itself" 201 "$(code as_cert n1 -X POST -d "$(node n1 '"kubernetes.io/hostname":"n1","mine":"x"')" $api/api/v1/nodes)"
check_is "and no other" 403 "$(code as_cert n1 -X POST -d "$(node n2 '')" $api/api/v1/nodes)"
check_is "without labels that are not its to set" 'nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify labels: node-role.kubernetes.io/control-plane' \
	"$(type=$merge message as_cert n1 -X PATCH -d '{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":"true"}}}' $api/api/v1/nodes/n1)"
check_is "nor takes its taints off" 403 "$(type=$merge code as_cert n1 -X PATCH -d '{"spec":{"taints":[]}}' $api/api/v1/nodes/n1)"
check_is "it reads itself" 200 "$(code as_cert n1 $api/api/v1/nodes/n1)"
check_is "not all nodes" 403 "$(code as_cert n1 $api/api/v1/nodes)"
check_is "a secret that none of its pods has" 'secrets \"used\" is forbidden: User \"system:node:n1\" cannot get resource \"secrets\" in API group \"\" in the namespace \"default\": no relationship found between node '"'n1'"' and this object' \
	"$(message as_cert n1 $core/secrets/used)"
kubectl create --raw /api/v1/namespaces/default/pods -f <(pod p1 n1 | sed 's/^{/{"apiVersion":"v1","kind":"Pod",/') >/dev/null
kubectl create --raw /api/v1/namespaces/default/pods -f <(pod p2 n2 | sed 's/^{/{"apiVersion":"v1","kind":"Pod",/') >/dev/null
check_is "one that a pod of its has" 200 "$(code as_cert n1 $core/secrets/used)"
check_is "a config map likewise" 200 "$(code as_cert n1 $core/configmaps/conf)"
check_is "no other" 403 "$(code as_cert n1 $core/secrets/unused)"
check_is "no list of secrets" 403 "$(code as_cert n1 $core/secrets)"
check_is "its pods" 200 "$(code as_cert n1 "$api/api/v1/pods?fieldSelector=spec.nodeName%3Dn1")"
check_is "not those of others" 403 "$(code as_cert n1 "$api/api/v1/pods?fieldSelector=spec.nodeName%3Dn2")"
check_is "their status" 200 "$(type=$merge code as_cert n1 -X PATCH -d '{"status":{"message":"x"}}' $core/pods/p1/status)"
check_is "not that of others" 403 "$(type=$merge code as_cert n1 -X PATCH -d '{"status":{"message":"x"}}' $core/pods/p2/status)"
check_is "no pods but mirrors" 403 "$(code as_cert n1 -X POST -d "$(pod p3 n1)" $core/pods)"
check_is "a mirror pod" 201 "$(code as_cert n1 -X POST -d '{"metadata":{"name":"m","annotations":{"kubernetes.io/config.mirror":"x"}},"spec":{"nodeName":"n1","containers":[{"name":"c","image":"x"}]}}' $core/pods)"
check_is "with no secrets in it" 403 "$(code as_cert n1 -X POST -d '{"metadata":{"name":"m2","annotations":{"kubernetes.io/config.mirror":"x"}},"spec":{"nodeName":"n1","containers":[{"name":"c","image":"x"}],"volumes":[{"name":"s","secret":{"secretName":"unused"}}]}}' $core/pods)"
mirror() { printf '{"metadata":{"name":"m3","annotations":{"kubernetes.io/config.mirror":"x"},"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"n1","uid":"%s","controller":%s}]},"spec":{"nodeName":"n1","containers":[{"name":"c","image":"x"}]%s}}' "$@"; }
mine=$(kubectl get node n1 -o 'jsonpath={.metadata.uid}')
check_is "of the node, if it says of whom" 403 "$(code as_cert n1 -X POST -d "$(mirror other true '')" $core/pods)"
check_is "as its controller" 403 "$(code as_cert n1 -X POST -d "$(mirror "$mine" false '')" $core/pods)"
check_is "with no token" 403 "$(code as_cert n1 -X POST -d "$(mirror "$mine" true ',"volumes":[{"name":"t","projected":{"sources":[{"serviceAccountToken":{"path":"t"}}]}}]')" $core/pods)"
check_is "which is fine" 201 "$(code as_cert n1 -X POST -d "$(mirror "$mine" true '')" $core/pods)"
certificate n2 system:node:n2 system:nodes
csr() { printf '{"metadata":{"name":"%s"},"spec":{"request":"%s","signerName":"kubernetes.io/%s","usages":["digital signature","client auth"]}}' "$1" "$(base64 -w0 <"$T/$1.csr")" "$2"; }
requests=$api/apis/certificates.k8s.io/v1/certificatesigningrequests
check_is "it asks for no certificate of another node" 'certificatesigningrequests.certificates.k8s.io \"n2\" is forbidden: can only create a node CSR with CN=system:node:n1' \
	"$(message as_cert n1 -X POST -d "$(csr n2 kube-apiserver-client-kubelet)" $requests)"
check_is "nor of its server" 403 "$(code as_cert n1 -X POST -d "$(csr n2 kubelet-serving)" $requests)"
check_is "but for its own" 201 "$(code as_cert n1 -X POST -d "$(csr n1 kube-apiserver-client-kubelet)" $requests)"
check_is "it deletes its pods alone" 403 "$(code as_cert n1 -X DELETE $core/pods/p2)"
uid=$(kubectl get pod p1 -o 'jsonpath={.metadata.uid}') other=$(kubectl get pod p2 -o 'jsonpath={.metadata.uid}')
request() { printf '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"%s","uid":"%s"}}}' "$1" "$2"; }
check_is "tokens for its pods" 201 "$(code as_cert n1 -X POST -d "$(request p1 "$uid")" $core/serviceaccounts/default/token)"
check_is "not for those of others" 403 "$(code as_cert n1 -X POST -d "$(request p2 "$other")" $core/serviceaccounts/default/token)"
check_is "nor of accounts that no pod of its has" 403 "$(code as_cert n1 -X POST -d "$(request p1 "$uid")" $core/serviceaccounts/robot/token)"
lease() { printf '{"metadata":{"name":"%s"},"spec":{"holderIdentity":"n1"}}' "$1"; }
leases=$api/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases
check_is "its lease" 201 "$(code as_cert n1 -X POST -d "$(lease n1)" $leases)"
check_is "no other lease" 403 "$(code as_cert n1 -X POST -d "$(lease n2)" $leases)"
kubectl delete pod p1 --grace-period=0 --force >/dev/null 2>&1
check_is "when its pod is gone so is the secret" 403 "$(code as_cert n1 $core/secrets/used)"

finish
