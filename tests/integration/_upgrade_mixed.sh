#!/bin/bash
# Servers and an agent of an older program (OLD) and of this one in one cluster, while it is written to: each is joined by
# the other, replaced one by one, and back again; a snapshot of each is restored by the other. Started by
# tests/upgrade_test.sh, which builds the older one.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs kubectl jq
NEW=$K3X
hosts s1 s2 s3 s4 a1

members_are() { [ "$(grep -o 'raft: members .*' "$T/$1.log" | tail -n 1 | grep -o ':voter' | wc -l)" = "$2" ]; }
as() { K3X=$1; shift; "$@"; K3X=$NEW; }
has_object() { k "$1" get configmap "$2"; }
writes() { k "$1" create configmap "$2" --from-literal=a=b; }
agent_is_up() { grep -q 'agent: starting' "$T/a1.log"; }
# replace NAME PROGRAM WHAT: the same data, the other program. Not under check: a server is a child of this shell.
replace() {
	server_stop "$1" TERM
	as "$2" server_start "$1"
	check "$1 is $3" wait_for 40 server_is_ready "$1"
}

# ---- the older one begins, the newer one joins, and the other way round ----
as "$OLD" server_start s1 --cluster-init
check "a server of the older program is ready" wait_for 20 server_is_ready s1
writes s1 of-old >/dev/null
# Word splitting of the flags is wanted.
# shellcheck disable=SC2046
as "$NEW" server_start s2 $(join_flags s1)
check "one of this program joins it" wait_for 60 server_is_ready s2
# shellcheck disable=SC2046
as "$OLD" server_start s3 $(join_flags s2)
check "one of the older program joins by that" wait_for 60 server_is_ready s3
check "three have a vote" wait_for 20 members_are s2 3
check "they have what was there" has_object s2 of-old
check "each writes" writes s3 of-three
check "and the others have it" wait_for 10 has_object s2 of-three

# ---- an agent of each, by a server of the other ----
: >"$T/a1.log"
as "$OLD" agent_start a1 --server "$(url s2)" --token "$(cat "$T/s1/server/node-token")"
check "an agent of the older program joins by this one" wait_for 40 agent_is_up
server_stop a1 TERM
: >"$T/a1.log"
as "$NEW" agent_start a1 --server "$(url s1)"
check "the same agent of this program goes on" wait_for 40 agent_is_up
check "and follows what the older server says" wait_for 10 test -s "$T/a1/agent/cluster.json"
server_stop a1 TERM

# ---- one by one, while somebody writes ----
rm -f "$T/stop" "$T/lost"
(
	i=0
	while [ ! -e "$T/stop" ]; do
		i=$((i + 1))
		done=
		for n in s1 s2 s3; do # as a client with a list of servers
			if [ -e "$T/$n.pid" ] && k $n create configmap "w$i" >/dev/null 2>"$T/why"; then done=1; break; fi
			grep -q AlreadyExists "$T/why" 2>/dev/null && done=1 && break
		done
		[ -n "$done" ] && echo "w$i" >>"$T/written" || { echo "w$i" >>"$T/lost"; cat "$T/why" >>"$T/lost.why"; }
	done
) &
writer=$!
for n in s1 s3; do replace $n "$NEW" upgraded; done
check "all three of this program write" writes s2 all-new
for n in s2 s3 s1; do replace $n "$OLD" downgraded; done
check "all three of the older program write" writes s1 all-old
check "and have what the newer one wrote" has_object s1 all-new
for n in s3 s1 s2; do replace $n "$NEW" "upgraded again"; done
touch "$T/stop"
wait $writer
echo "     written meanwhile: $(wc -l <"$T/written"), in vain: $(cat "$T/lost" 2>/dev/null | wc -l)"
listed() { k s1 get configmaps -o name | sed 's:.*/::' | sort >"$T/listed"; }
listed
check_is "what was acknowledged is there" "" "$(sort "$T/written" | comm -23 - "$T/listed")"
check_is "on each" "$(k s1 get configmaps -o name | sort | sha256sum)" "$(k s3 get configmaps -o name | sort | sha256sum)"

# ---- snapshots of each for the other ----
for n in s1 s2 s3; do server_stop $n TERM; done
as "$OLD" server_start s1
as "$OLD" server_start s2
wait_for 30 server_is_ready s1
check "the older one takes a snapshot" at s1 "$OLD" etcd-snapshot save --name old --data-dir "$T/s1"
server_stop s1 TERM
server_stop s2 TERM
as "$NEW" server_start s1
as "$NEW" server_start s2
wait_for 30 server_is_ready s1
check "and this one" at s1 "$NEW" etcd-snapshot save --name new --data-dir "$T/s1"
server_stop s1 TERM
server_stop s2 TERM
restores() { # PROGRAM NAME, of a server that nobody waits for afterwards
	server_stop s4 KILL
	rm -rf "$T/s4"
	at s4 "$1" server --data-dir "$T/s4" --node-name s4 --node-ip "$(address s4)" --disable-agent --cluster-reset \
		--cluster-reset-restore-path "$(find "$T/s1/server/db/snapshots" -name "$2-*" | head -n 1)" >"$T/restore.log" 2>&1 || { cat "$T/restore.log"; return 1; }
	as "$1" server_start s4 --token "$(sed 's/.*://' "$T/s1/server/token")"
	wait_for 30 server_is_ready s4 && has_object s4 all-new
}
if restores "$NEW" old >"$T/why"; then ok "this one restores the older one's"; else bad "this one restores the older one's" "$(tail -n 3 "$T/why")"; fi
if restores "$OLD" new >"$T/why"; then ok "the older one restores this one's"; else bad "the older one restores this one's" "$(tail -n 3 "$T/why")"; fi
finish
