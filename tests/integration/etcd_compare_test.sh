#!/bin/bash
# The same etcdctl commands to a real etcd and to `k3x-store serve`, both fresh: the answers must be the same, down to
# revisions, counts, error texts and exit codes. What names the cluster, its members, its raft or a random lease is
# blanked in both.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_etcd_pair.sh"

j "an empty store" get a
j "an empty store, count" get --prefix "" --count-only
j "deleting nothing" del nothing
j "the first put" put a 1
j "put again" put a 2
j "put with prev-kv" put a 3 --prev-kv
j "put of a new key with prev-kv" put b 1 --prev-kv
j "an empty value" put empty ""
j "get" get a
j "get, not there" get nope
j "get at a revision" get a --rev 2
j "get at a revision before it" get b --rev 2
j "get in the future" get a --rev 1000
j "ignore-value" put a --ignore-value
j "ignore-value, not there" put nope --ignore-value
j "ignore-lease" put a 4 --ignore-lease
j "ignore-lease, not there" put nope 4 --ignore-lease
j "an unknown lease" put a x --lease 1234
j "no key" get ""
j "no key, put" put "" x
j "no key, delete" del ""
for i in 1 2 3 4 5; do j "put p/$i" put p/$i v$((6 - i)); done
j "put p/3 again" put p/3 w
j "prefix" get --prefix p/
j "prefix, limit" get --prefix p/ --limit 2
j "prefix, limit that is enough" get --prefix p/ --limit 5
j "prefix, keys only" get --prefix p/ --keys-only
j "prefix, count only" get --prefix p/ --count-only
j "prefix, count only, limit" get --prefix p/ --count-only --limit 2
j "range" get p/2 p/4
j "range, empty" get p/4 p/2
j "from key" get --from-key p/3
j "everything" get --prefix ""
for by in CREATE KEY MODIFY VALUE VERSION; do for o in ASCEND DESCEND; do j "sort by $by $o" get --prefix p/ --sort-by $by --order $o --limit 3; done; done
j "sort by value without an order" get --prefix p/ --sort-by VALUE
j "sort by version without an order" get --prefix p/ --sort-by VERSION
j "min and max mod revision" get --prefix p/ --min-mod-rev 10 --max-mod-rev 12
j "min and max create revision" get --prefix p/ --min-create-rev 10 --max-create-rev 12
j "min mod revision, limit" get --prefix p/ --min-mod-rev 9 --limit 2
j "serializable" get a --consistency s
j "prefix at a revision" get --prefix p/ --rev 10
j "count at a revision" get --prefix p/ --rev 10 --count-only
j "del one" del p/1
j "del again" del p/1
j "del with prev-kv" del p/2 --prev-kv
j "del prefix with prev-kv" del --prefix p/ --prev-kv
j "get deleted" get --prefix p/
j "get deleted at a revision" get --prefix p/ --rev 12
j "put after delete" put p/1 again
j "get after delete" get p/1

txn() { local name=$1; stdin=$2; same "$name" txn -w json; stdin=; }
txn "txn success" 'mod("a") > "0"\nval("a") = "4"\n\nput t1 1\nget t1\nput t2 2\n\nget a\n\n'
txn "txn failure" 'ver("a") = "99"\n\nput a 9\n\nget a\nget --prefix t\n\n'
txn "txn without compares" '\nput t3 x\ndel t1\n\n\n'
txn "txn that does nothing" '\n\n\n'
txn "txn that reads" '\nget a\nget --prefix t\n\n\n'
txn "txn creates when absent" 'create("new") = "0"\n\nput new 1\n\nget new\n\n'
txn "txn creates when absent, again" 'create("new") = "0"\n\nput new 1\n\nget new\n\n'
txn "txn compares lease" 'lease("new") = "0"\n\nput new 2\n\n\n'
txn "txn compares value of nothing" 'val("none") = ""\n\nput x 2\n\nput y 2\n\n'
txn "txn compares value less" 'val("a") < "5"\n\nget a\n\n\n'
txn "txn duplicate put" '\nput d 1\nput d 2\n\n\n'
txn "txn put and delete of one key" '\nput d 1\ndel d\n\n\n'
txn "txn delete range over a put" '\nput d1 1\ndel --prefix d\n\n\n'
txn "txn deletes twice" '\ndel a1\ndel a1\n\n\n'
txn "txn with delete and prev-kv" '\ndel --prev-kv t2\nput --prev-kv a 5\n\n\n'
txn "txn read in the future" '\nget a --rev=1000\n\n\n'
txn "txn put with an unknown lease" '\nput --lease=1234 a 9\n\n\n'
many='\n'; for i in $(seq 129); do many+="put m$i 1\n"; done
txn "txn with too many operations" "$many\n\n"
many='\n'; for i in $(seq 128); do many+="put m$i 1\n"; done
txn "txn with as many as allowed" "$many\n\n"
j "state after the transactions" get --prefix "" --limit 20
j "del all of them" del --prefix m

