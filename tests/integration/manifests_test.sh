#!/bin/bash
# What lies in server/manifests is applied: at the start and when a file changes, in sub-folders, several documents, JSON,
# Lists, kinds whose definition comes beside them; what leaves a file goes; broken files, .skip, --disable, restarts.
WITH_ADDONS=1
. "$(dirname "$0")/_lib.sh"
PORT=${PORT:-17863}

M=$T/data/server/manifests
jp() { kubectl get "$1" -n "${3:-default}" -o "jsonpath=$2"; }
is() { [ "$(jp "$1" "$2" "${4:-default}" 2>/dev/null)" = "$3" ]; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
addon_event() { kubectl -n kube-system get events --field-selector "involvedObject.name=$1,involvedObject.kind=Addon" -o 'jsonpath={range .items[*]}{.reason} {.message}{"\n"}{end}' | grep -q -- "$2"; }
checksum_is() { [ -e "$M/$2" ] && is addon/"$1" '{.spec.checksum}' "$(sha256sum <"$M/$2" | cut -d' ' -f1)" kube-system; }
put() { cat >"$T/new" && mv "$T/new" "$M/$1"; }
start() { start_server "$PORT" --disable-agent --disable-scheduler "$@" || { finish; exit 1; }; }
config_map() { printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {%s}\n' "$1" "${2:-}"; }

mkdir -p "$M/sub/deeper"
config_map early "a: one" | put early.yaml
start

# ---- files and their Addons ----
check "a file that lies there at the start is applied" wait_for 10 is configmap/early '{.data.a}' one
check "its Addon has the checksum" wait_for 5 checksum_is early early.yaml
check_is "its Addon says where it came from" "$M/early.yaml" "$(jp addon/early '{.spec.source}' kube-system)"
check "an event says that it is being applied" wait_for 5 addon_event early "ApplyingManifest Applying manifest at \"$M/early.yaml\""
check "an event says that it is applied" wait_for 5 addon_event early "AppliedManifest Applied manifest at \"$M/early.yaml\""
check_has "kubectl lists Addons as k3s does" "CHECKSUM" "$(kubectl -n kube-system get addons)"
check_is "fields are owned by the one manager" deploy "$(kubectl get configmap early --show-managed-fields -o 'jsonpath={.metadata.managedFields[*].manager}')"

config_map early "b: two" | put early.yaml
check "a file that changes is applied again" wait_for 10 is configmap/early '{.data}' '{"b":"two"}'

{ config_map one; echo ---; echo "# nothing here"; echo ---; config_map two; } | put sub/deeper/many.yml
check "sub-folders and several documents" wait_for 20 kubectl get configmap one two

printf '{\n\t"apiVersion": "v1", "kind": "List", "items": [\n\t{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "listed"}},\n\t{"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deeper"}}]}]}\n' | put list.json
check "JSON, with tabs, and Lists in Lists" wait_for 10 kubectl get configmap listed deeper

put team.yaml <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: inside, namespace: team}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: of-a-manifest}
rules:
- {apiGroups: ["*"], resources: ["*"], verbs: ["*"]}
- {nonResourceURLs: ["*"], verbs: ["*"]}
---
apiVersion: v1
kind: Namespace
metadata: {name: team}
YAML
check "a namespace comes before what is in it" wait_for 10 is configmap/inside '{.metadata.name}' inside team
check "roles of any power may be applied" wait_for 5 kubectl get clusterrole of-a-manifest

put gadgets.yaml <<'YAML'
apiVersion: example.com/v1
kind: Gadget
metadata: {name: g}
spec: {size: 3}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets, singular: gadget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
YAML
check "a kind whose definition comes in the same file" wait_for 10 is gadget/g '{.spec.size}' 3
not() { ! "$@"; }
check "nobody is told of the moment before it is served" not addon_event gadgets Failed

# ---- what leaves a file ----
{ config_map stays; echo ---; config_map leaves; } | put pair.yaml
check "two objects of a file" wait_for 10 kubectl get configmap stays leaves
config_map other | kubectl apply -f - >/dev/null
config_map stays | put pair.yaml
check "what is no longer in the file is deleted" wait_for 10 gone configmap leaves
check "what still is stays" kubectl get configmap stays
check "what somebody else made stays" kubectl get configmap other
: | put list.json
check "an emptied file deletes all of its own" wait_for 10 gone configmap listed
check "all of it" wait_for 5 gone configmap deeper
kubectl create configmap copied --from-literal=a=b >/dev/null
kubectl label configmap copied "objectset.rio.cattle.io/hash=$(jp configmap/stays '{.metadata.labels.objectset\.rio\.cattle\.io/hash}')" >/dev/null
config_map stays "c: three" | put pair.yaml
check "the file is applied once more" wait_for 10 is configmap/stays '{.data.c}' three
check "a label alone does not make an object the file's" kubectl get configmap copied
rm "$M/pair.yaml"
config_map after | put after.yaml
check "a file comes" wait_for 10 kubectl get configmap after
check "a file that went leaves its objects, as k3s" kubectl get configmap stays

