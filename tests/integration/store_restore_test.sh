#!/bin/bash
# Restoring into clusters: three members from one snapshot of a cluster, three from a snapshot of a real etcd, whose history,
# leases, compaction and users must come over exactly; and back.
. "$(dirname "$0")/_lib.sh"
export ETCDCTL_COMMAND_TIMEOUT=5s ETCDCTL_API=3
needs etcdctl etcd etcdutl
base=18700
. "$(dirname "$0")/_store_cluster.sh"
three=$(cluster_of m1 m2 m3)
all=$(endpoints m1 m2 m3)
store() { timeout 20 "$K3X" store "$@"; }
at() { local n=$1; shift; etcdctl --endpoints "$(client_url "$n")" "$@"; }

healthy() { etcdctl --endpoints "$all" endpoint health; }
revision() { at "$1" get x -w json | sed 's/.*"revision":\([0-9]*\).*/\1/'; }
hash_of() { at "$1" endpoint hashkv -w json | sed -E 's/.*"hash":([0-9]+).*/\1/'; }
member_lines() { at m1 member list | grep -c "$1"; }
restore_three() { # FILE FOLDER FLAGS...
	local file=$1 folder=$2 n
	shift 2
	for n in m1 m2 m3; do
		store snapshot restore "$file" --data-dir "$T/$folder/$n" --name $n --initial-cluster "$three" --initial-advertise-peer-urls "$(peer_url $n)" "$@" || return 1
	done
}

mkdir "$T/old" "$T/new" "$T/again" "$T/plain" "$T/from-etcd"
folder=old
for n in m1 m2 m3; do member_start $n new m1 m2 m3; done
check "a cluster of three" wait_for 20 healthy
for i in $(seq 40); do at m1 put "k/$((i % 7))" "v$i" >/dev/null; done
lease=$(at m1 lease grant 1000 | cut -d' ' -f2)
at m1 put leased x --lease "$lease" >/dev/null
at m1 del k/3 >/dev/null
names() { [ "$(at m1 member list | grep -c 'started, m[123],')" = 3 ]; }
check "members have published their names" wait_for 10 names
check "snapshot save" store snapshot save "$T/one.snap" --endpoints "$all"
old_hash=$(hash_of m1) old_revision=$(revision m1)
old_cluster=$(cat "$T/old/m1/cluster")
members_stop
check "restore for three" restore_three "$T/one.snap" new
check_is "the same new cluster id on each" 1 "$(cat "$T"/new/m*/cluster | sort -u | wc -l)"
[ "$(cat "$T/new/m1/cluster")" != "$old_cluster" ] && ok "and not the old one" || bad "and not the old one"
# They know with whom they begin: no --initial-cluster.
folder=new
for n in m1 m2 m3; do member_serve $n; done
check "three restored members form a cluster" wait_for 20 healthy
check "with equal hashes" wait_for 10 same_hash m1 m2 m3
check_is "and the snapshot's" "$old_hash" "$(hash_of m2)"
check_is "and its revision" "$old_revision" "$(revision m3)"
check_has "the lease" "$lease" "$(at m2 lease list)"
check "they say their names" wait_for 10 names
check_is "there are three members" 3 "$(at m1 member list | wc -l)"
check_is "writes go on" OK "$(at m3 put after 1)"
check_is "everywhere" 1 "$(at m1 get after --print-value-only)"
members_stop
check "a restored directory is sound" store check "$T/new/m2"

check_has "restoring over it is refused" "holds data" "$(store snapshot restore "$T/one.snap" --data-dir "$T/new/m1" 2>&1)"
check "replace, again with a bumped revision" restore_three "$T/one.snap" new --replace --bump-revision 1000000 --mark-compacted
[ -d "$T/new/m1/raft.before-restore" ] && [ -e "$T/new/m1/state.db.before-restore" ] && ok "what was there is kept" || bad "what was there is kept"
for n in m1 m2 m3; do member_serve $n; done
check "the cluster starts again" wait_for 20 healthy
check_is "at the bumped revision" $((old_revision + 1000000)) "$(revision m1)"
check_has "history counts as compacted" "has been compacted" "$(at m2 get k/1 --rev 10 2>&1)"
check "with equal hashes" wait_for 10 same_hash m1 m2 m3
members_stop

# Without names: each learns from its flags with whom it begins, as a new one does.
for n in m1 m2 m3; do store snapshot restore "$T/one.snap" --data-dir "$T/plain/$n" >/dev/null || bad "restore $n"; done
folder=plain
for n in m1 m2 m3; do member_start $n new m1 m2 m3; done
check "three restored without names form a cluster" wait_for 20 healthy
check "with equal hashes" wait_for 10 same_hash m1 m2 m3
check_is "the snapshot's" "$old_hash" "$(hash_of m3)"
members_stop

etcd --data-dir "$T/etcd" --listen-client-urls "$(client_url m9)" --advertise-client-urls "$(client_url m9)" --listen-peer-urls "$(peer_url m9)" \
	--initial-advertise-peer-urls "$(peer_url m9)" --initial-cluster default="$(peer_url m9)" --bcrypt-cost 4 --log-level error </dev/null >"$T/etcd.log" 2>&1 &
