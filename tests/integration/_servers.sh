# Clusters of `k3x server`, each server in a network namespace of its own with an address on one bridge; source it after
# _lib.sh, under tests/apart.sh. Servers are called s1, s2, ...; each one's data, log, kubeconfig and process id are
# $T/NAME, $T/NAME.log, $T/NAME.kubeconfig and $T/NAME.pid. They run no node: what needs pods starts agents, a1, a2, ...
net=10.99.0
prefix=k3x-$$-
bridge=k3xbr$$
declare -A server_flags # of a server, beside those of all

address() { local n=${1#s}; echo "$net.${n/#a/20}"; }
url() { echo "https://$(address "$1"):6443"; }
at() { local n=$1; shift; nsenter --net="/run/netns/$prefix$n" "$@"; }

# hosts NAMES...: makes their networks.
hosts() {
	local n
	ip link add name $bridge type bridge
	ip addr add $net.254/24 dev $bridge
	ip link set $bridge up
	for n; do
		ip netns add "$prefix$n"
		ip link add name "v$$$n" type veth peer name eth0 netns "$prefix$n"
		ip link set "v$$$n" master $bridge up
		ip -n "$prefix$n" link set lo up
		ip -n "$prefix$n" addr add "$(address "$n")/24" dev eth0
		ip -n "$prefix$n" link set eth0 up
	done
}
cut_off() { ip link set "v$$$1" down; }
plug_in() { ip link set "v$$$1" up; }

# server_run NAME FLAGS...: in the foreground, its words on stdout and stderr.
server_run() {
	local n=$1
	shift
	at "$n" "${no_addons[@]}" "$K3X" server --data-dir "$T/$n" --node-name "$n" --node-ip "$(address "$n")" --disable-agent \
		--write-kubeconfig "$T/$n.kubeconfig" ${server_flags[$n]:-} "$@"
}

server_start() {
	local n=$1
	shift
	rm -f "$T/$n.kubeconfig"
	setsid nsenter --net="/run/netns/$prefix$n" "${no_addons[@]}" "$K3X" server --data-dir "$T/$n" --node-name "$n" --node-ip "$(address "$n")" \
		--disable-agent --write-kubeconfig "$T/$n.kubeconfig" ${server_flags[$n]:-} "$@" </dev/null >>"$T/$n.log" 2>&1 &
	echo $! >"$T/$n.pid"
}

# server_stop NAME [SIGNAL]: and waits until it is gone. One that was started within a check is no child of this shell, and nobody
# may take its exit code: then it stays as a zombie.
runs() { grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status" 2>/dev/null; }
server_stop() {
	local pid
	pid=$(cat "$T/$1.pid" 2>/dev/null) || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	while runs "$pid"; do sleep 0.05; done
	rm -f "$T/$1.pid"
	echo "server: another server leads (this one was stopped)" >>"$T/$1.log"
}

server_is_gone() { ! kill -0 "$(cat "$T/$1.pid")" 2>/dev/null; }
server_is_ready() { [ -s "$T/$1.kubeconfig" ] && k "$1" get --raw /readyz; }
join_flags() { echo "--server $(url "$1") --token $(cat "$T/$1/server/token")"; }

# agent_run NAME FLAGS..., agent_start NAME FLAGS...: the same for an agent; server_stop stops it, and leaves its pods.
agent_run() {
	local n=$1
	shift
	at "$n" "$K3X" agent --data-dir "$T/$n" --node-name "$n" --node-ip "$(address "$n")" "$@"
}
agent_start() {
	local n=$1
	shift
	setsid nsenter --net="/run/netns/$prefix$n" "$K3X" agent --data-dir "$T/$n" --node-name "$n" --node-ip "$(address "$n")" \
		"$@" </dev/null >>"$T/$n.log" 2>&1 &
	echo $! >"$T/$n.pid"
}

# k NAME ARGS...: kubectl, on that server and through it.
k() { local n=$1; shift; at "$n" "$(type -P kubectl)" --kubeconfig "$T/$n.kubeconfig" --request-timeout=10s "$@"; }

servers_cleanup() {
	local f n
	for f in "$T"/[as]*.pid; do [ -e "$f" ] && server_stop "$(basename "$f" .pid)" KILL; done
	for f in "$T"/a*/agent; do
		n=$(basename "${f%/agent}")
		[ -d "$f" ] && at "$n" env K3X_DATA_DIR="$T/$n" K3X_STATE_DIR="$f/run" bash "$root/tools/install/down.sh" >/dev/null 2>&1
	done
	for n in $(ip netns list 2>/dev/null | awk '{print $1}' | grep "^$prefix"); do ip netns delete "$n"; done
	ip link delete $bridge 2>/dev/null
	cleanup
}
trap servers_cleanup EXIT

# make_ca NAME FOLDER: a CA to follow that of s1, signed by itself and by the old one.
make_ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$2/$1.key" -out "$T/self.crt" -days 3000 -subj "/CN=new-$1" \
		-addext keyUsage=critical,keyCertSign,digitalSignature 2>/dev/null
	printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,digitalSignature\nsubjectKeyIdentifier=hash\n' >"$T/ext"
	openssl x509 -req -in <(openssl req -new -key "$2/$1.key" -subj "/CN=new-$1") -CA "$T/s1/server/tls/$1.crt" -CAkey "$T/s1/server/tls/$1.key" \
		-CAcreateserial -CAserial "$T/serial" -days 15 -extfile "$T/ext" -out "$T/cross.crt" 2>/dev/null
	cat "$T/self.crt" "$T/cross.crt" >"$2/$1.crt"
}
