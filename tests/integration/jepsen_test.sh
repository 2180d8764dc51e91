#!/bin/bash
# The small part of the fault tests: fixed seeds, a few seconds per workload. On etcd, whose properties are known, and on
# servers that are wrong on purpose (base/breakage.h), to prove the harness; on a server of ours alone; on a cluster of
# ours. And nothing is left behind on the machine.
. "$(dirname "$0")/_lib.sh"
cd "$root" || exit 1

left_over() { ip -o link | wc -l; ip netns list | wc -l; grep -c "$T" /proc/mounts; losetup -a | grep -c jepsen; find /tmp -maxdepth 1 -name 'jepsen-*' | wc -l; }

# trial NAME ARGS...: a run without violations; its last line adds up.
trial() {
	local name=$1 out
	shift
	if out=$(timeout 170 "$jepsen" --dir "$T/runs" --scratch "$T" "$@" 2>&1) &&
		grep -qE '^jepsen: [1-9][0-9]* runs, [0-9]{2,} operations, [0-9]+ faults, 0 violations$' <<<"$(tail -n 1 <<<"$out")"; then
		ok "$name ($(tail -n 1 <<<"$out"))"
	else
		bad "$name" "$(tail -n 15 <<<"$out")"
	fi
}

# The same, of servers or requests that are wrong on purpose: a violation must be found. A seed decides what is broken and
# when, not what comes of it, so there are more of them.
trial_finds() {
	local name=$1 seed out
	shift
	for seed in 1 2 3 4 5 6; do
		out=$(timeout 100 "$jepsen" --dir "$T/runs" --scratch "$T" --target k3x --seed "$seed" "$@" 2>&1)
		if [ $? = 0 ] && grep -qE ' [1-9][0-9]* violations$' <<<"$(tail -n 1 <<<"$out")"; then
			ok "$name (seed $seed, $(tail -n 1 <<<"$out"))"
			return
		fi
	done
	bad "$name" "$(tail -n 15 <<<"$out")"
}

# broken NAME ARGS...: a server with that fault built in is found out.
broken() {
	local name=$1
	shift
	trial_finds "a server with the fault $name is found out" --binary build/breakable/k3x --break "$name" "$@"
}

if [ "$(id -u)" != 0 ]; then
	skip "fault tests" "root is needed for namespaces and mounts"
	finish
	exit
fi
make --no-print-directory jepsen-programs >"$T/make.log" 2>&1 || { bad "build" "$(tail "$T/make.log")"; finish; exit 1; }
jepsen=build/release/jepsen/jepsen
before=$(left_over)

check_has "it lists its nemeses" partition-leader "$($jepsen --list)"
check_has "a workload that is unknown is refused" 'none is called "nonsense"' "$($jepsen --nodes 1 -w nonsense 2>&1)"

check_has "so is one that asks for another API" "this workload asks for the other" "$($jepsen --target k3x-server --nodes 1 -w register --dir "$T/runs" 2>&1)"

needs etcd mkfs.ext4 losetup mariadbd psql
trial "etcd, three servers, kills and partitions" --target etcd --nodes 3 -w register,append,watch \
	-n kill,pause,partition-halves,partition-one-way,partition-leader,delay --seconds 21 --seed 7
trial "one server of ours, everything that fits" --target k3x --nodes 1 -w register,append,watch --seconds 9 --seed 9
trial "three servers of ours, everything" --target k3x --nodes 3 -w register,append,watch,kube --seconds 28 --seed 5
trial "three servers of ours with the API" --target k3x-server --nodes 3 -w api-objects,api-informers,api-deployments \
	-n kill-leader,partition-leader,power-cut --brisk --clients 6 --rate 60 --seconds 12 --seed 3
chmod 711 "$T" # databases have users of their own
for datastore in postgres mysql etcd; do
	trial "three servers on one $datastore" --target k3x-server --datastore $datastore --nodes 3 -w api-objects \
		-n datastore-kill,datastore-pause,datastore-cut,kill --brisk --clients 6 --rate 60 --seconds 8 --seed 3
done
trial_finds "reads that are asked to be stale are found to be" --nodes 3 -w register -n partition-leader,pause --seconds 8 --serializable
trial_finds "so are those of the API" --target k3x-server --nodes 3 -w api-objects -n partition-leader,pause --seconds 8 --rate 100 --serializable

breakable_binary
broken stale-read -w register -n partition-leader,pause --seconds 8
broken ack-before-fsync -w append -n power-cut-all --seconds 8
broken forget-vote --nodes 5 -w append -n pause-all --brisk --seconds 24
broken apply-twice -w append -n none --seconds 4
broken lose-revoke -w lease -n none --seconds 6
broken drop-event -w watch -n none --seconds 4
broken flush-before-log -w append -n kill --brisk --seconds 8
check_is "nothing is left behind" "$before" "$(left_over)"
finish
