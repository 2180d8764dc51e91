#!/bin/bash
# `k3x-store serve` with stock etcdctl: keys, transactions, watches, leases, compaction, status, restart, kill -9.
. "$(dirname "$0")/_lib.sh"
export ETCDCTL_ENDPOINTS=http://127.0.0.1:17379 ETCDCTL_COMMAND_TIMEOUT=3s ETCDCTL_API=3
needs etcdctl

serve() {
	"$K3X" store serve --name m1 --data-dir "$T/store" --listen-client-urls $ETCDCTL_ENDPOINTS --advertise-client-urls $ETCDCTL_ENDPOINTS </dev/null >>"$T/store.log" 2>&1 &
	server_pid=$!
	wait_for 10 etcdctl endpoint health
}

serve && ok "serves" || bad "serves" "$(tail -n 3 "$T/store.log")"
check_is "put" OK "$(etcdctl put a 1)"
check_is "get" "a 1" "$(etcdctl get a | paste -sd' ')"
etcdctl put a 2 >/dev/null
check_is "prev-kv" "OK a 2" "$(etcdctl put --prev-kv a 3 | paste -sd' ')"
check_is "an old revision" 1 "$(etcdctl get a --rev=2 --print-value-only)"
for i in 1 2 3 4 5; do etcdctl put "p/$i" "v$i" >/dev/null; done
check_is "prefix, limit, descending" "p/5 p/4" "$(etcdctl get --prefix p/ --keys-only --limit=2 --order=DESCEND | grep . | paste -sd' ')"
check_is "from key, count" 5 "$(etcdctl get --from-key p/1 --count-only -w fields | sed -n 's/.*"Count" : //p')"
check_is "range" "v2 v3" "$(etcdctl get p/2 p/4 --print-value-only | paste -sd' ')"
check_is "txn success" "SUCCESS OK a 4" "$(printf 'mod("a") > "0"\nval("a") = "3"\n\nput a 4\nget a\n\nget p/1\n\n' | etcdctl txn | grep . | paste -sd' ')"
check_is "txn failure" "FAILURE p/1 v1" "$(printf 'ver("a") = "99"\n\nput a 9\n\nget p/1\n\n' | etcdctl txn | grep . | paste -sd' ')"
check_is "create if absent fails on a key that is there" FAILURE "$(printf 'create("a") = "0"\n\nput a 9\n\n\n' | etcdctl txn | grep . | paste -sd' ')"
check_is "del counts" 2 "$(etcdctl del p/1 p/3)"
check_is "watch from the start sees every event in order" "PUT PUT PUT PUT" "$(timeout 2 etcdctl watch a --rev=1 | grep -E '^(PUT|DELETE)' | paste -sd' ')"

(timeout 5 etcdctl watch --prefix w/ >"$T/watch.out") &
watcher=$!
watchers_are() { curl -s "$ETCDCTL_ENDPOINTS/metrics" | grep -q "^etcd_debugging_mvcc_watcher_total $1\$"; }
check "the store counts its watcher" wait_for 10 watchers_are 1
etcdctl put w/1 x >/dev/null
etcdctl del w/1 >/dev/null
etcdctl put other x >/dev/null
wait $watcher
check_is "a live watch sees its prefix alone" "PUT w/1 x DELETE w/1" "$(grep . "$T/watch.out" | paste -sd' ')"

lease=$(etcdctl lease grant 2 | awk '{print $2}')
etcdctl put leased v --lease="$lease" >/dev/null
check_has "lease timetolive" "attached keys([leased])" "$(etcdctl lease timetolive "$lease" --keys)"
check_has "lease list" "$lease" "$(etcdctl lease list)"
check_has "keep-alive" "keepalived with TTL(2)" "$(timeout 3 etcdctl lease keep-alive --once "$lease")"
check "an expired lease takes its keys along" wait_for 10 bash -c "[ -z \"\$(etcdctl get leased)\" ]"
lease=$(etcdctl lease grant 100 | awk '{print $2}')
etcdctl put leased v --lease="$lease" >/dev/null
check_has "revoke" revoked "$(etcdctl lease revoke "$lease")"
check_is "a revoked lease takes its keys along" "" "$(etcdctl get leased)"
check_has "an unknown lease" "requested lease not found" "$(etcdctl put x y --lease=1234abcd 2>&1)"

check_has "member list" "m1" "$(etcdctl member list)"
check_has "endpoint status" "3.5.16" "$(etcdctl endpoint status)"
check_has "compact" "compacted revision 5" "$(etcdctl compact 5)"
check_has "reads below the compacted revision" "required revision has been compacted" "$(etcdctl get a --rev=3 2>&1)"
check_has "watches below it" "required revision has been compacted" "$(timeout 3 etcdctl watch a --rev=2 2>&1)"
check_has "reads of the future" "required revision is a future revision" "$(etcdctl get a --rev=100000 2>&1)"
check_is "no users" "" "$(etcdctl user list 2>&1)"
check_is "health" '{"health":"true","reason":""}' "$(curl -s http://127.0.0.1:17379/health)"
curl -s http://127.0.0.1:17379/metrics >"$T/metrics"
metric() { awk -v name="$1" '$1 == name {print $2}' "$T/metrics"; }
check "metrics read as Prometheus reads them" python3 "$root/tests/integration/_metrics.py" etcd_mvcc_db_total_size_in_bytes \
	etcd_disk_wal_fsync_duration_seconds_bucket etcd_disk_backend_commit_duration_seconds_bucket etcd_server_quota_backend_bytes \
	grpc_server_handling_seconds_bucket grpc_server_msg_sent_total etcd_network_client_grpc_received_bytes_total \
	etcd_debugging_mvcc_events_total etcd_mvcc_txn_total etcd_mvcc_range_total <"$T/metrics"
unary='grpc_service="etcdserverpb.KV",grpc_type="unary"'
check_is "calls begun and calls answered" "$(metric "grpc_server_started_total{grpc_method=\"Put\",$unary}")" \
	"$(awk -v what="grpc_method=\"Put\",$unary" 'index($1, "grpc_server_handled_total") && index($1, what) {n += $2} END {print n}' "$T/metrics")"
check_is "a call refused" 1 "$(metric "grpc_server_handled_total{grpc_code=\"NotFound\",grpc_method=\"Put\",$unary}")"
check_is "deletions" 4 "$(metric etcd_mvcc_delete_total)"
head -c 2000000 /dev/zero | tr '\0' x >"$T/big"
check_has "too large a request" "request is too large" "$(etcdctl put big <"$T/big" 2>&1)"

stop_server KILL
serve && ok "serves again after a kill" || bad "serves again after a kill"
check_is "and has everything" 4 "$(etcdctl get a --print-value-only)"
stop_server TERM
finish
