#!/bin/bash
# make up: starts a one-server cluster in the background, waits until its node is Ready and its system pods run, and says how
# to use it. Running it again with a server that is up only prints that. See tools/install/down.sh for the end.
set -u
cd "$(dirname "$0")/../.." || exit 1
run=/run/k3x
log=/var/log/k3x.log
kubeconfig=/etc/k3x/k3x.yaml
wait_s=${K3X_UP_WAIT:-120}

fail() {
	echo "make up: $*" >&2
	[ -f $log ] && { echo "--- last lines of $log" >&2; tail -n 20 $log >&2; }
	exit 1
}

[ "$(id -u)" = 0 ] || fail "must be run as root"
mkdir -p $run /var/log
pid=$(cat $run/server.pid 2>/dev/null || true)
if [ -n "$pid" ] && [ -e "/proc/$pid" ] && grep -qa server "/proc/$pid/cmdline"; then
	echo "k3x server is running already (pid $pid)"
else
	rm -f $kubeconfig
	# The binary is copied so that a later build does not change a server that runs.
	install -D -m 755 build/release/k3x $run/bin/k3x
	setsid $run/bin/k3x server --log $log ${K3X_SERVER_ARGS:-} </dev/null >>$log 2>&1 &
	echo $! >$run/server.pid
	pid=$!
fi

export KUBECONFIG=$kubeconfig
kube() { kubectl --request-timeout=5s "$@" 2>/dev/null; }

node_ready() { [ -n "$(kube get nodes -o jsonpath='{range .items[*]}{range .status.conditions[?(@.type=="Ready")]}{.status}{end}{end}' | grep True)" ]; }
pods_settled() { ! kube get pods -A -o jsonpath='{range .items[*]}{.status.phase}{"\n"}{end}' | grep -qvE '^(Running|Succeeded)?$'; }

for _ in $(seq $((wait_s * 5))); do
	[ -e "/proc/$pid" ] || fail "the server ended"
	[ -f $kubeconfig ] && node_ready && pods_settled && break
	sleep 0.2
done
node_ready || fail "the node is not Ready after $wait_s s: kubectl describe node says why"

echo
kubectl get nodes -o wide
echo
kubectl get pods -A
cat <<TEXT

The cluster is up. Use it with

    export KUBECONFIG=$kubeconfig
    kubectl get nodes

Log: $log    data: /var/lib/k3x    stop: make down    remove the data: make clean-data
TEXT
