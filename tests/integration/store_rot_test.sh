#!/bin/bash
# A bit of state.db that changes on the disk: it is never served. One of several members takes the leader's state in its
# place; one that is alone answers with an error, raises the alarm CORRUPT, and its file is called damaged until a snapshot
# is restored.
. "$(dirname "$0")/_lib.sh"
base=19100
. "$(dirname "$0")/_store_cluster.sh"
store() { timeout 20 "$K3X" store "$@"; }
at() { local n=$1; shift; store "$@" --endpoints "$(client_url "$n")"; }

# rot FILE TEXT: changes one bit where the text stands, wherever that is. It may be cut in two by the end of a page; what
# fill writes has it once more, as again-TEXT.
rot() {
	python3 -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
text = sys.argv[2].encode()
if data.find(text) < 0:
    text = text.replace(b"value-", b"again-")
at = data.find(text)
assert at > 0
while at > 0:
    data[at] ^= 1
    at = data.find(text)
with open(sys.argv[1], "r+b") as f:
    f.write(data)' "$1" "$2"
}
fill() { # MEMBER
	local i padding # that does not pack, so that the text stands in the file
	for i in $(seq 100 160); do
		padding=$(head -c 1100 /dev/urandom | base64 -w 0)
		at "$1" put "k$i" "value-$i-$padding-again-$i-" >/dev/null
	done
}
stale() { at "$1" get "k$2" --stale --print-value-only | cut -c1-9; }
has() { [ "$(stale "$1" "$2" 2>/dev/null)" = "value-$2" ]; }
metric() { curl -s "$(client_url "$1")/metrics" | sed -n "s/^$2 //p"; }
fenced_before() { grep -q 'its database is rotten' "$T/$1.log"; }
mended() { grep -q 'no longer fenced' "$T/$1.log"; }
healthy() { store endpoint health --endpoints "$(endpoints "$@")"; }

check_has "no such duration" "is no duration" "$(store serve --data-dir "$T/x" --experimental-corrupt-check-time 1y 2>&1)"
check_has "nor such a short one" "1s or more" "$(store serve --data-dir "$T/x" --experimental-corrupt-check-time 5ms 2>&1)"

# ---- three ----
for n in m1 m2 m3; do member_start $n new m1 m2 m3; done
check "a cluster of three" wait_for 20 healthy m1 m2 m3
fill m1
check "m2 has all of it" wait_for 10 has m2 160
first=$(wait_leader m1 m2 m3)
for n in m1 m2 m3; do [ $n != "$first" ] && behind=$n; done

member_stop $behind
rot "$T/$behind/state.db" value-130-
check_has "check finds it" "1 pages are rotten" "$(store check "$T/$behind" 2>&1)"
store check "$T/$behind" >/dev/null 2>&1
check_is "and its exit code says so" 7 $?
member_start $behind new m1 m2 m3
check "it comes up" wait_for 20 healthy $behind
check_has "a read of it is an error" "corrupt" "$(at $behind get k130 --stale 2>&1)"
check "it is fenced" wait_for 10 fenced_before $behind
check "and gets the leader's state" wait_for 20 mended $behind
check "what it answers then is right" wait_for 10 has $behind 130
check "it is counted" test "$(metric $behind k3x_store_rotten_total)" -ge 1
check_is "no alarm stands" "" "$(at "$first" alarm list 2>/dev/null | grep -i corrupt)"
check "the replicas agree" same_hash m1 m2 m3
check "it takes writes" at $behind put after 1

member_stop $behind
check "what it was sent is sound" store check "$T/$behind"
rot "$T/$behind/state.db" value-140-
: >"$T/$behind.log"
flags[$behind]="--experimental-initial-corrupt-check"
member_start $behind new m1 m2 m3
check "a check at the start fences it without a read" wait_for 10 fenced_before $behind
check "and it is mended" wait_for 20 mended $behind
check "and right" wait_for 10 has $behind 140

member_stop $behind
rot "$T/$behind/state.db" value-145-
: >"$T/$behind.log"
flags[$behind]="--experimental-corrupt-check-time 1s"
member_start $behind new m1 m2 m3
check "so does one in the background" wait_for 15 fenced_before $behind
check "and it is mended" wait_for 20 mended $behind
check "and right" wait_for 10 has $behind 145

# The apply thread meets it: it stops, and the next start knows.
member_stop $behind
rot "$T/$behind/state.db" value-150-
: >"$T/$behind.log"
flags[$behind]=
member_start $behind new m1 m2 m3
check "it comes up" wait_for 20 healthy $behind
prev() { etcdctl --endpoints "$(client_url "$first")" put --prev-kv k150 new >/dev/null; }
check "a write that reads what is rotten there alone" prev
check "stops it, or fences it" wait_for 10 grep -q 'stopping=yes\|its database is rotten' "$T/$behind.log"
again() { member_is_gone $behind && member_start $behind new m1 m2 m3; mended $behind; }
check "it is mended at the next start" wait_for 30 again
new() { [ "$(at $behind get k150 --stale --print-value-only)" = new ]; }
check "and right" wait_for 10 new
check "the mark is gone" test ! -e "$T/$behind/state.db.rotten"

# The leader itself; its log is moved into the file first.
first=$(wait_leader m1 m2 m3)
check "defrag" at "$first" defrag
check "the leader's file has the value" wait_for 10 grep -q 'value-120-\|again-120-' "$T/$first/state.db"
rot "$T/$first/state.db" value-120-
: >"$T/$first.log"
meets() { at "$first" get k120 --stale >/dev/null 2>&1; fenced_before "$first"; }
check "a leader that finds itself rotten is fenced" wait_for 10 meets
check "hands over and is mended" wait_for 30 mended "$first"
check "and right" wait_for 10 has "$first" 120
check "the replicas agree" same_hash m1 m2 m3
members_stop

# ---- alone ----
alone() { member_start m5 new m5; }
alone
check "one alone" wait_for 20 healthy m5
fill m5
check "a snapshot" at m5 snapshot save "$T/m5.snap"
member_stop m5
rot "$T/m5/state.db" value-130-
alone
check "it comes up" wait_for 20 healthy m5
check_has "a read of it is an error" "corrupt" "$(at m5 get k130 2>&1)"
check "others are served" has m5 110
alarmed() { at m5 alarm list | grep -q CORRUPT; }
check "the alarm CORRUPT is raised" wait_for 10 alarmed
check_has "and nothing is written" "corrupt" "$(at m5 put more 1 2>&1)"
check_has "a snapshot of it is not made" "rotten" "$(at m5 snapshot save "$T/bad.snap" 2>&1; cat "$T/m5.log")"
member_stop m5
store check "$T/m5" >/dev/null 2>&1
check_is "check's exit code" 7 $?
check "a snapshot is restored over it" store snapshot restore "$T/m5.snap" --data-dir "$T/m5" --replace \
	--name m5 --initial-cluster "$(cluster_of m5)" --initial-advertise-peer-urls "$(peer_url m5)"
alone
check "it comes up" wait_for 20 healthy m5
check "what was rotten is right" wait_for 10 has m5 130
check "no alarm stands" test -z "$(at m5 alarm list | grep CORRUPT)"
check "it is written to" at m5 put more 1
member_stop m5
finish
