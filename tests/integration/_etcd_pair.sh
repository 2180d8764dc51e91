# A real etcd and `k3x-store serve` side by side, both fresh, and the same commands to both: source it behind _lib.sh. The
# answers must be the same, down to revisions, counts, error texts and exit codes. What names the cluster, its members, its
# raft or a random lease is blanked in both. Sets $real and $ours; $etcd_flags and $store_flags may be set before.
real=http://127.0.0.1:21379 ours=http://127.0.0.1:21381
etcd=$(PATH=/usr/bin:$PATH type -P etcd)
needs etcd etcdctl jq
export ETCDCTL_API=3 ETCDCTL_COMMAND_TIMEOUT=3s ETCDCTL_DIAL_TIMEOUT=3s

"$etcd" --name m1 --data-dir "$T/etcd" --listen-client-urls $real --advertise-client-urls $real \
	--listen-peer-urls http://127.0.0.1:21380 --initial-advertise-peer-urls http://127.0.0.1:21380 \
	--initial-cluster m1=http://127.0.0.1:21380 --log-level error $etcd_flags </dev/null >"$T/etcd.log" 2>&1 &
etcd_pid=$!
trap 'kill $etcd_pid 2>/dev/null; wait $etcd_pid 2>/dev/null; cleanup' EXIT
"$K3X" store serve --name m1 --data-dir "$T/store" --listen-client-urls $ours --advertise-client-urls $ours --listen-peer-urls http://127.0.0.1:21382 --initial-advertise-peer-urls http://127.0.0.1:21380 --initial-cluster m1=http://127.0.0.1:21380 $store_flags </dev/null >"$T/store.log" 2>&1 &
server_pid=$!
check "etcd is up" wait_for 10 etcdctl --endpoints $real endpoint health
check "k3x-store is up" wait_for 10 etcdctl --endpoints $ours endpoint health
if [ $failed -gt 0 ]; then tail -n 5 "$T/store.log"; finish; exit 1; fi

blank() {
	sed -E 's/"(id|ttl|cluster_id|member_id|raft_term|raftTerm|raftIndex|raftAppliedIndex|leader|dbSize|dbSizeInUse|ID)":-?[0-9]+/"\1":0/g
		s/127\.0\.0\.1:213[0-9]+/HOST/g; s/"ts":"[^"]*"//; s/0x[0-9a-f]{8,}/PTR/g; s/\b[0-9a-f]{12,16}\b/LEASE/g
		s/,"lease":[0-9]{10,}/,"lease":L/g; s/\.go:[0-9]+/.go/; s/in [0-9.]+m?s/in T/; s/took = [^,]*/took/; s/"target":"[^"]*"//g'
}

# same NAME etcdctl-arguments...: standard input, when $stdin is set, goes to both.
stdin=
run_one() { # endpoint file args...
	local at=$1 file=$2
	shift 2
	printf '%b' "$stdin" | timeout "${limit:-5}" etcdctl --endpoints "$at" "$@" >"$file" 2>&1
	echo "exit $?" >>"$file"
	blank <"$file" >"$file.blank"
}
same() {
	local name=$1
	shift
	run_one $real "$T/real.out" "$@" &
	local p=$!
	run_one $ours "$T/ours.out" "$@"
	wait $p
	if cmp -s "$T/real.out.blank" "$T/ours.out.blank"; then ok "$name"; else
		bad "$name" "$(diff "$T/real.out.blank" "$T/ours.out.blank" | head -n "${LINES_MAX:-6}" | cut -c1-600)"
	fi
}
j() { local name=$1; shift; same "$name" "$@" -w json; }

