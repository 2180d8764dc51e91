#!/bin/bash
# Secrets at rest on three servers: a configuration that all follow, keys changed while Secrets are written on each, a
# server that was down meanwhile, and one that joins later.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs kubectl jq
hosts s1 s2 s3 s4

se() { local n=$1; shift; at "$n" "$K3X" secrets-encrypt "$@" --kubeconfig "$T/$n.kubeconfig" 2>&1; }
config() { echo "$T/$1/server/cred/encryption-config.json"; }
alike() { [ "$(se s1 status -o json | jq -r .hashesMatch)" = true ]; }
make() { k "$1" create secret generic "$2" --from-literal=k="$2" -o name; }
read_at() { k "$1" get secret "$2" -o 'jsonpath={.data.k}' | base64 -d; }
read_everywhere() { local n; for n in s1 s2 s3; do [ "$(read_at $n "$1")" = "$1" ] || return 1; done; }
key_names() { jq -r '[.resources[0].providers[] | to_entries[0].value.keys // [] | .[].name] | join(" ")' "$(config "$1")"; }

server_start s1 --cluster-init
check "the first server is ready" wait_for 30 server_is_ready s1
for n in s2 s3; do server_start $n $(join_flags s1); done
for n in s2 s3; do check "$n has joined" wait_for 60 server_is_ready $n; done
make s1 plain >/dev/null
check_has "nothing is encrypted without being asked for" "Disabled, no configuration file found" "$(se s2 status)"

out=$(se s2 enable --provider secretbox)
check_has "one server enables it" "Encryption Status: Enabled" "$out"
check_has "and waits until all have it" "All hashes match" "$out"
check_is "each server is named" "s1 s2 s3" "$(se s3 status -o json | jq -r '.servers | keys | sort | join(" ")')"
check "all have the same file" cmp "$(config s1)" "$(config s3)"
for n in s1 s2 s3; do make $n of-$n >/dev/null; done
for n in s1 s2 s3; do check "what $n writes all read" wait_for 10 read_everywhere of-$n; done
check "and what was plain" wait_for 10 read_everywhere plain

# ---- a key is changed while Secrets are written ----
writes() { # of one server, until the mark is gone
	local i=0
	while [ -e "$T/go" ]; do
		make "$1" "w-$1-$i" >>"$T/writes.$1" 2>&1 || echo "failed $i" >>"$T/writes.failed"
		i=$((i + 1))
	done
}
touch "$T/go"
writers=
for n in s1 s2 s3; do writes $n & writers="$writers $!"; done
wait_for 10 test -s "$T/writes.s3"
out=$(se s1 rotate-keys)
rm -f "$T/go"
wait $writers
check_has "a key is changed under way" "Current Rotation Stage: reencrypt_finished" "$out"
check_is "one key is left" 1 "$(key_names s2 | wc -w)"
check "no write has failed" test ! -e "$T/writes.failed"
check "all servers are up" eval 'for n in s1 s2 s3; do server_is_ready $n || exit 1; done'
all_read() { local n; for n in s1 s2 s3; do [ "$(k $n get secrets -o json | jq '[.items[] | select(.data.k != null) | select((.data.k | @base64d) != .metadata.name)] | length')" = 0 ] || return 1; done; }
check "every Secret reads everywhere" wait_for 20 all_read
counts_alike() { [ "$(k s1 get secrets -o name | wc -l)" = "$(k s2 get secrets -o name | wc -l)" ] && [ "$(k s1 get secrets -o name | wc -l)" = "$(k s3 get secrets -o name | wc -l)" ]; }
check "and none is missing" wait_for 20 counts_alike

# ---- a server is down ----
server_stop s3
check_has "a step is made while one is down only by force" "Stage: prepare" "$(se s1 prepare -f 2>&1; se s1 status)"
check_has "the next one finds that not all have it" "not all servers have the same" "$(se s1 rotate)"
check_has "status names it" "hashes do not match" "$(se s1 status)"
server_start s3
check "it comes back" wait_for 60 server_is_ready s3
check "and has what was changed" wait_for 20 alike
check_has "then it goes on" "All hashes match" "$(se s1 rotate)"
make s3 of-the-one-back >/dev/null
check "what it writes all read" wait_for 10 read_everywhere of-the-one-back
check_has "to the end" "reencrypt_finished" "$(se s2 reencrypt)"

# ---- one joins later, with the token alone ----
server_start s4 $(join_flags s2)
check "a server joins" wait_for 60 server_is_ready s4
check "it has the configuration" cmp "$(config s1)" "$(config s4)"
check_is "and reads" plain "$(read_at s4 plain)"
finish
