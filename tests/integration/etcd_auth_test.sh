#!/bin/bash
# Authentication, locks, elections, alarms and the JSON gateway beside a real etcd: the same commands, the same answers.
. "$(dirname "$0")/_lib.sh"
etcd_flags="--bcrypt-cost 4" store_flags="--bcrypt-cost 4"
. "$(dirname "$0")/_etcd_pair.sh"

# post NAME PATH JSON [HEADER]: to both gateways; answers compared as JSON, with the HTTP status. $token_real/$token_ours
# are sent when set.
post_one() { # base token path json file
	curl -s -m "${limit:-5}" -X "${verb:-POST}" -w '\nHTTP %{http_code}\n' ${2:+-H "Authorization: $2"} "$1$3" -d "$4" >"$5.raw" 2>/dev/null
	{ grep -v '^HTTP' "$5.raw" | jq -S -c . 2>&1 || cat "$5.raw"; grep '^HTTP' "$5.raw"; } |
		sed -E 's/"(cluster_id|member_id|raft_term|raftIndex|raftTerm|raftAppliedIndex|leader|dbSize|dbSizeInUse|hash|authRevisio)":"?[0-9]+"?/"\1":0/g
			s/"(ID|lease)":"[0-9]{10,}"/"\1":"L"/g; s/\xc2\xa0/ /g; s/\(line [0-9]+:[0-9]+\): //; s/oneof [A-Za-z.]* is/oneof is/; s/127\.0\.0\.1:213[0-9]+/HOST/g
			s/"TTL":"(9[0-9]|100)"/"TTL":"T"/g; s/"key":"(bG9ja|ZWxlY)[^"]*"/"key":"K"/g; s/"token":"[^"]*"/"token":"T"/' >"$5"
}
post() {
	local name=$1
	post_one $real "$token_real" "$2" "$3" "$T/post.real" &
	local p=$!
	post_one $ours "$token_ours" "$2" "$3" "$T/post.ours"
	wait $p
	if cmp -s "$T/post.real" "$T/post.ours"; then ok "$name"; else bad "$name" "$(diff "$T/post.real" "$T/post.ours" | head -n 6 | cut -c1-600)"; fi
}

# ---- before authentication is on ----
j "status, off" auth status
j "enable without root" auth enable
j "no users" user list
j "no roles" role list
j "get an unknown user" user get u
j "get an unknown role" role get r
j "add root" user add root:rootpw
# etcdctl itself would grant the role and turn it on.
post "enable, root without its role" /v3/auth/enable '{}'
j "add it again" user add root:x
j "add nobody" user add :x
j "add a user without a password" user add np --no-password
j "a password that is too long" user add "long:$(printf %073d 0)"
j "delete an unknown user" user delete nobody
j "add role" role add r1
j "add it again" role add r1
j "add nothing" role add ""
j "grant an unknown role" user grant-role root r9
j "grant to an unknown user" user grant-role nobody r1
j "grant root" user grant-role root root
j "grant root again" user grant-role root root
j "revoke one that was not granted" user revoke-role root r1
j "get root" user get root
j "get role root, which was not added" role get root
j "add role root" role add root
j "get role root" role get root
j "grant a key" role grant-permission r1 readwrite a
j "grant a range" role grant-permission r1 read b d
j "grant a prefix" role grant-permission r1 write --prefix p/
j "grant from a key" role grant-permission r1 read --from-key x
j "grant an empty range" role grant-permission r1 read d b
j "grant to an unknown role" role grant-permission r9 read a
j "grant another kind" role grant-permission r1 read a
j "get r1" role get r1
j "revoke a range" role revoke-permission r1 b d
j "revoke it again" role revoke-permission r1 b d
j "revoke from an unknown role" role revoke-permission r9 b d
same "get r1, plain" role get r1
j "grant again" role grant-permission r1 readwrite a
j "grant adjoining ranges" role grant-permission r1 readwrite m n
j "grant the next" role grant-permission r1 readwrite n o
j "add alice" user add alice:alicepw
j "add bob" user add bob:bobpw
j "alice gets r1" user grant-role alice r1
j "get alice" user get alice
for k in a b p/1 x y z; do j "put $k" put $k 1; done
stdin='newpw\nnewpw\n'; j "change a password" user passwd bob --interactive=true; stdin=
j "change an unknown user's" user passwd nobody --interactive=false
same "log in while off" get a --user alice:alicepw
j "enable" auth enable
j "enable again, nobody" auth enable

