# Two agents on "hosts" of their own and pods on each, for tests of the pod network between them; source it after
# _servers.sh, then call fabric_hosts.

# fabric_hosts: makes the networks of s1, a1 and a2, and gives both agents an image.
fabric_hosts() {
	local n
	hosts s1 a1 a2
	for n in a1 a2; do
		ip -n "$prefix$n" route add default via $net.254
		mkdir -p "$T/$n/agent/images"
		busybox_image busybox:local "$T/$n/agent/images/busybox.tar" sh
	done
}
# fabric_hosts_v6: and IPv6 addresses.
v6net=fd99:
address6() { local n=${1#s}; echo "$v6net:${n/#a/20}"; }
fabric_hosts_v6() {
	local n
	sysctl -qw net.ipv6.conf.$bridge.accept_dad=0
	ip addr add $v6net:254/64 dev $bridge nodad
	for n in s1 a1 a2; do
		ip -n "$prefix$n" addr add "$(address6 $n)/64" dev eth0 nodad
		ip -n "$prefix$n" route add default via $v6net:254
	done
}

node_is() { [ "$(k s1 get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = "$2" ]; }
field() { k s1 get "$1" -o "jsonpath=$2" 2>/dev/null; }
pod_runs() { [ "$(field "pod/$1" '{.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
in_pod() { local p=$1; shift; k s1 exec "$p" -- "$@"; }
ip_of() { field "pod/$1" '{.status.podIP}'; }
ips_of() { field "pod/$1" '{.status.podIPs[*].ip}'; }
pings() { in_pod "$1" ping -c 1 -W 2 ${3:+-s $3} "$2" >/dev/null 2>&1; }
pod() { # name node [annotations, as YAML]
	k s1 create -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: Pod
	metadata: {name: $1, labels: {app: $1}, annotations: {${3:-}}}
	spec:
	  nodeName: $2
	  terminationGracePeriodSeconds: 0
	  containers:
	  - name: c
	    image: busybox:local
	    command: [sh, -c, "echo hello >/www/index.html; exec httpd -f -p 80 -h /www"]
	    readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
	YAML
}
# As whom pod "other" sees the pod that connects to an address.
seen() { in_pod other netstat -tn | awk '/ESTABLISHED/ && $4 ~ /:80$/ { sub(/:[0-9]*$/, "", $5); sub(/^::ffff:/, "", $5); print $5 }' | grep -v "^$(field pod/other '{.status.hostIP}')$" | sort -u; }
who() {
	in_pod "$1" sh -c "sleep 4 | nc $2 80" >/dev/null 2>&1 &
	local end=$((SECONDS + 4)) is=
	until is=$(seen) && [ -n "$is" ] || [ $SECONDS -ge $end ]; do sleep 0.1; done
	wait $!
	echo "$is"
}
gets() { in_pod "$1" sh -c "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 $2 80" 2>/dev/null | grep -q hello; }
# routes NODE [-6]: those of ours.
routes() { ip -n "$prefix$1" ${2:-} route show proto 171; }
host_of() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac }

# An old pod's namespace on the bridge would answer for a new one with its address.
no_namespaces() { ! ip netns list | grep -q '^cni-'; }
pods_are_gone() { [ -z "$(k s1 get pods --no-headers 2>/dev/null)" ]; }
pods_go() {
	k s1 delete pod --all --force --grace-period=0 >/dev/null 2>&1
	wait_for 20 pods_are_gone
	wait_for 30 no_namespaces
}
down() { at "$1" env K3X_DATA_DIR="$T/$1" K3X_STATE_DIR="$T/$1/agent/run" bash "$root/tools/install/down.sh"; }
start_over() { # agents keep the settings of the cluster that they joined
	local n
	for n in a1 a2; do down $n >/dev/null 2>&1; done
	for n in a1 a2; do mv "$T/$n/agent/images" "$T/images.$n"; rm -rf "${T:?}/$n"; mkdir -p "$T/$n/agent"; mv "$T/images.$n" "$T/$n/agent/images"; done
	rm -rf "${T:?}/s1"
}
