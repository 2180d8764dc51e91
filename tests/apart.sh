#!/bin/bash
# Runs a command with a network, mounts, processes and control groups of its own, so that tests can run side by side: same
# ports, same names of network namespaces and of pods' groups, and whatever it leaves running or mounted goes with it. Needs
# root; without, the command runs as it is. Of /run it has the folders of network namespaces and of containers by itself.
# What the caller's shell says of a cluster of his own (KUBECONFIG as `make up` has it, settings of k3x) does not count.
#
# Its groups lie below one in each hierarchy (v1, or v2), which it sees as the root; what is left of them is removed.
unset KUBECONFIG "${!K3X_@}"
[ "$(id -u)" = 0 ] || exec "$@"
name=k3x-apart-$$

# The hierarchies: their mount points, v2's first where it has controllers.
hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts; }

# A group of v1's CPU sets has none until it is told.
enter() {
	local at=$1 file
	mkdir "$at/$name" 2>/dev/null || return 0
	for file in cpuset.cpus cpuset.mems; do
		[ ! -e "$at/$file" ] || cat "$at/$file" >"$at/$name/$file" 2>/dev/null
	done
	echo $BASHPID >"$at/$name/cgroup.procs" 2>/dev/null
}

# Innermost first; they may be busy for a moment.
leave() {
	local at=$1 _
	[ -d "$at/$name" ] || return 0
	for _ in $(seq 50); do
		find "$at/$name" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$at/$name" ] || return 0
		sleep 0.1
	done
}

# Within: the groups are mounted anew, so that what was entered is the root of what is seen. In v2 a group that gives
# controllers on may hold no process: ours move one further in.
inside='
grep -E "^[^ ]+ [^ ]+ cgroup2? " /proc/self/mounts | while read -r _ at type options _; do
	options=$(tr , "\n" <<<"$options" | grep -vxE "rw|ro|relatime|noatime|nosuid|nodev|noexec|nsdelegate|memory_recursiveprot" | paste -sd,)
	umount "$at" 2>/dev/null && mount -t "$type" ${options:+-o "$options"} "$type" "$at"
	[ "$type" = cgroup2 ] && [ -s "$at/cgroup.controllers" ] || continue
	mkdir -p "$at/test" && echo 1 >"$at/test/cgroup.procs"
	sed "s/\([^ ]*\)/+\1/g" "$at/cgroup.controllers" >"$at/cgroup.subtree_control"
done
for at in /run/netns /run/containerd; do mkdir -p $at && mount -t tmpfs apart $at || exit; done
ip link set lo up && exec "$@"'

(
	for at in $(hierarchies); do enter "$at"; done
	exec unshare --net --mount --cgroup --pid --fork --kill-child --mount-proc bash -c "$inside" _ "$@"
) &
child=$!
# unshare hears neither of these, and the first process of a space only what it asks for.
trap 'kill -KILL $child' TERM INT
while kill -0 $child 2>/dev/null; do wait $child; rc=$?; done
for at in $(hierarchies); do leave "$at"; done
exit $rc
