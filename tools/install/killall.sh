# Ends everything that a server or an agent of k3x started on this machine: containers, containerd, mounts, links, cgroups,
# nftables tables. Data stays. `k3x killall` runs it (it is in the binary), and tools/install/down.sh. For any POSIX shell.
#
# Processes and links are found by the sockets, files and names that are k3x's own, so that nobody else's containers are
# touched. k3x itself goes first, however it was started, or it would start anew what is ended here.
# K3X_DATA_DIR and K3X_STATE_DIR point it at another server's folders. With K3X_KILL_SERVICES=1 services called k3x* are stopped
# first, but for k3x-store, for a manager would start anew what is ended here.
set -u
data=${K3X_DATA_DIR:-/var/lib/k3x}

# Links of another folder than the usual one are named by a hash of its path, FNV-1a as base/hash.h has it.
hash_of() {
	h=2166136261
	for byte in $(printf %s "$1" | od -An -v -tu1); do h=$(((h ^ byte) * 16777619 & 4294967295)); done
	printf %08x $h
}
if [ "$data" = /var/lib/k3x ]; then
	state=${K3X_STATE_DIR:-/run/k3x} bridge=cni0
	overlays="flannel-wg-v6 flannel-wg flannel-v6.1 flannel.1"
else
	id=$(hash_of "$data")
	state=${K3X_STATE_DIR:-$data/agent/run} bridge=k3x$id
	overlays="k3xh$id k3xg$id k3xw$id k3xv$id"
fi
socket=$state/containerd/containerd.sock

[ "$(id -u)" = 0 ] || { echo "k3x killall: must be run as root" >&2; exit 1; }

if [ "${K3X_KILL_SERVICES:-}" = 1 ]; then
	for unit in /etc/systemd/system/k3x*.service /lib/systemd/system/k3x*.service; do
		case $unit in */k3x-store*) continue ;; esac # the store by itself is no part of the cluster
		[ -e "$unit" ] && command -v systemctl >/dev/null && systemctl stop "$(basename "$unit")" 2>/dev/null
	done
	for script in /etc/init.d/k3x*; do
		[ -x "$script" ] && "$script" stop 2>/dev/null
	done
fi

