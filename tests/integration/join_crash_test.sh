#!/bin/bash
# A join that is cut short by kill -9 at every one of its steps, of the server that joins, of the one that it asks, and of
# all of them together: started again, it ends, with every server a voter once and nothing left of the joining. Servers
# are built with points where they die on purpose (base/stop_point.h).
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs kubectl
breakable_binary
K3X=$root/build/breakable/k3x
hosts s1 s2 s3

members_are() { [ "$(grep -o 'raft: members .*' "$T/$1.log" | tail -n 1 | grep -o ':voter' | wc -l)" = "$2" ]; }
died_at() { grep -q "dies on purpose: $2" "$T/$1.log"; }
start_anew() { rm -f "$T/$1.log"; server_start "$@"; }

# keep NAMES..., put_back NAMES...: their data as it is, for servers that are off.
keep() { local n; for n; do rm -rf "$T/kept/$n"; mkdir -p "$T/kept"; cp -a "$T/$n" "$T/kept/$n"; done; }
put_back() { local n; for n; do server_stop "$n" KILL; rm -rf "${T:?}/$n"; cp -a "$T/kept/$n" "$T/$n"; done; }

server_start s1 --cluster-init
check "the first server is ready" wait_for 20 server_is_ready s1
k s1 create configmap kept --from-literal=a=b >/dev/null
keys_are_there() { at s1 curl -sk -u "server:$(sed 's/.*://' "$T/s1/server/token")" "$(url s1)/v1-k3x/server-bootstrap" | grep -q members; }
wait_for 10 keys_are_there
server_stop s1 TERM
keep s1
joins="--server $(url s1) --token $(cat "$T/s1/server/token")"

# ends WHAT: both are ready, both vote, nothing is left.
ends() {
	check "$1: it joins in the end" wait_for 60 server_is_ready s2
	check "$1: with a vote, and nobody twice" wait_for 20 members_are s2 2
	check "$1: what was there is there" k s2 get configmap kept
	check "$1: nothing of the joining is left" test ! -e "$T/s2/server/joining"
}

# ---- the one that joins dies, and then every other ----
for point in join-marked join-keys join-identified join-opened join-added join-promoted; do
	put_back s1
	server_stop s2 KILL
	rm -rf "$T/s2"
	start_anew s1
	wait_for 20 server_is_ready s1
	# shellcheck disable=SC2086
	K3X_STOP=$point start_anew s2 $joins
	check "$point: the server that joins dies there" wait_for 30 died_at s2 $point
	server_stop s2
	server_stop s1 KILL
	start_anew s1
	case $point in # what has had a log needs to be told nothing again
	join-opened | join-added | join-promoted) start_anew s2 ;;
	# shellcheck disable=SC2086
	*) wait_for 20 server_is_ready s1; start_anew s2 $joins ;;
	esac
	ends "$point"
done

# ---- the one that is asked dies, and the one that joins with it ----
for point in add-begun change-half add-added add-named change-answered; do
	put_back s1
	server_stop s2 KILL
	rm -rf "$T/s2"
	K3X_STOP=$point start_anew s1
	wait_for 20 server_is_ready s1
	# shellcheck disable=SC2086
	start_anew s2 $joins
	check "$point: the server that is asked dies there" wait_for 30 died_at s1 $point
	server_stop s1
	server_stop s2 KILL
	start_anew s1
	# shellcheck disable=SC2086
	start_anew s2 $joins
	ends "$point"
done

# ---- the one that is asked dies, and the one that joins waits for it ----
put_back s1
server_stop s2 KILL
rm -rf "$T/s2"
K3X_STOP=change-answered start_anew s1
wait_for 20 server_is_ready s1
# shellcheck disable=SC2086
start_anew s2 $joins
check "the server that is asked dies alone" wait_for 30 died_at s1 change-answered
server_stop s1
start_anew s1
ends "the other waits"

# ---- a third: its vote counts before its joining has ended ----
server_stop s1 TERM
server_stop s2 TERM
start_anew s1
start_anew s2
check "two are ready" wait_for 30 server_is_ready s1
# shellcheck disable=SC2086
K3X_STOP=join-promoted start_anew s3 $joins
check "the third dies with its vote" wait_for 30 died_at s3 join-promoted
server_stop s3
server_stop s1 KILL
server_stop s2 KILL
start_anew s2
start_anew s3
check "it makes a majority with the second, the one that it asked is off" wait_for 30 server_is_ready s3
check "and nothing of the joining is left" test ! -e "$T/s3/server/joining"
check "it writes" k s3 create configmap third
start_anew s1
check "the first comes back to it" wait_for 30 server_is_ready s1
finish
