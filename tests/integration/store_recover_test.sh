#!/bin/bash
# k3x-store's commands for clusters: members, leadership, replicas compared; then the majority is lost, a survivor goes on
# alone and the others join anew; then logs and states are damaged, found by check, and gone on from.
. "$(dirname "$0")/_lib.sh"
base=18900
. "$(dirname "$0")/_store_cluster.sh"
all=$(endpoints m1 m2 m3)
store() { timeout 20 "$K3X" store "$@"; }
at() { local n=$1; shift; store "$@" --endpoints "$(client_url "$n")"; }

healthy() { store endpoint health --endpoints "$1"; }
named() { [ "$(at m1 member list | grep -c ' started ')" = "$1" ]; }
voters() { [ "$(at m1 member list | grep -c ' voter ')" = "$1" ]; }
leader_id() { at m1 endpoint status --cluster -o json | sed -n 's/.*"member":"\([0-9a-f]*\)".*"isLeader":true.*/\1/p'; }
leads() { [ "$(leader_id)" = "$1" ]; }
id_of() { at m1 member list -o json | sed -n "s/.*\"id\":\"\([0-9a-f]*\)\",\"name\":\"$1\".*/\1/p"; }
flip() { # FILE OFFSET
	printf '\377\000\377\001' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

for n in m1 m2 m3; do member_start $n new m1 m2 m3; done
check "a cluster of three" wait_for 20 healthy "$all"
check "they say their names" wait_for 10 named 3
for i in $(seq 20); do at m1 put "k/$i" "$i" >/dev/null; done

# ---- members and leadership ----
check_is "status of every member" 3 "$(at m2 endpoint status --cluster | grep -c 127.0.0.1)"
check_is "one leads" 1 "$(at m2 endpoint status --cluster | grep -c ' leader ')"
check_is "health of every member" 3 "$(at m3 endpoint health --cluster | grep -c healthy)"
check "replicas agree" at m1 endpoint hashkv --cluster
check_is "at one revision" 1 "$(at m1 endpoint hashkv --cluster -o json | sed 's/.*"revision":\([0-9]*\).*/\1/' | sort -u | wc -l)"
check "defrag of every member" at m1 defrag --cluster
first=$(leader_id)
check_has "leader move to whoever is furthest" "leadership moved" "$(at m1 leader move)"
moved() { [ -n "$(leader_id)" ] && [ "$(leader_id)" != "$first" ]; }
check "another leads" wait_for 10 moved
check_has "leader move to a name" "" "$(at m1 leader move m2)"
check "it leads" wait_for 10 leads "$(id_of m2)"
check_has "it leads already" "leads already" "$(at m3 leader move m2)"
check_has "a member that is not there" "no members have the id or name \"m7\"" "$(at m3 leader move m7 2>&1)"
check_has "member add needs a URL" "--peer-urls is needed" "$(at m1 member add m4 2>&1)"
added=$(at m1 member add m4 --peer-urls "$(peer_url m4)" --learner)
check_has "member add says how to start it" "--initial-cluster-state existing" "$added"
check_has "and what etcd's scripts want" "ETCD_INITIAL_CLUSTER=\"m" "$added"
cluster=$(sed -n 's/^ETCD_INITIAL_CLUSTER="\(.*\)"/\1/p' <<<"$added")
check_has "twice is refused, with a hint" "see member list" "$(at m1 member add m4 --peer-urls "$(peer_url m4)" 2>&1)"
member_serve m4 --initial-cluster-state existing --initial-cluster "$cluster"
check "it starts" wait_for 20 named 4
check "it is a learner" voters 3
promote() { at m1 member promote m4; }
check "promote, once it has caught up" wait_for 20 promote
check "it votes" wait_for 10 voters 4
check "replicas agree" at m1 endpoint hashkv --cluster
check_has "demote" "demoted" "$(at m1 member demote m4)"
check "it stays as a learner" wait_for 10 voters 3
check "with its name" named 4
check_has "a learner has no vote to lose" "can only demote a voting member" "$(at m2 member demote m4 2>&1)"
first=$(leader_id)
check "promote it again" wait_for 20 promote
check_has "demote the leader" "demoted" "$(at m4 member demote "$first")"
check "it hands over first" wait_for 10 moved
check "and has no vote" wait_for 10 voters 3
check "it goes on" at m1 put demoted x
check "promote it back" wait_for 20 at m2 member promote "$first"
check_has "member remove by name" "removed" "$(at m1 member remove m4)"
check "it stops by itself" wait_for 20 member_is_gone m4
member_stop m4
check "three are left" wait_for 10 named 3

# ---- the majority is lost ----
at m1 put before loss >/dev/null
have() { [ "$(at m3 get before --stale --print-value-only)" = loss ]; }
check "m3 has the last write" wait_for 10 have
old_cluster=$(cat "$T/m3/cluster")
check_has "recover while the server runs is refused" "in use by process" "$(store recover --single-node --data-dir "$T/m3" 2>&1)"
check "check of a served directory" store check "$T/m3"
lease=$(curl -s -d '{"TTL":60,"ID":4711}' "$(client_url m3)/v3/lease/grant")
check_has "a lease" 4711 "$lease"
member_stop m1 KILL
member_stop m2 KILL
alive=$(curl -s -m 30 -d '{"ID":4711}' "$(client_url m3)/v3/lease/keepalive")
check_has "a keep-alive without a leader fails" "timed out" "$alive"
check_is "and does not say that the lease is gone" 0 "$(grep -c '"result"' <<<"$alive")"
# in order, so that the state alone has everything
members_stop TERM
check_has "inspect" "last entry (term, index) = (" "$(store recover --inspect --data-dir "$T/m3")"
check_has "inspect names the members" "$(peer_url m1)" "$(store recover --inspect --data-dir "$T/m3")"
check_has "inspect as JSON" '"lastIndex":' "$(store recover --inspect --data-dir "$T/m3" -o json)"
cp -a "$T/m3" "$T/copy"
check_has "recover" "is the only voter" "$(store recover --single-node --data-dir "$T/m3")"
[ "$(cat "$T/m3/cluster")" != "$old_cluster" ] && ok "with a new cluster id" || bad "with a new cluster id"
check "and it is sound" store check "$T/m3"
member_serve m3
check "the survivor serves alone" wait_for 20 healthy "$(client_url m3)"
check_is "with what was acknowledged" loss "$(at m3 get before --print-value-only)"
check_is "and writes" OK "$(at m3 put after loss)"
check_is "it is the only member" 1 "$(at m3 member list -o json | wc -l)"
rm -rf "$T/m1"
cluster=$(at m3 member add m1 --peer-urls "$(peer_url m1)" | sed -n 's/^ETCD_INITIAL_CLUSTER="\(.*\)"/\1/p')
member_serve m1 --initial-cluster-state existing --initial-cluster "$cluster"
check "another joins anew" wait_for 20 healthy "$(client_url m1)"
check "as a voter" wait_for 20 voters 2
check "replicas agree" at m1 endpoint hashkv --cluster
check_is "and has all of it" loss "$(at m1 get after --print-value-only)"
members_stop TERM

# ---- damage ----
log=$(ls "$T"/copy/raft/log-* | head -n 1)
check "a copy of the directory is sound" store check "$T/copy"
flip "$log" 200
out=$(store check "$T/copy" 2>&1)
check_is "check's exit code for damage" 7 "$(store check "$T/copy" >/dev/null 2>&1; echo $?)"
check_has "damage of the log is found" "DAMAGED: log" "$out"
check_has "and what can be done is said" "--from-state" "$out"
check_has "recover from a damaged log is refused" "--from-state goes on" "$(store recover --single-node --data-dir "$T/copy" 2>&1)"
check_has "and needs its address, which was in the log" "--peer-url" "$(store recover --single-node --from-state --data-dir "$T/copy" 2>&1)"
check_has "from the state it goes on" "begins a cluster from the state" "$(store recover --single-node --from-state --data-dir "$T/copy" --peer-url "$(peer_url m3)")"
[ -d "$T/copy/raft.before-restore" ] && ok "what was there is kept" || bad "what was there is kept"
check "and it is sound" store check "$T/copy"
rm -rf "$T/m3"
mv "$T/copy" "$T/m3"
member_serve m3
check "it serves" wait_for 20 healthy "$(client_url m3)"
check_is "with its data" loss "$(at m3 get before --print-value-only)"
check_is "and writes" OK "$(at m3 put again x)"
members_stop TERM
flip "$T/m3/raft/snapshot" 40
check_has "damage of the snapshot record is found" '"snapshot" is damaged' "$(store check "$T/m3" 2>&1)"
rm -rf "$T/m3/raft"
check_has "a lost log is found" "the log is not there" "$(store check "$T/m3" 2>&1)"
check_has "and gone on from" "begins a cluster" "$(store recover --single-node --from-state --data-dir "$T/m3" --peer-url "$(peer_url m3)")"
member_serve m3
check "it serves" wait_for 20 healthy "$(client_url m3)"
check_is "with its data" x "$(at m3 get again --print-value-only)"
members_stop TERM
flip "$T/m3/state.db" 8192
flip "$T/m3/state.db" 12288
check_has "damage of the state is found" "DAMAGED: " "$(store check "$T/m3" 2>&1)"
check_has "neither of the two ways" "--inspect or --single-node" "$(store recover --data-dir "$T/m3" 2>&1)"
finish
