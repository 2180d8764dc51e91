#!/bin/bash
# client-go and @kubernetes/client-node against a server with controllers and without a node. run.sh builds what it starts.
. "$(dirname "$0")/../integration/_lib.sh"
b=$root/build/clients

# A program's own cases count, its last line says how many.
count() { # what, command...
	local what=$1 out last
	shift
	echo "$what:"
	out=$("$@" 2>&1)
	last=$(grep -aE '^[0-9]+ passed, [0-9]+ failed' <<<"$out" | tail -n 1)
	grep -vaE '^[0-9]+ passed, ' <<<"$out"
	if [ -z "$last" ]; then bad "$what ends with its counts"; return; fi
	passed=$((passed + ${last%% *}))
	last=${last#*, }
	failed=$((failed + ${last%% *}))
}

in_namespace
start_server 17595 --disable-agent || { finish; exit 1; }
check "the server is ready" wait_for 30 kubectl get --raw /readyz
export KUBECONFIG=$T/kubeconfig
count "client-go" inside "$b/clients"
count "client-go with WatchList" inside env KUBE_FEATURE_WatchListClient=true "$b/clients"
if [ -d "$b/node/node_modules" ]; then
	count "client-node" inside node "$b/node/clients.mjs"
else
	skip "client-node" "npm is not installed"
fi
finish
