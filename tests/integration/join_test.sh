#!/bin/bash
# Three servers that become one cluster, each on a "host" of its own: they begin, join, lose the one that leads and get it
# back, turn away who does not belong, take one back that was wiped, and go back to one server.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs curl kubectl
hosts s1 s2 s3 s4

raw() { local n=$1; shift; at "$n" curl -sk --max-time 5 "$@"; }
status_of() { raw s1 -o /dev/null -w '%{http_code}' "$@"; }
has_object() { k "$1" get configmap "$2"; }
leads() { [ "$(grep -E 'server: (this|another) server leads?' "$T/$1.log" | tail -n 1 | grep -c 'this server leads')" = 1 ]; }
leaders() { local n out=; for n in s1 s2 s3; do [ -e "$T/$n.pid" ] && leads $n && out+="$n "; done; echo $out; }
one_leads() { [ "$(leaders | wc -w)" = 1 ]; }
lists_servers() { [ "$(k "$1" get endpoints kubernetes -o jsonpath='{.subsets[0].addresses[*].ip}')" = "$2" ]; }
pods_of() { k "$1" get pods -l app="$2" --no-headers 2>/dev/null | wc -l; }
has_pods() { [ "$(pods_of "$1" "$2")" = "$3" ]; }
writes() { k "$1" --request-timeout=2s create configmap "w-$RANDOM$RANDOM" --from-literal=a=b; }
members_are() { [ "$(grep -o 'raft: members .*' "$T/$1.log" | tail -n 1 | grep -o ':voter' | wc -l)" = "$2" ]; }
refused() { timeout 60 bash -c "$(declare -f at server_run address); $(declare -p prefix net T K3X server_flags); server_run $*" 2>&1; }

