#!/bin/bash
# k3x killall --data-dir, for a server that was started by hand and runs a pod with all that plugins make for it: nothing of it runs
# on or comes back, and no link, address, route, rule or table is left. And a sandbox that was just being made has nobody in it, and
# is known by its link in the bridge.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "killall" "needs root"; finish; exit; }
needs ip nft tc containerd busybox
in_namespace
mkdir -p "$T/data/agent/images"
busybox_image box:1 "$T/data/agent/images/box.tar" sh

# ---- all of a node ----
links() { inside ip -o link | sed 's/^[0-9]*: \([^@:]*\).*/\1/' | sort | paste -sd' '; }
tables() { inside nft list tables; }
addresses() { inside ip -o addr show scope global | awk '{print $2, $4}' | sort; }
routes() { inside ip route show table all type unicast; inside ip -6 route show proto 171; }
links_before=$(links) addresses_before=$(addresses) routes_before=$(routes)
start_server 17963 --node-name node1 --kubelet-port 17970 || { finish; exit 1; }
pod_runs() { [ "$(kubectl get pod limited -o 'jsonpath={.status.phase}')" = Running ]; }
wait_for 20 kubectl get serviceaccount default
kubectl create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: limited, annotations: {kubernetes.io/ingress-bandwidth: 900M, kubernetes.io/egress-bandwidth: 800M}}
spec:
  nodeName: node1
  containers: [{name: c, image: "box:1", command: [sleep, "1000"], ports: [{containerPort: 80, hostPort: 8088}]}]
YAML
check "a pod runs" wait_for 60 pod_runs
bridge=$(inside ip -o link show type bridge | sed -n 's/^[0-9]*: \(k3x[0-9a-f]*\):.*/\1/p')
check_is "its bridge is of this data folder" 11 "${#bridge}"
has_overlay() { [ -n "$(inside ip -o link show type vxlan)" ]; }
check "the overlay is there" wait_for 10 has_overlay
check_has "so is the link that limits it" bwp "$(links)"
check_has "and the rules of its host port" CNI "$(inside iptables-save -t nat 2>/dev/null)"
containerd=$(cat "$T/data/agent/run/containerd/containerd.pid")
check "killall runs" inside "$K3X" killall --data-dir "$T/data"
is_ended() { [ ! -e "/proc/$1" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status"; }
check "the server has ended" is_ended "$server_pid"
check "and containerd" is_ended "$containerd"
check_is "no other of either is there" "" "$(pids_with "$T/data/")"
check_is "the links are those of before" "$links_before" "$(links)"
check_is "the addresses" "$addresses_before" "$(addresses)"
check_is "the routes" "$routes_before" "$(routes)"
check_is "no table is left" "" "$(tables)"
check "killall with nothing to end is fine" inside "$K3X" killall --data-dir "$T/data"
stop_server KILL # of a test that fails

# ---- who is no k3x of that folder is left alone ----
sleep 1000 &
sleeper=$!
echo $sleeper >"$T/data/k3x.pid"
inside "$K3X" killall --data-dir "$T/data"
check "a process that has got the old one's id stays" kill -0 $sleeper
kill $sleeper
wait $sleeper 2>/dev/null

# ---- a sandbox that was being made ----
sandbox() { # NAME: as the bridge plugin leaves it
	ip netns add "cni-$1" && ip link add "v$1" type veth peer name eth0 netns "cni-$1" && ip link set "v$1" master "$bridge" up
}
killall() { K3X_DATA_DIR=$T/data "$K3X" killall; }
names() { ip netns list | cut -d' ' -f1 | grep -v "^$netns$" | sort | paste -sd' '; }

ip link add cni0 type bridge
ip link add "$bridge" type bridge && ip link set "$bridge" up
sandbox begun
sandbox lived
ip netns exec cni-lived sleep 1000 &
sleeper=$!
is_lived_in() { [ -n "$(ip netns pids cni-lived)" ]; }
check "one that somebody lives in is there" wait_for 10 is_lived_in
check "it runs" killall
check_is "who was being made is gone, who is of others stays" cni-lived "$(names)"
check "so does the bridge" ip link show "$bridge"
kill $sleeper
wait $sleeper 2>/dev/null
check "again" killall
check_is "nobody is left" "" "$(names)"
check_is "nor is the bridge" "" "$(ip -o link show "$bridge" 2>/dev/null)"
check "one of another data folder is left alone" ip link show cni0
finish