# ---- broken files ----
printf 'apiVersion: v1\nkind: [ConfigMap\n' | put broken.yaml
check "a file that is no YAML is told in an event" wait_for 10 addon_event broken "ParseManifestFailed Parse manifest at .*broken.yaml.* failed: yaml: line"
check_has "and in the Addon" "yaml: line" "$(jp addon/broken '{.status.message}' kube-system)"
check_has "and in the log" "manifest is not applied" "$(grep broken.yaml "$T/k3x.log")"
{ config_map good; echo ---; config_map half "a: {b: c}"; } | put broken.yaml
check "an object that is refused is told by its name" wait_for 10 addon_event broken "ApplyManifestFailed Applying manifest at .*broken.yaml.* failed: ConfigMap default/half: "
check "the others of its file are applied" kubectl get configmap good
{ config_map good; echo ---; config_map half; echo "wrong: field"; } | put broken.yaml
check "an unknown field is refused, as kubectl does" wait_for 10 addon_event broken "wrong: field not declared in schema"
{ config_map good; echo ---; config_map half; } | put broken.yaml
check "a mended file is applied" wait_for 25 checksum_is broken broken.yaml
check_is "and nothing is wrong with it" "" "$(jp addon/broken '{.status.message}' kube-system)"
printf 'apiVersion: example.org/v1\nkind: Nothing\nmetadata: {name: some}\n' | put unknown.yaml
check "a kind that nobody serves is told" wait_for 20 addon_event unknown "ApplyManifestFailed .*Nothing some: no kind of that name is served in example.org/v1"
printf 'apiVersion: v1\nkind: ConfigMap\n' | put nameless.yaml
check "an object without a name is told" wait_for 10 addon_event nameless "object 1, of kind ConfigMap, has no metadata.name"
config_map second | put sub/early.yaml
check "two files of one name: the second is told" wait_for 20 addon_event early "early.yaml has the name early already"
check "and not applied" gone configmap second
rm "$M/sub/early.yaml"
config_map x | put "No Name.yaml"
check "a name that is none is told in the log" wait_for 20 grep -q 'manifest is left out.*No Name.yaml' "$T/k3x.log"
mkfifo "$M/pipe.yaml"
check "a pipe keeps nobody" wait_for 20 addon_event pipe "is no regular file"
config_map last | put last.yaml
check "broken files hold nobody up" wait_for 10 kubectl get configmap last
rm "$M"/{broken,unknown,nameless,pipe}.yaml "$M/No Name.yaml"

# ---- .skip ----
touch "$M/skipped.yaml.skip"
config_map skipped | put skipped.yaml
config_map unskipped | put unskipped.yaml
check "the file beside it is applied" wait_for 10 kubectl get configmap unskipped
check "a file with .skip is not" gone configmap skipped
rm "$M/skipped.yaml.skip"
check "until the .skip goes" wait_for 20 kubectl get configmap skipped

# ---- the kind itself ----
kubectl delete crd addons.k3s.cattle.io >/dev/null
config_map again | put again.yaml
check "when the kind Addon is deleted it comes back" wait_for 20 checksum_is again again.yaml

# ---- restarts ----
kubectl delete configmap early >/dev/null
revision=$(kubectl get configmap unskipped -o 'jsonpath={.metadata.resourceVersion}')
stop_server KILL
config_map meanwhile | put meanwhile.yaml
start
check "what was put there meanwhile is applied" wait_for 10 kubectl get configmap meanwhile
check "a start brings back what was deleted" wait_for 10 kubectl get configmap early
check_is "and does not touch what is as it should be" "$revision" "$(kubectl get configmap unskipped -o 'jsonpath={.metadata.resourceVersion}')"

# ---- killed in the middle, again and again: it ends as it would have without ----
many() { # FROM TO
	local i
	for ((i = $1; i <= $2; i++)); do printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: many-%s}\n' "$i"; done
}
names() { kubectl get configmaps -o name | grep -c many-; }
for round in 1 2 3 4; do
	stop_server KILL
	many $((round * 50)) $((round * 50 + 199)) | put many.yaml
	start
	wait_for 10 bash -c "[ \$(grep -c 'manifest is applied' '$T/k3x.log') -gt $round ]"
done
stop_server KILL
many 300 399 | put many.yaml
start
check "what is in the file is there in the end" wait_for 30 kubectl get configmap many-300 many-399
names_are() { [ "$(names)" = "$1" ]; }
check "and nothing that was in it before" wait_for 30 names_are 100
check "the Addon knows of it" wait_for 10 checksum_is many many.yaml
: | put many.yaml
check "and all of it can go" wait_for 30 names_are 0

# ---- what comes with us ----
packaged=$(cd "$root/tools/k3x/addons" && ls *.yaml 2>/dev/null)
for f in $packaged; do
	name=${f%.yaml}
	check "add-on $name is laid out" test -s "$M/$f"
	check "its variables are filled in" bash -c "! grep -q '%{[A-Z]' '$M/$f'"
	check "it is applied" wait_for 20 checksum_is "$name" "$f"
done
[ -n "$packaged" ] || skip "packaged add-ons" "none is in tools/k3x/addons"
stop_server TERM
check_is "an unknown component is refused" 2 "$(inside "$K3X" server --data-dir "$T/none" --disable nosuch >"$T/out" 2>&1; echo $?)"
check_has "by name" "--disable=nosuch is not a component" "$(cat "$T/out")"
start
for f in $packaged; do
	name=${f%.yaml}
	stop_server TERM
	start --disable "$name"
	check "--disable $name removes the file" test ! -e "$M/$f"
	check "and the Addon with all it applied" wait_for 20 gone -n kube-system addon "$name"
done
stop_server TERM
check "it stops cleanly" bash -c "! grep -qE 'CHECK|SIGSEGV' '$T/k3x.log'"
finish
