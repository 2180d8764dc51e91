#!/bin/bash
# --embedded-registry: an image that one node has is pulled from it by another, without any registry: by tag and by digest,
# a layer of some megabytes; nobody but nodes is served; what no node has is asked of the next registry.
# lane: node
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
[ "$(id -u)" = 0 ] || { skip "embedded registry" "needs root"; finish; exit; }
needs curl kubectl jq busybox containerd
hosts s1 a1 a2
for n in a1 a2; do ip -n "${prefix}$n" route add default via $net.254; done

node_is() { [ "$(k s1 get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = "$2" ]; }
pod_is() { [ "$(k s1 get pod "$1" -o 'jsonpath={.status.phase}' 2>/dev/null)" = "$2" ]; }
lists() { k s1 get node "$1" -o json | jq -e --arg i "$2" '.status.images[]?.names[]? | select(. == $i)'; }
in_use() { at "$1" ctr -a "$T/$1/agent/run/containerd/containerd.sock" -n k8s.io "${@:2}"; }
# from NODE, PATH...: as that node asks
from() {
	local n=$1 to=$2 path=$3
	shift 3
	at "$n" curl -s --max-time 10 --cacert "$T/$n/agent/server-ca.crt" --cert "$T/$n/agent/client-kubelet.crt" --key "$T/$n/agent/client-kubelet.key" "$@" "https://$to:10250$path"
}

server_start s1 --cluster-init --embedded-registry
check "a server is ready" wait_for 20 server_is_ready s1
mkdir -p "$T/a1/agent/images"
mkdir "$T/extra"
head -c 5000000 /dev/urandom >"$T/extra/large"
export BUSYBOX_IMAGE_EXTRA=$T/extra
busybox_image box:1 "$T/a1/agent/images/box.tar" sh
printf 'mirrors:\n  docker.io:\n' >"$T/registries.yaml"
for n in a1 a2; do
	agent_start $n --server "$(url s1)" --token "$(cat "$T/s1/server/node-token")" --private-registry "$T/registries.yaml"
done
for n in a1 a2; do check "$n is Ready" wait_for 60 node_is $n True; done
check "the node that has the image says so" wait_for 60 lists a1 docker.io/library/box:1
check_has "the other one asks nodes first" 'host."https://127.0.0.1:10250"' "$(cat "$T/a2/agent/etc/containerd/certs.d/docker.io/hosts.toml")"

# ---- a pull ----
pod() { # NAME IMAGE NODE
	k s1 create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec:
		  nodeName: $3
		  terminationGracePeriodSeconds: 0
		  containers: [{name: c, image: "$2", imagePullPolicy: Always, command: [sleep, "10000"]}]
	YAML
}
wait_for 20 k s1 get serviceaccount default
pod by-tag box:1 a2
check "a pod on the other node runs from it" wait_for 60 pod_is by-tag Running
pod_is by-tag Running || { from a2 "$(address a1)" '/v2/library/box/manifests/1?ns=docker.io' -i | head -c 600; k s1 describe pod by-tag | tail -n 8; from a2 127.0.0.1 '/v2/library/box/manifests/1?ns=docker.io' -i; }
digest=$(in_use a1 images ls name==docker.io/library/box:1 | awk 'NR == 2 { print $3 }')
check_is "both have the same" "$digest" "$(in_use a2 images ls name==docker.io/library/box:1 | awk 'NR == 2 { print $3 }')"
check "now the other one has it, too" wait_for 60 lists a2 docker.io/library/box:1
k s1 delete pod by-tag --wait=false >/dev/null
# A node that has been emptied gets it by its digest.
in_use a2 images ls -q | grep library/box | xargs -r -n 1 nsenter --net="/run/netns/${prefix}a2" ctr -a "$T/a2/agent/run/containerd/containerd.sock" -n k8s.io images rm --sync >/dev/null 2>&1
pod by-digest "box@$digest" a2
check "by its digest, too" wait_for 60 pod_is by-digest Running
pod nowhere team/nowhere:1 a2
failed_elsewhere() { k s1 get events --field-selector involvedObject.name=nowhere -o json | jq -r '.items[].message' | grep -q 'registry-1.docker.io'; }
check "what no node has is asked of the registry itself" wait_for 60 failed_elsewhere

# ---- who asks ----
check_is "a node is sent on to one that has it" "307 https://10.99.0.201:10250/v2/library/box/manifests/1?ns=docker.io" \
	"$(from a2 127.0.0.1 '/v2/library/box/manifests/1?ns=docker.io' -o /dev/null -w '%{http_code} %{redirect_url}' | sed 's/10.99.0.20[12]/10.99.0.201/')"
check_is "another node is answered" "$digest" "sha256:$(from a2 "$(address a1)" '/v2/library/box/manifests/1?ns=docker.io' | sha256sum | cut -d' ' -f1)"
layer=$(from a2 "$(address a1)" "/v2/library/box/manifests/$digest?ns=docker.io" | jq -r '.layers[0].digest')
check_is "a layer comes whole" "$layer" "sha256:$(from a2 "$(address a1)" "/v2/library/box/blobs/$layer?ns=docker.io" | sha256sum | cut -d' ' -f1)"
check_is "with its length" "$(from a2 "$(address a1)" "/v2/library/box/manifests/$digest?ns=docker.io" | jq -r '.layers[0].size')" "$(from a2 "$(address a1)" "/v2/library/box/blobs/$layer?ns=docker.io" -o /dev/null -w '%{size_download}')"
check_is "what is not there is not found" 404 "$(from a2 "$(address a1)" '/v2/team/other/manifests/1?ns=docker.io' -o /dev/null -w '%{http_code}')"
check_is "nor is a file of another name" 404 "$(from a2 "$(address a1)" '/v2/library/box/blobs/sha256:..%2f..%2fx?ns=docker.io' -o /dev/null -w '%{http_code}')"
check_is "nothing is written" 405 "$(from a2 "$(address a1)" '/v2/library/box/blobs/uploads/?ns=docker.io' -X POST -o /dev/null -w '%{http_code}')"
check_is "who has no certificate gets nothing" 401 "$(at a2 curl -sk -o /dev/null -w '%{http_code}' "https://$(address a1):10250/v2/library/box/manifests/1?ns=docker.io")"
check_is "nor an administrator, who is no node" 401 "$(at s1 curl -sk --cert "$T/s1/server/tls/client-admin.crt" --key "$T/s1/server/tls/client-admin.key" \
	-o /dev/null -w '%{http_code}' "https://$(address a1):10250/v2/library/box/manifests/1?ns=docker.io")"
check "both nodes live on" sh -c "kill -0 $(cat "$T/a1.pid") && kill -0 $(cat "$T/a2.pid")"

# ---- without it ----
server_stop a2 TERM
server_stop s1 TERM
server_start s1
check "a server without it is ready" wait_for 30 server_is_ready s1
agent_start a2 --server "$(url s1)" --private-registry "$T/registries.yaml"
not_asked() { ! grep -q 127.0.0.1 "$T/a2/agent/etc/containerd/certs.d/docker.io/hosts.toml"; }
check "its nodes ask each other no more" wait_for 30 not_asked
check "and nothing was broken" bash -c "! grep -q 'invariant broken' $T/*.log"
finish
