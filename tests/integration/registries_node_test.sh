#!/bin/bash
# registries.yaml: an image of docker.io is pulled from a mirror that wants a user; without the file it can't be had; what is wrong
# in it stops the start by its name.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "registries.yaml" "needs root"; finish; exit; }
needs kubectl busybox python3 containerd
in_namespace
busybox_image box:1 "$T/box.tar"
nsenter --net=/run/netns/$netns python3 "$(dirname "$0")/_registry.py" 5555 "$T/box.tar" team/box robot:secret >"$T/registry.log" 2>&1 &
registry_pid=$!
trap 'kill $registry_pid 2>/dev/null; cleanup' EXIT
wait_for 20 grep -q serving "$T/registry.log"

printf 'mirrors:\n  docker.io:\n    endpoint: ["http://127.0.0.1:5555"]\n    rewrite: {"a": "b"}\n' >"$T/registries.yaml"
check_has "what containerd can't do is refused" "registries.yaml: mirrors: docker.io: \"rewrite\"" \
	"$(inside "$K3X" server --data-dir "$T/data" --private-registry "$T/registries.yaml" --write-kubeconfig "$T/kubeconfig" 2>&1)"
check_has "a file that is not there, too" "No such file" "$(inside "$K3X" server --data-dir "$T/data" --private-registry "$T/nothing.yaml" 2>&1)"
cat >"$T/registries.yaml" <<'YAML'
mirrors:
  docker.io: {endpoint: ["http://127.0.0.1:5555"]}
configs:
  "127.0.0.1:5555": {auth: {username: robot, password: secret}}
YAML
start_server 6443 --private-registry "$T/registries.yaml" --disable-default-registry-endpoint
check "the node is Ready" wait_for 30 sh -c "nsenter --net=/run/netns/$netns kubectl --kubeconfig $T/kubeconfig get nodes | grep -q ' Ready '"
wait_for 20 kubectl get serviceaccount default
kubectl run box --image=team/box --restart=Never --command -- sh -c 'sleep 1000000' >/dev/null
is_running() { [ "$(kubectl get pod "$1" -o jsonpath='{.status.phase}')" = Running ]; }
check "an image of docker.io comes from the mirror" wait_for 40 is_running box || true
is_running box || { kubectl describe pod box | tail -n 8; tail -n 5 "$T/registry.log"; cat "$T"/data/agent/etc/containerd/certs.d/*/hosts.toml; }
check_has "which was asked for it" "GET /v2/team/box/" "$(cat "$T/registry.log")"

# With another password the next pull fails: the file is read anew at each start.
stop_server TERM
sed -i 's/secret/guess/' "$T/registries.yaml"
start_server 6443 --private-registry "$T/registries.yaml" --disable-default-registry-endpoint
wait_for 20 kubectl get nodes
kubectl run other --image=team/box:2 --restart=Never --command -- sh -c 'sleep 1000000' >/dev/null
refused() { kubectl get pod other -o jsonpath='{.status.containerStatuses[0].state.waiting.message}' | grep -qi '401\|unauthorized\|authorization failed'; }
check "and with another password not any more" wait_for 40 refused
check "the pod that runs is left alone" is_running box
finish
