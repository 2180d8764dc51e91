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
deadline=$((SECONDS + wait_s))
kube() { kubectl --request-timeout=2s "$@" 2>/dev/null; }

# What is still waited for; nothing when all is there. Pods of users are theirs: they may be pending for reasons of their own.
waits_for() {
	[ -f $kubeconfig ] || { echo "the server's kubeconfig"; return; }
	local nodes pods
	nodes=$(kube get nodes -o jsonpath='{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}') ||
		{ echo "the API"; return; }
	grep -q '=True$' <<<"$nodes" || { echo "the node to be Ready"; return; }
	pods=$(kube -n kube-system get pods -o jsonpath='{range .items[*]}{.metadata.name}={.status.phase}{"\n"}{end}') ||
		{ echo "the API"; return; }
	pods=$(grep -vE '=(Running|Succeeded)$|^$' <<<"$pods" | paste -sd' ')
	[ -z "$pods" ] || echo "system pods: $pods"
}

said=
while what=$(waits_for) && [ -n "$what" ]; do
	[ -e "/proc/$pid" ] || fail "the server ended"
	[ $SECONDS -lt $deadline ] || fail "after $wait_s s it still waits for $what (kubectl describe says why)"
	[ "$what" = "$said" ] || [ $SECONDS -lt $((deadline - wait_s + 3)) ] || { echo "make up: waiting for $what"; said=$what; }
	sleep 0.1
done

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