echo $! >"$T/m9.pid"
check "etcd starts" wait_for 15 etcdctl --endpoints "$(client_url m9)" endpoint health
e() { at m9 "$@"; }
for i in $(seq 60); do e put "k/$((i % 7))" "v$i" >/dev/null; done
e del k/3 >/dev/null
e put k/3 again >/dev/null
lease=$(e lease grant 3000 | cut -d' ' -f2)
e put leased x --lease "$lease" >/dev/null
printf '\nput a 1\nput b 2\ndel k/5\n\n\n' | e txn >/dev/null
e put gone 1 >/dev/null
gone=$(e lease grant 3000 | cut -d' ' -f2)
e put gone 2 --lease "$gone" >/dev/null
e lease revoke "$gone" >/dev/null
head -c 300000 /dev/urandom | base64 -w0 >"$T/value"
e put big <"$T/value" >/dev/null
e compact 30 >/dev/null
for i in $(seq 5); do e put "late/$i" "$i" >/dev/null; done
{
	e role add keeper
	e role grant-permission keeper --prefix=true readwrite k/
	e role grant-permission keeper read late/1
	e user add root:secret
	e user grant-role root root
	e user add alice:alicepw
	e user grant-role alice keeper
	e user add bob --no-password
	e auth enable
} >/dev/null
as() { # USER:PASSWORD NAME COMMAND...
	local user=$1
	shift
	ETCDCTL_USER=$user at "$@" 2>&1
}
users_of() { # NAME
	as root:secret "$1" user list
	as root:secret "$1" role list
	for u in root alice bob; do as root:secret "$1" user get $u; done
	as root:secret "$1" role get keeper
}
check "etcdctl snapshot save" as root:secret m9 snapshot save "$T/etcd.snap"
users_of m9 >"$T/users.etcd"
e --user root:secret auth disable >/dev/null
newest=$(revision m9)
# Everything etcd says: each revision's pairs with create and mod revision, version and lease; then the changes.
history() { # NAME
	local r
	for r in $(seq 31 "$newest"); do at "$1" get --prefix '' --rev "$r" -w json | sed 's/.*"kvs"/"kvs"/'; done
}
changes() { timeout 10 "$K3X" store watch --prefix '' --rev 31 --events "$2" -o json --endpoints "$(client_url "$1")"; }
check_has "etcd: old revisions are compacted" compacted "$(e get k/1 --rev 29 2>&1)"
history m9 >"$T/history.etcd"
check_has "users are said to come along" "users      3, roles 1, authentication is on" "$(store snapshot restore "$T/etcd.snap" --data-dir "$T/told")"
n_events=$(store sql "$T/told" 'SELECT count(*) FROM rev WHERE id >> 20 >= 31' | tail -n 1)
changes m9 "$n_events" >"$T/changes.etcd"
members_stop

