#!/bin/bash
# Machines that get another address: servers of three come back by themselves, one at a time or two at once.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs curl kubectl jq
hosts s1 s2 s3

declare -A moved
address() { local n=${1#s}; echo "${moved[$1]:-$net.${n/#a/20}}"; }
# move NAME ADDRESS: its interface has another one, and the old is nobody's.
move() {
	ip -n "$prefix$1" addr del "$(address "$1")/24" dev eth0
	ip -n "$prefix$1" addr add "$2/24" dev eth0
	moved[$1]=$2
}
lists() { [ "$(k "$1" get endpointslices -l kubernetes.io/service-name=kubernetes -o json | jq -r '[.items[].endpoints[].addresses[]] | sort | join(" ")')" = "$2" ]; }
writes() { k "$1" create configmap "w-$RANDOM-$RANDOM" --from-literal=a=b; }
has() { k "$1" get configmap "$2"; }

# ---- one of three ----
server_start s1 --cluster-init
check "the first is ready" wait_for 30 server_is_ready s1
for n in s2 s3; do
	# shellcheck disable=SC2046
	server_start $n $(join_flags s1)
	check "$n is ready" wait_for 60 server_is_ready $n
done
check "the kubernetes service lists all" wait_for 30 lists s1 "$net.1 $net.2 $net.3"
k s1 create configmap before --from-literal=a=b >/dev/null
server_stop s3 TERM
move s3 $net.33
server_start s3
check "a server whose address changed comes back" wait_for 60 server_is_ready s3
check "with what was written" has s3 before
check "it writes" wait_for 20 writes s3
check "the service lists its new address and not the old" wait_for 60 lists s1 "$net.1 $net.2 $net.33"
# It counts: with another one gone there is a majority.
server_stop s2 KILL
check "it has its vote: two of three write" wait_for 20 writes s1
check "on both" wait_for 20 writes s3
server_start s2
check "the other is back" wait_for 60 server_is_ready s2

# ---- the first ----
server_stop s1 TERM
move s1 $net.11
server_start s1
check "the first server comes back by another address too" wait_for 60 server_is_ready s1
check "the service follows" wait_for 60 lists s2 "$net.11 $net.2 $net.33"

# ---- two at once, who do not know of each other ----
server_stop s1 KILL
server_stop s2 KILL
move s1 $net.101
move s2 $net.102
server_start s1
server_start s2
check "one of two that moved is back" wait_for 60 server_is_ready s1
check "and the other" wait_for 60 server_is_ready s2
check "with what was written" has s2 before
check "the service lists where they are" wait_for 60 lists s3 "$net.101 $net.102 $net.33"
server_stop s3 KILL
check "and the two reach each other" wait_for 20 writes s1
check "from both sides" wait_for 20 writes s2
finish
