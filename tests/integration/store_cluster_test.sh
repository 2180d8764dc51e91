#!/bin/bash
# Three members of k3x-store and stock etcdctl: writes and reads on each, leases, membership, moving the leader, kill -9 of
# one and of all, a member far behind, a removed member, TLS between peers.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_store_cluster.sh"
export ETCDCTL_API=3 ETCDCTL_COMMAND_TIMEOUT=8s
needs etcdctl
all="m1 m2 m3"
ctl() { local n=$1; shift; etcdctl --endpoints "$(client_url "$n")" "$@"; }
at() { etcdctl --endpoints "$(endpoints $all)" "$@"; }

for n in $all; do member_start $n new $all; done
for n in $all; do check "$n serves" wait_for 15 member_is_up $n; done

# ---- keys ----
for n in $all; do
	check_is "put on $n" OK "$(ctl $n put k "from $n")"
	for o in $all; do check_is "read on $o what $n wrote" "from $n" "$(ctl $o get k --print-value-only)"; done
done
check_is "serializable read" "from m3" "$(ctl m1 get k --print-value-only --consistency=s)"
check_is "txn on a follower" "SUCCESS OK" "$(printf 'val("k") = "from m3"\n\nput k txn\n\n\n' | ctl m2 txn | grep . | paste -sd' ')"
(timeout 10 etcdctl --endpoints "$(client_url m3)" watch --prefix w/ >"$T/watch.out") &
watcher=$!
watching() { [ -n "$(ctl m3 put w/0 x)" ] && grep -q w/ "$T/watch.out"; }
wait_for 5 watching
ctl m1 put w/1 a >/dev/null; ctl m2 put w/2 b >/dev/null
check "a watch on one sees what is written on others" wait_for 5 grep -q w/2 "$T/watch.out"
kill $watcher; wait $watcher 2>/dev/null

# ---- leases ----
lease=$(ctl m1 lease grant 60 | awk '{print $2}')
ctl m2 put leased v --lease="$lease" >/dev/null
check_has "time to live on m3" "attached keys([leased])" "$(ctl m3 lease timetolive "$lease" --keys)"
for n in $all; do check_has "keep-alive on $n" "keepalived with TTL(60)" "$(ctl $n lease keep-alive --once "$lease")"; done
ctl m3 lease revoke "$lease" >/dev/null
check_is "revoked" "" "$(ctl m1 get leased)"
short=$(ctl m2 lease grant 2 | awk '{print $2}')
ctl m2 put short v --lease="$short" >/dev/null
gone() { [ -z "$(ctl m1 get short)" ]; }
check "a lease runs out" wait_for 8 gone

# ---- status ----
check_is "one leader" 1 "$(at endpoint status | grep -c ', true, false,')"
check "equal hashes" wait_for 5 same_hash $all
named() { [ "$(ctl m1 member list | grep -c ', started, m[123],')" = 3 ]; }
check "members have names" wait_for 10 named
check_has "health of all" "is healthy" "$(at endpoint health 2>&1)"
check_is "no alarms" "" "$(at alarm list)"
check_has "health over HTTP" '"health":"true"' "$(curl -s "$(client_url m2)/health")"
check_has "readiness, check by check" "[+]linearizable_read ok" "$(curl -s "$(client_url m2)/readyz?verbose")"
for n in $all; do
	curl -s "$(client_url $n)/metrics" >"$T/metrics"
	check "metrics of $n read as Prometheus reads them" python3 "$root/tests/integration/_metrics.py" etcd_server_has_leader \
		etcd_network_peer_round_trip_time_seconds_bucket etcd_disk_wal_fsync_duration_seconds_count \
		etcd_server_leader_changes_seen_total etcd_network_peer_sent_bytes_total <"$T/metrics"
	check_is "$n hears its peers" 2 "$(grep -c '^etcd_network_active_peers{.*} 1$' "$T/metrics")"
	check_is "$n has measured the way to them" 2 "$(grep -c '^etcd_network_peer_round_trip_time_seconds_count{.*} [1-9]' "$T/metrics")"
	check_is "no proposal of $n waits" "etcd_server_proposals_pending 0" "$(grep '^etcd_server_proposals_pending ' "$T/metrics")"
done

# ---- the leader moves ----
was=$(wait_leader $all)
to=m1; [ "$was" = m1 ] && to=m2
id=$(ctl m1 member list | awk -F', ' -v n=$to '$3 == n {print $1}')
check_has "move-leader" "Leadership transferred" "$(ctl "$was" move-leader "$id" 2>&1)"
check_is "it leads" $to "$(wait_leader $all)"

# ---- a leader is killed ----
member_stop $to KILL
rest=${all/$to/}
for first in $rest; do break; done
check_is "a write after kill -9 of the leader" OK "$(etcdctl --endpoints "$(endpoints $rest)" put after kill)"
member_start $to new $all
check "it comes back" wait_for 15 member_is_up $to
check_is "and has what it missed" kill "$(ctl $to get after --print-value-only)"

