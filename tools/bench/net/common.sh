# What the parts of `make bench-net` share: servers and agents on hosts of their own, what is asked of them, and where figures go. A
# part sources it; ROUNDS, SERVICES, STARTS, POLICIES, PODS and QUICK come from who calls.
. "$(dirname "${BASH_SOURCE[0]}")/../../../tests/integration/_lib.sh"
. "$root/tests/integration/_servers.sh"
part=$(basename "$0" .sh)
[ "$(id -u)" = 0 ] || { echo "bench-net: needs root" >&2; exit 1; }
mkdir -p "$root/build/bench"
give_up() { echo "bench-net: $part: $1" >&2; tail -n 5 "$T"/*.log >&2; exit 1; }
field() { local s=$1; shift; k "$s" get "$@" 2>/dev/null; }
is_ready() { [ "$(field "$1" node "$2" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
# python HOST SCRIPT ARGS...: one of the scripts beside this file, on that host; all of them take the kubeconfig first.
python() {
	local host=$1 script=$2
	shift 2
	at "$host" env PYTHONPATH="$root/tests/integration" python3 -B "$root/tools/bench/net/$script.py" "$T/$host.json" "$@" || give_up "$script $* failed"
}
# up SERVER "FLAGS" AGENT...: a server and its agents, which have an image with a shell, until all are Ready.
up() {
	local s=$1 flags=$2 n
	shift 2
	# Word splitting of the flags is wanted, here and below.
	# shellcheck disable=SC2086
	server_start "$s" $flags
	wait_for 20 server_is_ready "$s" || give_up "the server $s does not come up"
	k "$s" config view --raw -o json >"$T/$s.json"
	for n; do
		ip -n "$prefix$n" route replace default via $net.254
		mkdir -p "$T/$n/agent/images"
		busybox_image busybox:local "$T/$n/agent/images/busybox.tar" sh sleep
		# shellcheck disable=SC2046
		agent_start "$n" $(join_flags "$s")
	done
	for n; do wait_for 60 is_ready "$s" "$n" || give_up "the node $n does not come up"; done
}
# sleeper SERVER NAME NODE: a pod that does nothing; sleepers_run SERVER COUNT: so many run.
sleeper() {
	k "$1" create -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: Pod
	metadata: {name: $2, labels: {bench: $2}}
	spec: {nodeName: $3, terminationGracePeriodSeconds: 0, containers: [{name: c, image: "busybox:local", command: [sleep, "100000"]}]}
	YAML
}
sleepers_run() { [ "$(field "$1" pods --no-headers | grep -c ' 1/1 *Running ')" = "$2" ]; }
rss_mb() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$(cat "$T/$1.pid")/status"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