# ---- on ----
as() { local who=$1; shift; local name="$who: $1"; shift; j "$name" "$@" --user "$who"; }
R=root:rootpw A=alice:alicepw B=bob:newpw
j "nobody gets" get a
j "nobody puts" put a 1
j "nobody's status" auth status
j "nobody lists members" member list
j "nobody grants a lease" lease grant 100 --ttl 2>/dev/null
as $R "status" auth status
as $R "enable again" auth enable
as root:wrong "wrong password" get a
as nobody:x "unknown user" get a
as np:x "a user without a password" get a
as bob:bobpw "the old password" get a
as $R "get" get a
as $R "everything" get --prefix ""
as $A "get a" get a
as $A "put a" put a 2
as $A "put a with prev-kv" put a 3 --prev-kv
as $A "get b" get b
as $A "put b" put b 1
as $A "del b" del b
as $A "get p/1, which may be written" get p/1
as $A "put p/1" put p/1 2
as $A "put p/1 with prev-kv" put p/1 2 --prev-kv
as $A "del p/" del --prefix p/
as $A "del p/ with prev-kv" del --prefix p/ --prev-kv
as $A "from x" get --from-key x
as $A "from w" get --from-key w
as $A "the prefix x" get --prefix x
as $A "everything" get --prefix ""
as $A "a to b" get a b
as $A "over adjoining ranges" get m o
as $A "beyond them" get m p
as $A "get in a revision" get a --rev 3
as $A "serializable" get a --consistency s
as $B "get, without any role" get a
as $B "put, without any role" put a 1
as $A "users" user list
as $A "himself" user get alice
as $A "another" user get bob
as $A "own role" role get r1
as $A "another role" role get root
as $A "roles" role list
as $A "adds a user" user add eve:x
as $A "adds a role" role add eve
as $A "turns it off" auth disable
as $A "status" auth status
as $A "compacts in the future" compact 100000
as $A "member list" member list
as $A "alarms" alarm list
as $A "member add" member add x --peer-urls http://127.0.0.1:1
# The same words, but etcd 3.5 sends them with the code Unknown.
check_has "alice may not defragment" "permission denied" "$(etcdctl --endpoints $ours defrag --user $A 2>&1)"
check_has "nor ask for the hash" "permission denied" "$(etcdctl --endpoints $ours endpoint hashkv --user $A 2>&1)"
as $R "root can't be deleted" user delete root
as $R "nor its role" role delete root
as $R "nor be taken it" user revoke-role root root
txn_as() { local who=$1 name=$2; stdin=$3; as $who "$name" txn; stdin=; }
txn_as $A "txn, allowed" 'ver("a") > "0"\n\nput a 5\nget a\n\nget x\n\n'
txn_as $A "txn, compares what he may not read" 'ver("b") > "0"\n\nput a 5\n\n\n'
txn_as $A "txn, writes what he may not" '\nput b 5\n\n\n'
txn_as $A "txn, only in the branch that is not taken" 'ver("a") > "0"\n\nget a\n\nput b 1\n\n'
txn_as $A "txn, deletes" '\ndel p/1\n\n\n'
limit=0.7
as $A "watch a" watch a --rev 1
as $A "watch b" watch b --rev 1
as $A "watch a prefix" watch --prefix x --rev 1
j "nobody watches" watch a --rev 1
limit=5

# Leases: whoever may write all keys of a lease may use it, whoever may read them may see them.
for at in $real $ours; do
	{
		l=$(etcdctl --endpoints $at lease grant 100 --user $R | cut -d' ' -f2)
		etcdctl --endpoints $at put b 1 --lease "$l" --user $R -w json
		etcdctl --endpoints $at put a 1 --lease "$l" --user $A -w json
		etcdctl --endpoints $at lease timetolive "$l" --user $A -w json
		etcdctl --endpoints $at lease timetolive "$l" --keys --user $A -w json
		etcdctl --endpoints $at lease timetolive "$l" --keys --user $R -w json
		etcdctl --endpoints $at lease keep-alive --once "$l" --user $A -w json
		etcdctl --endpoints $at lease revoke "$l" --user $A -w json
		etcdctl --endpoints $at lease revoke "$l" --user $R -w json
		l=$(etcdctl --endpoints $at lease grant 100 --user $A | cut -d' ' -f2)
		etcdctl --endpoints $at put a 1 --lease "$l" --user $A -w json
		etcdctl --endpoints $at put a 2 --lease "$l" --user $A -w json
		etcdctl --endpoints $at lease timetolive "$l" --keys --user $A -w json
		etcdctl --endpoints $at lease revoke "$l" --user $A -w json
	} 2>&1 | blank >"$T/lease-${at##*:}"
