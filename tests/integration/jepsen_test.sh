#!/bin/bash
# The small part of the fault tests: fixed seeds, a few seconds per workload. On etcd, whose properties are known, to prove
# the harness; on a server of ours alone; on a cluster of ours. And nothing is left behind on the machine.
. "$(dirname "$0")/_lib.sh"
cd "$root" || exit 1

left_over() { ip -o link | wc -l; ip netns list | wc -l; wc -l </proc/mounts; losetup -a | grep -c jepsen; find /tmp -maxdepth 1 -name 'jepsen-*' | wc -l; }

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

# The same, of a run that asks for what is wrong: a violation must be found.
trial_finds() {
	local name=$1 out
	shift
	if out=$(timeout 100 "$jepsen" --dir "$T/runs" --scratch "$T" "$@" 2>&1) && grep -qE ' [1-9][0-9]* violations$' <<<"$(tail -n 1 <<<"$out")"; then
		ok "$name ($(tail -n 1 <<<"$out"))"
	else
		bad "$name" "$(tail -n 15 <<<"$out")"
	fi
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

if command -v etcd >/dev/null; then
	trial "etcd, three servers, kills and partitions" --target etcd --nodes 3 -w register,append,watch,lock \
		-n kill,pause,partition-halves,partition-one-way,partition-leader,delay --seconds 40 --seed 7
	trial_finds "stale reads are found" --target etcd --nodes 3 -w register -n partition-leader,pause --seconds 20 --seed 3 --serializable
else
	skip "etcd, three servers" "etcd is not installed"
fi
trial "one server of ours, all workloads, everything that fits" --target k3x --nodes 1 --seconds 45 --seed 9
probe=$(timeout 3 build/k3x store serve --initial-cluster a=http://127.0.0.1:1,b=http://127.0.0.1:2 --name a --data-dir "$T/probe" \
	--listen-client-urls http://127.0.0.1:0 --listen-peer-urls http://127.0.0.1:0 2>&1 </dev/null)
if grep -q 'not built yet' <<<"$probe"; then
	skip "three servers of ours" "clusters of k3x-store are not built yet"
else
	trial "three servers of ours, everything" --target k3x --nodes 3 -w register,append,watch,kube --seconds 48 --seed 5
fi
check_is "nothing is left behind" "$before" "$(left_over)"
finish