check_has "snapshot status of etcd's file" "format     etcd" "$(store snapshot status "$T/etcd.snap")"
check "restore etcd's snapshot for three" restore_three "$T/etcd.snap" from-etcd
check_has "the watch of etcd got to the newest revision" "\"mod_revision\":$newest" "$(tail -n 1 "$T/changes.etcd")"
folder=from-etcd
for n in m1 m2 m3; do member_serve $n; done
export ETCDCTL_USER=root:secret
check "they form a cluster" wait_for 20 healthy
check_has "without a user nothing is to be had" "user name is empty" "$(env -u ETCDCTL_USER etcdctl --endpoints "$(client_url m1)" get k/1 2>&1)"
for n in m1 m2 m3; do check_is "$n: alice logs in with her old password" v57 "$(as alice:alicepw $n get k/1 --print-value-only)"; done
check_has "no other password is hers" "invalid user ID or password" "$(as alice:secret m1 get k/1)"
check_has "bob has no password" "no password user" "$(as bob:x m1 get k/1)"
check_has "alice may read what she might" 1 "$(as alice:alicepw m2 get late/1 --print-value-only)"
check_has "and not write it" "permission denied" "$(as alice:alicepw m2 put late/1 x)"
check_has "nor read more" "permission denied" "$(as alice:alicepw m3 get late/2)"
check_has "nor look at users" "permission denied" "$(as alice:alicepw m3 user list)"
users_of m3 >"$T/users.k3x"
check_is "users and roles are those of etcd" "" "$(diff "$T/users.etcd" "$T/users.k3x")"
token=$(curl -s "$(client_url m1)/v3/auth/authenticate" -d '{"name":"alice","password":"alicepw"}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
check_has "a token is good on every member" '"count":"1"' "$(curl -s -H "Authorization: $token" "$(client_url m3)/v3/kv/range" -d '{"key":"ay8x"}')"
check "with equal hashes" wait_for 10 same_hash m1 m2 m3
check_is "at etcd's revision" "$newest" "$(revision m2)"
history m2 >"$T/history.k3x"
check "every kept revision has the same pairs, versions and leases" diff -q "$T/history.etcd" "$T/history.k3x"
changes m3 "$n_events" >"$T/changes.k3x"
check "a watch from the first kept revision sees the same ($n_events changes)" diff -q "$T/changes.etcd" "$T/changes.k3x"
check_has "revisions below are compacted" compacted "$(at m1 get k/1 --rev 29 2>&1)"
check_has "the lease is there" "$lease" "$(at m1 lease list)"
check_has "with its time and key" "granted with TTL(3000s)" "$(at m1 lease timetolive "$lease" --keys)"
check_is "revoking it deletes its key" "" "$(at m1 lease revoke "$lease" >/dev/null; at m1 get leased)"
check_is "the next write has the next revision" $((newest + 2)) "$(at m2 put next x -w json | sed 's/.*"revision":\([0-9]*\).*/\1/')"
check_is "compaction goes on" "compacted revision $((newest - 3))" "$(at m1 compact $((newest - 3)))"
newest=$(revision m1)
history_from() { local r; for r in $(seq "$2" "$newest"); do at "$1" get --prefix '' --rev "$r" -w json | sed 's/.*"kvs"/"kvs"/'; done; }
history_from m1 $((newest - 5)) >"$T/history.k3x"
lease=$(at m1 lease grant 5000 | cut -d' ' -f2)
at m1 put kept-by-lease x --lease "$lease" >/dev/null
newest=$(revision m1)
echo newpw | at m1 user passwd alice --interactive=false >/dev/null
at m2 user add carol:carolpw >/dev/null
at m2 user grant-role carol keeper >/dev/null
check "snapshot save" store snapshot save "$T/back.snap" --endpoints "$(client_url m1)"
members_stop
check "and it is sound" store check "$T/from-etcd/m1"

# ---- and back ----
check "snapshot to-etcd" store snapshot to-etcd "$T/back.snap" "$T/back.db"
check_has "over a file is refused" "is there already" "$(store snapshot to-etcd "$T/back.snap" "$T/back.db" 2>&1)"
check_has "we read what we wrote" "revision   $newest" "$(store snapshot status "$T/back.db")"
check "etcd restores it" etcdutl snapshot restore "$T/back.db" --data-dir "$T/etcd-back" --name default --initial-cluster default="$(peer_url m9)" --initial-advertise-peer-urls "$(peer_url m9)"
etcd --data-dir "$T/etcd-back" --listen-client-urls "$(client_url m9)" --advertise-client-urls "$(client_url m9)" --listen-peer-urls "$(peer_url m9)" \
	--initial-advertise-peer-urls "$(peer_url m9)" --initial-cluster default="$(peer_url m9)" --log-level error </dev/null >"$T/etcd-back.log" 2>&1 &
echo $! >"$T/m9.pid"
check "and serves it" wait_for 15 etcdctl --endpoints "$(client_url m9)" endpoint health
check_is "alice logs in with the password she got from us" v57 "$(as alice:newpw m9 get k/1 --print-value-only)"
check_has "and not with the one of before" "invalid user ID or password" "$(as alice:alicepw m9 get k/1)"
check_is "carol, whom we made" v57 "$(as carol:carolpw m9 get k/1 --print-value-only)"
check_has "she may no more than with us" "permission denied" "$(as carol:carolpw m9 put late/1 x)"
check_is "roles are the same" "$(tail -n 6 "$T/users.etcd")" "$(as root:secret m9 role get keeper)"
check_is "at our revision" "$newest" "$(revision m9)"
newest=$((newest - 1))
history_from m9 $((newest - 5)) >"$T/history.etcd"
check "every kept revision has the same pairs, versions and leases" diff -q "$T/history.k3x" "$T/history.etcd"
check_has "what was compacted is" compacted "$(e get k/1 --rev $((newest - 6)) 2>&1)"
check_has "the lease has its key" "kept-by-lease" "$(e lease timetolive "$lease" --keys)"
check_is "and writes go on" OK "$(e put more x)"
members_stop

piped() { cat "$T/etcd.snap" | store snapshot restore - --data-dir "$T/piped"; }
check "etcd's snapshot out of a pipe" piped
check_is "leaves nothing beside" "" "$(ls "$T/piped" | grep restoring)"
check_is "it has every version" "$n_events" "$(store sql "$T/piped" 'SELECT count(*) FROM rev WHERE id >> 20 >= 31' | tail -n 1)"
cp "$T/etcd.snap" "$T/flipped.snap"
printf '\377\000\377' | dd of="$T/flipped.snap" bs=1 seek=20000 conv=notrunc status=none
check_has "a changed file is refused" "is damaged" "$(store snapshot restore "$T/flipped.snap" --data-dir "$T/four" 2>&1)"
check_has "a database without a hash is refused" "skip-hash-check" "$(store snapshot restore "$T/etcd/member/snap/db" --data-dir "$T/four" 2>&1)"
check "and taken when asked" store snapshot restore "$T/etcd/member/snap/db" --data-dir "$T/four" --skip-hash-check
check "it is sound too" store check "$T/four"
finish