done
check_is "leases" "" "$(diff "$T/lease-${real##*:}" "$T/lease-${ours##*:}" | head -n 6)"

as $R "role taken from alice" user revoke-role alice r1
as $A "get a without it" get a
as $R "role given back" user grant-role alice r1
as $A "get a with it" get a
as $R "role deleted" role delete r1
as $A "get a after that" get a
as $R "alice" user get alice
as $R "alice deleted" user delete alice
as $A "log in after that" get a
as $R "users" user list
as $R "off" auth disable
j "get without anybody" get a
j "off again" auth disable
same "status" auth status

# ---- the gateway: keys, transactions, leases ----
b64() { printf %s "$1" | base64 -w0; }
post "gateway: put" /v3/kv/put '{"key":"Zw==","value":"MQ=="}'
post "gateway: range" /v3/kv/range '{"key":"Zw=="}'
post "gateway: camel case and names of enums" /v3/kv/range '{"key":"Zw==","rangeEnd":"aA==","sortOrder":"DESCEND","sort_target":"KEY","limit":"5"}'
post "gateway: numbers as numbers, enums too" /v3/kv/range '{"key":"Zw==","range_end":"aA==","sort_order":2,"sort_target":3,"limit":5}'
post "gateway: unknown fields" /v3/kv/range '{"key":"Zw==","nothing":{"a":[1,2]}}'
post "gateway: no key" /v3/kv/range '{}'
post "gateway: no body" /v3/kv/range ''
post "gateway: null" /v3/kv/range '{"key":"Zw==","limit":null}'
post "gateway: not base64" /v3/kv/range '{"key":"*"}'
post "gateway: a number for bytes" /v3/kv/range '{"key":5}'
post "gateway: a word for a number" /v3/kv/range '{"key":"Zw==","limit":"x"}'
post "gateway: a word for a bool" /v3/kv/range '{"key":"Zw==","keys_only":"x"}'
post "gateway: URL-safe base64" /v3/kv/put '{"key":"-_8=","value":"-_8"}'
post "gateway: put with prev_kv" /v3/kv/put '{"key":"Zw==","value":"Mg==","prev_kv":true}'
post "gateway: in the future" /v3/kv/range '{"key":"Zw==","revision":"100000"}'
post "gateway: unknown lease" /v3/kv/put '{"key":"Zw==","lease":"7"}'
post "gateway: txn" /v3/kv/txn '{"compare":[{"key":"Zw==","target":"VALUE","result":"EQUAL","value":"Mg=="}],"success":[{"request_put":{"key":"aA==","value":"MQ=="}},{"requestRange":{"key":"Zw=="}},{"request_delete_range":{"key":"aQ==","prev_kv":true}}],"failure":[]}'
post "gateway: txn, the other branch" /v3/kv/txn '{"compare":[{"key":"Zw==","target":"CREATE","create_revision":"0"}],"success":[{"request_put":{"key":"aA==","value":"MQ=="}}],"failure":[{"request_txn":{"success":[{"request_range":{"key":"aA=="}}]}}]}'
post "gateway: two of one oneof" /v3/kv/txn '{"success":[{"request_put":{"key":"aA=="},"request_range":{"key":"aA=="}}]}'
post "gateway: deleterange" /v3/kv/deleterange '{"key":"aA==","prev_kv":true}'
post "gateway: compaction in the future" /v3/kv/compaction '{"revision":"100000"}'
post "gateway: grant" /v3/lease/grant '{"TTL":"100","ID":"77"}'
post "gateway: grant again" /v3/lease/grant '{"TTL":100,"ID":77}'
post "gateway: put under it" /v3/kv/put '{"key":"bA==","lease":"77"}'
post "gateway: timetolive" /v3/lease/timetolive '{"ID":"77","keys":true}'
post "gateway: timetolive, the other path" /v3/kv/lease/timetolive '{"ID":"78"}'
post "gateway: keepalive" /v3/lease/keepalive '{"ID":"77"}'
post "gateway: leases" /v3/lease/leases '{}'
post "gateway: revoke" /v3/lease/revoke '{"ID":"77"}'
post "gateway: revoke again" /v3/kv/lease/revoke '{"ID":"77"}'
limit=1
post "gateway: watch" /v3/watch '{"create_request":{"key":"Zw==","start_revision":"1","prev_kv":true}}'
post "gateway: two watches" /v3/watch '{"create_request":{"key":"Zw==","start_revision":"1"}}{"create_request":{"key":"aA==","watch_id":"5"}}'
limit=5
post "gateway: member list" /v3/cluster/member/list '{}'
post "gateway: alarms" /v3/maintenance/alarm '{}'
post "gateway: unknown path" /v3/nothing '{}'
verb=GET post "gateway: GET" /v3/kv/range ''
post "gateway: auth status" /v3/auth/status '{}'
post "gateway: log in while off" /v3/auth/authenticate '{"name":"root","password":"rootpw"}'

# ---- locks and elections through the servers ----
post "lock under an unknown lease" /v3/lock/lock '{"name":"bG9jaw==","lease":"9"}'
post "a lease for it" /v3/lease/grant '{"TTL":"100","ID":"81"}'
post "another" /v3/lease/grant '{"TTL":"100","ID":"82"}'
post "lock" /v3/lock/lock '{"name":"bG9jaw==","lease":"81"}'
post "lock again under the same lease" /v3/lock/lock '{"name":"bG9jaw==","lease":"81"}'
for at in $real $ours; do
	curl -s -m 5 "$at/v3/lock/lock" -d '{"name":"bG9jaw==","lease":"82"}' >"$T/waiter-${at##*:}" &
	echo $! >"$T/waiter-${at##*:}.pid"
done
for at in $real $ours; do wait_for 5 bash -c "[ \$(etcdctl --endpoints $at get --prefix lock/ --keys-only | grep -c .) = 2 ]"; done
check_is "the second one waits" "" "$(cat "$T/waiter-${ours##*:}")"
post "unlock" /v3/lock/unlock "{\"key\":\"$(b64 lock/51)\"}"
wait "$(cat "$T/waiter-${real##*:}.pid")" "$(cat "$T/waiter-${ours##*:}.pid")"
check_is "the second one has it" "$(jq -c '[.key,.header.revision]' "$T/waiter-${real##*:}")" "$(jq -c '[.key,.header.revision]' "$T/waiter-${ours##*:}")"
for at in $real $ours; do timeout 1 curl -s "$at/v3/lock/lock" -d '{"name":"bG9jaw==","lease":"81"}' >/dev/null; done
check "who goes away while waiting leaves nothing" wait_for 5 bash -c "[ \$(etcdctl --endpoints $ours get --prefix lock/ --keys-only | grep -c .) = 1 ]"
post "unlock the second" /v3/lock/unlock "{\"key\":\"$(b64 lock/52)\"}"
post "no leader" /v3/election/leader '{"name":"ZWxlY3Q="}'
post "campaign" /v3/election/campaign '{"name":"ZWxlY3Q=","lease":"81","value":"djE="}'
post "campaign again with another value" /v3/election/campaign '{"name":"ZWxlY3Q=","lease":"81","value":"djI="}'
post "leader" /v3/election/leader '{"name":"ZWxlY3Q="}'
rev=$(curl -s $ours/v3/election/leader -d '{"name":"ZWxlY3Q="}' | jq -r .kv.create_revision)
leader="{\"name\":\"ZWxlY3Q=\",\"key\":\"$(b64 elect/51)\",\"rev\":\"$rev\",\"lease\":\"81\"}"
post "proclaim" /v3/election/proclaim "{\"leader\":$leader,\"value\":\"djM=\"}"
post "proclaim without a leader" /v3/election/proclaim '{"value":"djM="}'
post "proclaim by another" /v3/election/proclaim "{\"leader\":{\"key\":\"$(b64 elect/52)\",\"rev\":\"1\",\"lease\":\"81\"},\"value\":\"djM=\"}"
for at in $real $ours; do
	timeout 3 curl -s -N "$at/v3/election/observe" -d '{"name":"ZWxlY3Q="}' >"$T/observe-${at##*:}" &
	echo $! >"$T/observe-${at##*:}.pid"
	wait_for 5 test -s "$T/observe-${at##*:}"
done
post "proclaim, observed" /v3/election/proclaim "{\"leader\":$leader,\"value\":\"djQ=\"}"
post "resign" /v3/election/resign "{\"leader\":$leader}"
post "campaign of the other" /v3/election/campaign '{"name":"ZWxlY3Q=","lease":"82","value":"djU="}'
wait "$(cat "$T/observe-${real##*:}.pid")" "$(cat "$T/observe-${ours##*:}.pid")"
check_is "observed" "$(jq -c '[.result.kv.value,.result.header.revision,.result.kv.mod_revision]' "$T/observe-${real##*:}")" \
	"$(jq -c '[.result.kv.value,.result.header.revision,.result.kv.mod_revision]' "$T/observe-${ours##*:}")"
post "resign without a leader" /v3/election/resign '{}'
j "lock, by the client" lock name echo held
limit=2
same "elect, by the client" elect name value
limit=5

# ---- tokens over the gateway ----
post "enable" /v3/auth/enable '{}'
post "log in" /v3/auth/authenticate '{"name":"root","password":"rootpw"}'
post "wrong password" /v3/auth/authenticate '{"name":"root","password":"x"}'
post "no token" /v3/kv/range '{"key":"Zw=="}'
token_real=x.1 token_ours=x.1
post "a bad token" /v3/kv/range '{"key":"Zw=="}'
post "a bad token, put" /v3/kv/put '{"key":"Zw=="}'
post "a bad token, lock" /v3/lock/lock '{"name":"bG9jaw=="}'
post "a bad token, member list" /v3/cluster/member/list "{}"
login() { curl -s "$1/v3/auth/authenticate" -d '{"name":"root","password":"rootpw"}' | jq -r .token; }
token_real=$(login $real) token_ours=$(login $ours)
post "a good token" /v3/kv/range '{"key":"Zw=="}'
post "user list" /v3/auth/user/list '{}'
post "user get" /v3/auth/user/get '{"name":"root"}'
post "add a user" /v3/auth/user/add '{"name":"carl","password":"x","options":{"no_password":false}}'
post "add a role" /v3/auth/role/add '{"name":"r2"}'
post "grant a permission" /v3/auth/role/grant '{"name":"r2","perm":{"permType":"READWRITE","key":"Yw==","range_end":"ZA=="}}'
post "grant none" /v3/auth/role/grant '{"name":"r2"}'
post "role get" /v3/auth/role/get '{"role":"r2"}'
post "grant the role" /v3/auth/user/grant '{"user":"carl","role":"r2"}'
post "role list" /v3/auth/role/list '{}'
post "revoke the permission" /v3/auth/role/revoke '{"role":"r2","key":"Yw==","range_end":"ZA=="}'
post "revoke the role" /v3/auth/user/revoke '{"name":"carl","role":"r2"}'
post "change the password" /v3/auth/user/changepw '{"name":"carl","password":"y"}'
post "delete the role" /v3/auth/role/delete '{"role":"r2"}'
post "delete the user" /v3/auth/user/delete '{"name":"carl"}'
post "disable" /v3/auth/disable '{}'
token_real= token_ours=

# ---- alarms ----
j "raise one" alarm list
post "activate" /v3/maintenance/alarm '{"action":"ACTIVATE","memberID":"5","alarm":"NOSPACE"}'
post "activate again" /v3/maintenance/alarm '{"action":"ACTIVATE","memberID":"5","alarm":"NOSPACE"}'
post "activate none" /v3/maintenance/alarm '{"action":"ACTIVATE","memberID":"5"}'
post "list" /v3/maintenance/alarm '{}'
post "list of the other kind" /v3/maintenance/alarm '{"alarm":"CORRUPT"}'
j "put" put a 1
j "del" del a
j "get" get a
same "list, by etcdctl" alarm list
post "deactivate what does not stand" /v3/maintenance/alarm '{"action":"DEACTIVATE","memberID":"6","alarm":"NOSPACE"}'

# They stand over a restart.
kill $server_pid; wait $server_pid 2>/dev/null
"$K3X" store serve --name m1 --data-dir "$T/store" --listen-client-urls $ours --advertise-client-urls $ours --listen-peer-urls http://127.0.0.1:21382 --initial-advertise-peer-urls http://127.0.0.1:21380 --initial-cluster m1=http://127.0.0.1:21380 $store_flags </dev/null >>"$T/store.log" 2>&1 &
server_pid=$!
check "k3x-store is up again" wait_for 10 curl -sf $ours/version
post "list after a restart" /v3/maintenance/alarm '{}'
j "put after it" put a 1
same "disarm" alarm disarm
j "put after disarming" put a 1
post "corrupt" /v3/maintenance/alarm '{"action":"ACTIVATE","memberID":"5","alarm":"CORRUPT"}'
j "put while corrupt" put a 1
j "get while corrupt" get a
same "disarm" alarm disarm
j "get" get a
kill $etcd_pid
finish
