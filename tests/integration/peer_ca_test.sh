#!/bin/bash
# The CA by which servers know each other becomes another while three of them run and are written to: one is down
# meanwhile, one is killed in the middle of writing its new keys, and at no moment are there no two that know each other.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs kubectl openssl
breakable_binary
K3X=$root/build/breakable/k3x # it dies on purpose where it is told to: base/stop_point.h
hosts s1 s2 s3 s4

kx() { local n=$1; shift; at "$n" "$K3X" "$@" --data-dir "$T/$n" 2>&1; }
died_at() { grep -q "dies on purpose: $2" "$T/$1.log"; }
members_are() { [ "$(grep -o 'raft: members .*' "$T/$1.log" | tail -n 1 | grep -o ':voter' | wc -l)" = "$2" ]; }
# issuer NAME: who has signed what it shows to the others
issuer() {
	at "$1" openssl s_client -connect "$(address "$1"):2380" -cert "$T/$1/server/tls/etcd/peer-server-client.crt" \
		-key "$T/$1/server/tls/etcd/peer-server-client.key" </dev/null 2>/dev/null | openssl x509 -noout -issuer | sed 's/.*CN = //'
}
is_issued_by() { [ "$(issuer "$1")" = "$2" ]; }
cas_of() { grep -c BEGIN "$T/$1/server/tls/etcd/peer-ca.crt"; }
has_cas() { [ "$(cas_of "$1")" = "$2" ]; }
make_ca() { # NAME FOLDER: signed by itself, and by the one that the servers have
	mkdir -p "$2/etcd"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$2/etcd/peer-ca.key" -out "$T/self.crt" -days 3000 -subj "/CN=$1" \
		-addext keyUsage=critical,keyCertSign,digitalSignature 2>/dev/null
	printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,digitalSignature\nsubjectKeyIdentifier=hash\n' >"$T/ext"
	openssl x509 -req -in <(openssl req -new -key "$2/etcd/peer-ca.key" -subj "/CN=$1") -CA "$T/s1/server/tls/etcd/peer-ca.crt" \
		-CAkey "$T/s1/server/tls/etcd/peer-ca.key" -CAcreateserial -CAserial "$T/serial" -days 15 -extfile "$T/ext" -out "$T/cross.crt" 2>/dev/null
	cat "$T/self.crt" "$T/cross.crt" >"$2/etcd/peer-ca.crt"
}

server_start s1 --cluster-init
check "the first is ready" wait_for 20 server_is_ready s1
for n in s2 s3; do
	# Word splitting of the flags is wanted.
	# shellcheck disable=SC2046
	server_start $n $(join_flags s1)
	check "$n joins" wait_for 60 server_is_ready $n
done
check "three have a vote" wait_for 10 members_are s1 3

# ---- what is refused ----
make_ca second "$T/second"
mkdir -p "$T/strange/etcd"
cp "$T/second/etcd/peer-ca.key" "$T/strange/etcd/"
openssl x509 -in "$T/second/etcd/peer-ca.crt" >"$T/strange/etcd/peer-ca.crt"
check_has "a CA that the servers have no reason to believe is refused" "is signed by the old one" "$(kx s1 certificate rotate-ca --path "$T/strange")"
check_has "by force, too" "strangers to each other" "$(kx s1 certificate rotate-ca --force --path "$T/strange")"
check_has "and one without its key" "both are needed" "$(rm "$T/strange/etcd/peer-ca.key"; kx s1 certificate rotate-ca --path "$T/strange")"

# ---- it is taken over: one is down, one dies half way ----
server_stop s3 TERM
server_stop s2 TERM
K3X_STOP=keys-half server_start s2
check "two are there" wait_for 30 server_is_ready s2
check_has "the servers get another CA" "has new CAs" "$(kx s1 certificate rotate-ca --path "$T/second")"
check "the one that is asked has it" wait_for 10 is_issued_by s1 second
check "the other one dies while it writes it" wait_for 10 died_at s2 keys-half
server_stop s2
K3X_STOP=keys-done server_start s2
check "and once more, before it has made a certificate of it" wait_for 10 died_at s2 keys-done
server_stop s2
server_start s2
check "it goes on where it was" wait_for 30 server_is_ready s2
check "with a certificate of the new CA" wait_for 10 is_issued_by s2 second
check "nothing of that is left" test ! -e "$T/s2/server/tls/following"
check "two that have the new one write" k s2 create configmap two
server_stop s1 TERM
server_start s3
check "one that knows the old one alone finds a server that has the new one" wait_for 30 server_is_ready s3
check "and hears of it" wait_for 10 is_issued_by s3 second
server_start s1
check "all three are there" wait_for 30 server_is_ready s1
check_is "everybody knows the old one still" "3 3 3" "$(cas_of s1) $(cas_of s2) $(cas_of s3)"

# ---- again, all of them running and written to ----
rm -f "$T/stop" "$T/lost"
(i=0; while [ ! -e "$T/stop" ]; do i=$((i + 1)); k s1 create configmap "w$i" >/dev/null 2>>"$T/lost.why" || echo "$i" >>"$T/lost"; echo $i >"$T/written"; done) &
writer=$!
make_ca third "$T/third"
check_has "a third CA" "has new CAs" "$(kx s3 certificate rotate-ca --path "$T/third")"
for n in s1 s2 s3; do check "$n has it" wait_for 10 is_issued_by $n third; done
restarted=0
for n in s2 s3; do
	server_stop $n TERM
	server_start $n
	wait_for 30 server_is_ready $n && restarted=$((restarted + 1))
done
check_is "they find each other anew" 2 $restarted
has_written() { [ "$(cat "$T/written")" -gt 10 ]; }
wait_for 20 has_written
touch "$T/stop"
wait $writer
check_is "no write was lost meanwhile" "" "$(cat "$T/lost" "$T/lost.why" 2>/dev/null)"
# shellcheck disable=SC2046
server_start s4 $(join_flags s2)
check "a server that joins gets it" wait_for 60 server_is_ready s4
check "and shows one of it" wait_for 10 is_issued_by s4 third
secret=$(sed 's/.*://' "$T/s1/server/token")
check_has "the key under which servers are told of new ones stays" "has it" "$(cmp "$T/s1/server/tls/etcd/seal.key" "$T/s4/server/tls/etcd/seal.key" && echo has it)"
check_has "what they are told later, they are told all" "::server:another-secret" "$(kx s4 token rotate --token "$secret" --new-token another-secret)"
has_token() { grep -q ':another-secret$' "$T/$1/server/token"; }
for n in s1 s2 s3; do check "$n hears of a new token" wait_for 10 has_token $n; done

# ---- the old ones are forgotten ----
check_has "the same by force forgets the old ones" "has new CAs" "$(kx s1 certificate rotate-ca --force --path "$T/third")"
for n in s1 s2 s3 s4; do check "$n knows the new one alone" wait_for 10 has_cas $n 2; done
server_stop s2 KILL
server_start s2
check "they know each other all the same" wait_for 30 server_is_ready s2
check "and write" k s2 create configmap last
for n in s4 s3 s2 s1; do server_stop $n TERM; done
finish
