#!/bin/bash
# What an agent took from its cluster when it joined is another later: settings count from its next start on and it says
# so while it runs, new CAs are taken at once, tokens of before and after them are good. The nodes have no containerd.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
[ "$(id -u)" = 0 ] || { skip "agent_follow" "needs root"; finish; exit; }
needs kubectl openssl jq
hosts s1 s2 a1

kx() { local n=$1; shift; at "$n" "$K3X" "$@" --data-dir "$T/$n" 2>&1; }
logged() { grep -q -- "$2" "$T/$1.log"; }
setting() { jq -r "$1" "$T/a1/agent/cluster.json"; }
agent_is_up() { logged a1 'agent: starting'; }
start_agent() { : >"$T/a1.log"; agent_start a1 --server "$(url s1)" "$@"; wait_for 30 agent_is_up; }
refused() { timeout 60 bash -c "$(declare -f at agent_run address); $(declare -p prefix net T K3X); agent_run $*" 2>&1; }
restart() { # NAME FLAGS...: a server, with other flags
	server_stop "$1" TERM
	server_start "$@"
	wait_for 30 server_is_ready "$1"
}

server_start s1 --cluster-init --agent-token agents-only-secret --flannel-backend none
check "a server is ready" wait_for 20 server_is_ready s1
token=$(cat "$T/s1/server/node-token")
check "an agent joins" start_agent --token "$token"
check_is "with the cluster's settings" "none true" "$(setting .flannelBackend) $([ "$(setting .clusterDNS)" = 10.43.0.10 ] && echo true)"

# ---- settings ----
server_stop a1 TERM
restart s1 --flannel-backend none --disable-network-policy --service-node-port-range 31000-32000
check "a node that is in starts again" start_agent
check "it has the settings of now" logged a1 'what is the cluster.s was taken anew.*settings=changed'
check_is "all of them" "none true 31000-32000" "$(setting .flannelBackend) $(setting .disableNetworkPolicy) $(setting .nodePortRange)"
restart s1 --flannel-backend none --disable-network-policy --service-node-port-range 30000-31000
looks_again() { touch "$T/a1/agent/client-kubelet.crt"; logged a1 "$1"; }
check "one that runs is told that they are others" wait_for 20 looks_again 'are others than those this agent runs with'
server_stop a1 TERM
check "and has them at its next start" start_agent
check_is "which they say" 30000-31000 "$(setting .nodePortRange)"
server_stop a1 TERM
server_stop s1 TERM
check "with no server up it starts" start_agent
check "and says what it goes by" logged a1 "settings are those of the last time"
server_stop a1 TERM
server_start s1 --flannel-backend none
wait_for 30 server_is_ready s1

# ---- another server answers for the first ----
# Word splitting of the flags is wanted.
# shellcheck disable=SC2046
server_start s2 $(join_flags s1) --flannel-backend none
check "a second server joins" wait_for 60 server_is_ready s2
start_agent
check "the agent knows it" wait_for 20 grep -q '10.99.0.2' "$T/a1/agent/etc/k3x-agent-load-balancer.json"
server_stop a1 TERM
server_stop s1 TERM
server_stop s2 TERM
server_start s2 --flannel-backend none --service-node-port-range 30500-31000
server_start s1 --flannel-backend none --service-node-port-range 30500-31000
wait_for 30 server_is_ready s2
cut_off s1
check "the server that it was given is out of reach" start_agent
check "it asks another" logged a1 "taken anew server=https://10.99.0.2:6443"
check_is "and has its settings" 30500-31000 "$(setting .nodePortRange)"
plug_in s1
wait_for 30 server_is_ready s1

# ---- new CAs ----
mkdir "$T/cas"
make_ca server-ca "$T/cas"
make_ca client-ca "$T/cas"
check_has "the cluster has new CAs" K10 "$(kx s1 certificate rotate-ca --path "$T/cas")"
issuer() { openssl x509 -in "$T/a1/agent/$1.crt" -noout -issuer | sed 's/.*CN = //'; }
is_of_new() { touch "$T/a1/agent/client-kubelet.crt"; [ "$(issuer serving-kubelet) $(issuer client-kubelet) $(issuer client-kube-proxy)" = "new-server-ca new-client-ca new-client-ca" ]; }
check "an agent that runs gets certificates of them" wait_for 30 is_of_new
check_is "and has what the servers have" "$(sha256sum <"$T/s1/server/tls/server-ca.crt") $(sha256sum <"$T/s1/server/tls/client-ca.crt")" \
	"$(sha256sum <"$T/a1/agent/server-ca.crt") $(sha256sum <"$T/a1/agent/client-ca.crt")"
server_stop a1 TERM
check "the token of before is good for a node that is in" start_agent --token "$token"
server_stop a1 TERM
token_is_new() { [ "$(cut -d: -f1 "$T/s1/server/node-token")" = "K10$(sha256sum <"$T/s1/server/tls/server-ca.crt" | cut -d' ' -f1)" ]; }
check "the server writes down the token of now" wait_for 30 token_is_new
check "which is good, too" start_agent --token "$(cat "$T/s1/server/node-token")"
server_stop a1 TERM
rm "$T/a1/agent/former-cas"
cp "$T/s1/server/tls/server-ca.crt" "$T/bundle"
openssl x509 -in <(sed -n '/BEGIN/,$p' "$T/bundle" | awk '/BEGIN/ { n++ } n == 3') >"$T/a1/agent/server-ca.crt" # as if it had slept
check "one that has slept meanwhile takes the token of now" start_agent --token "$(cat "$T/s1/server/node-token")"
check_has "because its CA goes on in the new one" 'has taken over from the one that is here' "$(cat "$T/a1.log")"
server_stop a1 TERM
check_has "one of another cluster is told" "is of another cluster" "$(refused a1 --server "$(url s1)" --token "K10$(printf x | sha256sum | cut -d' ' -f1)::node:whatever")"
server_stop s1 TERM
server_stop s2 TERM
finish
