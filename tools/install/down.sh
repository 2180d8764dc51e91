#!/bin/bash
# make down: stops the server and everything it started: containers, containerd, mounts, links, cgroups, nftables tables. The
# data in /var/lib/k3x stays (make clean-data removes it). Processes are found by the sockets and files that are k3x's own.
# K3X_DATA_DIR and K3X_STATE_DIR point it at another server's folders.
set -u
data=${K3X_DATA_DIR:-/var/lib/k3x}
state=${K3X_STATE_DIR:-/run/k3x}
socket=$state/containerd/containerd.sock

[ "$(id -u)" = 0 ] || { echo "make down: must be run as root" >&2; exit 1; }

is_gone() { # a zombie has let go of everything, whoever reaps it
	local stat
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
	stat=${stat##*) }
	[ "${stat%% *}" = Z ]
}

wait_gone() { # pid, seconds
	for _ in $(seq $(($2 * 20))); do
		is_gone "$1" && return 0
		sleep 0.05
	done
	return 1
}

stop_pid() { # pid, seconds of patience
	[ -n "${1:-}" ] && [ -e "/proc/$1" ] || return 0
	kill "$1" 2>/dev/null
	wait_gone "$1" "$2" || { kill -9 "$1" 2>/dev/null; wait_gone "$1" 5; }
}

# Pids whose command line holds a text, one a line.
pids_with() {
	for p in /proc/[0-9]*; do
		{ tr '\0' ' ' <"$p/cmdline"; } 2>/dev/null | grep -qF -- "$1" && [ "${p#/proc/}" != $$ ] && [ "${p#/proc/}" != "$PPID" ] && echo "${p#/proc/}"
	done
}

children_of() {
	for c in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		echo "$c"
		children_of "$c"
	done
}

server=$(cat "$state/server.pid" 2>/dev/null || true)
if [ -n "$server" ] && grep -qa server "/proc/$server/cmdline" 2>/dev/null; then
	stop_pid "$server" 15
fi
rm -f "$state/server.pid"

# Shims outlive containerd on purpose; each is the parent of its containers. Network namespaces are found through the
# containers that live in them, so that those of anybody else's containers are left alone.
namespaces=
containerd=$(cat "$state/containerd/containerd.pid" 2>/dev/null || true)
for shim in $(pids_with "-address $socket"); do
	family=$(children_of "$shim")
	for p in $family; do namespaces+=" $(ip netns identify "$p" 2>/dev/null)"; done
	for p in $family; do kill -9 "$p" 2>/dev/null; done
	for p in $family; do wait_gone "$p" 5; done
	stop_pid "$shim" 2
done
if [ -n "$containerd" ] && grep -qa containerd "/proc/$containerd/cmdline" 2>/dev/null; then
	stop_pid "$containerd" 10
fi

# Mounts, deepest first.
awk -v a="$state/" -v b="$data/" 'index($5, a) == 1 || index($5, b) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r m; do
	umount "$m" 2>/dev/null || umount -l "$m" 2>/dev/null
done

# Pod network: the sandboxes' namespaces (their ends of the veth pairs go with them), the bridge, the rules.
for ns in $(tr ' ' '\n' <<<"$namespaces" | sort -u | grep '^cni-'); do
	ip netns delete "$ns" 2>/dev/null
done
for _ in 1 2 3 4 5 6 7 8 9 10; do # the kernel takes the veth pairs away in the background
	[ -z "$(ip -o link show master cni0 2>/dev/null)" ] && break
	sleep 0.1
done
[ -n "$(ip -o link show master cni0 2>/dev/null)" ] || ip link delete cni0 2>/dev/null
ip link delete flannel.1 2>/dev/null # and with it the routes through it; those of host-gw bear k3x's protocol number
ip route flush proto 171 2>/dev/null
nft list tables 2>/dev/null | awk '$3 ~ /^k3x-/ { print $2, $3 }' | while read -r family table; do
	# The switch is on for node ports on 127.0.0.1, and safe only beside the rules of that table.
	[ "$table" = k3x-proxy ] && echo 0 >/proc/sys/net/ipv4/conf/all/route_localnet
	nft delete table "$family" "$table"
done
for set in nat filter; do # what the portmap and bridge plugins leave behind
	command -v iptables-save >/dev/null && iptables-save -t $set 2>/dev/null | grep -E '^-A .*CNI' | sed 's/^-A/-D/' | while read -r rule; do
		eval "iptables -t $set $rule" 2>/dev/null
	done
	command -v iptables-save >/dev/null && iptables-save -t $set 2>/dev/null | sed -n 's/^:\(CNI[^ ]*\) .*/\1/p' | while read -r chain; do
		iptables -t $set -F "$chain" 2>/dev/null
		iptables -t $set -X "$chain" 2>/dev/null
	done
done

# Empty pod cgroups, deepest first, on v1 and v2.
find /sys/fs/cgroup -depth -type d -path '*/kubepods*' 2>/dev/null | while read -r d; do rmdir "$d" 2>/dev/null; done

rm -rf "$state" /var/lib/cni/networks/cbr0 /var/lib/cni/results/cbr0-* 2>/dev/null
[ "$data" = /var/lib/k3x ] && rm -f /etc/k3x/k3x.yaml
echo "k3x is down; data stays in $data"