# ---- one begins ----
server_start s1 --cluster-init --agent-token agents-only-secret
check "the first server is ready" wait_for 20 server_is_ready s1
token=$(cat "$T/s1/server/token")
secret=${token##*:}
raw s1 "$(url s1)/cacerts" >"$T/cacerts"
check_is "the token is k3s's, with the hash of what /cacerts has" "K10$(sha256sum <"$T/cacerts" | cut -d' ' -f1)::server:$secret" "$token"
check_is "the token of agents is another one" "$(cat "$T/s1/server/agent-token")" "$(cat "$T/s1/server/node-token")"
check_is "/ping is public" pong "$(raw s1 "$(url s1)/ping")"
check_is "the rest is not" 401 "$(status_of "$(url s1)/v1-k3x/config")"
check_is "a wrong secret is turned away" 401 "$(status_of -u server:wrong-secret "$(url s1)/v1-k3x/config")"
check_has "and told why" "the token is not this cluster's" "$(raw s1 -u server:wrong-secret "$(url s1)/v1-k3x/config")"
check_is "an agent's secret is no server's" 401 "$(status_of -u server:agents-only-secret "$(url s1)/v1-k3x/server-bootstrap")"
check_is "nor does it open what is for servers" 403 "$(status_of -u node:agents-only-secret "$(url s1)/v1-k3x/server-bootstrap")"
check_is "but what is for agents" 200 "$(status_of -u node:agents-only-secret "$(url s1)/v1-k3x/config")"
check_is "a token reads no objects" 403 "$(status_of -u "server:$secret" "$(url s1)/api/v1/secrets")"
keys_are_there() { [ "$(status_of -u "server:$secret" "$(url s1)/v1-k3x/server-bootstrap")" = 200 ]; }
check "the sealed keys are there" wait_for 10 keys_are_there
check_is "no key lies open in them" 0 "$(raw s1 -u "server:$secret" "$(url s1)/v1-k3x/server-bootstrap" | grep -c 'PRIVATE KEY')"
check_is "who has no certificate of a peer is not heard on the peer port" 000 "$(status_of "https://$(address s1):2380/")"

# ---- certificates of nodes ----
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/node.key" -subj "/O=system:masters/CN=admin" \
	-out "$T/node.csr" 2>/dev/null
node_cert() { # NAME PASSWORD PATH
	raw s1 -u node:agents-only-secret -H "k3x-node-name: $1" -H "k3x-node-password: $2" -H 'k3x-node-ip: 10.99.0.77' \
		--data-binary @"$T/node.csr" "$(url s1)/v1-k3x/$3"
}
node_cert worker a-password-of-the-worker client-kubelet.crt >"$T/node.crt"
check_is "the signer decides who a node is" "O = system:nodes, CN = system:node:worker" \
	"$(openssl x509 -in "$T/node.crt" -noout -subject | sed 's/^subject=//')"
node_cert worker a-password-of-the-worker serving-kubelet.crt >"$T/serving.crt"
check_has "its serving certificate has its address" "10.99.0.77" "$(openssl x509 -in "$T/serving.crt" -noout -ext subjectAltName)"
check_has "another password is refused" "with another password" "$(node_cert worker a-password-of-another client-kubelet.crt)"
check "the password lies hashed in a Secret" k s1 -n kube-system get secret worker.node-password.k3x
k s1 create -f - >/dev/null <<<'{"apiVersion":"v1","kind":"Node","metadata":{"name":"worker"}}'
k s1 delete node worker >/dev/null
password_is_gone() { ! k s1 -n kube-system get secret worker.node-password.k3x; }
check "it goes with the Node" wait_for 10 password_is_gone
check_has "and another machine may take the name" BEGIN "$(node_cert worker a-password-of-another client-kubelet.crt)"
check_has "a request that is none is refused" "certificate request" \
	"$(raw s1 -u node:agents-only-secret -H 'k3x-node-name: other' -H 'k3x-node-password: 0123456789abcdef' --data-binary nonsense "$(url s1)/v1-k3x/client-kubelet.crt")"

# ---- who does not belong ----
check_has "a wrong token is told" "the token is not this cluster's" "$(refused s2 --server "$(url s1)" --token "K10$(sha256sum <"$T/cacerts" | cut -d' ' -f1)::server:not-the-secret")"
check "and on the first server" grep -q 'join: turned away' "$T/s1.log"
check_has "another CA is told before anything is sent" "is not the token's" "$(refused s2 --server "$(url s1)" --token "K10$(printf x | sha256sum | cut -d' ' -f1)::server:$secret")"
check_has "a setting that differs is named" "--service-cidr is 10.99.128.0/20 here" "$(refused s2 --server "$(url s1)" --token "$token" --service-cidr 10.99.128.0/20 --cluster-dns 10.99.128.10)"
check_has "nobody there is told" "is a k3x server there" "$(refused s2 --server "$(url s3)" --token "$token")"
check_has "a token alone names no server" "give the secret alone" "$(refused s4 --token "$token")"
rm -rf "$T/s2" "$T/s4"

# ---- two join at the same moment ----
# Word splitting of the flags is wanted.
# shellcheck disable=SC2046
server_start s2 $(join_flags s1)
# shellcheck disable=SC2046
server_start s3 $(join_flags s1)
check "the second is ready" wait_for 60 server_is_ready s2
check "and the third" wait_for 60 server_is_ready s3
check "all three have a vote" wait_for 10 members_are s1 3
check "an object made on one" k s2 create configmap one --from-literal=a=b
check "is there on another at once" has_object s3 one
check "the kubernetes service lists all three" wait_for 30 lists_servers s1 "10.99.0.1 10.99.0.2 10.99.0.3"
check "one of them leads" wait_for 10 one_leads
check "its controllers work" k s3 create deployment web --image=none --replicas=2
check "the pods are there" wait_for 10 has_pods s2 web 2

# ---- the one that leads dies ----
old=$(leaders)
other=$([ "$old" = s1 ] && echo s2 || echo s1)
server_stop "$old" KILL
check "writes resume" wait_for 5 writes "$other"
check "another leads" wait_for 5 one_leads
check "controllers work there" k "$other" scale deployment web --replicas=3
check "the pod is there" wait_for 10 has_pods "$other" web 3
server_start "$old"
check "the dead one comes back by itself, without --server" wait_for 20 server_is_ready "$old"
check "with what was written meanwhile" wait_for 5 has_pods "$old" web 3

# ---- the one that leads is frozen ----
old=$(leaders)
other=$([ "$old" = s1 ] && echo s2 || echo s1)
kill -STOP "$(cat "$T/$old.pid")"
check "writes resume beside one that is frozen" wait_for 8 writes "$other"
others_lead() { local l; l=$(for n in s1 s2 s3; do [ $n != "$old" ] && leads $n && echo $n; done); [ -n "$l" ]; }
check "another leads then" wait_for 5 others_lead
kill -CONT "$(cat "$T/$old.pid")"
check "the old one gives up when it wakes" wait_for 10 one_leads
check "and goes on" wait_for 10 writes "$old"

# ---- one that was wiped, one that is a double ----
server_stop s3 KILL
rm -rf "$T/s3"
# shellcheck disable=SC2046
server_start s3 $(join_flags s1)
check "a server that was wiped takes its old place" wait_for 60 server_is_ready s3
check "and three have a vote" wait_for 10 members_are s1 3
check_has "a second one of a name is turned away" "has the name s1" "$(refused s4 --node-name s1 --server "$(url s2)" --token "$token")"
check "and on the server it asked" grep -q 'a server was not added' "$T/s2.log"
rm -rf "$T/s4"
server_start s4
wait_for 20 server_is_ready s4
server_stop s4
check_has "data of another cluster is left alone" "holds a cluster of this server's own" "$(refused s4 --server "$(url s1)" --token "$token")"
check_has "a server that is alone says how it can be joined" "start it again with --cluster-init" "$(server_start s4; wait_for 20 server_is_ready s4; raw s4 -u "server:$(sed 's/.*://' "$T/s4/server/token")" "$(url s4)/v1-k3x/server-bootstrap")"
server_stop s4
check_has "a token of another cluster is told at a later start" "is of another cluster" "$(refused s4 --token "$token")"

# ---- killed while it joins, wherever that happens ----
server_stop s3 TERM
rm -rf "$T/s3"
killed=0
for after in 0.02 0.08 0.15 0.25 0.35 0.5; do
	# shellcheck disable=SC2046
	server_start s3 $(join_flags s2)
	sleep $after # of a life, so that each is cut at another step
	[ -e "$T/s3/server/joining" ] && killed=$((killed + 1))
	server_stop s3 KILL
done
[ $killed -gt 0 ] && ok "it was killed while it joined" || bad "it was killed while it joined" "never"
# shellcheck disable=SC2046
server_start s3 $(join_flags s2)
check "it joins in the end" wait_for 60 server_is_ready s3
check "with a vote, and nobody twice" wait_for 10 members_are s3 3
check "and nothing of the joining is left" test ! -e "$T/s3/server/joining"

# ---- a disk that lost its log ----
server_stop s3 TERM
mv "$T/s3/server/db/raft" "$T/s3.raft" && mv "$T/s3/server/db/state.db" "$T/s3.state"
check_has "a server whose log is gone begins no other one" "has lost its log" "$(refused s3)"
mv "$T/s3.raft" "$T/s3/server/db/raft" && mv "$T/s3.state" "$T/s3/server/db/state.db"
server_start s3
check "with it, it goes on" wait_for 20 server_is_ready s3

# ---- all were off, and come back one after the other ----
for n in s1 s2 s3; do server_stop $n KILL; done
server_start s1
check "the first to come back does not give up" wait_for 30 grep -q 'cannot read the store, it is tried again' "$T/s1.log"
check "but waits for the others" kill -0 "$(cat "$T/s1.pid")"
server_start s2
check "with a majority it is ready" wait_for 20 server_is_ready s1
server_start s3
check "and so are all" wait_for 20 server_is_ready s3

# ---- back to one ----
server_stop s2 KILL
server_stop s3 KILL
check "without a majority nothing is written" bash -c "! timeout 15 nsenter --net=/run/netns/${prefix}s1 kubectl --kubeconfig $T/s1.kubeconfig --request-timeout=8s create configmap lost"
check_has "but what is there is read, with a warning that it may be old" "Warning: no server of the cluster leads" "$(k s1 --request-timeout=20s get configmap one 2>&1)"
check_has "and given" "one" "$(k s1 --request-timeout=20s get configmap one 2>/dev/null)"
check_has "/readyz says what is wrong" "store failed: no server leads: a majority of the servers must run" "$(raw s1 "$(url s1)/readyz?verbose")"
check "and the log" grep -q "no server leads: nothing is written" "$T/s1.log"
check_has "a server that runs is not reset" "in use" "$(refused s1 --cluster-reset)"
at s1 timeout 1 kubectl --kubeconfig "$T/s1.kubeconfig" create configmap nobody-waits-for-it >/dev/null 2>&1
began=$SECONDS
kill -TERM "$(cat "$T/s1.pid")"
wait "$(cat "$T/s1.pid")"
check_is "it ends in order, a write under way whose client has gone" 0 $?
check "and does not wait for a majority" test $((SECONDS - began)) -le 5
server_stop s1
check_has "the survivor is reset" "is the only one of its cluster now" "$(refused s1 --cluster-reset)"
server_start s1
check "it is ready" wait_for 20 server_is_ready s1
check "with all objects" has_object s1 one
check "it writes" writes s1
check_is "its token is the same" "$token" "$(cat "$T/s1/server/token")"
check "its controllers work" k s1 scale deployment web --replicas=4
check "the pods are there again" wait_for 10 has_pods s1 web 4
server_start s2
check "one with old data comes to nothing" bash -c "sleep 3; ! grep -q 'API is ready' <(tail -n +$(($(wc -l <"$T/s2.log") + 1)) $T/s2.log)"
check "and does no harm" writes s1
server_stop s2 KILL
rm -rf "$T/s2"
# shellcheck disable=SC2046
server_start s2 $(join_flags s1)
check "wiped, it joins again" wait_for 60 server_is_ready s2
check "and has the objects" has_object s2 one
server_stop s2 TERM

# ---- a new machine, with a copy of the data and the token ----
server_stop s1 TERM
rm -rf "$T/s4"
check_has "the data is put on a new machine" "restored" "$(refused s4 --cluster-reset --cluster-reset-restore-path "$T/s1/server/db/state.db")"
check_has "which needs the token" "give --token" "$(refused s4)"
check_has "the right one" "don't open with this token" "$(refused s4 --token some-other-secret)"
server_start s4 --token "$secret"
check "with it, it is ready" wait_for 20 server_is_ready s4
check "and has the objects" has_object s4 one
check_is "and the CA" "$(sha256sum <"$T/cacerts")" "$(raw s4 "$(url s4)/cacerts" | sha256sum)"
server_stop s4 TERM
server_start s4 --cluster-init
check "it can be joined" wait_for 20 server_is_ready s4
rm -rf "$T/s3"
# shellcheck disable=SC2046
server_start s3 $(join_flags s4)
check "and another gets its state and a vote" wait_for 30 server_is_ready s3
check "and has the objects" has_object s3 one
server_stop s3 TERM
server_stop s4
finish
