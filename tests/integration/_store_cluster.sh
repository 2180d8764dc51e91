# Clusters of k3x-store on loopback, for integration tests: source it after _lib.sh. Members are called m1, m2, ...; peers
# and clients get ports from `base` on. Each member's process id is in $T/NAME.pid.
base=${base:-18300}
declare -A flags # of a member, beside those of all
common=()

client_url() { echo "http://127.0.0.1:$((base + ${1#m}))"; }
peer_url() { echo "${peer_scheme:-http}://127.0.0.1:$((base + 50 + ${1#m}))"; }
endpoints() { local n out=; for n in "$@"; do out+=${out:+,}$(client_url "$n"); done; echo "$out"; }
cluster_of() { local n out=; for n in "$@"; do out+=${out:+,}$n=$(peer_url "$n"); done; echo "$out"; }

# member_serve NAME [FLAGS...]: with its data in $T/$folder/NAME.
folder=.
member_serve() {
	local name=$1
	shift
	setsid "$K3X" store serve --name "$name" --data-dir "$T/$folder/$name" \
		--listen-client-urls "$(client_url "$name")" --advertise-client-urls "$(client_url "$name")" \
		--listen-peer-urls "$(peer_url "$name")" --initial-advertise-peer-urls "$(peer_url "$name")" \
		"${common[@]}" ${flags[$name]:-} "$@" </dev/null >>"$T/$name.log" 2>&1 &
	echo $! >"$T/$name.pid"
}

# member_start NAME STATE MEMBERS...
member_start() {
	local name=$1 state=$2
	shift 2
	member_serve "$name" --initial-cluster "$(cluster_of "$@")" --initial-cluster-state "$state"
}

# member_stop NAME [SIGNAL]: and waits until it is gone.
member_stop() {
	local pid
	pid=$(cat "$T/$1.pid" 2>/dev/null) || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	rm -f "$T/$1.pid"
}

member_is_up() { env -u ETCDCTL_COMMAND_TIMEOUT etcdctl --endpoints "$(client_url "$1")" --command-timeout=2s endpoint health; }
member_is_gone() { ! kill -0 "$(cat "$T/$1.pid")" 2>/dev/null; }
members_stop() { local f; for f in "$T"/m*.pid; do [ -e "$f" ] && member_stop "$(basename "$f" .pid)" "${1:-TERM}"; done; }
trap 'members_stop KILL; cleanup' EXIT

# The member that leads, as one of those given sees it.
leader() {
	local n
	for n in "$@"; do
		env -u ETCDCTL_COMMAND_TIMEOUT etcdctl --endpoints "$(client_url "$n")" --command-timeout=1s endpoint status 2>/dev/null | grep -q ', true, false,' && { echo "$n"; return; }
	done
	return 1
}
wait_leader() { wait_for 15 leader "$@"; leader "$@"; }

same_hash() { # MEMBERS...
	[ "$(etcdctl --endpoints "$(endpoints "$@")" endpoint hashkv 2>/dev/null | awk '{print $2}' | sort -u | wc -l)" = 1 ]
}