# Watches: a fixed history, so the output is the same; they end by the limit.
limit=0.7
j "watch from a revision" watch a --rev 1
j "watch a prefix from a revision" watch --prefix p/ --rev 1
j "watch with prev-kv" watch --prefix p/ --rev 1 --prev-kv
j "watch everything" watch --prefix "" --rev 60
j "watch a transaction's events" watch --prefix t --rev 1
same "watch, plain" watch --prefix t --rev 1
j "watch nothing" watch nope --rev 1
limit=5
# Two watches on one stream and a request for progress, each when the one before has answered.
for at in $real $ours; do
	raw=$T/raw-${at##*:}
	: >"$raw"
	{
		echo 'watch a --rev=1'
		wait_for 5 grep -qx a "$raw"
		echo 'watch p/1 --rev=1 --prev-kv'
		wait_for 5 grep -qx p/1 "$raw"
		echo progress
		wait_for 5 grep -q 'progress notify' "$raw"
	} | timeout 20 etcdctl --endpoints $at watch -i >"$raw" 2>&1
	blank <"$raw" >"$T/interactive-${at##*:}"
done
check_is "watches on one stream, progress" "$(cat "$T/interactive-${real##*:}")" "$(cat "$T/interactive-${ours##*:}")"
check_has "which says how far it is" "progress notify" "$(cat "$T/interactive-${ours##*:}")"

j "compact in the future" compact 100000
j "compact at 0" compact 0
j "compact" compact 20
j "compact again" compact 20
j "compact below" compact 10
j "get at the compacted revision" get --prefix "" --rev 20
j "get below it" get --prefix "" --rev 19
j "get a deleted key at the compacted revision" get --prefix p/ --rev 20
txn "txn read below it" '\nget a --rev=3\n\n\n'
limit=1
j "watch below it" watch a --rev 3
j "watch at the compacted revision" watch --prefix "" --rev 20
limit=5
j "compact physically" compact 25 --physical

j "no leases" lease list
j "grant" lease grant 100
j "grant too long" lease grant 9000000001
j "grant zero" lease grant 0
j "grant negative" lease grant -- -5
j "revoke unknown" lease revoke 1234
j "time to live of unknown" lease timetolive 1234
j "keep alive unknown" lease keep-alive --once 1234
for at in $real $ours; do
	l=$(etcdctl --endpoints $at lease grant 100 | cut -d' ' -f2)
	f=$T/lease-$([ $at = $real ] && echo real || echo ours)
	{
		etcdctl --endpoints $at put leased/1 x --lease "$l" -w json
		etcdctl --endpoints $at lease timetolive "$l" --keys -w json
		etcdctl --endpoints $at put leased/2 y --lease "$l" -w json
		etcdctl --endpoints $at get leased/1 -w json
		etcdctl --endpoints $at lease timetolive "$l" -w json
		etcdctl --endpoints $at lease keep-alive --once "$l" -w json
		etcdctl --endpoints $at put leased/2 z --ignore-lease -w json
		etcdctl --endpoints $at get leased/2 -w json
		etcdctl --endpoints $at put leased/3 z --ignore-lease -w json
		etcdctl --endpoints $at put leased/1 free -w json
		etcdctl --endpoints $at lease timetolive "$l" --keys -w json
		etcdctl --endpoints $at lease revoke "$l" -w json
		etcdctl --endpoints $at get --prefix leased/ -w json
		etcdctl --endpoints $at lease timetolive "$l" -w json
		etcdctl --endpoints $at watch --prefix leased/ --rev 26 -w json & w=$!
		sleep 0.3; kill $w; wait $w
	} 2>&1 | grep -v Terminated | blank >"$f"
done
check_is "a lease's life" "" "$(diff "$T/lease-real" "$T/lease-ours" | head -n 6)"

# Through the concurrency package of the client: transactions, watches and leases.
j "lock" lock name echo held
limit=2
same "election" elect name value
limit=5
j "get of all at the end" get --prefix "" --keys-only
j "member list" member list
head -c 1600000 /dev/zero | tr '\0' x >"$T/big"
for at in $real $ours; do etcdctl --endpoints $at put big <"$T/big" 2>&1 | blank >"$T/big-${at##*:}"; done
check_is "too large a request" "$(cat "$T/big-${real##*:}")" "$(cat "$T/big-${ours##*:}")"

kill $etcd_pid
finish