# ---- membership ----
check_has "member add" "added to cluster" "$(ctl m1 member add m4 --peer-urls "$(peer_url m4)" 2>&1)"
check_has "twice is refused" "Peer URLs already exists" "$(ctl m1 member add m4 --peer-urls "$(peer_url m4)" 2>&1)"
member_start m4 existing $all m4
check "the new member serves" wait_for 15 member_is_up m4
votes() { ctl m4 endpoint status -w json | grep -vq '"isLearner":true' && ctl m1 member list | grep -q 'm4.*false$'; }
check "it becomes a voter" wait_for 15 votes
check "equal hashes of four" wait_for 5 same_hash $all m4
id=$(ctl m1 member list | awk -F', ' '$3 == "m4" {print $1}')
check_has "member remove" "removed from cluster" "$(ctl m2 member remove "$id" 2>&1)"
removed() { ! kill -0 "$(cat "$T/m4.pid")" 2>/dev/null; }
check "the removed member stops by itself" wait_for 20 removed
check_has "and says why" "was removed from its cluster" "$(tail -n 5 "$T/m4.log")"
check_has "learner" "added to cluster" "$(ctl m1 member add m5 --learner --peer-urls "$(peer_url m5)" 2>&1)"
id=$(ctl m1 member list | awk -F', ' -v u="$(peer_url m5)" '$4 == u {print $1}')
check_has "a learner that is not there is not promoted" "in sync with leader" "$(ctl m1 member promote "$id" 2>&1)"
member_start m5 existing $all m5
check "the learner serves" wait_for 15 member_is_up m5
promoted() { ctl m1 member promote "$id"; }
check "it is promoted" wait_for 10 promoted
check_has "update of a peer URL" "updated in cluster" "$(ctl m1 member update "$id" --peer-urls "$(peer_url m6)" 2>&1)"
check_has "remove of a member that is away" "removed from cluster" "$(ctl m2 member remove "$id" 2>&1)"
member_stop m5

# ---- far behind ----
common=(--snapshot-count 50)
members_stop
for n in $all; do member_start $n new $all; done
for n in $all; do wait_for 15 member_is_up $n; done
member_stop m3 KILL
value=$(head -c 2000 /dev/zero | tr '\0' x)
for i in $(seq 1 300); do printf 'put bulk/%03d %s\n' $i "$value"; done | split -l 100 - "$T/bulk."
for f in "$T"/bulk.*; do { echo; cat "$f"; echo; echo; } | ctl m1 txn >/dev/null; done
for i in $(seq 1 150); do ctl m2 put n "$i" >/dev/null; done
member_start m3 new $all
check "the member that was behind serves" wait_for 20 member_is_up m3
check_is "it has everything" 300 "$(ctl m3 get --prefix bulk/ --count-only -w fields | sed -n 's/.*"Count" : //p')"
check "equal hashes again" wait_for 10 same_hash $all

# ---- kill -9 of all, again and again: nothing acknowledged is lost ----
last=0
for round in 1 2 3 4 5; do
	for i in $(seq 1 20); do at put loop "$((last + 1))" >/dev/null 2>&1 && last=$((last + 1)); done &
	writer=$!
	( for i in $(seq 1 20); do v=$((round * 100 + i)); at put "loop$round" $v >/dev/null 2>&1 && echo $v >"$T/acked$round"; done ) &
	writer2=$!
	wait_for 5 test -s "$T/acked$round"
	members_stop KILL
	kill $writer $writer2 2>/dev/null; wait $writer $writer2 2>/dev/null
	acked=$(cat "$T/acked$round")
	for n in $all; do member_start $n new $all; done
	for n in $all; do wait_for 20 member_is_up $n; done
	got=$(ctl m1 get "loop$round" --print-value-only)
	[ "${got:-0}" -ge "$acked" ] && ok "round $round: acknowledged $acked, there $got" || bad "round $round" "acknowledged $acked, there '$got'"
done
check "equal hashes after it all" wait_for 10 same_hash $all
members_stop

# ---- one of three ----
member_start m1 new $all
lonely() { curl -s -m 2 "$(client_url m1)/health" | grep -q "NO LEADER"; }
check "one of three is not healthy" wait_for 10 lonely
check_has "it lives" ok "$(curl -s "$(client_url m1)/livez")"
check_has "and answers serializable reads" "kill" "$(ctl m1 get after --consistency=s --print-value-only)"
check_has "a write is not acknowledged" "timed out" "$(env -u ETCDCTL_COMMAND_TIMEOUT etcdctl --command-timeout=12s --endpoints "$(client_url m1)" put lost x 2>&1)"
members_stop

# ---- TLS between peers ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/ca.key" -out "$T/ca.pem" -days 2 -subj /CN=peers >/dev/null 2>&1
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/peer.key" -out "$T/peer.csr" -subj /CN=peer >/dev/null 2>&1
openssl x509 -req -in "$T/peer.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -days 2 -extfile <(echo subjectAltName=IP:127.0.0.1) -out "$T/peer.pem" >/dev/null 2>&1
peer_scheme=https
common=(--peer-cert-file "$T/peer.pem" --peer-key-file "$T/peer.key" --peer-trusted-ca-file "$T/ca.pem" --peer-client-cert-auth)
rm -rf "$T"/m[123]
for n in $all; do member_start $n new $all; done
for n in $all; do check "$n serves with TLS peers" wait_for 15 member_is_up $n; done
check_is "put" OK "$(ctl m2 put tls yes)"
check_is "get" yes "$(ctl m3 get tls --print-value-only)"
check "a peer without a certificate is turned away" bash -c "! openssl s_client -connect 127.0.0.1:$((base + 51)) -CAfile '$T/ca.pem' -verify_return_error -quiet </dev/null 2>&1 | grep -q 'X3xpeer'"
finish
