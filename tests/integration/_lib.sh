# Shared by integration tests: source it. Counts checks, starts and stops servers of the test's own, waits for conditions.
#
# A test has a folder of its own ($T), a network namespace of its own when it asks for one (in_namespace), and cleans up on
# exit whatever happens. It ends by calling finish, which prints "N passed, N failed, N skipped".
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
K3X=${K3X:-$root/build/k3x}
T=$(mktemp -d /tmp/k3x-test-XXXXXX)
passed=0 failed=0 skipped=0
netns=
server_pid=
# Servers come without add-ons, whose pods and classes most tests would have to reckon with: WITH_ADDONS=1 before this is
# sourced has them. In the environment of servers alone: agents refuse it.
no_addons=(env K3X_DISABLE=coredns,local-storage,metrics-server,traefik)
[ -z "${WITH_ADDONS:-}" ] || no_addons=()

ok() { passed=$((passed + 1)); printf 'ok   %s\n' "$1"; }
bad() { failed=$((failed + 1)); printf 'FAIL %s%s\n' "$1" "${2:+: $2}"; }
skip() { skipped=$((skipped + 1)); printf 'SKIP %s: %s\n' "$1" "$2"; }

# check NAME COMMAND...: passes when the command does.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then ok "$name"; else bad "$name" "$(tail -n 5 <<<"$out")"; fi
}

# check_is NAME EXPECTED ACTUAL
check_is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "expected '$2', got '$3'"; fi; }
# check_has NAME PART TEXT
check_has() { case $3 in *"$2"*) ok "$1" ;; *) bad "$1" "no '$2' in: $(tail -n 5 <<<"$3")" ;; esac; }

# needs PROGRAM...: what can be installed may not be skipped; `make deps` installs all that tests start.
needs() {
	local p missing=
	for p; do command -v "$p" >/dev/null || missing="$missing $p"; done
	[ -z "$missing" ] || { bad "programs are installed" "missing:$missing (make deps installs them)"; finish; exit 1; }
}

# wait_for SECONDS COMMAND...: until the command succeeds. Between looks it rests as long as a look took, so that who waits
# leaves the machine to who works.
wait_for() {
	local end=$((SECONDS + $1)) began us
	shift
	while began=${EPOCHREALTIME/[.,]/}; ! "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		us=$((${EPOCHREALTIME/[.,]/} - began))
		printf -v us %06d $((us < 100000 ? 100000 : us < 1000000 ? us : 999999))
		sleep 0.$us
	done
}

# A network of our own: an address and a default route, so that nothing of the machine's own network is touched.
in_namespace() {
	netns=k3x-test-$$
	ip netns add $netns
	ip -n $netns link set lo up
	ip -n $netns link add name uplink type bridge
	ip -n $netns addr add 192.168.177.1/24 dev uplink
	ip -n $netns link set uplink up
	ip -n $netns route add default via 192.168.177.254 dev uplink onlink
}

# Runs a command where the cluster's network is.
inside() { if [ -n "$netns" ]; then nsenter --net=/run/netns/$netns "$@"; else "$@"; fi; }
kubectl() { inside "$(type -P kubectl)" --kubeconfig "$T/kubeconfig" --request-timeout=20s "$@"; }

# The binary that breaks where it is told to: one test builds it at a time, for they share its folder.
breakable_binary() {
	flock "$root/build/.breakable.lock" make --no-print-directory -C "$root" VARIANT=breakable build/breakable/k3x >"$T/make.log" 2>&1 ||
		bad "build" "$(tail "$T/make.log")"
}

# start_server PORT ARGS...
start_server() {
	local port=$1
	shift
	rm -f "$T/kubeconfig"
	# Each word replaces the process before it, so that $! is the server itself.
	${netns:+nsenter --net=/run/netns/$netns} setsid "${no_addons[@]}" "$K3X" server --data-dir "$T/data" --https-listen-port "$port" \
		--write-kubeconfig "$T/kubeconfig" --log "$T/k3x.log" "$@" </dev/null >>"$T/k3x.log" 2>&1 &
	server_pid=$!
	if ! wait_for 20 test -s "$T/kubeconfig"; then
		bad "server starts" "$(tail -n 5 "$T/k3x.log")"
		return 1
	fi
}

stop_server() { # signal
	[ -n "$server_pid" ] || return 0
	kill "-${1:-TERM}" "$server_pid" 2>/dev/null
	wait "$server_pid" 2>/dev/null
	server_pid=
}

# Pids whose command line holds a text.
pids_with() {
	local p line
	for p in /proc/[0-9]*; do
		{ line=$(tr '\0' ' ' <"$p/cmdline"); } 2>/dev/null
		case $line in *"$1"*) echo "${p#/proc/}" ;; esac
	done
}

# Everything that a server of this test may have left.
cleanup() {
	stop_server TERM
	inside env K3X_DATA_DIR="$T/data" K3X_STATE_DIR="${state_dir:-$T/data/agent/run}" bash "$root/tools/install/down.sh" >/dev/null 2>&1
	[ -n "$netns" ] && ip netns delete $netns 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

finish() {
	printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
	[ $failed -eq 0 ]
}

. "$root/tools/install/busybox_image.sh"

# made_up_node NAME [CAPACITY [METADATA [SPEC]]], members each: a node that nobody runs, Ready since now.
made_up_node() {
	local now capacity=${2:-}
	[ -n "$capacity" ] || capacity='cpu: "8", memory: 8Gi, pods: "110"'
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Node
		metadata: {name: $1, ${3:-}}
		spec: {${4:-}}
		status:
		  capacity: {$capacity}
		  allocatable: {$capacity}
		  conditions: [{type: Ready, status: "True", reason: KubeletReady, message: ok, lastHeartbeatTime: $now, lastTransitionTime: $now}]
	YAML
}