is_gone() { # a zombie has let go of everything, whoever reaps it
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	stat=${stat##*) }
	[ "${stat%% *}" = Z ]
}

wait_gone() { # pid, seconds
	tries=$(($2 * 20))
	while [ $tries -gt 0 ]; do
		is_gone "$1" && return 0
		tries=$((tries - 1))
		sleep 0.05
	done
	return 1
}

stop_pid() { # pid, seconds of patience
	[ -n "${1:-}" ] && [ -e "/proc/$1" ] || return 0
	kill "$1" 2>/dev/null
	wait_gone "$1" "$2" || { kill -9 "$1" 2>/dev/null; wait_gone "$1" 5; }
}

is_called() { # pid, word: the word is in its command line
	[ -n "${1:-}" ] && grep -qa -- "$2" "/proc/$1/cmdline" 2>/dev/null
}

# Pids whose command line holds a text, one a line.
pids_with() {
	for p in /proc/[0-9]*; do
		tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -qF -- "$1" || continue
		[ "${p#/proc/}" = $$ ] || [ "${p#/proc/}" = "${PPID:-}" ] || echo "${p#/proc/}"
	done 2>/dev/null
}

# All processes below a pid, parents before children.
children_of() {
	# shellcheck disable=SC2013
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		echo "$child"
		(children_of "$child")
	done
}

server=$(cat "$state/server.pid" 2>/dev/null || true)
is_called "$server" server && stop_pid "$server" 15
rm -f "$state/server.pid"

# Who was started by hand has this file open.
has_open() { # pid, file
	file=$(stat -L -c %d:%i "$2" 2>/dev/null) && stat -L -c %d:%i "/proc/$1/fd"/* 2>/dev/null | grep -qx "$file"
}
server=$(cat "$data/k3x.pid" 2>/dev/null || true)
[ -n "$server" ] && has_open "$server" "$data/k3x.pid" && stop_pid "$server" 15
rm -f "$data/k3x.pid"

# WebAssembly containers outlive the node, and so does the zygote that they were forked from, whose command line they share.
for p in $(pids_with "wasm-zygote --state $data/agent/wasm "); do kill -9 "$p" 2>/dev/null; done

# Shims outlive containerd on purpose; each is the parent of its containers. Network namespaces are found through the
# containers that live in them, so that those of anybody else's containers are left alone.
namespaces=
tasks=$(cd "$state/containerd/io.containerd.runtime.v2.task/k8s.io" 2>/dev/null && echo *)
containerd=$(cat "$state/containerd/containerd.pid" 2>/dev/null || true)
for shim in $(pids_with "-address $socket"); do
	family=$(children_of "$shim")
	for p in $family; do namespaces="$namespaces $(ip netns identify "$p" 2>/dev/null)"; done
	for p in $family; do kill -9 "$p" 2>/dev/null; done
	for p in $family; do wait_gone "$p" 5; done
	stop_pid "$shim" 2
done
is_called "$containerd" containerd && stop_pid "$containerd" 10
for p in $(pids_with "containerd --config $data/agent/etc/containerd/config.toml"); do stop_pid "$p" 10; done # its file may be gone

# What runc remembers of containers whose shim had no time left to forget them.
for task in $tasks; do
	[ "$task" = '*' ] || rm -rf "/run/containerd/runc/k8s.io/$task"
done

# Mounts, deepest first; of the default folder those of CSI drivers too, which lie where every driver has them.
drivers=$data/
[ "$data" != /var/lib/k3x ] || drivers=/var/lib/kubelet/
awk -v a="$state/" -v b="$data/" -v c="$drivers" 'index($5, a) == 1 || index($5, b) == 1 || (index($5, c) == 1 && $5 ~ /\/kubernetes\.io[~\/]csi\//) { print $5 }' /proc/self/mountinfo | sort -r | while read -r m; do
	# An nfs server may be away: what waits for it is not waited for.
	timeout -k 1 10 umount "$m" 2>/dev/null || timeout -k 1 10 umount -f "$m" 2>/dev/null || timeout -k 1 10 umount -l "$m" 2>/dev/null
done

# Pod network: the sandboxes' namespaces (their ends of the veth pairs go with them), the bridge, the rules.
in_bridge() { ip -o link show master "$bridge" 2>/dev/null; }
# What limits a pod's traffic, a link beside its own, as the bandwidth plugin made it.
limits=$(in_bridge | sed 's/^[0-9]*: \([^@:]*\).*/\1/' | while read -r link; do
	tc filter show dev "$link" parent ffff: 2>/dev/null | sed -n 's/.*[Rr]edirect to device \(bwp[0-9a-f]*\)).*/\1/p'
done)
# One that was being made has nobody in it yet: it is known by its link in our bridge.
for ns in $(ip netns list 2>/dev/null | sed -n 's/^\(cni-[^ ]*\).*/\1/p'); do
	[ -z "$(ip netns pids "$ns" 2>/dev/null)" ] || continue
	peer=$(ip -n "$ns" -o link show eth0 2>/dev/null | sed -n 's/^[0-9]*: eth0@if\([0-9]*\):.*/\1/p')
	[ -n "$peer" ] && in_bridge | grep -q "^$peer: " && namespaces="$namespaces $ns"
done
for ns in $(echo "$namespaces" | tr ' ' '\n' | sort -u | grep '^cni-'); do
	ip netns delete "$ns" 2>/dev/null
done
for _ in 1 2 3 4 5 6 7 8 9 10; do # the kernel takes the veth pairs away in the background
	[ -z "$(in_bridge)" ] && break
	sleep 0.1
done
[ -n "$(in_bridge)" ] || ip link delete "$bridge" 2>/dev/null
for link in $limits; do ip link delete "$link" 2>/dev/null; done
for file in "$state"/wireguard-*.pid; do # wireguard-go, where the kernel has no WireGuard: its link goes with it
	pid=$(cat "$file" 2>/dev/null) || continue
	link=${file##*/wireguard-}
	link=${link%.pid}
	is_called "$pid" wireguard-go && is_called "$pid" "$link" && stop_pid "$pid" 5
	ip link delete "$link" 2>/dev/null
	rm -f "/var/run/wireguard/$link.sock"
done
for link in $overlays; do ip link delete "$link" 2>/dev/null; done # and with them the routes through them
# Those of host-gw bear k3x's protocol number.
ip route flush proto 171 2>/dev/null
ip -6 route flush proto 171 2>/dev/null
nft list tables 2>/dev/null | awk '$3 ~ /^k3x-/ { print $2, $3 }' | while read -r family table; do
	# The switch is on for node ports on 127.0.0.1, and safe only beside the rules of that table.
	[ "$table" = k3x-proxy ] && echo 0 >/proc/sys/net/ipv4/conf/all/route_localnet
	nft delete table "$family" "$table"
done
is_empty() { # family and name: nothing is in the table but chains without rules, that let all pass
	! nft list table "$@" 2>/dev/null | grep -qvE '^(table|#)|^[[:space:]]*(chain .*|type .* policy accept;|})?$'
}
for tables in iptables ip6tables; do # what the portmap and bridge plugins leave behind
	command -v $tables-save >/dev/null || continue
	for set in nat filter; do
		# A table without a chain of theirs is not looked at.
		$tables-save -t $set 2>/dev/null | grep -q '^:CNI' || continue
		$tables-save -t $set 2>/dev/null | grep -E '^-A .*CNI' | sed 's/^-A/-D/' | while read -r rule; do
			eval "$tables -t $set $rule" 2>/dev/null
		done
		$tables-save -t $set 2>/dev/null | sed -n 's/^:\(CNI[^ ]*\) .*/\1/p' | while read -r chain; do
			$tables -t $set -F "$chain" 2>/dev/null
			$tables -t $set -X "$chain" 2>/dev/null
		done
		is_empty "${tables%tables}" $set && nft delete table "${tables%tables}" $set 2>/dev/null
	done
done

# Empty pod cgroups, deepest first, on v1 and v2.
find /sys/fs/cgroup -depth -type d -path '*/kubepods*' 2>/dev/null | while read -r d; do rmdir "$d" 2>/dev/null; done

# What plugins noted of our sandboxes: those of our bridge, and the loopbacks of the same.
for noted in /var/lib/cni/results/cbr0-*-eth0; do
	sandbox=${noted#/var/lib/cni/results/cbr0-}
	rm -f "/var/lib/cni/results/cni-loopback-${sandbox%-eth0}-lo"
done
rm -rf "$state" /var/lib/cni/networks/cbr0 /var/lib/cni/results/cbr0-* 2>/dev/null
# Folders that shims and plugins make, where nobody else is in them; that of namespaces is mounted on itself. Only the topmost
# mount counts: where a file system of its own lies over it, what is below is not of this mount namespace.
if [ -z "$(ls -A /run/netns 2>/dev/null)" ] && awk '$5 == "/run/netns" { root = $4 } END { exit root == "" || root == "/" }' /proc/self/mountinfo; then
	umount /run/netns
fi
rmdir /run/containerd/s /run/containerd/runc/k8s.io /run/containerd/runc /run/containerd /run/netns 2>/dev/null
[ "$data" = /var/lib/k3x ] && rm -f /etc/k3x/k3x.yaml
exit 0
