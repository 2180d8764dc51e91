#!/bin/bash
# The commands of k3x-store against a running server.
. "$(dirname "$0")/_lib.sh"
export ETCDCTL_ENDPOINTS=http://127.0.0.1:17679
store() { timeout 10 "$K3X" store "$@"; }
"$K3X" store serve --name m1 --data-dir "$T/store" --listen-client-urls $ETCDCTL_ENDPOINTS --advertise-client-urls $ETCDCTL_ENDPOINTS </dev/null >"$T/store.log" 2>&1 &
server_pid=$!
check "endpoint health" wait_for 10 "$K3X" store endpoint health

check_is "put" OK "$(store put a 1)"
check_is "put from standard input" OK "$(printf 'two words' | store put b)"
check_is "get" "a 1" "$(store get a | paste -sd' ')"
check_is "prev-kv" "OK a 1" "$(store put a 2 --prev-kv | paste -sd' ')"
check_is "get at a revision" 1 "$(store get a --rev 2 --print-value-only)"
check_is "get as JSON" '{"header":{"revision":4},"kvs":[{"key":"YQ==","create_revision":2,"mod_revision":4,"version":2,"value":"Mg=="}],"more":false,"count":1}' "$(store get a -o json)"
check_is "prefix, keys only" "a b" "$(store get --prefix '' --keys-only | paste -sd' ')"
check_is "count" 2 "$(store get --from-key a --count-only)"
check_is "watch" "PUT a 1 PUT a 2" "$(store watch a --rev 1 --events 2 | paste -sd' ')"
check_has "watch as JSON" '{"type":"PUT","kv":{"key":"YQ=="' "$(store watch a --rev 1 --events 1 -o json)"
check_is "del" 1 "$(store del b)"
check_is "compact" "compacted revision 4" "$(store compact 4)"
check_has "an error has the server's words" "required revision has been compacted" "$(store get a --rev 2 2>&1)"
check_has "a watch below it" "compacted" "$(store watch a --rev 2 2>&1)"

lease=$(store lease grant 100 | cut -d' ' -f2)
check_is "put with a lease" OK "$(store put l x --lease "$lease")"
check_is "lease list" "$lease" "$(store lease list)"
check_has "lease ttl" "granted with TTL(100s)" "$(store lease ttl "$lease" --keys)"
check_has "keep-alive" "keepalived with TTL(100)" "$(store lease keep-alive --once "$lease")"
check_has "revoke" revoked "$(store lease revoke "$lease")"
check_is "and its key is gone" "" "$(store get l)"

check_has "endpoint status" leader "$(store endpoint status)"
check_has "endpoint hashkv" "HASH" "$(store endpoint hashkv)"
check_has "as JSON" '"compactedRevision":4' "$(store endpoint hashkv -o json)"
named() { store member list | grep -q " m1 "; }
check "member list, once the member has said its name" wait_for 10 named
check_has "as JSON" '"name":"m1","status":"started"' "$(store member list -o json)"
check_has "defrag" "defragmented" "$(store defrag)"
check_has "leader move with nobody else" "no other voter" "$(store leader move 2>&1)"
check_is "alarm list" "" "$(store alarm list)"
check_has "the second endpoint is taken when the first is not there" "a" "$(store get a --endpoints http://127.0.0.1:9,$ETCDCTL_ENDPOINTS)"
check_has "nobody there" "127.0.0.1" "$(store get a --endpoints http://127.0.0.1:9 2>&1)"
check_is "txn, holds" "SUCCESS OK a 2" "$(printf 'mod("a") > "0"\nvalue("a") = "2"\n\nput t "two words"\nget a\n\nget b\n' | store txn | paste -sd' ')"
check_is "txn, does not" "FAILURE t two words" "$(printf 'version("a") = "9"\n\nput t 1\n\nget --prefix t\n' | store txn | paste -sd' ')"
check_has "txn, a broken line is named" "line 1: a compare is like" "$(echo nonsense | store txn 2>&1)"
for i in $(seq 1 130); do printf 'put e/%04d "value %d"\n' $i $i; done | split -l 100 - "$T/puts-"
for f in "$T"/puts-*; do { echo; cat "$f"; } | store txn >/dev/null; done
store put leased x --lease "$(store lease grant 100 | cut -d' ' -f2)" >/dev/null
store export --prefix e/ >"$T/export"
check_is "export" 130 "$(wc -l <"$T/export")"
store del --prefix e/ >/dev/null
check_has "import" "130 pairs written" "$(store import <"$T/export")"
check_is "import gives the values back" "value 77" "$(store get e/0077 --print-value-only)"
check_has "pairs on leases are left out" "132 pairs written, 1 on leases left out" "$(store export | store import)"
check_has "a broken import is named" "line 1" "$(echo '{"key":"?"}' | store import 2>&1)"
check_has "snapshot save" "saved" "$(store snapshot save "$T/s.snap")"
check "and it is sound" store snapshot status "$T/s.snap"
check_has "what may go must be said" "say what may go" "$(store snapshot prune "$T" 2>&1)"
check_has "an unknown command of a group lists the group" "snapshot prune" "$(store snapshot nothing 2>&1)"
check "completion for bash reads" bash -n <(store completion bash)
complete_bash() { # WORDS...: what bash would offer for the last
	bash -c 'source <("$1" store completion bash); shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _k3x_store; echo "${COMPREPLY[@]}"' - "$K3X" "$@"
}
check_is "it knows commands" "snapshot" "$(complete_bash k3x-store snap)"
check_is "and their own" "status save" "$(complete_bash k3x-store snapshot s | tr ' ' '\n' | sort -r | paste -sd' ')"
check_is "and flags" "--initial-cluster --initial-cluster-token" "$(complete_bash k3x store snapshot restore --initial-c)"
check_is "the manual names every command" "" "$(comm -13 <(store man | sed -n 's/^\.SS //p' | cut -d' ' -f1 | sort -u) <(store --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | sort -u))"
etcdctl user add root:secret >/dev/null && etcdctl user grant-role root root >/dev/null && etcdctl auth enable >/dev/null
check_has "who asks must be said, once users are on" "--user NAME:PASSWORD" "$(store put a 1 2>&1)"
check_is "user and password" OK "$(store put a 1 --user root:secret)"
check_is "from etcdctl's environment" 1 "$(ETCDCTL_USER=root ETCDCTL_PASSWORD=secret store get a --print-value-only)"
check_has "a wrong password" "authentication failed" "$(store get a --user root:no 2>&1)"
check_is "streams too" "PUT a 1" "$(store watch a --rev "$(store get a -o json --user root:secret | sed 's/.*"mod_revision":\([0-9]*\).*/\1/')" --events 1 --user root:secret | paste -sd' ')"
check "snapshots too" store snapshot save "$T/users.snap" --user root:secret
check_has "help" "--endpoints" "$(store get --help)"
check_has "a wrong number of arguments" "takes KEY" "$(store get 2>&1)"
stop_server TERM
finish
