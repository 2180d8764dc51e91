#!/bin/bash
# Who one is: JSON Web Tokens, client certificates, tokens that run out, and users, tokens, alarms and locks on every member
# of a cluster.
. "$(dirname "$0")/_lib.sh"
export ETCDCTL_API=3 ETCDCTL_COMMAND_TIMEOUT=5s ETCDCTL_DIAL_TIMEOUT=3s
needs etcdctl openssl jq
url=http://127.0.0.1:22379
pids=()
stop_all() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done
	for p in "${pids[@]}"; do wait "$p" 2>/dev/null; done
	pids=()
}
trap 'stop_all; cleanup' EXIT

# serve NAME URL FLAGS...: waits until it answers. $ctl are flags for etcdctl.
ctl=
serve() {
	local name=$1 at=$2
	shift 2
	"$K3X" store serve --name "$name" --data-dir "$T/$name" --listen-client-urls "$at" --advertise-client-urls "$at" --bcrypt-cost 4 \
		--listen-peer-urls http://127.0.0.1:22399 --initial-advertise-peer-urls http://127.0.0.1:22399 --initial-cluster "$name=http://127.0.0.1:22399" "$@" </dev/null >>"$T/$name.log" 2>&1 &
	pids+=($!)
	wait_for 10 etcdctl --endpoints "$at" $ctl member list
}
e() { etcdctl --endpoints "$url" $ctl "$@" 2>&1; }
setup() { # users on a fresh server, authentication on
	for c in "user add root:r" "user grant-role root root" "role add role1" "role grant-permission role1 readwrite --prefix a" \
		"user add al:pw" "user grant-role al role1" "put a 1" "put b 1" "auth enable"; do e $c >/dev/null || return 1; done
}
login() { curl -s "$1/v3/auth/authenticate" -d '{"name":"al","password":"pw"}' | jq -r .token; }
get() { curl -s "$1/v3/kv/range" -H "Authorization: $2" -d '{"key":"YQ=="}' | jq -r '.count // .message'; }

