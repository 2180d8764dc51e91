#!/bin/bash
# The machine goes down: pods end before it, group by group and each with its grace, on the word of logind, which is one of
# the test's own on a real bus. The lock is held until they are down; the node says that it is not Ready and takes nobody;
# the end is called off; a delay that is too short is raised; no bus, and the node goes on without.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "shutdown" "needs root"; finish; exit; }
needs dbus-daemon python3

in_namespace
mkdir -p "$T/data/agent/images" "$T/bus" "$T/o" /etc/systemd
busybox_image box:1 "$T/data/agent/images/box.tar" sh
mount -t tmpfs tmpfs /etc/systemd # of this test's mounts alone (tests/apart.sh)
cat >"$T/bus.conf" <<XML
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path=$T/bus/socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow receive_sender="*"/></policy></busconfig>
XML
field() { kubectl get "$1" -o "jsonpath={$2}"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
wait_is() { check "$1" wait_for "$2" is "$3" "$4" "$5"; }
ready='.status.conditions[?(@.type=="Ready")]'

bus_up() {
	dbus-daemon --config-file="$T/bus.conf" --nofork --nopidfile >>"$T/bus.log" 2>&1 &
	bus_pid=$!
	wait_for 10 test -S "$T/bus/socket"
	[ -p "$T/orders" ] || mkfifo "$T/orders"
	python3 "$root/tests/integration/_logind.py" "$T/bus/socket" 5 /etc/systemd/logind.conf.d/99-k3x.conf "$T/bus" <>"$T/orders" 2>>"$T/bus.log" &
	logind_pid=$!
}
bus_down() { kill "$bus_pid" "$logind_pid" 2>/dev/null; wait "$bus_pid" "$logind_pid" 2>/dev/null; rm -f "$T/bus/socket" "$T/bus/locked" "$T/bus/calls"; }
order() { echo "$1" >"$T/orders"; }
stop_bus_too() { bus_down; cleanup; }
trap stop_bus_too EXIT
called() { grep -q "$1" "$T/bus/calls"; }
has_lock() { [ -e "$T/bus/locked" ]; }
has_no_lock() { ! has_lock; }

check_has "groups that are none are refused" "shutdownGracePeriodByPodPriority" "$(printf 'kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\nshutdownGracePeriodByPodPriority: [{priority: 1}]\n' >"$T/bad.yaml"
	inside timeout 20 "$K3X" server --data-dir "$T/other" --kubelet-arg "config=$T/bad.yaml" 2>&1)"
cat >"$T/kubelet.yaml" <<'YAML'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
shutdownGracePeriod: 20s
shutdownGracePeriodCriticalPods: 8s
YAML
export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$T/bus/socket"
start_server 17748 --node-name node1 --kubelet-port 17753 --disable-scheduler --kubelet-arg "config=$T/kubelet.yaml" || { finish; exit 1; }
wait_is "node becomes Ready without a bus" 60 node/node1 "$ready.status" True
check "and tells that there is none" grep -q "logind cannot be told" "$T/k3x.log"
bus_up
check "the lock is taken when the bus comes" wait_for 60 has_lock
check "with upstream's words" called "Inhibit shutdown k3x .* delay"
check "a delay that is too short is raised" called "KillUnit systemd-logind.service all 1"
check_is "to all that pods may take" "InhibitDelayMaxSec=20" "$(tail -n 1 /etc/systemd/logind.conf.d/99-k3x.conf)"

pod() { # name, rest of the spec, what it does when it is told to end
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec:
		  nodeName: node1
		  $2
		  volumes: [{name: o, hostPath: {path: "$T/o"}}]
		  containers:
		  - name: c
		    image: box:1
		    command: [sh, -c, "trap '$3' TERM; while :; do sleep 0.1; done"]
		    volumeMounts: [{name: o, mountPath: /o}]
	YAML
}
pod plain "" "sleep 1; echo plain >>/o/log; exit 0"
pod deaf "" "true"
pod critical "priorityClassName: system-node-critical" "echo critical >>/o/log; exit 0"
for p in plain deaf critical; do wait_is "$p runs" 60 "pod/$p" .status.phase Running; done
order down
wait_is "the node is not Ready" 10 node/node1 "$ready.status" False
check_is "and says why" "node is shutting down" "$(field node/node1 "$ready.message")"
pod late "" true
wait_is "nobody is taken any more" 10 pod/late .status.reason NodeShutdown
check_is "with upstream's words" "Pod was rejected: Pod was rejected as the node is shutting down." "$(field pod/late .status.message)"
wait_is "a pod ends" 20 pod/plain .status.phase Failed
check "the machine waits meanwhile" has_lock
check_is "with its reason" Terminated "$(field pod/plain .status.reason)"
check_is "and is told why" "Pod was terminated in response to imminent node shutdown." "$(field pod/plain .status.message)"
check_is "as no fault of its program" TerminationByKubelet "$(field pod/plain '.status.conditions[?(@.type=="DisruptionTarget")].reason')"
check_is "a critical one is still there" Running "$(field pod/critical .status.phase)"
wait_is "until the others are down or their time is over" 40 pod/critical .status.reason Terminated
wait_is "who does not listen ends too" 20 pod/deaf .status.reason Terminated
check_is "each had its grace, in order" "plain critical" "$(tr '\n' ' ' <"$T/o/log" | sed 's/ $//')"
check "the machine may go on" wait_for 20 has_no_lock
order stay
wait_is "the end is called off" 20 node/node1 "$ready.status" True
check "and the lock is taken again" wait_for 20 has_lock
pod again "" "exit 0"
wait_is "pods run again" 60 pod/again .status.phase Running
bus_down
bus_up
check "a bus that was away is found again" wait_for 90 called "Inhibit"
check "and with it the lock" wait_for 90 has_lock
stop_server
check "a server that stops holds nothing" wait_for 10 has_no_lock
finish
