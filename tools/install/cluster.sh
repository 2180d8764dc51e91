#!/bin/bash
# make cluster N=3 | make cluster-down: a cluster to play with on this machine: N servers and one agent, each on a "host" of
# its own (a network namespace with an address on one bridge), to be killed, frozen, cut off and started again. The agent and
# the first server run pods, with a kubelet and a containerd each; the other servers have --disable-agent.
#
#     tools/install/cluster.sh up [N] | down | kill HOST | stop HOST | start HOST | freeze HOST | thaw HOST | cut HOST | plug HOST
#                              | shell HOST | status
#
# Everything lies in K3X_CLUSTER_DIR (/var/lib/k3x-cluster). Of the machine itself are touched: a bridge, a table of nftables
# for the hosts' way out, and IPv4 forwarding, which `down` puts back as it was.
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=${K3X_CLUSTER_DIR:-/var/lib/k3x-cluster}
bridge=k3x-cluster
net=10.98.0
k3x=$dir/k3x
. tools/install/busybox_image.sh

fail() { echo "cluster: $*" >&2; exit 1; }
hosts() { cat "$dir/hosts" 2>/dev/null; }
servers() { hosts | grep '^s'; }
address() { local n=${1#s}; echo "$net.${n/#a/20}"; }
space() { echo "k3x-cluster-$1"; }
at() { local n=$1; shift; nsenter --net="/run/netns/$(space "$n")" "$@"; }
is_host() { hosts | grep -qx -- "$1" || fail "there is no host '$1': one of $(hosts | paste -sd' ')"; }
pid_of() { cat "$dir/$1.pid" 2>/dev/null; }
runs() { local p; p=$(pid_of "$1") && [ -n "$p" ] && grep -qa -- "$dir/$1" "/proc/$p/cmdline" 2>/dev/null; }
kube() { kubectl --kubeconfig "$dir/kubeconfig" --request-timeout=5s "$@"; }

wait_for() { # seconds, what, command...
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { tail -n 5 "$dir"/*.log >&2; fail "waited too long for $what"; }
		sleep 0.2
	done
}

make_host() {
	local n=$1
	ip netns add "$(space "$n")" || return 1
	ip link add name "k3xc-$n" type veth peer name eth0 netns "$(space "$n")"
	ip link set "k3xc-$n" master $bridge up
	ip -n "$(space "$n")" link set lo up
	ip -n "$(space "$n")" addr add "$(address "$n")/24" dev eth0
	ip -n "$(space "$n")" link set eth0 up
	ip -n "$(space "$n")" route add default via $net.254
}

make_network() {
	ip link add name $bridge type bridge && ip addr add $net.254/24 dev $bridge && ip link set $bridge up || fail "no bridge"
	cat /proc/sys/net/ipv4/ip_forward >"$dir/ip_forward"
	echo 1 >/proc/sys/net/ipv4/ip_forward 2>/dev/null
	nft -f - <<-NFT || echo "cluster: no way out for the hosts (nft); images can't be pulled" >&2
	table ip k3x-cluster { chain out { type nat hook postrouting priority srcnat; ip saddr $net.0/24 oifname != "$bridge" masquerade; }; }
	NFT
	local n
	for n in $(hosts); do make_host "$n" || fail "no network namespace for $n"; done
}

# What a host is started with, the first time and every other.
flags_of() {
	local n=$1
	echo "--data-dir $dir/$n --node-name $n --node-ip $(address "$n")"
	case $n in
	a*) echo "--server https://$(address s1):6443 --token-file $dir/s1/server/node-token" ;;
	s1) echo "--cluster-init --write-kubeconfig $dir/$n.kubeconfig" ;;
	*) echo "--disable-agent --write-kubeconfig $dir/$n.kubeconfig --server https://$(address s1):6443 --token-file $dir/s1/server/token" ;;
	esac
}

start() {
	local n=$1 program=server
	runs "$n" && { echo "$n runs already"; return; }
	[ "${n#a}" = "$n" ] || program=agent
	# Word splitting of the flags is wanted.
	# shellcheck disable=SC2046
	setsid nsenter --net="/run/netns/$(space "$n")" "$k3x" $program $(flags_of "$n") </dev/null >>"$dir/$n.log" 2>&1 &
	echo $! >"$dir/$n.pid"
	disown
}

end() { # host, signal
	local p i
	p=$(pid_of "$1")
	runs "$1" && kill "-$2" "$p" 2>/dev/null
	for i in $(seq 200); do runs "$1" || break; sleep 0.1; done
	runs "$1" && kill -KILL "$p"
	rm -f "$dir/$1.pid"
}

node_is_ready() { [ "$(kube get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
server_is_ready() { at "$1" curl -sk --max-time 2 "https://127.0.0.1:6443/readyz" | grep -qx ok; }

# One kubeconfig with a context per server.
write_kubeconfig() {
	local n
	for n in $(servers); do
		sed -e "s|https://127.0.0.1:6443|https://$(address "$n"):6443|" -e "s/\bdefault\b/$n/g" "$dir/$n.kubeconfig" >"$dir/$n.context"
	done
	KUBECONFIG=$(servers | sed "s|.*|$dir/&.context|" | paste -sd:) kubectl config view --flatten >"$dir/kubeconfig.next"
	chmod 600 "$dir/kubeconfig.next"
	mv "$dir/kubeconfig.next" "$dir/kubeconfig"
	kube config use-context s1 >/dev/null
	rm -f "$dir"/*.context
}

up() {
	local count=${1:-3} n
	[ "$(id -u)" = 0 ] || fail "must be run as root"
	[[ $count =~ ^[1-9]$ ]] || fail "N=$count: 1 to 9 servers (three survive the loss of one)"
	[ ! -e "$dir/hosts" ] || fail "there is one already in $dir: make cluster-down first"
	mkdir -p "$dir" || exit 1
	chmod 700 "$dir"
	install -m 755 build/release/k3x "$k3x"
	{ seq -f 's%.0f' "$count"; echo a1; } >"$dir/hosts"
	make_network
	for n in s1 a1; do
		mkdir -p "$dir/$n/agent/images"
		busybox_image busybox:local "$dir/$n/agent/images/busybox.tar" sh
	done
	echo "cluster: the first server starts"
	start s1
	wait_for 60 "the first server" test -s "$dir/s1.kubeconfig"
	for n in $(hosts | grep -v '^s1$'); do start "$n"; done
	for n in $(servers); do
		echo "cluster: waiting for $n"
		wait_for 90 "$n" test -s "$dir/$n.kubeconfig"
		wait_for 60 "$n to be ready" server_is_ready "$n"
	done
	write_kubeconfig
	echo "cluster: waiting for the nodes"
	for n in s1 a1; do wait_for 120 "node $n to be Ready" node_is_ready $n; done
	kube get nodes -o wide
	usage
}

usage() {
	local me=tools/install/cluster.sh
	cat <<-TEXT

	The cluster is up: $(servers | paste -sd' ') (servers) and a1 (agent). Use it with

	    export KUBECONFIG=$dir/kubeconfig        # contexts: $(servers | paste -sd' ')
	    kubectl get nodes
	    kubectl create deployment web --image=busybox:local --replicas=4 -- sleep 1000000

	and harm it, HOST being one of $(hosts | paste -sd' '):

	    $me kill HOST      # kill -9        $me start HOST
	    $me stop HOST      # in order       $me start HOST
	    $me cut HOST       # its network    $me plug HOST
	    $me freeze HOST    # SIGSTOP        $me thaw HOST
	    $me status         # who runs, who is ready
	    $me shell HOST     # a shell in its network
	    tail -f $dir/HOST.log

	While s1 is gone: kubectl --context s2 ... Pods of s1 and a1 run on when their server or agent is killed.
	make cluster-down ends it and removes all of it.
	TEXT
}

status() {
	local n state
	for n in $(hosts); do
		state="not running"
		runs "$n" && state="running, pid $(pid_of "$n")"
		runs "$n" && grep -q '^State:.T' "/proc/$(pid_of "$n")/status" && state="frozen"
		ip link show "k3xc-$n" 2>/dev/null | grep -q '<.*UP.*>' || state+=", cut off"
		[ "${n#s}" = "$n" ] || ! runs "$n" || { server_is_ready "$n" && state+=", ready" || state+=", not ready"; }
		printf '%-4s %-12s %s\n' "$n" "$(address "$n")" "$state"
	done
}

down() {
	local n
	[ -d "$dir" ] || { echo "cluster: there is none"; return; }
	for n in $(hosts); do runs "$n" && kill -CONT "$(pid_of "$n")" 2>/dev/null; done
	for n in $(hosts); do end "$n" KILL; done # its data goes, too
	for n in s1 a1; do
		[ -d "$dir/$n/agent" ] && [ -e "/run/netns/$(space $n)" ] &&
			at $n env K3X_DATA_DIR="$dir/$n" K3X_STATE_DIR="$dir/$n/agent/run" bash tools/install/down.sh >/dev/null 2>&1
	done
	for n in $(hosts); do
		ip link delete "k3xc-$n" 2>/dev/null # at once; with its namespace it would go some time later
		ip netns delete "$(space "$n")" 2>/dev/null
	done
	ip link delete $bridge 2>/dev/null
	nft delete table ip k3x-cluster 2>/dev/null
	[ -s "$dir/ip_forward" ] && cat "$dir/ip_forward" >/proc/sys/net/ipv4/ip_forward 2>/dev/null
	rm -rf "$dir"
	echo "the cluster is gone"
}

command=${1:-}
[ $# -gt 0 ] && shift
case $command in
up) up "$@" ;;
down) down ;;
status) status ;;
kill | stop | start | freeze | thaw | cut | plug | shell)
	host=${1:-}
	is_host "$host"
	case $command in
	kill) runs "$host" && kill -CONT "$(pid_of "$host")"; end "$host" KILL ;;
	stop) end "$host" TERM ;;
	start) start "$host" ;;
	freeze) kill -STOP "$(pid_of "$host")" ;;
	thaw) kill -CONT "$(pid_of "$host")" ;;
	cut) ip link set "k3xc-$host" down ;;
	plug) ip link set "k3xc-$host" up ;;
	shell) at "$host" "${SHELL:-/bin/bash}" ;;
	esac
	;;
*) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