# ---- JSON Web Tokens ----
openssl ecparam -name prime256v1 -genkey -noout -out "$T/ec.key" 2>/dev/null
openssl ec -in "$T/ec.key" -pubout -out "$T/ec.pub" 2>/dev/null
openssl genrsa -out "$T/rsa.key" 2048 2>/dev/null
openssl rsa -in "$T/rsa.key" -pubout -out "$T/rsa.pub" 2>/dev/null
for kind in ES256:ec RS256:rsa; do
	m=${kind%%:*} k=${kind##*:}
	serve "jwt-$k" $url --auth-token "jwt,pub-key=$T/$k.pub,priv-key=$T/$k.key,sign-method=$m,ttl=10m" && ok "$m: serves" || bad "$m: serves" "$(tail -n 2 "$T"/*.log)"
	check "$m: users" setup
	check_is "$m: etcdctl logs in and reads" "a 1" "$(e get a --user al:pw | paste -sd' ')"
	check_has "$m: and no more than it may" "permission denied" "$(e get b --user al:pw)"
	token=$(login $url)
	check_is "$m: the token names the algorithm" "$m" "$(cut -d. -f1 <<<"$token" | tr -- -_ +/ | sed 's/$/==/' | base64 -d 2>/dev/null | jq -r .alg)"
	check_is "$m: the token is good" 1 "$(get $url "$token")"
	e user add new:x --user root:r >/dev/null
	check_is "$m: until users change" "etcdserver: revision of auth store is old" "$(get $url "$token")"
	check_is "$m: a token of another key" "etcdserver: invalid auth token" "$(get $url "${token%?????}AAAAA")"
	stop_all
done
check_has "a key that does not fit the method" "the key is for ES256" "$("$K3X" store serve --data-dir "$T/x" --listen-client-urls $url --auth-token "jwt,priv-key=$T/ec.key,sign-method=RS256" 2>&1 | tail -n 1)"

# ---- simple tokens ----
serve simple $url --auth-token-ttl 1 && ok "simple: serves" || bad "simple: serves" "$(tail -n 2 "$T"/*.log)"
check "simple: users" setup
token=$(login $url)
check_is "simple: good" 1 "$(get $url "$token")"
expired() { [ "$(get $url "$1")" = "etcdserver: invalid auth token" ]; }
idle() { sleep 2.5; expired "$1"; } # its life is counted from its last use, so it must be left alone for a while
check "simple: runs out" idle "$token"
token=$(login $url)
e user passwd al --interactive=false --user root:r <<<pw2 >/dev/null
check "simple: ends with the password" expired "$token"
stop_all

# ---- certificates ----
(
	cd "$T" || exit 1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -subj /CN=ca -days 2
	issue() { # file, subject, extensions
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
		openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -out "$1.crt" -days 2 -extfile <(echo "$3")
	}
	issue server /CN=server "subjectAltName=IP:127.0.0.1"
	issue al /CN=al "extendedKeyUsage=clientAuth"
	issue root /CN=root "extendedKeyUsage=clientAuth"
	issue nobody /CN=nobody "extendedKeyUsage=clientAuth"
) >/dev/null 2>&1
url=https://127.0.0.1:22379
tls() { ctl="--cacert $T/ca.crt --cert $T/$1.crt --key $T/$1.key"; }
tls root
serve tls $url --cert-file "$T/server.crt" --key-file "$T/server.key" --trusted-ca-file "$T/ca.crt" --client-cert-auth && ok "certificates: serves" || bad "certificates: serves" "$(tail -n 2 "$T"/*.log)"
check "certificates: users" setup
check_has "certificates: root may all" "root" "$(e user list)"
tls al
check_is "certificates: al reads" "a 1" "$(e get a | paste -sd' ')"
check_has "certificates: and no more" "permission denied" "$(e get b)"
check_is "certificates: a password comes before the certificate" "b 1" "$(e get b --user root:r | paste -sd' ')"
tls nobody
check_has "certificates: nobody is no user" "permission denied" "$(e get a)"
check_has "certificates: the gateway does not look at them" "user name is empty" "$(curl -s --cacert "$T/ca.crt" --cert "$T/al.crt" --key "$T/al.key" $url/v3/kv/range -d '{"key":"YQ=="}')"
stop_all
ctl=

# ---- a cluster ----
cluster=c1=http://127.0.0.1:22381,c2=http://127.0.0.1:22383,c3=http://127.0.0.1:22385
urls=(http://127.0.0.1:22380 http://127.0.0.1:22382 http://127.0.0.1:22384)
for i in 1 2 3; do
	"$K3X" store serve --name c$i --data-dir "$T/c$i" --listen-client-urls ${urls[i - 1]} --advertise-client-urls ${urls[i - 1]} --bcrypt-cost 4 \
		--listen-peer-urls http://127.0.0.1:$((22379 + 2 * i)) --initial-advertise-peer-urls http://127.0.0.1:$((22379 + 2 * i)) \
		--initial-cluster $cluster --initial-cluster-state new </dev/null >>"$T/c$i.log" 2>&1 &
	pids+=($!)
done
url=${urls[0]}
check "cluster: serves" wait_for 20 etcdctl --endpoints "${urls[2]}" put x 1
check "cluster: users" setup
for i in 0 1 2; do
	check_is "cluster: al reads on member $((i + 1))" "a 1" "$(etcdctl --endpoints "${urls[i]}" get a --user al:pw 2>&1 | paste -sd' ')"
	check_has "cluster: and no more" "permission denied" "$(etcdctl --endpoints "${urls[i]}" put b 1 --user al:pw 2>&1)"
	check_has "cluster: nobody does not" "user name is empty" "$(etcdctl --endpoints "${urls[i]}" get a 2>&1)"
done
token=$(login "${urls[1]}")
for i in 0 1 2; do check_is "cluster: a token is good on member $((i + 1))" 1 "$(get "${urls[i]}" "$token")"; done
etcdctl --endpoints "${urls[2]}" user revoke-role al role1 --user root:r >/dev/null 2>&1
for i in 0 1 2; do check_is "cluster: a role taken is taken on member $((i + 1))" "etcdserver: permission denied" "$(get "${urls[i]}" "$token")"; done
etcdctl --endpoints "${urls[1]}" auth disable --user root:r >/dev/null 2>&1
curl -s "${urls[0]}/v3/maintenance/alarm" -d '{"action":"ACTIVATE","memberID":"5","alarm":"NOSPACE"}' >/dev/null
for i in 0 1 2; do check_has "cluster: an alarm stands on member $((i + 1))" "space exceeded" "$(etcdctl --endpoints "${urls[i]}" put a 1 2>&1)"; done
etcdctl --endpoints "${urls[2]}" alarm disarm >/dev/null 2>&1
check_is "cluster: and is taken down" OK "$(etcdctl --endpoints "${urls[0]}" put a 1 2>&1)"
key=$(curl -s "${urls[0]}/v3/lock/lock" -d '{"name":"bG9jaw=="}' | jq -r .key)
curl -s -m 10 "${urls[1]}/v3/lock/lock" -d '{"name":"bG9jaw=="}' >"$T/second" &
second=$!
check "cluster: a second one queues on another member" wait_for 5 bash -c "[ \$(etcdctl --endpoints ${urls[2]} get --prefix lock/ --keys-only | grep -c .) = 2 ]"
curl -s "${urls[2]}/v3/lock/unlock" -d "{\"key\":\"$key\"}" >/dev/null
wait $second
check_has "cluster: and gets it" '"key"' "$(cat "$T/second")"
stop_all
finish
