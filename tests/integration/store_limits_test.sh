#!/bin/bash
# `k3x-store serve` under its limits: the quota and its alarm, automatic compaction, request sizes, a full
# disk; gRPC's health service.
. "$(dirname "$0")/_lib.sh"
export ETCDCTL_ENDPOINTS=http://127.0.0.1:17479 ETCDCTL_COMMAND_TIMEOUT=3s ETCDCTL_API=3
needs etcdctl

data=$T/store

serve_in_background() {
	"$K3X" store serve --name m1 --data-dir "$data" --listen-client-urls $ETCDCTL_ENDPOINTS --advertise-client-urls $ETCDCTL_ENDPOINTS "$@" </dev/null >>"$T/store.log" 2>&1 &
	server_pid=$!
}
serve() {
	serve_in_background "$@"
	wait_for 10 etcdctl member list
}

serve --quota-backend-bytes 8000000 --max-txn-ops 3 --max-request-bytes 2000000 && ok "serves" || bad "serves" "$(tail -n 3 "$T/store.log")"
head -c 750000 /dev/urandom | base64 -w 0 >"$T/big" # 1 MB that does not get smaller in the log
full=
for i in $(seq 40); do
	full=$(etcdctl put big/$((i % 3)) <"$T/big" 2>&1)
	[ "$full" = OK ] || break
done
check_has "the quota turns a write away" "etcdserver: mvcc: database space exceeded" "$full"
check_has "the alarm stands" "alarm:NOSPACE" "$(etcdctl alarm list)"
check_has "small writes are refused too" "database space exceeded" "$(etcdctl put small x 2>&1)"
check_has "new leases too" "database space exceeded" "$(etcdctl lease grant 10 2>&1)"
check_has "transactions with puts too" "database space exceeded" "$(printf '\nput a 1\n\n\n' | etcdctl txn 2>&1)"
check_has "transactions without go on" SUCCESS "$(printf '\ndel a\n\n\n' | etcdctl txn 2>&1)"
check_has "status names it" "NOSPACE" "$(etcdctl endpoint status)"
check_has "health names it" "ALARM NOSPACE" "$(curl -s http://127.0.0.1:17479/health)"
check_is "deletions go on" 3 "$(etcdctl del --prefix big/)"
revision=$(etcdctl get x -w json | sed 's/.*"revision":\([0-9]*\).*/\1/')
check_has "compaction goes on" compacted "$(etcdctl compact --physical "$revision")"
check_has "the alarm stands until it is disarmed" "database space exceeded" "$(etcdctl put small x 2>&1)"
check_has "disarm" "alarm:NOSPACE" "$(etcdctl alarm disarm)"
check_is "no alarm" "" "$(etcdctl alarm list)"
check "room again, once the pages are given back" wait_for 5 etcdctl put small x
check_has "too many operations" "too many operations in txn request" "$(printf '\nput a 1\nput b 1\nput c 1\nput d 1\n\n\n' | etcdctl txn 2>&1)"
head -c 1700000 /dev/zero | tr '\0' x >"$T/bigger"
check_is "a larger request than the default" OK "$(etcdctl put bigger <"$T/bigger" 2>&1)"
stop_server TERM

serve --auto-compaction-mode periodic --auto-compaction-retention 1s && ok "serves with automatic compaction" || bad "serves" "$(tail -n 3 "$T/store.log")"
for i in 1 2 3 4 5; do etcdctl put k "$i" >/dev/null; done
check "history is compacted by itself" wait_for 8 bash -c 'etcdctl get k --rev=2 2>&1 | grep -q compacted'
check_is "the newest stays" 5 "$(etcdctl get k --print-value-only)"
stop_server TERM

# A disk that is full: everybody is answered, nobody waits for room, and the server can be stopped and started.
if [ "$(id -u)" = 0 ] && mkdir "$T/small" && mount -t tmpfs -o size=64m none "$T/small"; then
	data=$T/small/store
	serve && ok "serves on a small disk" || bad "serves on a small disk" "$(tail -n 3 "$T/store.log")"
	check_is "a put while there is room" OK "$(etcdctl put a 1)"
	dd if=/dev/zero of="$T/small/fill" bs=1M 2>/dev/null
	first_refusal() { for _ in $(seq 20); do etcdctl put big/0 <"$T/big" 2>&1 | grep 'space exceeded' && return; done; }
	check_has "a write is refused" "database space exceeded" "$(first_refusal)"
	check_has "the very next call says why" "disk is full" "$(etcdctl endpoint status)"
	check_has "health says so too" "the disk is full" "$(curl -s http://127.0.0.1:17479/health)"
	answers=$(for i in $(seq 20); do etcdctl put big/$((i % 3)) <"$T/big" 2>&1 | tail -n 1; done)
	check_has "writes are refused" "database space exceeded" "$answers"
	check_is "no put waits for its deadline" "" "$(grep deadline <<<"$answers")"
	check_has "status names the disk" "disk is full" "$(etcdctl endpoint status)"
	check_is "reads go on" 1 "$(etcdctl get a --print-value-only)"
	check_is "those that may be old, too" 1 "$(etcdctl get a --print-value-only --consistency=s)"
	check_has "so is defragmentation" "database space exceeded" "$(etcdctl defrag 2>&1)"
	kill -TERM $server_pid
	check "the server stops with its disk full" wait_for 10 bash -c "! kill -0 $server_pid 2>/dev/null"
	stop_server KILL
	serve_in_background
	check "starts with its disk full" wait_for 10 etcdctl get a
	check_has "writes are refused again" "database space exceeded" "$(first_refusal)"
	check_has "and status says why" "disk is full" "$(etcdctl endpoint status)"
	rm "$T/small/fill"
	check "there is room: writes go on" wait_for 10 etcdctl put a 2
	check_is "reads go on" 2 "$(etcdctl get a --print-value-only)"
	stop_server TERM
	umount -l "$T/small"
else
	skip "a full disk" "needs root and a tmpfs"
fi

check_has "a retention that is none" "is not a number of hours" "$("$K3X" store serve --data-dir "$T/store" --auto-compaction-retention soon 2>&1)"
check_has "a mode that is none" "neither periodic nor revision" "$("$K3X" store serve --data-dir "$T/store" --auto-compaction-mode daily 2>&1)"
finish
